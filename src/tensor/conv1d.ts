import type { Tensor, Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs';
import type { TF } from './engine';
import { hasKernel, registerArrayKernel, runKernel } from './fused';

/**
 * Causal depthwise convolution: y_t = bias + sum_k w_k x_{t - (K-1) + k}.
 *
 * Shapes: x [B, K-1+L, C] with the K-1 inputs before the first in front; weight [K, C]; bias [C]; y [B, L, C].
 * `segments` (float32 [B, K-1+L]) numbers packed sequences: a tap that would reach from one into another is left out.
 *
 * Runs as the kernels `CausalConv1d` {x, weight, bias, segments?} -> y and `CausalConv1dGrad`
 * {dy, x, weight, segments?} -> dx, dweight, dbias where the engine has them, else as shifted multiply-adds.
 */
export function causalConv1d(
  tf: TF,
  x: Tensor3D,
  weight: Tensor2D,
  bias: Tensor1D,
  segments?: Tensor2D,
): Tensor3D {
  const fused = hasKernel(tf, 'CausalConv1d') && hasKernel(tf, 'CausalConv1dGrad');
  const f = tf.customGrad((...args) => {
    const [input, w, b, save] = args as unknown as [
      Tensor3D,
      Tensor2D,
      Tensor1D,
      (tensors: Tensor[]) => void,
    ];
    save(segments ? [input, w, segments] : [input, w]);
    const value = fused
      ? runKernel(tf, 'CausalConv1d', { x: input, weight: w, bias: b, segments })[0]
      : composed(tf, input, w, b, segments);
    const gradFunc = (dy: Tensor, saved: Tensor[]) => {
      const [x, weight, segments] = saved as [Tensor3D, Tensor2D, Tensor2D | undefined];
      return fused
        ? runKernel(tf, 'CausalConv1dGrad', { dy, x, weight, segments })
        : composedGrad(tf, dy as Tensor3D, x, weight, segments);
    };
    return { value, gradFunc };
  });
  return f(x, weight, bias) as Tensor3D;
}

/** x shifted so that tap k of position t stands at t. */
function tap(tf: TF, x: Tensor3D, k: number, K: number): Tensor3D {
  return tf.slice(x, [0, k, 0], [x.shape[0], x.shape[1] - K + 1, x.shape[2]]);
}

/** [B, L, 1]: 1 where tap k stays within the position's own sequence. */
function within(tf: TF, segments: Tensor2D, k: number, K: number): Tensor3D {
  const [B, padded] = segments.shape;
  const at = (i: number) => tf.slice(segments, [0, i], [B, padded - K + 1]);
  return tf.reshape(tf.cast(tf.equal(at(k), at(K - 1)), 'float32'), [B, padded - K + 1, 1]) as Tensor3D;
}

function composed(tf: TF, x: Tensor3D, weight: Tensor2D, bias: Tensor1D, segments?: Tensor2D): Tensor {
  const [K, C] = weight.shape;
  let y: Tensor = bias;
  for (let k = 0; k < K; k++) {
    const part = tf.mul(tap(tf, x, k, K), tf.slice(weight, [k, 0], [1, C]));
    y = tf.add(segments && k < K - 1 ? tf.mul(part, within(tf, segments, k, K)) : part, y);
  }
  return y;
}

function composedGrad(tf: TF, dy: Tensor3D, x: Tensor3D, weight: Tensor2D, segments?: Tensor2D): Tensor[] {
  const [K, C] = weight.shape;
  const rows = (v: Tensor) => tf.reshape(v, [-1, C]);
  let dx: Tensor | undefined;
  const dw: Tensor[] = [];
  for (let k = 0; k < K; k++) {
    const g = segments && k < K - 1 ? tf.mul(dy, within(tf, segments, k, K)) : dy;
    dw.push(tf.sum(rows(tf.mul(g, tap(tf, x, k, K))), 0, true));
    const back = tf.pad(tf.mul(g, tf.slice(weight, [k, 0], [1, C])), [
      [0, 0],
      [k, K - 1 - k],
      [0, 0],
    ]);
    dx = dx ? tf.add(dx, back) : back;
  }
  return [dx as Tensor, tf.concat(dw, 0), tf.sum(rows(dy), 0)];
}

/** The same in one pass over memory. */
export function registerConv1d(tf: TF): void {
  registerArrayKernel(tf, 'CausalConv1d', {
    shapes: ({ x, weight }) => [[x.shape[0], x.shape[1] - weight.shape[0] + 1, x.shape[2]]],
    run({ x, weight, bias, segments }, [y], inputs) {
      const [K, C] = inputs.weight.shape;
      const [B, padded] = inputs.x.shape;
      const L = padded - K + 1;
      for (let b = 0; b < B; b++) {
        for (let t = 0; t < L; t++) {
          const to = (b * L + t) * C;
          const from = (b * padded + t) * C;
          const first = segments ? firstTap(segments, b * padded + t, K) : 0;
          if (first === 0 && K === 4) forward4(y, to, x, from, weight, bias, C);
          else {
            for (let c = 0; c < C; c++) y[to + c] = bias[c];
            for (let k = first; k < K; k++) {
              for (let c = 0; c < C; c++) y[to + c] += weight[k * C + c] * x[from + k * C + c];
            }
          }
        }
      }
    },
  });
  registerArrayKernel(tf, 'CausalConv1dGrad', {
    shapes: ({ x, weight }) => [x.shape, weight.shape, [weight.shape[1]]],
    run({ dy, x, weight, segments }, [dx, dweight, dbias], inputs) {
      const [K, C] = inputs.weight.shape;
      const [B, padded] = inputs.x.shape;
      const L = padded - K + 1;
      const dw = new Float64Array(K * C);
      const db = new Float64Array(C);
      dx.fill(0);
      for (let b = 0; b < B; b++) {
        for (let t = 0; t < L; t++) {
          const at = (b * L + t) * C;
          const from = (b * padded + t) * C;
          const first = segments ? firstTap(segments, b * padded + t, K) : 0;
          for (let c = 0; c < C; c++) db[c] += dy[at + c];
          for (let k = first; k < K; k++) backwardTap(dy, at, x, from + k * C, dx, weight, dw, k * C, C);
        }
      }
      dweight.set(dw);
      dbias.set(db);
    },
  });
}

/** The first tap that lies in the sequence of the position itself; `at` is where tap 0 is. */
function firstTap(segments: Float32Array, at: number, K: number): number {
  let k = K - 1;
  while (k > 0 && segments[at + k - 1] === segments[at + K - 1]) k--;
  return k;
}

function forward4(
  y: Float32Array,
  to: number,
  x: Float32Array,
  from: number,
  w: Float32Array,
  bias: Float32Array,
  C: number,
): void {
  for (let c = 0; c < C; c++) {
    const i = from + c;
    y[to + c] =
      bias[c] + w[c] * x[i] + w[C + c] * x[i + C] + w[2 * C + c] * x[i + 2 * C] + w[3 * C + c] * x[i + 3 * C];
  }
}

function backwardTap(
  dy: Float32Array,
  at: number,
  x: Float32Array,
  from: number,
  dx: Float32Array,
  w: Float32Array,
  dw: Float64Array,
  k: number,
  C: number,
): void {
  for (let c = 0; c < C; c++) {
    const g = dy[at + c];
    dx[from + c] += g * w[k + c];
    dw[k + c] += g * x[from + c];
  }
}
