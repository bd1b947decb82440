import type { Tensor, Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs';
import { embedding, hasSsdScan, linear, residualRmsNorm, type TF } from '../tensor';
import { NetssmError } from '../util';
import { derivedSizes, stateShapes, type MambaConfig } from './config';
import { makePacking, type LayerState, type Scan } from './layer';
import { mamba1Mixer, type Mamba1Params } from './mamba1';
import { makePlan, mamba2Mixer, type Mamba2Params } from './mamba2';
import type { Params } from './params';

/** Options of {@link forward}. */
export interface ForwardOptions {
  /** One state a layer, of the tokens before: from an earlier call, or {@link zeroStates}. Default: the beginning. */
  states?: LayerState[];
  /** int32 [B, L], 1 where a new packed sequence begins: state and convolution are reset there. */
  starts?: Tensor2D;
  /** Which form of the operator; default `auto`. */
  scan?: Scan;
}

/** Result of {@link forward}. */
export interface ForwardResult {
  /** [B, L, padded_vocab_size]: for each position the scores of the token after it. */
  logits: Tensor3D;
  /** After the last position; with `starts`, of the last packed sequence. */
  states: LayerState[];
}

/**
 * The language model: embedding, n_layer times x + mixer(RMSNorm(x)) with the residual in float32, RMSNorm, and the
 * embedding again as the head (Press and Wolf, 2017).
 *
 * **Shapes**: tokens int32 [B, L]. **Official**: state-spaces/mamba `models/mixer_seq_simple.py`, `MambaLMHeadModel`.
 * @throws NetssmError `model_shape` if the parameters are not those of the config, `token_out_of_range` for an id
 * without a row in the embedding (an engine would read whatever lies there).
 * @example
 * const { logits } = forward(tf, config, params, tf.tensor2d([[1, 2, 3]], [1, 3], 'int32'));
 */
export function forward(
  tf: TF,
  config: MambaConfig,
  params: Params,
  tokens: Tensor2D,
  { states, starts, scan }: ForwardOptions = {},
): ForwardResult {
  return tf.tidy(() => {
    const { x, y, states: after } = backbone(tf, config, params, tokens, { states, starts, scan });
    const { normed } = residualRmsNorm(tf, x, y, params['backbone.norm_f.weight'] as Tensor1D);
    const logits = linear(tf, normed, params['backbone.embedding.weight'] as Tensor2D); // [B, L, V]
    // tidy keeps what it finds in plain containers.
    return { logits, states: after } as unknown as Tensor[];
  }) as unknown as ForwardResult;
}

/** The states after the last position, as {@link forward} gives them, without the cost of scores. */
export function forwardStates(
  tf: TF,
  config: MambaConfig,
  params: Params,
  tokens: Tensor2D,
  options: ForwardOptions = {},
): LayerState[] {
  return tf.tidy(
    () => backbone(tf, config, params, tokens, options).states as unknown as Tensor[],
  ) as unknown as LayerState[];
}

/**
 * Embedding and layers: the residual stream after the last of them is x + y, both [B, L, D]. What a mixer gives is added
 * together with the norm that comes next. Belongs inside a tidy.
 */
function backbone(
  tf: TF,
  config: MambaConfig,
  params: Params,
  tokens: Tensor2D,
  { states, starts, scan }: ForwardOptions,
): { x: Tensor3D; y?: Tensor3D; states: LayerState[] } {
  checkShapes(config, params, states);
  checkTokens(tokens, derivedSizes(config).padded_vocab_size);
  const [B, L] = tokens.shape;
  const mix = mixers(tf, config, B, L, starts, scan);
  let x = embedding(tf, params['backbone.embedding.weight'] as Tensor2D, tokens); // [B, L, D]
  let y: Tensor3D | undefined;
  const out: LayerState[] = [];
  for (let i = 0; i < config.n_layer; i++) {
    const layer = `backbone.layers.${i}.`;
    const own = mixerParams(params, `${layer}mixer.`);
    const before = y ? [x, y] : [x];
    // What is not needed for a gradient is gone after its layer.
    const result = tf.tidy(() => {
      const { sum, normed } = residualRmsNorm(tf, x, y, params[`${layer}norm.weight`] as Tensor1D);
      const { out: mixed, state } = mix(own, normed, states?.[i]);
      return [y ? sum : sum.clone(), mixed, state.conv, state.ssm];
    });
    tf.dispose(before);
    [x, y] = result as Tensor3D[];
    out.push({ conv: result[2] as Tensor3D, ssm: result[3] });
  }
  return { x, y, states: out };
}

/** The mixer of the config's layer type, with what all layers of a batch share made once. */
function mixers(tf: TF, config: MambaConfig, B: number, L: number, starts?: Tensor2D, scan?: Scan) {
  if (config.ssm_cfg.layer === 'Mamba1') {
    const packed = starts && makePacking(tf, starts);
    return (params: object, u: Tensor3D, state?: LayerState) =>
      mamba1Mixer(tf, config, params as Mamba1Params, u, packed, state, scan);
  }
  const plan = makePlan(tf, config, B, L, starts);
  // Made here rather than at its first use, which is inside the first layer's tidy.
  if (scan === 'parallel' || (scan !== 'sequential' && !hasSsdScan(tf))) plan.chunked();
  return (params: object, u: Tensor3D, state?: LayerState) =>
    mamba2Mixer(tf, config, params as Mamba2Params, u, plan, state, scan);
}

/** The state before the first token of B rows. */
export function zeroStates(tf: TF, config: MambaConfig, B: number): LayerState[] {
  const { conv, ssm } = stateShapes(config);
  return Array.from({ length: config.n_layer }, () => ({
    conv: tf.zeros([B, conv[0], conv[1]]) as LayerState['conv'],
    ssm: tf.zeros([B, ...ssm]),
  }));
}

/** Frees the tensors of states. */
export function disposeStates(states: readonly LayerState[]): void {
  for (const { conv, ssm } of states) {
    conv.dispose();
    ssm.dispose();
  }
}

/** The parameters below a prefix, without it. */
function mixerParams(params: Params, prefix: string): object {
  const own = Object.entries(params).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(own.map(([name, tensor]) => [name.slice(prefix.length), tensor]));
}

function checkShapes(config: MambaConfig, params: Params, states?: LayerState[]): void {
  const { padded_vocab_size } = derivedSizes(config);
  const table = params['backbone.embedding.weight'];
  if (!table || table.shape[0] !== padded_vocab_size || table.shape[1] !== config.d_model) {
    throw new NetssmError(
      'model_shape',
      `model: embedding is [${table?.shape ?? 'missing'}] but the config asks for [${padded_vocab_size},${config.d_model}]`,
      { hint: 'Use the config.json that was saved beside the weights.' },
    );
  }
  if (states && states.length !== config.n_layer) {
    throw new NetssmError('model_shape', `model: ${states.length} states for ${config.n_layer} layers`);
  }
}

function checkTokens(tokens: Tensor2D, vocabSize: number): void {
  const ids = tokens.dataSync();
  for (let i = 0; i < ids.length; i++) {
    if (!(ids[i] >= 0 && ids[i] < vocabSize)) {
      const place = `row ${Math.floor(i / tokens.shape[1])}, position ${i % tokens.shape[1]}`;
      throw new NetssmError(
        'token_out_of_range',
        `token ${ids[i]} at ${place} is not in 0..${vocabSize - 1}`,
        {
          hint: 'The tokens and the model must come from the same vocabulary (tokenizer.json).',
        },
      );
    }
  }
}
