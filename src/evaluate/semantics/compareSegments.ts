import {
  andersonDarling,
  earthMoversDistance,
  klDivergence,
  kolmogorovSmirnov,
  mean,
  quantile,
  standardDeviation,
} from '../../stats';
import { segmentSamples, type SegmentSamples } from './segmentStats';
import type { Segment } from './segments';

/** The evaluations of Table 3, and two of our own. */
export const SEGMENT_EVALUATIONS = [
  { name: 'sizes', title: 'raw segment size', unit: 'bytes' },
  { name: 'meanSizes', title: 'mean segment size per flow', unit: 'bytes' },
  { name: 'counts', title: 'segments per flow', unit: 'segments' },
  { name: 'durations', title: 'segment duration', unit: 'seconds' },
  { name: 'interArrivals', title: 'time between segments of a flow', unit: 'seconds' },
] as const satisfies readonly { name: keyof SegmentSamples; title: string; unit: string }[];

/** The statistics of Table 3 for one pair of traces; differences are real - generated. Null: not enough values. */
export interface SampleComparison {
  nReal: number;
  nGenerated: number;
  meanDelta: number | null;
  medianDelta: number | null;
  sdDelta: number | null;
  ks: number | null;
  ksP: number | null;
  ad: number | null;
  adP: number | null;
  /** KL divergence of the generated from the real histogram, in nats. */
  kl: number | null;
  emd: number | null;
}

export interface KlOptions {
  /** Bins of equal width from the least to the greatest value of both samples. Default 50. */
  bins?: number;
  /** Added to every share, so that an empty bin does not make the divergence infinite. Default 1e-10. */
  epsilon?: number;
}

/** Compares one sample of a real trace with the same of a generated one. */
export function compareSamples(
  real: readonly number[],
  generated: readonly number[],
  options: KlOptions = {},
): SampleComparison {
  const result: SampleComparison = {
    nReal: real.length,
    nGenerated: generated.length,
    meanDelta: null,
    medianDelta: null,
    sdDelta: null,
    ks: null,
    ksP: null,
    ad: null,
    adP: null,
    kl: null,
    emd: null,
  };
  if (real.length === 0 || generated.length === 0) return result;
  const median = (values: readonly number[]): number => quantile(Float64Array.from(values).sort(), 0.5);
  const { statistic, pValue } = kolmogorovSmirnov(real, generated);
  result.meanDelta = mean(real) - mean(generated);
  result.medianDelta = median(real) - median(generated);
  result.sdDelta = standardDeviation(real) - standardDeviation(generated);
  result.ks = statistic;
  result.ksP = pValue;
  result.kl = histogramKl(real, generated, options);
  result.emd = earthMoversDistance(real, generated);
  // The test has no meaning for a single value, and none where all are equal.
  const all = [...real, ...generated];
  if (real.length > 1 && generated.length > 1 && all.some((value) => value !== all[0])) {
    const test = andersonDarling(real, generated);
    result.ad = test.statistic;
    result.adP = test.pValue;
  }
  return result;
}

/** KL divergence (nats) between histograms of two samples over the same bins. 0 where all values are equal. */
export function histogramKl(
  real: readonly number[],
  generated: readonly number[],
  { bins = 50, epsilon = 1e-10 }: KlOptions = {},
): number {
  let [low, high] = [Infinity, -Infinity];
  for (const values of [real, generated]) {
    for (const value of values) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  if (!(high > low)) return 0;
  const shares = [real, generated].map((values) => {
    const counts = new Float64Array(bins);
    for (const value of values)
      counts[Math.min(bins - 1, Math.floor(((value - low) / (high - low)) * bins))]++;
    return counts.map((count) => count / values.length + epsilon);
  });
  return klDivergence(shares[0], shares[1], Math.E);
}

/** One row of Table 3: medians over the pairs of traces. */
export interface SegmentRow {
  evaluation: keyof SegmentSamples;
  title: string;
  unit: string;
  /** Pairs of which there was something to compare. */
  pairs: number;
  median: Omit<SampleComparison, 'nReal' | 'nGenerated'>;
  perPair: SampleComparison[];
}

/** Table 3: compares each real trace's segments with those of its generated twin. */
export function compareSegments(
  pairs: readonly { real: readonly Segment[]; generated: readonly Segment[] }[],
  options: KlOptions = {},
): SegmentRow[] {
  const samples = pairs.map(
    ({ real, generated }) => [segmentSamples(real), segmentSamples(generated)] as const,
  );
  return SEGMENT_EVALUATIONS.map(({ name, title, unit }) => {
    const perPair = samples.map(([real, generated]) => compareSamples(real[name], generated[name], options));
    const usable = perPair.filter(({ nReal, nGenerated }) => nReal > 0 && nGenerated > 0);
    const over = (key: keyof SegmentRow['median']): number | null => {
      const values = usable.map((each) => each[key]).filter((value) => value !== null);
      return values.length === 0 ? null : quantile(Float64Array.from(values).sort(), 0.5);
    };
    return {
      evaluation: name,
      title,
      unit,
      pairs: usable.length,
      median: {
        meanDelta: over('meanDelta'),
        medianDelta: over('medianDelta'),
        sdDelta: over('sdDelta'),
        ks: over('ks'),
        ksP: over('ksP'),
        ad: over('ad'),
        adP: over('adP'),
        kl: over('kl'),
        emd: over('emd'),
      },
      perPair,
    };
  });
}
