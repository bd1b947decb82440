import type { Scalar, Tensor, Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs';
import type { TF } from './engine';
import { hasKernel } from './fused';
import { callKernel, registerKernelGradient } from './registered';

/**
 * The few operations that the models spend their time in, each with its gradient written out: fewer passes over
 * memory than tfjs's own chain of small ops and gradients, and one place to put a fused kernel.
 * None of them has a second derivative.
 */

/**
 * Rows of a table. Shapes: table [V, D], ids int32 [B, L], result [B, L, D].
 *
 * Kernel `Embedding` {table, ids} with `EmbeddingGrad`. Elsewhere the gradient is one product with the one-hot matrix of
 * the ids, [V, B L] x [B L, D]: scatter-add has no fast kernel there.
 */
export function embedding(tf: TF, table: Tensor2D, ids: Tensor2D): Tensor3D {
  const [V, D] = table.shape;
  if (hasKernel(tf, 'Embedding')) {
    registerKernelGradient(tf, 'Embedding', {
      inputs: ['ids'],
      gradient: ([dy], [ids], attrs) => ({
        table: () => callKernel(tf, 'EmbeddingGrad', { dy, ids }, attrs)[0],
      }),
    });
    return callKernel(tf, 'Embedding', { table, ids }, { rows: V })[0] as Tensor3D;
  }
  const flat = ids.flatten() as Tensor1D;
  const lookUp = tf.customGrad((...args) => {
    const [x, save] = args as unknown as [Tensor2D, (tensors: Tensor[]) => void];
    // What the gradient needs goes through save: everything else of a forward pass is gone by then.
    save([flat]);
    const gradFunc = (dy: Tensor, saved: Tensor[]) =>
      tf.matMul(oneHot(tf, saved[0] as Tensor1D, V), dy as Tensor2D, true, false);
    return { value: tf.gather(x, flat), gradFunc };
  });
  return tf.reshape(lookUp(table), [ids.shape[0], ids.shape[1], D]);
}

/**
 * float32 [n, depth], 1 at each row's id. Through a cast, because the wasm kernel writes integers whatever `dtype`
 * it is asked for.
 */
function oneHot(tf: TF, ids: Tensor1D, depth: number): Tensor2D {
  return tf.cast(tf.oneHot(ids, depth), 'float32') as Tensor2D;
}

/** SiLU: x sigmoid(x), any shape. */
export function silu<T extends Tensor>(tf: TF, x: T): T {
  const f = tf.customGrad((...args) => {
    const [input, save] = args as [Tensor, (tensors: Tensor[]) => void] & Tensor[];
    const s = tf.sigmoid(input);
    const value = tf.mul(input, s);
    save([s, value]);
    // d/dx x s(x) = s + y (1 - s) = s + y - y s
    const gradFunc = (dy: Tensor, saved: Tensor[]) => {
      const [s, y] = saved;
      return tf.mul(dy, tf.sub(tf.add(s, y), tf.mul(y, s)));
    };
    return { value, gradFunc };
  });
  return f(x) as T;
}

/**
 * RMSNorm (Zhang and Sennrich, 2019): y = w x / sqrt(mean(x^2) + eps) over the last axis.
 * Shapes: x [rows, n], weight [n], y [rows, n].
 */
export function rmsNorm(tf: TF, x: Tensor2D, weight: Tensor1D, eps = 1e-5): Tensor2D {
  const f = tf.customGrad((...args) => {
    const [input, w, save] = args as unknown as [Tensor2D, Tensor1D, (tensors: Tensor[]) => void];
    const r = tf.rsqrt(tf.add(tf.mean(tf.square(input), 1, true), eps)); // [rows, 1]
    const unit = tf.mul(input, r);
    save([r, unit, w]);
    const gradFunc = (dy: Tensor, saved: Tensor[]) => {
      const [r, unit, w] = saved;
      const dyUnit = tf.mul(dy, unit);
      const dw = tf.sum(dyUnit, 0);
      // mean(dy w unit) is a product with w: no need to build it before the mean.
      const inner = tf.div(tf.matMul(dyUnit as Tensor2D, tf.reshape(w, [-1, 1])), w.size); // [rows, 1]
      const dx = tf.mul(tf.sub(tf.mul(dy, w), tf.mul(unit, inner)), r);
      return [dx, dw];
    };
    return { value: tf.mul(unit, w), gradFunc };
  });
  return f(x, weight) as Tensor2D;
}

/**
 * Summed cross-entropy in nats: sum over rows of mask * (log sum exp(logits) - logits[target]).
 * Shapes: logits [..., V], targets int32 [...], mask float32 [...] (a weight; 0 leaves a row out), result scalar.
 *
 * Kernel `TokenLoss` {logits, targets, mask} -> loss, stats with `TokenLossGrad`; elsewhere a chain of tfjs's operations
 * with a one-hot matrix of the targets.
 */
export function crossEntropySum(tf: TF, logits: Tensor, targets: Tensor, mask: Tensor): Scalar {
  if (hasKernel(tf, 'TokenLoss')) {
    registerKernelGradient(tf, 'TokenLoss', {
      inputs: ['logits', 'targets', 'mask'],
      outputs: [false, true],
      gradient: ([dy], [logits, targets, mask, stats]) => ({
        logits: () => callKernel(tf, 'TokenLossGrad', { dy, logits, targets, mask, stats })[0],
      }),
    });
    return callKernel(tf, 'TokenLoss', { logits, targets, mask })[0] as Scalar;
  }
  const V = logits.shape[logits.rank - 1];
  const flat = (x: Tensor) => tf.reshape(x, [-1]) as Tensor1D;
  return composedLoss(tf, tf.reshape(logits, [-1, V]) as Tensor2D, flat(targets), flat(mask));
}

function composedLoss(tf: TF, logits: Tensor2D, targets: Tensor1D, mask: Tensor1D): Scalar {
  const V = logits.shape[1];
  const f = tf.customGrad((...args) => {
    const [input, save] = args as unknown as [Tensor2D, (tensors: Tensor[]) => void];
    const shifted = tf.sub(input, tf.max(input, 1, true)); // so that exp cannot overflow
    const e = tf.exp(shifted);
    const Z = tf.sum(e, 1, true); // [rows, 1]
    const picks = oneHot(tf, targets, V);
    const picked = tf.sum(tf.mul(shifted, picks), 1); // [rows]
    const value = tf.sum(tf.mul(mask, tf.sub(tf.log(tf.reshape(Z, [-1])), picked)));
    const m = tf.reshape(mask, [-1, 1]);
    save([tf.sub(tf.mul(e, tf.div(m, Z)), tf.mul(picks, m))]); // mask (softmax - onehot)
    const gradFunc = (dy: Tensor, saved: Tensor[]) => tf.mul(saved[0], dy);
    return { value, gradFunc };
  });
  return f(logits) as Scalar;
}
