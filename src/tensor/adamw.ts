import { loadedNative } from './native/library';

/** One update of all parameters of a model; arrays of the same place belong together. */
export interface AdamWUpdate {
  parameters: Float32Array[];
  gradients: Float32Array[];
  /** First and second moments. */
  m: Float32Array[];
  v: Float32Array[];
  /** 1 where weight decay applies. */
  decays: Uint8Array;
  lr: number;
  beta1: number;
  beta2: number;
  eps: number;
  weightDecay: number;
  /** Number of this update, from 1: for the bias correction. */
  update: number;
  /** Every gradient is multiplied with this first. Default 1. */
  scale?: number;
  /** Instead of `scale`: the largest global norm of the gradients. */
  maxNorm?: number;
}

/** Values summed together: see {@link squaredNorm}. */
const BLOCK = 16384;

/**
 * AdamW (Loshchilov and Hutter, 2019, Algorithm 2) in place, with the bias correction and the order of operations of
 * torch.optim.AdamW and the clipping of `clip_grad_norm_`. Answers the global norm of the gradients (0 where `scale` is
 * given); where that is not finite nothing is changed.
 *
 * Every number is computed in double and rounded once where it is stored, in C++ (all arrays in one call) as in
 * JavaScript: the bits are the same on every engine and for any number of threads.
 */
export function adamwUpdate(u: AdamWUpdate): number {
  const { lr, beta1, beta2, eps, weightDecay, update, scale = 1, maxNorm = -1 } = u;
  const keep = 1 - lr * weightDecay;
  const stepSize = lr / (1 - Math.pow(beta1, update));
  const correction = 1 / Math.sqrt(1 - Math.pow(beta2, update));
  const library = loadedNative();
  if (library) {
    const settings = Float64Array.of(beta1, beta2, eps, keep, stepSize, correction, scale, maxNorm);
    return library.adamw(settings, u.decays, u.parameters, u.gradients, u.m, u.v);
  }
  const norm = maxNorm >= 0 ? Math.sqrt(squaredNorm(u.gradients)) : 0;
  if (!Number.isFinite(norm)) return norm;
  const by = maxNorm >= 0 ? Math.min(1, maxNorm / (norm + 1e-6)) : scale;
  const [one1, one2] = [1 - beta1, 1 - beta2];
  u.parameters.forEach((p, k) => {
    const [g, m, v] = [u.gradients[k], u.m[k], u.v[k]];
    const kept = u.decays[k] ? keep : 1;
    for (let i = 0; i < p.length; i++) {
      const gi = g[i] * by;
      const mi = m[i] + one1 * (gi - m[i]); // m_t = beta1 m + (1 - beta1) g
      const vi = beta2 * v[i] + one2 * gi * gi; // v_t = beta2 v + (1 - beta2) g^2
      m[i] = mi;
      v[i] = vi;
      p[i] = p[i] * kept - (stepSize * mi) / (Math.sqrt(vi) * correction + eps);
    }
  });
  return norm;
}

/**
 * Sum of all squares, in double: eight sums (value i goes to sum i mod 8) of each block of 16,384 values, blocks in
 * order. The library adds in the same order, which is why it is written down.
 */
export function squaredNorm(arrays: readonly Float32Array[]): number {
  let sum = 0;
  for (const x of arrays)
    for (let begin = 0; begin < x.length; begin += BLOCK)
      sum += blockSquares(x, begin, Math.min(x.length, begin + BLOCK));
  return sum;
}

function blockSquares(x: Float32Array, begin: number, end: number): number {
  const s = new Float64Array(8);
  let [a, b, c, d, e, f, g, h] = s;
  let i = begin;
  for (; i + 8 <= end; i += 8) {
    a += x[i] * x[i];
    b += x[i + 1] * x[i + 1];
    c += x[i + 2] * x[i + 2];
    d += x[i + 3] * x[i + 3];
    e += x[i + 4] * x[i + 4];
    f += x[i + 5] * x[i + 5];
    g += x[i + 6] * x[i + 6];
    h += x[i + 7] * x[i + 7];
  }
  s.set([a, b, c, d, e, f, g, h]);
  for (let j = 0; i < end; i++, j++) s[j] += x[i] * x[i];
  return s[0] + s[1] + (s[2] + s[3]) + (s[4] + s[5] + (s[6] + s[7]));
}
