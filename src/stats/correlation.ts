import { mean } from './describe';
import { checkedSample, checkPaired, type Sample } from './sample';
import { studentTwoSided } from './special';

export interface Correlation {
  /** -1 to 1; NaN where one side does not vary. */
  r: number;
  /** Two-sided, against no correlation; NaN where r is. */
  pValue: number;
  /** Pairs. */
  n: number;
}

/**
 * Pearson's correlation. The p value is exact where both are normal: Student's t of n - 2 degrees of freedom. Two pairs
 * always lie on a line, and give p = 1.
 *
 * @throws NetssmError `samples_differ`, `sample_small` (fewer than 2), `sample_invalid`.
 */
export function pearson(x: Sample, y: Sample): Correlation {
  checkPaired(x, y, 'correlation');
  const a = centred(checkedSample(x, 'first variable', 2));
  const b = centred(checkedSample(y, 'second variable', 2));
  const n = a.length;
  if (!a.some((v) => v !== 0) || !b.some((v) => v !== 0)) return { r: NaN, pValue: NaN, n };
  let r = 0;
  // Scaled to length 1 before they are multiplied: no overflow, and less rounding.
  const [na, nb] = [norm(a), norm(b)];
  for (let i = 0; i < n; i++) r += (a[i] / na) * (b[i] / nb);
  r = Math.max(-1, Math.min(1, r));
  return { r, pValue: pOf(r, n), n };
}

/**
 * Spearman's rank correlation: Pearson's of the ranks, equal values sharing the mean of theirs; p by Student's t as
 * `scipy.stats.spearmanr`.
 *
 * @throws NetssmError as {@link pearson}.
 */
export function spearman(x: Sample, y: Sample): Correlation {
  checkPaired(x, y, 'correlation');
  return pearson(ranks(checkedSample(x, 'first variable', 2)), ranks(checkedSample(y, 'second variable', 2)));
}

/** Ranks from 1; equal values share the mean of theirs. */
export function ranks(values: Sample): Float64Array {
  const order = Uint32Array.from({ length: values.length }, (_, i) => i).sort(
    (i, j) => values[i] - values[j],
  );
  const out = new Float64Array(values.length);
  for (let from = 0; from < order.length;) {
    let to = from + 1;
    while (to < order.length && values[order[to]] === values[order[from]]) to++;
    for (let i = from; i < to; i++) out[order[i]] = (from + to + 1) / 2;
    from = to;
  }
  return out;
}

/**
 * Autocorrelation at the lags 0 to `maxLag`: the sum over n - lag products divided by that of lag 0 (the biased form,
 * which is always between -1 and 1). NaN throughout for a constant series.
 *
 * @throws NetssmError `sample_small`, `sample_invalid`.
 */
export function autocorrelation(
  series: Sample,
  maxLag: number = Math.min(series.length - 1, 40),
): Float64Array {
  const x = centred(checkedSample(series, 'series', 2));
  const lags = Math.max(0, Math.min(Math.floor(maxLag), x.length - 1));
  const out = new Float64Array(lags + 1);
  for (let lag = 0; lag <= lags; lag++) {
    let sum = 0;
    for (let i = lag; i < x.length; i++) sum += x[i] * x[i - lag];
    out[lag] = sum;
  }
  const scale = out[0];
  return out.map((v) => (scale > 0 ? v / scale : NaN));
}

function pOf(r: number, n: number): number {
  if (n === 2) return 1;
  const df = n - 2;
  return studentTwoSided(r * Math.sqrt(df / ((1 - r) * (1 + r))), df);
}

/** Minus the mean; all 0 where every value is the same, whatever the mean's rounding. */
function centred(values: Float64Array): Float64Array {
  if (values.every((v) => v === values[0])) return new Float64Array(values.length);
  const m = mean(values);
  return values.map((v) => v - m);
}

function norm(values: Float64Array): number {
  const scale = values.reduce((a, v) => Math.max(a, Math.abs(v)), 0);
  let sum = 0;
  for (const v of values) sum += (v / scale) ** 2;
  return scale * Math.sqrt(sum);
}
