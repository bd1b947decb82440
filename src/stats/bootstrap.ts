import { NetssmError, Rng } from '../util';
import { mean, quantile } from './describe';
import { badOption, checkedSample } from './sample';
import { normalCdf, normalQuantile } from './special';

export interface Interval {
  /** The statistic of the data themselves. */
  estimate: number;
  low: number;
  high: number;
  /** E.g. 0.95. */
  confidence: number;
  method: IntervalMethod;
  /** Standard deviation of the replicates (ddof 1). */
  standardError: number;
}

/** `percentile`: quantiles of the replicates. `bca`: the same, corrected for bias and skew (Efron, 1987). */
export type IntervalMethod = 'percentile' | 'bca';

export interface BootstrapOptions {
  /** Default 0.95. */
  confidence?: number;
  /** Replicates; default 2,000. */
  resamples?: number;
  /** Default `bca`. */
  method?: IntervalMethod;
  /** Same seed, same interval. Default 0. */
  seed?: number | string;
}

/**
 * Bootstrap interval of any statistic. `items` are what was drawn independently: packets are not, if whole captures were
 * drawn, so pass captures (or flows) and let the statistic go through them. `statistic` is called with items drawn
 * with replacement, `resamples` times, and for `bca` once more per item (each left out in turn).
 *
 * @throws NetssmError `sample_small` for fewer than two items, `statistic_invalid` where the statistic is no number,
 *   `option_invalid`.
 */
export function bootstrapInterval<T>(
  items: readonly T[],
  statistic: (items: T[]) => number,
  options: BootstrapOptions = {},
): Interval {
  const { confidence = 0.95, resamples = 2000, method = 'bca', seed = 0 } = options;
  const n = items.length;
  if (n < 2) throw new NetssmError('sample_small', `${n} items, at least two are needed`);
  if (!(Number.isInteger(resamples) && resamples > 1))
    throw badOption('resamples', resamples, 'a whole number of at least 2');
  const estimate = checked(statistic([...items]), 'the data themselves');
  const rng = new Rng(seed).split('bootstrap');
  const replicates = new Float64Array(resamples);
  for (let i = 0; i < resamples; i++) {
    const drawn = Array.from({ length: n }, () => items[rng.int(n)]);
    replicates[i] = checked(statistic(drawn), `resample ${i}`);
  }
  const jackknife =
    method === 'bca'
      ? Float64Array.from(items, (_, i) =>
          checked(statistic(items.filter((_each, j) => j !== i)), `the data without item ${i}`),
        )
      : undefined;
  return intervalOfReplicates(estimate, replicates, { confidence, method, jackknife });
}

export interface ReplicateOptions {
  confidence?: number;
  method?: IntervalMethod;
  /** The statistic with each item left out; needed for `bca`. */
  jackknife?: ArrayLike<number>;
}

/**
 * The interval of replicates that are there already, as `scipy.stats.bootstrap` computes it. Where all replicates
 * lie on one side of the estimate `bca` has no interval: low and high are NaN, as there.
 *
 * @throws NetssmError `option_invalid`, `sample_small`, `sample_invalid`.
 */
export function intervalOfReplicates(
  estimate: number,
  replicates: ArrayLike<number>,
  options: ReplicateOptions = {},
): Interval {
  const { confidence = 0.95, method = 'bca', jackknife } = options;
  if (!(confidence > 0 && confidence < 1)) throw badOption('confidence', confidence, 'between 0 and 1');
  if (method !== 'bca' && method !== 'percentile') throw badOption('method', method, 'percentile or bca');
  const sorted = checkedSample(replicates, 'replicates', 2).sort();
  const m = mean(sorted);
  const standardError = Math.sqrt(sorted.reduce((sum, v) => sum + (v - m) ** 2, 0) / (sorted.length - 1));
  const alpha = (1 - confidence) / 2;
  let shares = [alpha, 1 - alpha];
  if (method === 'bca') {
    if (!jackknife)
      throw badOption('jackknife', jackknife, 'bca needs the statistic with each item left out');
    shares = correctedShares(estimate, sorted, checkedSample(jackknife, 'jackknife', 2), shares);
  }
  const [low, high] = shares.map((q) => (Number.isNaN(q) ? NaN : quantile(sorted, q)));
  return { estimate, low, high, confidence, method, standardError };
}

/** Efron's bias correction z0 and acceleration a. */
function correctedShares(
  estimate: number,
  sorted: Float64Array,
  jackknife: Float64Array,
  shares: readonly number[],
): number[] {
  let [below, upTo] = [0, 0];
  for (const v of sorted) {
    if (v < estimate) below++;
    if (v <= estimate) upTo++;
  }
  const z0 = normalQuantile((below + upTo) / (2 * sorted.length));
  const m = mean(jackknife);
  let [cubes, squares] = [0, 0];
  for (const v of jackknife) {
    cubes += (m - v) ** 3;
    squares += (m - v) ** 2;
  }
  // Equal jackknife values say nothing of skew.
  const a = squares === 0 ? 0 : cubes / (6 * squares ** 1.5);
  return shares.map((share) => {
    const z = z0 + normalQuantile(share);
    return normalCdf(z0 + z / (1 - a * z));
  });
}

function checked(value: number, where: string): number {
  if (Number.isFinite(value)) return value;
  throw new NetssmError('statistic_invalid', `the statistic of ${where} is ${value}`, {
    hint: 'A statistic must be a number for every resample, also for one that repeats few items.',
  });
}
