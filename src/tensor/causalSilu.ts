import type { Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs';
import { causalConv1d } from './conv1d';
import type { TF } from './engine';
import { hasKernel } from './fused';
import { silu } from './ops';
import { callKernel, namedResults, registerKernelGradient } from './registered';

/** The tensors of {@link causalConvSilu}; all float32. */
export interface CausalConvSiluInput {
  x: Tensor3D; // [B, L, C]
  weight: Tensor3D; // [C, 1, K], the last tap is the token's own
  bias: Tensor1D; // [C]
  /** The K - 1 inputs before the first: [B, K-1, C]. Default: zeros. */
  before?: Tensor3D;
  /** [B, L], 1 where a sequence begins: nothing before the token is seen from there on. */
  starts?: Tensor2D;
}

/**
 * SiLU of the causal depthwise convolution, y_t = SiLU(bias + sum_k w_k x_{t-(K-1)+k}) -> y [B, L, C], and the inputs
 * that the next call needs, [B, K-1, C] (zero where the last token does not see them).
 *
 * Kernel `CausalConvSilu` {x, weight, bias, before, starts} -> y, state with `CausalConvSiluGrad`, which keeps x and
 * makes the rest again; elsewhere `causalConv1d` and SiLU. First derivatives only.
 */
export function causalConvSilu(tf: TF, input: CausalConvSiluInput): { y: Tensor3D; state: Tensor3D } {
  if (!hasKernel(tf, 'CausalConvSilu')) return composed(tf, input);
  const names = ['x', 'weight', 'bias', 'before', 'starts'] as const;
  registerKernelGradient(tf, 'CausalConvSilu', {
    inputs: names,
    gradient([dy, dState], [x, weight, bias, before, starts]) {
      const inputs = { dy, dState, x, weight, bias, before, starts };
      return namedResults(names, callKernel(tf, 'CausalConvSiluGrad', inputs));
    },
  });
  const nothing = tf.zeros([0]);
  const { x, weight, bias, before = nothing, starts = nothing } = input;
  const [y, state] = callKernel(tf, 'CausalConvSilu', { x, weight, bias, before, starts });
  return { y: y as Tensor3D, state: state as Tensor3D };
}

function composed(
  tf: TF,
  { x, weight, bias, before, starts }: CausalConvSiluInput,
): { y: Tensor3D; state: Tensor3D } {
  const [B, L, C] = x.shape;
  const K = weight.shape[2];
  const history = tf.concat([before ?? tf.zeros([B, K - 1, C]), x], 1) as Tensor3D; // [B, K-1+L, C]
  const taps = tf.transpose(tf.reshape(weight, [C, K])) as Tensor2D; // [K, C]
  const tail = tf.slice(history, [0, L, 0], [B, K - 1, C]);
  if (!starts) return { y: silu(tf, causalConv1d(tf, history, taps, bias)), state: tail };
  // Number the sequences of a row; what comes before the first start continues the inputs before.
  const number = tf.cumsum(starts, 1) as Tensor2D; // [B, L]
  const segments = tf.concat([tf.zeros([B, K - 1]), number], 1) as Tensor2D;
  const last = tf.slice(number, [0, L - 1], [B, 1]);
  const own = tf.cast(tf.equal(tf.slice(segments, [0, L], [B, K - 1]), last), 'float32');
  return {
    y: silu(tf, causalConv1d(tf, history, taps, bias, segments)),
    state: tf.mul(tail, tf.reshape(own, [B, K - 1, 1])),
  };
}
