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
      for (let b = 0; b < B; b++) {
        const whole = (t: number) => !segments || firstTap(segments, b * padded + t, K) === 0;
        const reads = (t: number, k: number) =>
          !segments || segments[b * padded + t + k] === segments[b * padded + t + K - 1];
        for (let s = 0; s < padded; s++) inputGrad(dx, dy, weight, b, s, { K, C, L }, reads);
        for (let t = 0; t < L;) {
          const at = (b * L + t) * C;
          const from = (b * padded + t) * C;
          if (K === 4 && t + 4 <= L && whole(t) && whole(t + 1) && whole(t + 2) && whole(t + 3)) {
            weightGrad4(dw, db, dy, at, x, from, C);
            t += 4;
            continue;
          }
          for (let c = 0; c < C; c++) db[c] += dy[at + c];
          for (let k = 0; k < K; k++) {
            if (reads(t, k)) for (let c = 0; c < C; c++) dw[k * C + c] += dy[at + c] * x[from + k * C + c];
          }
          t++;
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

/** Row s of dx: the sum over taps k of w_k dy_{s-k}, for the positions whose tap k reads this row. */
function inputGrad(
  dx: Float32Array,
  dy: Float32Array,
  w: Float32Array,
  b: number,
  s: number,
  { K, C, L }: { K: number; C: number; L: number },
  reads: (t: number, k: number) => boolean,
): void {
  const to = (b * (L + K - 1) + s) * C;
  const at = (b * L + s) * C; // of dy_s
  let all = K === 4 && s >= K - 1 && s < L;
  for (let k = 0; all && k < K; k++) all = reads(s - k, k);
  if (all) {
    for (let c = 0; c < C; c++) {
      const i = at + c;
      dx[to + c] =
        w[c] * dy[i] + w[C + c] * dy[i - C] + w[2 * C + c] * dy[i - 2 * C] + w[3 * C + c] * dy[i - 3 * C];
    }
    return;
  }
  dx.fill(0, to, to + C);
  for (let k = 0; k < K; k++) {
    if (s - k < 0 || s - k >= L || !reads(s - k, k)) continue;
    for (let c = 0; c < C; c++) dx[to + c] += w[k * C + c] * dy[at - k * C + c];
  }
}

/** Four positions' part of the gradients of four taps and of the bias: each sum is loaded and stored once for all. */
function weightGrad4(
  dw: Float64Array,
  db: Float64Array,
  dy: Float32Array,
  at: number,
  x: Float32Array,
  from: number,
  C: number,
): void {
  for (let c = 0; c < C; c++) {
    const j = at + c;
    const i = from + c;
    const g0 = dy[j];
    const g1 = dy[j + C];
    const g2 = dy[j + 2 * C];
    const g3 = dy[j + 3 * C];
    const x1 = x[i + C];
    const x2 = x[i + 2 * C];
    const x3 = x[i + 3 * C];
    const x4 = x[i + 4 * C];
    const x5 = x[i + 5 * C];
    db[c] += g0 + g1 + g2 + g3;
    dw[c] += g0 * x[i] + g1 * x1 + g2 * x2 + g3 * x3;
    dw[C + c] += g0 * x1 + g1 * x2 + g2 * x3 + g3 * x4;
    dw[2 * C + c] += g0 * x2 + g1 * x3 + g2 * x4 + g3 * x5;
    dw[3 * C + c] += g0 * x3 + g1 * x4 + g2 * x5 + g3 * x[i + 6 * C];
  }
}
