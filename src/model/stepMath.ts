/*
 * The few loops that the step form spends its time in.
 */

/** out[from ..] = weight x / rms(x) over n entries; in place is fine. */
export function rmsNorm(
  x: Float32Array,
  weight: Float32Array,
  out: Float32Array,
  from: number,
  n: number,
): void {
  let sum = 0;
  for (let i = from; i < from + n; i++) sum += x[i] * x[i];
  const scale = 1 / Math.sqrt(sum / n + 1e-5);
  for (let i = from; i < from + n; i++) out[i] = x[i] * scale * weight[i];
}

/** A matrix in panels of eight rows, column after column: what {@link matVec} reads lies one after the other. */
export interface Panels {
  data: Float32Array;
  rows: number;
  n: number;
}

/** W [rows, n] row-major to panels; missing rows of the last one are zero. */
export function pack(W: Float32Array, rows: number, n: number): Panels {
  const data = new Float32Array(Math.ceil(rows / 8) * 8 * n);
  for (let r = 0; r < rows; r++) {
    const base = (r - (r % 8)) * n + (r % 8);
    for (let i = 0; i < n; i++) data[base + 8 * i] = W[r * n + i];
  }
  return { data, rows, n };
}

/** out = W x, or out += W x. Eight sums at a time, so that none waits for its last addition. */
export function matVec({ data, rows, n }: Panels, x: Float32Array, out: Float32Array, add: boolean): void {
  for (let r = 0, at = 0; r < rows; r += 8) {
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    let s4 = 0;
    let s5 = 0;
    let s6 = 0;
    let s7 = 0;
    for (let i = 0; i < n; i++, at += 8) {
      const v = x[i];
      s0 += data[at] * v;
      s1 += data[at + 1] * v;
      s2 += data[at + 2] * v;
      s3 += data[at + 3] * v;
      s4 += data[at + 4] * v;
      s5 += data[at + 5] * v;
      s6 += data[at + 6] * v;
      s7 += data[at + 7] * v;
    }
    // Past the end of a typed array nothing is written; arrays of whole panels avoid the detour.
    out[r] = add ? out[r] + s0 : s0;
    out[r + 1] = add ? out[r + 1] + s1 : s1;
    out[r + 2] = add ? out[r + 2] + s2 : s2;
    out[r + 3] = add ? out[r + 3] + s3 : s3;
    out[r + 4] = add ? out[r + 4] + s4 : s4;
    out[r + 5] = add ? out[r + 5] + s5 : s5;
    out[r + 6] = add ? out[r + 6] + s6 : s6;
    out[r + 7] = add ? out[r + 7] + s7 : s7;
  }
}

/** The taps of a convolution [C, 1, K] turned to [K, C], so that inner loops run along memory. */
export function tapsFirst(weight: Float32Array, K: number): Float32Array {
  const C = weight.length / K;
  return Float32Array.from(weight, (_, j) => weight[(j % C) * K + Math.floor(j / C)]);
}

/**
 * SiLU of the causal convolution of the inputs kept in `conv` [K-1, C], oldest first, and the new one,
 * input[from .. from + C]; then the oldest goes. `taps` as {@link tapsFirst} gives them.
 */
export function convolve(
  taps: Float32Array,
  bias: Float32Array,
  conv: Float32Array,
  input: Float32Array,
  from: number,
  out: Float32Array,
): void {
  const C = bias.length;
  const K = taps.length / C;
  for (let c = 0; c < C; c++) {
    const now = input[from + c];
    let sum = bias[c] + taps[(K - 1) * C + c] * now;
    for (let k = 0; k < K - 1; k++) {
      const past = conv[k * C + c];
      sum += taps[k * C + c] * past;
      if (k > 0) conv[(k - 1) * C + c] = past;
    }
    if (K > 1) conv[(K - 2) * C + c] = now;
    out[c] = sum / (1 + Math.exp(-sum));
  }
}

/** log(1 + e^x). */
export function softplus(x: number): number {
  return x > 20 ? x : Math.log1p(Math.exp(x));
}
