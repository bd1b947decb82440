import { NetssmError } from '../util';
import type { Rng } from '../util';
import type { LabelTiming } from './timing';

/*
 * Time tokens. A token before a packet's first byte says how long after the packet before it came, as one of some 30
 * bins: `<|dt:178us|>` is a gap of at least 178 microseconds and less than the next bin's. They are optional, and their
 * ids lie behind those of the labels that were known when they were introduced. NetSSM does without times; its authors
 * name discretised time tokens as the way to go after a regression of gaps collapsed to the mean (section 6).
 */

/** The time tokens of a vocabulary; plain data. */
export interface TimeTokens {
  /** Id of the first bin's token; the others follow. */
  first: number;
  /** Shortest gap of each bin in microseconds, ascending; the first is 0. The last bin has no end. */
  edgesMicros: readonly number[];
}

/** Factor of 10^(1/4), 1.78, from 10 microseconds to 10 seconds. */
const MIDDLE = Array.from({ length: 25 }, (_, i) => Math.round(10 ** (1 + i / 4)));

/** 32 bins: coarse below 10 microseconds and above 10 seconds, four a decade between them. */
export const TIME_EDGES_MICROS: readonly number[] = [0, 1, 2, 5, ...MIDDLE, 20e6, 50e6, 100e6];

/** Most values that timing.json holds for a bin and label. */
const VALUES = 32;

/** @throws NetssmError `time_bins_invalid` unless the edges are whole, ascending and begin with 0. */
export function checkTimeEdges(edges: readonly number[]): void {
  const fine =
    edges[0] === 0 && edges.every((e, i) => Number.isSafeInteger(e) && (i === 0 || e > edges[i - 1]));
  if (fine) return;
  throw new NetssmError(
    'time_bins_invalid',
    `edges of time bins must be whole microseconds, ascending from 0, not ${edges.join(', ')}`,
    { exitCode: 2 },
  );
}

/** `<|dt:178us|>`. */
export function timeText(edgeMicros: number): string {
  return `<|dt:${edgeMicros}us|>`;
}

/** The edge in a text of {@link timeText}; undefined: another text. */
export function edgeOfText(text: string): number | undefined {
  const digits = /^<\|dt:(\d+)us\|>$/.exec(text)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Index of a gap's bin; gaps below 0 (records out of order) count as 0. */
export function timeBinOf({ edgesMicros }: TimeTokens, gapMicros: number): number {
  let low = 0;
  let high = edgesMicros.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (edgesMicros[middle] <= gapMicros) low = middle;
    else high = middle;
  }
  return low;
}

/** Id of the token of a gap. */
export function timeTokenOf(times: TimeTokens, gapMicros: number): number {
  return times.first + timeBinOf(times, gapMicros);
}

/** Index of a token's bin; undefined where it is no time token (or there are none at all). */
export function timeBinOfToken(times: TimeTokens | undefined, token: number): number | undefined {
  if (!times || token < times.first || token >= times.first + times.edgesMicros.length) return undefined;
  return token - times.first;
}

/** At most 32 of a bin's gaps at even steps of probability, for each bin; `sorted` ascending. */
export function gapsByBin(
  { edgesMicros }: Pick<TimeTokens, 'edgesMicros'>,
  sorted: ArrayLike<number>,
): number[][] {
  let at = 0;
  return edgesMicros.map((_, bin) => {
    const from = at;
    const end = edgesMicros[bin + 1] ?? Infinity;
    while (at < sorted.length && sorted[at] < end) at++;
    const n = at - from;
    const values = Math.min(n, VALUES);
    return Array.from({ length: values }, (_, i) => sorted[from + Math.floor(((i + 0.5) / values) * n)]);
  });
}

/**
 * A gap in whole microseconds within a bin: one of the label's real ones there or, where timing.json has none, one whose
 * logarithm is uniform (the last bin taken as ten times as long as its beginning).
 */
export function drawGapOfBin(
  { edgesMicros }: TimeTokens,
  bin: number,
  timing: LabelTiming | undefined,
  rng: Rng,
): number {
  const real = timing?.bins?.[bin];
  if (real && real.length > 0) return real[rng.int(real.length)];
  const from = edgesMicros[bin];
  const end = edgesMicros[bin + 1] ?? 10 * Math.max(1, from);
  const u = rng.uniform();
  if (from === 0) return Math.floor(u * end);
  return Math.min(end - 1, Math.floor(from * (end / from) ** u));
}
