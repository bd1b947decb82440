import type { NamedTensorMap, Tensor, Tensor2D } from '@tensorflow/tfjs';
import type { TF } from './engine';
import { hasKernel } from './fused';
import { activePrecision, weightProduct } from './precision';
import { callKernel, registerKernelGradient } from './registered';

/** y = x W^T, PyTorch's `nn.Linear` without bias. Shapes: x [..., n], W [m, n], y [..., m]. */
export function linear<T extends Tensor>(tf: TF, x: T, W: Tensor2D): T {
  return linearParts(tf, x, W, [W.shape[0]])[0];
}

/**
 * The same product cut into neighbouring parts of the last axis, `sizes` [s1, s2 ...] that add up to m: y_i [..., s_i],
 * each an array of its own, which saves cutting the result and joining its gradients. In the precision of `withPrecision`.
 *
 * Kernel `Linear` {x, W}, attributes sizes and bf16, with `LinearGradInput` and `LinearGradWeight`; elsewhere one product for each
 * part. First derivatives only.
 */
export function linearParts<T extends Tensor>(tf: TF, x: T, W: Tensor2D, sizes: readonly number[]): T[] {
  if (!hasKernel(tf, 'Linear')) return composed(tf, x, W, sizes);
  registerKernelGradient(tf, 'Linear', {
    inputs: ['x', 'W'],
    gradient(dys, [x, W], { bf16 }) {
      const given: NamedTensorMap = Object.fromEntries(dys.map((dy, i) => [`dy${i}`, dy]));
      return {
        x: () => callKernel(tf, 'LinearGradInput', { ...given, W }, { bf16 })[0],
        W: () => callKernel(tf, 'LinearGradWeight', { ...given, x }, { bf16 })[0],
      };
    },
  });
  const attrs = { sizes: [...sizes], bf16: activePrecision() === 'bf16' };
  return callKernel(tf, 'Linear', { x, W }, attrs) as T[];
}

function composed<T extends Tensor>(tf: TF, x: T, W: Tensor2D, sizes: readonly number[]): T[] {
  const [m, n] = W.shape;
  const rows = tf.reshape(x, [x.size / n, n]) as Tensor2D;
  let begin = 0;
  return sizes.map((size) => {
    const part = size === m ? W : (tf.slice(W, [begin, 0], [size, n]) as Tensor2D);
    begin += size;
    return tf.reshape(weightProduct(tf, rows, part), [...x.shape.slice(0, -1), size]) as T;
  });
}
