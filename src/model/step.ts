import { readWithLabel } from '../tokens';
import { NetssmError } from '../util';
import { derivedSizes, stateShapes, type MambaConfig } from './config';
import { checkWeights, type Weights } from './params';
import { Mamba1Step } from './step1';
import { Mamba2Step } from './step2';
import { matVec, pack, rmsNorm, type Panels } from './stepMath';

/** What the model remembers of one sequence: constant in size. Made by {@link StepModel.newState}. */
export interface StepState {
  /** Per layer the last d_conv - 1 inputs of the convolution, oldest first: [d_conv-1, conv_dim]. */
  conv: Float32Array[];
  /** Per layer h: [d_inner, d_state] in Mamba-1, [nheads, headdim, d_state] in Mamba-2. */
  ssm: Float32Array[];
  /** The sequence's label, for models that read it at every packet. */
  label?: number;
}

/**
 * What one layer did with one token: the quantities of the papers' equations that the token itself decides.
 * {@link StepModel.newProbe} makes room for them, {@link StepModel.step} fills it.
 */
export interface LayerLook {
  /** Delta, the step sizes after softplus: [d_inner] in Mamba-1, [nheads] in Mamba-2. */
  delta: Float32Array;
  /**
   * exp(Delta A), the share of h that stays: as `delta`. In Mamba-1 every number of h has its own; here their mean
   * in each channel.
   */
  decay: Float32Array;
  /** B, along which the token is written into h, and C, along which h is read: [ngroups * d_state]. */
  B: Float32Array;
  C: Float32Array;
  /** SiLU(z), which lets the output through: [d_inner]. */
  gate: Float32Array;
  /** Euclidean norm of h after the token. */
  stateNorm: number;
  /** Euclidean norm of what the token changed in h. */
  stateChange: number;
}

/** What a model did with the token that it read last. Made by {@link StepModel.newProbe}, read by whoever explains. */
export interface StepProbe {
  readonly layers: LayerLook[];
  /** h before the token; scratch. */
  readonly before: Float32Array;
}

/** One layer's mixer, a token at a time. */
export interface StepMixer {
  /** out += mixer(u), with the layer's states moved on by one token. */
  step(u: Float32Array, conv: Float32Array, ssm: Float32Array, out: Float32Array): void;
  /** What the last {@link step} computed on its way, taken from its scratch: a step costs the same, looked at or not. */
  look(into: LayerLook): void;
}

/**
 * The model one token at a time, for generation: the recurrence of the papers (arXiv 2312.00752, equation 2; arXiv
 * 2405.21060, section 2.3.1) as plain loops over typed arrays. No tfjs, no allocation per token; one instance serves one sequence at a time, states
 * can be copied and kept.
 *
 * **Official**: `Mamba.step` and `Mamba2.step` in state-spaces/mamba `modules/`.
 * @example
 * const model = new StepModel(config, weights);
 * const state = model.newState();
 * const logits = new Float32Array(model.vocabSize);
 * model.step(state, 258, logits); // the scores of the token after 258
 */
export class StepModel {
  /** Length of the logits: vocab_size rounded up as the embedding is. */
  readonly vocabSize: number;
  private readonly embedding: Float32Array; // [V, D]
  private readonly head: Panels; // the same
  private readonly normF: Float32Array;
  private readonly layers: { norm: Float32Array; mixer: StepMixer }[];
  // Scratch, reused by every step.
  private readonly x: Float32Array; // the residual stream, [D]
  private readonly u: Float32Array; // normed, [D]

  /** @throws NetssmError `weights_mismatch`. */
  constructor(
    readonly config: MambaConfig,
    weights: Weights,
  ) {
    checkWeights(config, weights, 'StepModel');
    this.vocabSize = derivedSizes(config).padded_vocab_size;
    this.embedding = weights['backbone.embedding.weight'].data;
    this.head = pack(this.embedding, this.vocabSize, config.d_model);
    this.normF = weights['backbone.norm_f.weight'].data;
    const Mixer = config.ssm_cfg.layer === 'Mamba1' ? Mamba1Step : Mamba2Step;
    this.layers = Array.from({ length: config.n_layer }, (_, i) => {
      const get = (name: string) => weights[`backbone.layers.${i}.${name}`].data;
      return { norm: get('norm.weight'), mixer: new Mixer(config, (name) => get(`mixer.${name}`)) };
    });
    this.x = new Float32Array(config.d_model);
    this.u = new Float32Array(config.d_model);
  }

