import { StepModel } from '../../model';
import { matVec, pack, rmsNorm } from '../../model/stepMath';
import { NetssmError } from '../../util';
import { mambaConfig } from './config';
import type { SequenceNet } from './net';
import { AttentionStep, GruStep, LtiStep, MlpStep, type BranchStep } from './stepBranches';

/** A net one token at a time, for generation. */
export interface NetStepper {
  /**
   * Takes one token in; the scores of the token after it go into `logits` ([vocab_size]), if given.
   * @throws NetssmError `token_out_of_range`.
   */
  step(token: number, logits?: Float32Array): void;
  /** What it remembers of the tokens so far, in bytes: constant, but for attention, whose cache grows with every token. */
  stateBytes(): number;
  /** Forgets all tokens. */
  reset(): void;
}

/**
 * The net's step form: plain loops over typed arrays, no tensors, one thread. Works on the net's weights as they are now;
 * after further training make another.
 * @example
 * const stepper = netStepper(net);
 * const logits = new Float32Array(net.config.vocab_size);
 * stepper.step(3, logits); // what comes after 3?
 */
export function netStepper(net: SequenceNet): NetStepper {
  const { mixer } = net.config;
  return mixer === 'mamba1' || mixer === 'mamba2' ? mambaStepper(net) : branchStepper(net);
}

function mambaStepper({ config, weights }: SequenceNet): NetStepper {
  const model = new StepModel(mambaConfig(config), weights);
  let state = model.newState();
  return {
    step: (token, logits) => model.step(state, token, logits),
    stateBytes: () => [...state.conv, ...state.ssm].reduce((sum, array) => sum + array.byteLength, 0),
    reset: () => {
      state = model.newState();
    },
  };
}

function branchStepper({ config, weights }: SequenceNet): NetStepper {
  const { d_model: D, n_layer, vocab_size, mixer } = config;
  const embedding = weights['backbone.embedding.weight'].data; // [V, D]
  const head = pack(embedding, vocab_size, D);
  const normF = weights['backbone.norm_f.weight'].data;
  const branches = Array.from({ length: n_layer }, (_, i) => {
    const get = (name: string) => weights[`backbone.layers.${i}.${name}`].data;
    const of = (prefix: string) => (name: string) => get(`${prefix}.${name}`);
    const norm = get('norm.weight');
    if (mixer === 'lti') return [{ norm, branch: new LtiStep(config, of('mixer')) as BranchStep }];
    if (mixer === 'gru') return [{ norm, branch: new GruStep(config, of('mixer')) as BranchStep }];
    return [
      { norm, branch: new AttentionStep(config, of('mixer')) as BranchStep },
      { norm: get('norm2.weight'), branch: new MlpStep(config, of('mlp')) as BranchStep },
    ];
  }).flat();
  // Scratch, reused by every step.
  const x = new Float32Array(8 * Math.ceil(D / 8)); // the residual stream
  const u = new Float32Array(D); // normed
  const scores = new Float32Array(8 * Math.ceil(vocab_size / 8));
  return {
    step(token, logits) {
      if (!(token >= 0 && token < vocab_size)) {
        throw new NetssmError('token_out_of_range', `token ${token} is not in 0..${vocab_size - 1}`, {
          hint: 'vocab_size of the net must cover every id of the task.',
        });
      }
      for (let i = 0; i < D; i++) x[i] = embedding[token * D + i];
      for (const { norm, branch } of branches) {
        rmsNorm(x, norm, u, 0, D);
        branch.step(u, x);
      }
      if (!logits) return;
      rmsNorm(x, normF, u, 0, D);
      matVec(head, u, scores, false);
      logits.set(scores.subarray(0, vocab_size));
    },
    stateBytes: () => branches.reduce((sum, { branch }) => sum + branch.stateBytes(), 0),
    reset: () => branches.forEach(({ branch }) => branch.reset()),
  };
}
