import { distances, type Distances } from './divergence';

/** How often each value occurred (a weight may be fractional after {@link normalise}). */
export type Counts = ReadonlyMap<string | number, number>;

/** Counts values; `undefined` is not counted. */
export function countValues<V extends string | number>(values: Iterable<V | undefined>): Map<V, number> {
  const counts = new Map<V, number>();
  for (const value of values) if (value !== undefined) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

export function totalCount(counts: Counts): number {
  let total = 0;
  for (const n of counts.values()) total += n;
  return total;
}

/** Two counts as weights over the union of their values, in the same order. */
export function alignCounts(a: Counts, b: Counts): [Float64Array, Float64Array] {
  const keys = [...new Set([...a.keys(), ...b.keys()])];
  return [Float64Array.from(keys, (k) => a.get(k) ?? 0), Float64Array.from(keys, (k) => b.get(k) ?? 0)];
}

/** The three distances between two counts over the union of their values. */
export function countDistances(a: Counts, b: Counts): Distances {
  return distances(...alignCounts(a, b));
}

/** The counts scaled to sum to `total`; unchanged when there is nothing to scale. */
export function normalise(counts: Counts, total = 1): Map<string | number, number> {
  const n = totalCount(counts);
  return new Map([...counts].map(([k, v]) => [k, n === 0 ? v : (v / n) * total]));
}

/** Sum of several counts, value by value. */
export function addCounts(all: Iterable<Counts>): Map<string | number, number> {
  const sum = new Map<string | number, number>();
  for (const counts of all) for (const [k, v] of counts) sum.set(k, (sum.get(k) ?? 0) + v);
  return sum;
}

/**
 * Lower edge of the bin that holds `value`: every value is its own bin below 64, above that each power of two is cut
 * into 8 equal parts (64, 72, ... 120, 128, 144 ...), so that a bin is at most 12.5 % wide. 0 and less give 0.
 */
export function logBin(value: number): number {
  if (!(value > 0)) return 0;
  if (value < 64) return Math.floor(value);
  const width = 2 ** (Math.floor(Math.log2(value)) - 3);
  return Math.floor(value / width) * width;
}
