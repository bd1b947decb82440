import type { Trace } from '../evaluate';
import { earthMoversDistance, kolmogorovSmirnov } from '../stats';

/** Times and sizes of some traces' packets, prompts left out. */
export interface TimingSamples {
  /** Base-10 logarithms of the seconds between packets, at least 1 microsecond. */
  logGaps: number[];
  /** Bytes on the wire. */
  sizes: number[];
}

/** One source's times and sizes beside the reference's; `label` is a class, or `all`. */
export interface TimingRow {
  source: string;
  label: string;
  gaps: number;
  /** Distances of inter-arrivals: earth mover's in decades, Kolmogorov-Smirnov; of sizes in bytes. */
  gapDecades: number;
  gapKs: number;
  sizeBytes: number;
  sizeKs: number;
}

/** Inter-arrivals and sizes of traces. Times that go back count as no time. */
export function timingSamples(traces: readonly Trace[]): TimingSamples {
  const samples: TimingSamples = { logGaps: [], sizes: [] };
  for (const { packets, prompt } of traces) {
    let before = prompt?.at(-1)?.tsMicros;
    for (const { tsMicros, wireLen } of packets) {
      samples.sizes.push(wireLen);
      if (before !== undefined) samples.logGaps.push(Math.log10(Math.max(1, tsMicros - before) / 1e6));
      before = tsMicros;
    }
  }
  return samples;
}

/** Null where a side has no two packets. */
export function compareTiming(
  real: TimingSamples,
  other: TimingSamples,
): Omit<TimingRow, 'source' | 'label'> | null {
  if (real.logGaps.length === 0 || other.logGaps.length === 0) return null;
  return {
    gaps: other.logGaps.length,
    gapDecades: earthMoversDistance(real.logGaps, other.logGaps),
    gapKs: kolmogorovSmirnov(real.logGaps, other.logGaps, { method: 'asymptotic' }).statistic,
    sizeBytes: earthMoversDistance(real.sizes, other.sizes),
    sizeKs: kolmogorovSmirnov(real.sizes, other.sizes, { method: 'asymptotic' }).statistic,
  };
}
