import type { Tensor, Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs';
import { forward, toParams, type Params, type Weights } from '../../model';
import { embedding, linear, residualRmsNorm, type TF } from '../../tensor';
import { NetssmError } from '../../util';
import {
  attentionMixer,
  attentionTables,
  mlp,
  type AttentionParams,
  type AttentionTables,
  type MlpParams,
} from './attention';
import { fullConfig, mambaConfig, type FullNetConfig, type NetConfig } from './config';
import { gruMixer, type GruParams } from './gru';
import { initNet, type InitOptions } from './init';
import { ltiMixer, type LtiParams } from './lti';
import { below } from './prefix';
import { countParameters, netShapes } from './shapes';

/** A language model on an engine: embedding, n_layer blocks, norm, the embedding again as head. */
export interface SequenceNet {
  readonly tf: TF;
  readonly config: FullNetConfig;
  /** The numbers, for optimisers and the step form. After a change call `refresh`. */
  readonly weights: Weights;
  /** The same as tensors of the engine. */
  readonly params: Params;
  /** Numbers to be learnt. */
  readonly parameters: number;
  /**
   * Scores of the token after each: tokens int32 [B, L] -> logits [B, L, vocab_size]. Differentiable in `params`
   * (default: the net's own), once.
   * @throws NetssmError `token_out_of_range`.
   */
  forward(tokens: Tensor2D, params?: Params): Tensor3D;
  /** Makes `params` what `weights` are. */
  refresh(): void;
  dispose(): void;
}

/** One half of a block: what it does to the normed residual stream before that is added again. */
interface Branch {
  norm: string;
  run(u: Tensor3D): Tensor3D;
}

/**
 * A net with fresh weights (`initNet`), by config and seed alone the same on every engine. The caller disposes it.
 * @throws NetssmError `net_config`, `net_init`.
 * @example
 * const net = makeNet(tf, { mixer: 'gru', vocab_size: 18, d_model: 64, n_layer: 2 }, 1);
 * const logits = net.forward(tf.tensor2d([[1, 2, 3]], [1, 3], 'int32')); // [1, 3, 18]
 */
export function makeNet(tf: TF, config: NetConfig, seed: number, init?: InitOptions): SequenceNet {
  return netOfWeights(tf, config, initNet(config, seed, init));
}

/**
 * A net of given weights, which become its own.
 * @throws NetssmError `net_config`, `weights_mismatch`.
 */
export function netOfWeights(tf: TF, given: NetConfig, weights: Weights): SequenceNet {
  const config = fullConfig(given);
  for (const [name, shape] of netShapes(config)) {
    if (weights[name]?.shape.join() !== shape.join()) {
      throw new NetssmError(
        'weights_mismatch',
        `${config.mixer} net: ${name} is [${weights[name]?.shape ?? 'missing'}], expected [${shape}]`,
        { hint: 'Use the config that the weights were made with.' },
      );
    }
  }
  // These engines compute on the arrays themselves, which an optimiser changes in place: no copy to keep up to date.
  const shared = ['native', 'cpu'].includes(tf.getBackend());
  const upload = (): Params =>
    shared
      ? Object.fromEntries(
          Object.entries(weights).map(([name, { shape, data }]) => [name, tf.tensor(data, shape, 'float32')]),
        )
      : toParams(tf, weights);
  let params = upload();
  let tables: AttentionTables | undefined;
  const tablesFor = (L: number): AttentionTables => {
    if (tables?.L !== L) {
      if (tables) disposeTables(tables);
      tables = attentionTables(tf, L, config.d_model / config.nheads);
      for (const tensor of tensorsOf(tables)) tf.keep(tensor); // beyond the caller's tidy
    }
    return tables as AttentionTables;
  };
  return {
    tf,
    config,
    weights,
    get params() {
      return params;
    },
    parameters: countParameters(config),
    forward(tokens, own = params) {
      if (config.mixer === 'mamba1' || config.mixer === 'mamba2')
        return tf.tidy(() => forward(tf, mambaConfig(config), own, tokens).logits);
      checkTokens(tokens, config.vocab_size);
      const shared = config.mixer === 'attention' ? tablesFor(tokens.shape[1]) : undefined;
      return tf.tidy(() => stack(tf, own, tokens, branches(tf, config, own, shared)));
    },
    refresh() {
      if (shared) return;
      tf.dispose(Object.values(params));
      params = upload();
    },
    dispose() {
      tf.dispose(Object.values(params));
      if (tables) disposeTables(tables);
      tables = undefined;
    },
  };
}

/** Embedding, branches one after the other, norm and head. What a branch gives is added with the norm that comes next. */
function stack(tf: TF, params: Params, tokens: Tensor2D, all: Branch[]): Tensor3D {
  const table = params['backbone.embedding.weight'] as Tensor2D;
  let x = embedding(tf, table, tokens); // [B, L, D]
  let y: Tensor3D | undefined;
  for (const { norm, run } of all) {
    const before = y ? [x, y] : [x];
    // What is not needed for a gradient is gone after its branch.
    const [sum, out] = tf.tidy(() => {
      const { sum, normed } = residualRmsNorm(tf, x, y, params[norm] as Tensor1D);
      return [y ? sum : sum.clone(), run(normed)];
    });
    tf.dispose(before);
    [x, y] = [sum, out];
  }
  const { normed } = residualRmsNorm(tf, x, y, params['backbone.norm_f.weight'] as Tensor1D);
  return linear(tf, normed, table); // [B, L, V]
}

function branches(tf: TF, config: FullNetConfig, params: Params, tables?: AttentionTables): Branch[] {
  return Array.from({ length: config.n_layer }, (_, i) => {
    const layer = `backbone.layers.${i}.`;
    const norm = `${layer}norm.weight`;
    const mixer = below(params, `${layer}mixer.`);
    if (config.mixer === 'lti') return [{ norm, run: (u: Tensor3D) => ltiMixer(tf, mixer as LtiParams, u) }];
    if (config.mixer === 'gru') return [{ norm, run: (u: Tensor3D) => gruMixer(tf, mixer as GruParams, u) }];
    return [
      {
        norm,
        run: (u: Tensor3D) =>
          attentionMixer(tf, mixer as AttentionParams, u, config.nheads, tables as AttentionTables),
      },
      {
        norm: `${layer}norm2.weight`,
        run: (u: Tensor3D) => mlp(tf, below(params, `${layer}mlp.`) as MlpParams, u),
      },
    ];
  }).flat();
}

function tensorsOf({ mask, cos, sin }: AttentionTables): Tensor[] {
  return [mask, cos, sin];
}

function disposeTables(tables: AttentionTables): void {
  for (const tensor of tensorsOf(tables)) tensor.dispose();
}

function checkTokens(tokens: Tensor2D, vocab_size: number): void {
  const ids = tokens.dataSync();
  const at = ids.findIndex((id) => !(id >= 0 && id < vocab_size));
  if (at < 0) return;
  const [row, position] = [Math.floor(at / tokens.shape[1]), at % tokens.shape[1]];
  throw new NetssmError(
    'token_out_of_range',
    `token ${ids[at]} at row ${row}, position ${position} is not in 0..${vocab_size - 1}`,
    { hint: 'vocab_size of the net must cover every id of the task.' },
  );
}
