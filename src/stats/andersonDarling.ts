import { NetssmError } from '../util';
import { sortedSample, type Sample } from './sample';

export interface AndersonDarling {
  /** Normalised k-sample statistic (A2akN - (k - 1)) / sigma; about 0 where the samples agree. */
  statistic: number;
  /**
   * Approximate p value, interpolated between tabulated points and clipped to [0.001, 0.25]: a value at either end
   * means "at most" or "at least" that.
   */
  pValue: number;
  /** Whether the p value stands at an end of the table. */
  clipped: 'low' | 'high' | null;
  /** Statistics at the significances 0.25, 0.1, 0.05, 0.025, 0.01, 0.005 and 0.001. */
  criticalValues: number[];
}

/** The significances of the table. */
const SIGNIFICANCES = [0.25, 0.1, 0.05, 0.025, 0.01, 0.005, 0.001];
/** Critical value = b0 + b1 / sqrt(k - 1) + b2 / (k - 1): Scholz and Stephens, table 1, as extended in SciPy. */
const B0 = [0.675, 1.281, 1.645, 1.96, 2.326, 2.573, 3.085];
const B1 = [-0.245, 0.25, 0.678, 1.149, 1.822, 2.364, 3.615];
const B2 = [-0.105, -0.305, -0.362, -0.391, -0.396, -0.345, -0.154];

/**
 * Anderson-Darling test that k samples come from one distribution (Scholz and Stephens, K-Sample Anderson-Darling
 * Tests, 1987, equation 7: ranks in the middle of ties), with the p value of `scipy.stats.anderson_ksamp`: a
 * parabola through log significance over critical value, clipped where the table ends.
 *
 * @throws NetssmError `samples_few` for fewer than two samples, `samples_constant` where all values are equal,
 *   `sample_small`, `sample_invalid`.
 */
export function andersonDarling(...samples: Sample[]): AndersonDarling {
  const k = samples.length;
  if (k < 2) throw new NetssmError('samples_few', `${k} samples, at least two are needed`);
  const sorted = samples.map((values, i) => sortedSample(values, `sample ${i + 1}`));
  const sizes = sorted.map((values) => values.length);
  const N = sizes.reduce((a, b) => a + b);
  const pooled = new Float64Array(N);
  let filled = 0;
  for (const values of sorted) {
    pooled.set(values, filled);
    filled += values.length;
  }
  pooled.sort();
  if (pooled[0] === pooled[N - 1])
    throw new NetssmError('samples_constant', `all ${N} values are ${pooled[0]}: nothing to compare`);
  if (N < 4)
    throw new NetssmError('sample_small', `${N} values in all; the statistic's variance needs at least 4`);

  let a2 = 0;
  const at = new Array<number>(k).fill(0);
  const sums = new Array<number>(k).fill(0);
  for (let from = 0; from < N;) {
    let to = from;
    while (to < N && pooled[to] === pooled[from]) to++;
    const l = to - from;
    const middle = from + l / 2;
    const weight = l / N / (middle * (N - middle) - (N * l) / 4);
    for (let i = 0; i < k; i++) {
      const values = sorted[i];
      const before = at[i];
      while (at[i] < values.length && values[at[i]] === pooled[from]) at[i]++;
      const m = (before + at[i]) / 2;
      sums[i] += weight * (N * m - middle * sizes[i]) ** 2;
    }
    from = to;
  }
  for (let i = 0; i < k; i++) a2 += sums[i] / sizes[i];
  a2 *= (N - 1) / N;

  const statistic = (a2 - (k - 1)) / Math.sqrt(varianceOf(sizes, N));
  const m = k - 1;
  const criticalValues = B0.map((b0, i) => b0 + B1[i] / Math.sqrt(m) + B2[i] / m);
  const logs = SIGNIFICANCES.map(Math.log);
  if (statistic < criticalValues[0]) return { statistic, pValue: 0.25, clipped: 'high', criticalValues };
  if (statistic > criticalValues[6]) return { statistic, pValue: 0.001, clipped: 'low', criticalValues };
  const [c0, c1, c2] = parabola(criticalValues, logs);
  const pValue = Math.exp(c0 + statistic * (c1 + statistic * c2));
  return { statistic, pValue, clipped: null, criticalValues };
}

/** Variance of A2kN under the hypothesis: Scholz and Stephens, equation 4. */
function varianceOf(sizes: readonly number[], N: number): number {
  const k = sizes.length;
  const H = sizes.reduce((sum, n) => sum + 1 / n, 0);
  let h = 0;
  let g = 0;
  // g = sum over i < j of 1 / ((N - i) j), by the harmonic numbers met on the way down.
  let tail = 0;
  for (let i = N - 1; i >= 1; i--) {
    h += 1 / i;
    g += tail / (N - i);
    tail += 1 / i;
  }
  const a = (4 * g - 6) * (k - 1) + (10 - 6 * g) * H;
  const b = (2 * g - 4) * k * k + 8 * h * k + (2 * g - 14 * h - 4) * H - 8 * h + 4 * g - 6;
  const c = (6 * h + 2 * g - 2) * k * k + (4 * h - 4 * g + 6) * k + (2 * h - 6) * H + 4 * h;
  const d = (2 * h + 6) * k * k - 4 * h * k;
  return (a * N ** 3 + b * N ** 2 + c * N + d) / ((N - 1) * (N - 2) * (N - 3));
}

/** Least-squares c0 + c1 x + c2 x^2, by the normal equations about the mean of x. */
function parabola(x: readonly number[], y: readonly number[]): [number, number, number] {
  const n = x.length;
  const shift = x.reduce((a, b) => a + b) / n;
  const u = x.map((v) => v - shift);
  const moment = (p: number): number => u.reduce((sum, v) => sum + v ** p, 0);
  const [s1, s2, s3, s4] = [moment(1), moment(2), moment(3), moment(4)];
  const t = [0, 1, 2].map((p) => u.reduce((sum, v, i) => sum + v ** p * y[i], 0));
  const determinant = (m: number[][]): number =>
    m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) -
    m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
    m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
  const system = [
    [n, s1, s2],
    [s1, s2, s3],
    [s2, s3, s4],
  ];
  const whole = determinant(system);
  const [b0, b1, b2] = [0, 1, 2].map(
    (column) => determinant(system.map((row, i) => row.map((v, j) => (j === column ? t[i] : v)))) / whole,
  );
  return [b0 - b1 * shift + b2 * shift * shift, b1 - 2 * b2 * shift, b2];
}
