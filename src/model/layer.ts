import type { Tensor, Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs';
import { causalConv1d, silu, type TF } from '../tensor';
import type { MambaConfig } from './config';

/** What a layer remembers of the tokens before: constant in size, whatever their number. */
export interface LayerState {
  /** The last d_conv - 1 inputs of the convolution: [B, d_conv-1, conv_dim]. */
  conv: Tensor3D;
  /** h: [B, d_inner, d_state] in Mamba-1, [B, nheads, headdim, d_state] in Mamba-2. */
  ssm: Tensor;
}

/**
 * How a forward pass computes the operator. `auto`: the engine's fused kernel where it has one, else `parallel`.
 * `parallel`: tfjs operations over all tokens at once (an associative scan in Mamba-1, chunks of matrix products in
 * Mamba-2). `sequential`: the definition, one token after the other; slow, for comparisons.
 */
export type Scan = 'auto' | 'parallel' | 'sequential';

/** Which positions of packed rows belong together: the same for every layer. */
export interface Packing {
  /** Number of each position's sequence in its row, with K-1 zeros in front: [B, K-1+L]. */
  segments: Tensor2D;
  /** Factor on the convolution's outgoing state: [B, K-1, 1]. */
  convState: Tensor3D;
  /** 1 where h is reset before the token, else 0: [B, L]. */
  starts: Tensor2D;
  /** 1 - starts. */
  keep: Tensor2D;
}

/**
 * What `starts` (int32 [B, L], 1 at each first token of a packed sequence) means for a layer; what comes before the
 * first 1 of a row continues the incoming state.
 */
export function makePacking(tf: TF, config: MambaConfig, starts: Tensor2D): Packing {
  const K = config.ssm_cfg.d_conv;
  const [B, L] = starts.shape;
  const first = tf.cast(starts, 'float32');
  const number = tf.cumsum(first, 1) as Tensor2D; // [B, L]; 0: continues the row before
  const segments = tf.concat([tf.zeros([B, K - 1]), number], 1) as Tensor2D;
  const last = tf.slice(number, [0, L - 1], [B, 1]);
  const own = tf.equal(tf.slice(segments, [0, L], [B, K - 1]), last);
  return {
    segments,
    convState: tf.reshape(tf.cast(own, 'float32'), [B, K - 1, 1]) as Tensor3D,
    starts: first as Tensor2D,
    keep: tf.sub(1, first) as Tensor2D,
  };
}

/**
 * SiLU of the causal convolution over x and the inputs before it, and the inputs that the next call needs.
 * Shapes: x [B, L, C], weight [C, 1, K], bias [C], before and state [B, K-1, C].
 */
export function causalLayer(
  tf: TF,
  x: Tensor3D,
  weight: Tensor3D,
  bias: Tensor1D,
  before?: Tensor3D,
  packed?: Packing,
): { y: Tensor3D; state: Tensor3D } {
  const [B, L, C] = x.shape;
  const K = weight.shape[2];
  const history = tf.concat([before ?? tf.zeros([B, K - 1, C]), x], 1) as Tensor3D; // [B, K-1+L, C]
  const taps = tf.transpose(tf.reshape(weight, [C, K])) as Tensor2D; // [K, C]
  const y = silu(tf, causalConv1d(tf, history, taps, bias, packed?.segments));
  const tail = tf.slice(history, [0, L, 0], [B, K - 1, C]);
  return { y, state: packed ? tf.mul(tail, packed.convState) : tail };
}
