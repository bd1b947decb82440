import type { Tensor, Tensor2D, Tensor3D } from '@tensorflow/tfjs';
import type { TF } from '../tensor';

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

/** Where the sequences of packed rows begin: the same for every layer. */
export interface Packing {
  /** 1 where convolution and h are reset before the token, else 0: [B, L]. */
  starts: Tensor2D;
  /** 1 - starts. */
  keep: Tensor2D;
}

/**
 * What `starts` (int32 [B, L], 1 at each first token of a packed sequence) means for a layer; what comes before the
 * first 1 of a row continues the incoming state.
 */
export function makePacking(tf: TF, starts: Tensor2D): Packing {
  const first = tf.cast(starts, 'float32') as Tensor2D;
  return { starts: first, keep: tf.sub(1, first) as Tensor2D };
}
