import { NetssmError } from '../util';
import { sortedSample, type Sample } from './sample';

/** Arithmetic mean; NaN of nothing. */
export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum / values.length;
}

/** Variance about the mean in two passes, divided by n - ddof (0: of these values, 1: estimate for a population). */
export function variance(values: ArrayLike<number>, ddof = 0): number {
  const m = mean(values);
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i] - m) ** 2;
  return values.length > ddof ? sum / (values.length - ddof) : NaN;
}

/** Root of {@link variance}. */
export function standardDeviation(values: ArrayLike<number>, ddof = 0): number {
  return Math.sqrt(variance(values, ddof));
}

/** Mean of the values that are numbers; NaN where there is none. */
export function finiteMean(values: Iterable<number>): number {
  let sum = 0;
  let n = 0;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    sum += value;
    n++;
  }
  return sum / n;
}

/**
 * How a quantile between two values is found: NumPy's names, of which the first nine are types 1 to 9 of Hyndman and
 * Fan (Sample Quantiles in Statistical Packages, 1996) and `linear` is type 7.
 */
export const QUANTILE_METHODS = [
  'inverted_cdf',
  'averaged_inverted_cdf',
  'closest_observation',
  'interpolated_inverted_cdf',
  'hazen',
  'weibull',
  'linear',
  'median_unbiased',
  'normal_unbiased',
  'lower',
  'higher',
  'midpoint',
  'nearest',
] as const;
export type QuantileMethod = (typeof QUANTILE_METHODS)[number];

/** (alpha, beta) of the continuous types: the quantile lies at 0-based place q n + alpha + q (1 - alpha - beta) - 1. */
const CONTINUOUS: Partial<Record<QuantileMethod, [number, number]>> = {
  interpolated_inverted_cdf: [0, 1],
  hazen: [0.5, 0.5],
  weibull: [0, 0],
  linear: [1, 1],
  median_unbiased: [1 / 3, 1 / 3],
  normal_unbiased: [3 / 8, 3 / 8],
};

/** Quantile of *sorted* values, by default with linear interpolation; NaN of nothing. `q` is clipped to [0, 1]. */
export function quantile(sorted: ArrayLike<number>, q: number, method: QuantileMethod = 'linear'): number {
  const n = sorted.length;
  if (n === 0) return NaN;
  const share = Math.min(1, Math.max(0, q));
  const place = placeOf(share, n, method);
  const at = Math.min(n - 1, Math.max(0, place));
  const low = Math.floor(at);
  const high = Math.min(low + 1, n - 1);
  return sorted[low] + (at - low) * (sorted[high] - sorted[low]);
}

/**
 * Several quantiles of values in any order.
 *
 * @throws NetssmError `sample_small`, `sample_invalid`, `option_invalid`.
 */
export function quantiles(
  values: Sample,
  shares: readonly number[],
  method: QuantileMethod = 'linear',
): number[] {
  const bad = shares.find((q) => !(q >= 0 && q <= 1));
  if (bad !== undefined)
    throw new NetssmError('option_invalid', `a quantile of ${bad}; shares lie between 0 and 1`, {
      exitCode: 2,
    });
  const sorted = sortedSample(values, 'quantiles');
  return shares.map((q) => quantile(sorted, q, method));
}

/** 0-based place, possibly between two values. */
function placeOf(q: number, n: number, method: QuantileMethod): number {
  const parameters = CONTINUOUS[method];
  if (parameters) {
    const [alpha, beta] = parameters;
    return q * n + alpha + q * (1 - alpha - beta) - 1;
  }
  const linear = q * (n - 1);
  switch (method) {
    case 'inverted_cdf':
      return Math.ceil(q * n) - 1;
    case 'averaged_inverted_cdf':
      return Number.isInteger(q * n) ? q * n - 0.5 : Math.floor(q * n);
    case 'closest_observation':
      return evenRound(q * n, n) - 1;
    case 'lower':
      return Math.floor(linear);
    case 'higher':
      return Math.ceil(linear);
    case 'midpoint':
      return (Math.floor(linear) + Math.ceil(linear)) / 2;
    case 'nearest':
      return halfToEven(linear);
    default:
      throw new NetssmError('option_invalid', `no quantile method ${String(method)}`, {
        hint: `One of ${QUANTILE_METHODS.join(', ')}.`,
        exitCode: 2,
      });
  }
}

/** Type 3: the observation whose rank is nearest to q n, the even one of two. */
function evenRound(place: number, n: number): number {
  return Math.min(n, Math.max(1, halfToEven(place)));
}

function halfToEven(x: number): number {
  const low = Math.floor(x);
  if (x - low !== 0.5) return Math.round(x);
  return low % 2 === 0 ? low : low + 1;
}
