import { mean, quantiles, standardDeviation } from '../../stats';
import type { Segment } from './segments';

/** A distribution in a few numbers. */
export interface Summary {
  count: number;
  mean: number;
  /** Population standard deviation. */
  sd: number;
  min: number;
  q25: number;
  median: number;
  q75: number;
  max: number;
}

/** Null for no values. */
export function summarise(values: readonly number[]): Summary | null {
  if (values.length === 0) return null;
  const [min, q25, median, q75, max] = quantiles(values, [0, 0.25, 0.5, 0.75, 1]);
  return {
    count: values.length,
    mean: mean(values),
    sd: standardDeviation(values),
    min,
    q25,
    median,
    q75,
    max,
  };
}

/** The samples that segments are judged by. */
export interface SegmentSamples {
  /** Bytes of each segment. */
  sizes: number[];
  /** Seconds from request to last byte. */
  durations: number[];
  /** Seconds between the starts of one flow's segments that follow each other. */
  interArrivals: number[];
  /** By flow that has segments: mean bytes, and number. */
  meanSizes: number[];
  counts: number[];
}

export function segmentSamples(segments: readonly Segment[]): SegmentSamples {
  const flows = new Map<number, Segment[]>();
  for (const segment of segments) {
    const list = flows.get(segment.flow);
    if (list) list.push(segment);
    else flows.set(segment.flow, [segment]);
  }
  const samples: SegmentSamples = {
    sizes: segments.map(({ bytes }) => bytes),
    durations: segments.map(({ start, end }) => end - start),
    interArrivals: [],
    meanSizes: [],
    counts: [],
  };
  for (const list of flows.values()) {
    samples.meanSizes.push(mean(list.map(({ bytes }) => bytes)));
    samples.counts.push(list.length);
    for (let i = 1; i < list.length; i++) samples.interArrivals.push(list[i].start - list[i - 1].start);
  }
  return samples;
}

/** {@link segmentSamples} as numbers; null where there is no value. */
export type SegmentSummary = Record<keyof SegmentSamples, Summary | null>;

export function segmentSummary(segments: readonly Segment[]): SegmentSummary {
  const samples = segmentSamples(segments);
  return {
    sizes: summarise(samples.sizes),
    durations: summarise(samples.durations),
    interArrivals: summarise(samples.interArrivals),
    meanSizes: summarise(samples.meanSizes),
    counts: summarise(samples.counts),
  };
}
