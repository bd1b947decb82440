import type { Tensor, Tensor1D, Tensor2D } from '@tensorflow/tfjs';
import type { TF } from './engine';
import { hasKernel } from './fused';
import { rmsNorm, silu } from './ops';
import { callKernel, namedResults, registerKernelGradient } from './registered';

/** What RMSNorm adds to the mean square, as in the reference. */
const EPSILON = 1e-5;

/**
 * The residual stream and its norm: sum = x + y and normed = weight sum / sqrt(mean(sum^2) + 1e-5) over the last axis;
 * without y the sum is x. Shapes: x, y [..., n], weight [n].
 *
 * Kernel `ResidualRmsNorm` {x, y, weight} -> sum, normed, scale with `ResidualRmsNormGrad`, and `GatedRmsNorm` without
 * gate where y is missing; elsewhere a chain of tfjs's operations. First derivatives only.
 */
export function residualRmsNorm<T extends Tensor>(
  tf: TF,
  x: T,
  y: T | undefined,
  weight: Tensor1D,
): { sum: T; normed: T } {
  if (!y) return { sum: x, normed: gatedRmsNorm(tf, x, undefined, weight) };
  if (!hasKernel(tf, 'ResidualRmsNorm')) {
    const sum = tf.add(x, y) as T;
    return { sum, normed: composed(tf, sum, weight, 1) };
  }
  registerKernelGradient(tf, 'ResidualRmsNorm', {
    inputs: ['weight'],
    outputs: [true, false, true],
    gradient([dSum, dy], [weight, sum, scale]) {
      const [dx, dWeight] = callKernel(tf, 'ResidualRmsNormGrad', { dSum, dy, sum, scale, weight });
      return { x: () => dx, y: () => dx.clone(), weight: () => dWeight };
    },
  });
  const [sum, normed] = callKernel(tf, 'ResidualRmsNorm', { x, y, weight }, { epsilon: EPSILON });
  return { sum: sum as T, normed: normed as T };
}

/**
 * RMSNorm of x SiLU(gate), or of x without gate, over each of `groups` equal parts of the last axis, times one weight a
 * channel (the norm before Mamba-2's out_proj). Shapes: x, gate [..., n], weight [n].
 *
 * Kernel `GatedRmsNorm` {x, gate, weight} -> y, scale with `GatedRmsNormGrad`; elsewhere a chain of tfjs's operations.
 * First derivatives only.
 */
export function gatedRmsNorm<T extends Tensor>(
  tf: TF,
  x: T,
  gate: Tensor | undefined,
  weight: Tensor1D,
  groups = 1,
): T {
  if (!hasKernel(tf, 'GatedRmsNorm'))
    return composed(tf, gate ? (tf.mul(x, silu(tf, gate)) as T) : x, weight, groups);
  registerKernelGradient(tf, 'GatedRmsNorm', {
    inputs: ['x', 'gate', 'weight'],
    outputs: [false, true],
    gradient([dy], [x, gate, weight, scale], attrs) {
      const inputs = { dy, x, gate, weight, scale };
      return namedResults(['x', 'weight', 'gate'], callKernel(tf, 'GatedRmsNormGrad', inputs, attrs));
    },
  });
  const inputs = { x, gate: gate ?? tf.zeros([0]), weight };
  return callKernel(tf, 'GatedRmsNorm', inputs, { epsilon: EPSILON, groups })[0] as T;
}

function composed<T extends Tensor>(tf: TF, x: T, weight: Tensor1D, groups: number): T {
  const n = weight.size;
  if (groups === 1) return tf.reshape(rmsNorm(tf, tf.reshape(x, [-1, n]) as Tensor2D, weight), x.shape) as T;
  const ones = tf.ones([n / groups]) as Tensor1D;
  const unit = rmsNorm(tf, tf.reshape(x, [-1, n / groups]) as Tensor2D, ones);
  return tf.mul(tf.reshape(unit, x.shape), weight) as T;
}
