import type { Tensor, Tensor2D } from '@tensorflow/tfjs';
import type { TF } from './engine';
import { hasKernel } from './fused';

/** What the operands of products with weights are rounded to. Everything else, sums included, is float32 always. */
export type Precision = 'float32' | 'bf16';

export const PRECISIONS: readonly Precision[] = ['float32', 'bf16'];

let current: Precision = 'float32';

/** The precision of products with weights at this moment: see {@link withPrecision}. */
export function activePrecision(): Precision {
  return current;
}

/** Runs `work`, which must not be asynchronous, with another precision of the products with weights. */
export function withPrecision<T>(precision: Precision, work: () => T): T {
  const before = current;
  current = precision;
  try {
    return work();
  } finally {
    current = before;
  }
}

/**
 * y = x W^T in the precision of {@link withPrecision}, with gradients in the same one. Shapes: x [rows, n], W [m, n],
 * y [rows, m].
 */
export function weightProduct(tf: TF, x: Tensor2D, W: Tensor2D): Tensor2D {
  if (current === 'float32') return tf.matMul(x, W, false, true);
  const f = tf.customGrad((...args) => {
    const [x, W, save] = args as unknown as [Tensor2D, Tensor2D, (tensors: Tensor[]) => void];
    save([x, W]);
    const gradFunc = (dy: Tensor, saved: Tensor[]) => {
      const [x, W] = saved as Tensor2D[];
      return [matMulBf16(tf, dy as Tensor2D, W), matMulBf16(tf, dy as Tensor2D, x, true, false)];
    };
    return { value: matMulBf16(tf, x, W, false, true), gradFunc };
  });
  return f(x, W) as Tensor2D;
}

/**
 * op(a) op(b) with both operands rounded to bfloat16 (8 bits of mantissa, the exponents of float32) and sums in float32:
 * what processors with bfloat16 instructions compute in a fraction of the time. The engine `native` has a kernel; elsewhere
 * the operands are rounded first, for the same result. No gradient: see {@link weightProduct}.
 */
export function matMulBf16(
  tf: TF,
  a: Tensor2D,
  b: Tensor2D,
  transposeA = false,
  transposeB = false,
): Tensor2D {
  if (hasKernel(tf, 'MatMulBf16'))
    return tf.engine().runKernel('MatMulBf16', { a, b }, { transposeA, transposeB }) as Tensor2D;
  return tf.tidy(() => tf.matMul(roundBf16(tf, a), roundBf16(tf, b), transposeA, transposeB));
}

/** The nearest bfloat16, as float32, for magnitudes below 2^111: T. J. Dekker's splitting (1971) at 16 bits. */
export function roundBf16<T extends Tensor>(tf: TF, x: T): T {
  return tf.tidy(() => {
    const c = tf.mul(x, 65537);
    return tf.sub(c, tf.sub(c, x)) as T;
  });
}