  /** The state before the first token. */
  newState(): StepState {
    const [conv, ssm] = Object.values(stateShapes(this.config)).map((shape) =>
      shape.reduce((a, b) => a * b, 1),
    );
    return {
      conv: this.layers.map(() => new Float32Array(conv)),
      ssm: this.layers.map(() => new Float32Array(ssm)),
    };
  }

  /** Room for what happens inside {@link step}, for one caller at a time. */
  newProbe(): StepProbe {
    const { ssm_cfg } = this.config;
    const { d_inner, nheads } = derivedSizes(this.config);
    const groups = ssm_cfg.layer === 'Mamba2' ? ssm_cfg.ngroups : 1;
    const numbers = (n: number) => new Float32Array(n);
    return {
      layers: this.layers.map(() => ({
        delta: numbers(nheads),
        decay: numbers(nheads),
        B: numbers(groups * ssm_cfg.d_state),
        C: numbers(groups * ssm_cfg.d_state),
        gate: numbers(d_inner),
        stateNorm: 0,
        stateChange: 0,
      })),
      before: numbers(d_inner * ssm_cfg.d_state),
    };
  }

  /** An independent copy: to go on from the same point twice. */
  copyState(state: StepState): StepState {
    const { conv, ssm, label } = state;
    return { conv: conv.map((a) => a.slice()), ssm: ssm.map((a) => a.slice()), label };
  }

  /** The same without a new state: `to` becomes a copy of `from`. */
  copyStateInto(from: StepState, to: StepState): void {
    from.conv.forEach((a, i) => to.conv[i].set(a));
    from.ssm.forEach((a, i) => to.ssm[i].set(a));
    to.label = from.label;
  }

  /**
   * Takes one token in: updates `state` in place and writes the scores of the token after it into `logits`
   * ([vocabSize]), if given. `probe`, if given, is filled with what each layer did.
   * @throws NetssmError `token_out_of_range`.
   */
  step(state: StepState, token: number, logits?: Float32Array, probe?: StepProbe): void {
    const D = this.config.d_model;
    if (!(token >= 0 && token < this.vocabSize)) {
      throw new NetssmError('token_out_of_range', `token ${token} is not in 0..${this.vocabSize - 1}`, {
        hint: 'The tokens and the model must come from the same vocabulary (tokenizer.json).',
      });
    }
    const { x, u } = this;
    const id = this.config.label_every_packet ? readWithLabel(state, token) : token;
    for (let i = 0; i < D; i++) x[i] = this.embedding[id * D + i];
    for (let i = 0; i < this.layers.length; i++) {
      rmsNorm(x, this.layers[i].norm, u, 0, D);
      const { mixer } = this.layers[i];
      probe?.before.set(state.ssm[i]);
      mixer.step(u, state.conv[i], state.ssm[i], x);
      if (probe) lookAt(mixer, probe.layers[i], state.ssm[i], probe.before);
    }
    if (!logits) return;
    rmsNorm(x, this.normF, u, 0, D);
    matVec(this.head, u, logits, false);
  }

  /** Takes tokens in, one after the other; `logits`, if given, are those after the last. */
  prefill(state: StepState, tokens: ArrayLike<number>, logits?: Float32Array): void {
    for (let i = 0; i < tokens.length; i++)
      this.step(state, tokens[i], i === tokens.length - 1 ? logits : undefined);
  }
}

function lookAt(mixer: StepMixer, into: LayerLook, h: Float32Array, before: Float32Array): void {
  mixer.look(into);
  let norm = 0;
  let change = 0;
  for (let i = 0; i < h.length; i++) {
    norm += h[i] * h[i];
    change += (h[i] - before[i]) * (h[i] - before[i]);
  }
  into.stateNorm = Math.sqrt(norm);
  into.stateChange = Math.sqrt(change);
}
