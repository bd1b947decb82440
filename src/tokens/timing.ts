import { NetssmError, readJson, writeFileAtomic } from '../util';
import type { Rng } from '../util';
import { gapsByBin, type TimeTokens } from './times';

/** Inter-arrival times of one label. */
export interface LabelTiming {
  /** Gaps seen. */
  count: number;
  /** Mean of those in `quantiles`, for people. */
  meanMicros: number;
  /** Ascending: the values at probabilities (i + 1/2) / n. Drawing one of them uniformly is a draw from the data. */
  quantiles: number[];
  /** With time tokens: for each bin at most 32 of its gaps, at even steps of probability; `[]` where it has none. */
  bins?: number[][];
}

/** timing.json: real inter-arrival times, since the tokens hold none, or only which bin they are in. */
export interface Timing {
  format: 'netssm-timing';
  version: 1;
  unit: 'microseconds';
  labels: Record<string, LabelTiming>;
}

const KEEP = 65536;
const QUANTILES = 1024;

/** Collects gaps in bounded memory: all of them up to 65,536, a uniform sample (reservoir) beyond. */
export class GapSample {
  count = 0;
  private readonly kept: number[] = [];

  constructor(private readonly rng: Rng) {}

  /** `micros` below 0 (records out of order) counts as 0. */
  add(micros: number): void {
    const gap = Math.max(0, Math.round(micros));
    this.count++;
    if (this.kept.length < KEEP) this.kept.push(gap);
    else {
      const at = this.rng.int(this.count);
      if (at < KEEP) this.kept[at] = gap;
    }
  }

  summary(times?: Pick<TimeTokens, 'edgesMicros'>): LabelTiming {
    const sorted = Float64Array.from(this.kept).sort();
    const n = Math.min(QUANTILES, sorted.length);
    const quantiles = Array.from(
      { length: n },
      (_, i) => sorted[Math.floor(((i + 0.5) / n) * sorted.length)],
    );
    const mean = n === 0 ? 0 : quantiles.reduce((a, b) => a + b, 0) / n;
    const bins = times && { bins: gapsByBin(times, sorted) };
    return { count: this.count, meanMicros: Math.round(mean), quantiles, ...bins };
  }
}

/** A gap in microseconds drawn from a label's real ones; 0 where there are none. */
export function drawGap(timing: LabelTiming | undefined, rng: Rng): number {
  if (!timing || timing.quantiles.length === 0) return 0;
  return timing.quantiles[rng.int(timing.quantiles.length)];
}

/** One line a label. */
export function saveTiming(path: string, timing: Timing): void {
  const labels = Object.entries(timing.labels).map(
    ([k, v]) => `    ${JSON.stringify(k)}: ${JSON.stringify(v)}`,
  );
  writeFileAtomic(
    path,
    `{\n  "format": "netssm-timing",\n  "version": 1,\n  "unit": "microseconds",\n  "labels": {\n${labels.join(',\n')}\n  }\n}\n`,
  );
}

/** @throws NetssmError `timing_invalid`, `file_unreadable`, `json_invalid`. */
export function loadTiming(path: string): Timing {
  const timing = readJson<Partial<Timing>>(path);
  const entries =
    typeof timing.labels === 'object' && timing.labels ? Object.entries(timing.labels) : undefined;
  const gaps = (list: unknown) => Array.isArray(list) && list.every((q) => Number.isFinite(q) && q >= 0);
  const bad = entries?.find(
    ([, v]) =>
      !gaps(v?.quantiles) || !(v.bins === undefined || (Array.isArray(v.bins) && v.bins.every(gaps))),
  );
  if (timing.format !== 'netssm-timing' || !entries || bad) {
    throw new NetssmError(
      'timing_invalid',
      `${path} is not a timing file${bad ? `: gaps of "${bad[0]}"` : ''}`,
    );
  }
  return timing as Timing;
}
