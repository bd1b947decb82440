import { NetssmError } from '../util';
import { standardDeviation } from './describe';
import { badOption, checkedSample, sortedSample, type Sample } from './sample';

export interface KdeOptions {
  /** `scott`: n^(-1/5); `silverman`: (3 n / 4)^(-1/5); a number: the factor itself. */
  bandwidth?: 'scott' | 'silverman' | number;
}

/** A Gaussian kernel density estimate of one variable. */
export interface Kde {
  /** Standard deviation of each kernel, in the unit of the values: factor times the sample's (ddof 1). */
  bandwidth: number;
  factor: number;
  /** Density at each point, per unit. */
  evaluate(points: Sample): Float64Array;
}

/**
 * Gaussian kernel density estimate, as `scipy.stats.gaussian_kde`; the paper's figures use Scott's rule.
 *
 * @throws NetssmError `sample_small` (fewer than 2), `sample_invalid`, `samples_constant` (no width to estimate).
 */
export function gaussianKde(values: Sample, options: KdeOptions = {}): Kde {
  const { bandwidth: rule = 'scott' } = options;
  const x = checkedSample(values, 'density', 2);
  const spread = standardDeviation(x, 1);
  if (x.every((v) => v === x[0]))
    throw new NetssmError('samples_constant', `all ${x.length} values are ${x[0]}: no width to estimate`, {
      hint: 'Show such a sample as a single line or a histogram.',
    });
  const factor =
    typeof rule === 'number'
      ? rule
      : rule === 'scott'
        ? x.length ** -0.2
        : rule === 'silverman'
          ? (0.75 * x.length) ** -0.2
          : NaN;
  if (!(factor > 0)) throw badOption('bandwidth', rule, 'scott, silverman or a factor above 0');
  const bandwidth = factor * spread;
  const scale = 1 / (x.length * bandwidth * Math.sqrt(2 * Math.PI));
  return {
    bandwidth,
    factor,
    evaluate: (points) =>
      Float64Array.from(points, (at: number) => {
        let sum = 0;
        for (let i = 0; i < x.length; i++) sum += Math.exp(-0.5 * ((at - x[i]) / bandwidth) ** 2);
        return sum * scale;
      }),
  };
}

/** An empirical distribution function: a staircase. */
export interface Ecdf {
  /** The distinct values, ascending. */
  values: Float64Array;
  /** Share of the sample at or below each. */
  shares: Float64Array;
  /** Share of the sample at or below x. */
  evaluate(x: number): number;
}

/** @throws NetssmError `sample_small`, `sample_invalid`. */
export function ecdf(sample: Sample): Ecdf {
  const sorted = sortedSample(sample, 'distribution');
  const values: number[] = [];
  const shares: number[] = [];
  for (let i = 0; i < sorted.length; i++) {
    if (i + 1 < sorted.length && sorted[i + 1] === sorted[i]) continue;
    values.push(sorted[i]);
    shares.push((i + 1) / sorted.length);
  }
  return {
    values: Float64Array.from(values),
    shares: Float64Array.from(shares),
    evaluate(x) {
      let [low, high] = [0, values.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (values[middle] <= x) low = middle + 1;
        else high = middle;
      }
      return low === 0 ? 0 : shares[low - 1];
    },
  };
}
