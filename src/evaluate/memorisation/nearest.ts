import { NetssmError, Rng } from '../../util';
import { HEADER_WIDTH, takeRows, type HeaderSet } from './headerSet';

/** What is counted when two rows differ: a row has 80 bytes, 160 nibbles (the paper's unit, it seems) or 640 bits. */
export type HammingUnit = 'nibble' | 'byte' | 'bit';

const WORDS = HEADER_WIDTH / 4;
const UNITS: Record<HammingUnit, number> = {
  nibble: 2 * HEADER_WIDTH,
  byte: HEADER_WIDTH,
  bit: 8 * HEADER_WIDTH,
};

export interface NearestOptions {
  /** Default `nibble`. */
  unit?: HammingUnit;
  /** Rows compared at most on each side, drawn with the seed without replacement. Defaults 2,000 and 20,000. */
  maxQueries?: number;
  maxReference?: number;
  seed?: number | string;
  /** Leave out reference rows of the query's own capture: for a set against itself. */
  otherCaptures?: boolean;
}

/** The nearest reference row of each query. */
export interface Nearest {
  unit: HammingUnit;
  /** Rows compared, and those there were. */
  queries: number;
  reference: number;
  ofQueries: number;
  ofReference: number;
  /** Normalised Hamming distance: units that differ, divided by all; NaN where there was no other row. */
  distance: Float64Array;
  /** Row of the query and of its nearest neighbour in the sets given; -1: none. */
  query: Uint32Array;
  neighbour: Int32Array;
}

/** Words that say how many units two 32-bit words differ in. */
function unitCounter(unit: HammingUnit): (x: number) => number {
  if (unit === 'bit') return ones;
  if (unit === 'byte') {
    return (x) => {
      let y = x | (x >>> 4);
      y |= y >>> 2;
      y |= y >>> 1;
      return ones(y & 0x01010101);
    };
  }
  return (x) => {
    let y = x | (x >>> 2);
    y |= y >>> 1;
    return ones(y & 0x11111111);
  };
}

/** Bits set in a word. */
function ones(x: number): number {
  let y = x - ((x >>> 1) & 0x55555555);
  y = (y & 0x33333333) + ((y >>> 2) & 0x33333333);
  y = (y + (y >>> 4)) & 0x0f0f0f0f;
  return Math.imul(y, 0x01010101) >>> 24;
}

/**
 * Exact nearest neighbours of the drawn rows. Reference rows are in order of their distance to one of them, the
 * pivot: by the triangle inequality none further from the query's place in that order than the best so far can be
 * nearer, so that most are never looked at.
 */
export function nearestNeighbours(
  queries: HeaderSet,
  reference: HeaderSet,
  options: NearestOptions = {},
): Nearest {
  const {
    unit = 'nibble',
    maxQueries = 2000,
    maxReference = 20_000,
    seed = 0,
    otherCaptures = false,
  } = options;
  if (queries.masked !== reference.masked) {
    throw new NetssmError('sets_differ', 'one set has its identifiers masked and the other has not');
  }
  const rng = new Rng(seed);
  const queryRows = drawRows(queries.rows, maxQueries, rng.split('queries'));
  const referenceRows = drawRows(reference.rows, maxReference, rng.split('reference'));
  const q = takeRows(queries, queryRows);
  const r = takeRows(reference, referenceRows);
  const count = unitCounter(unit);
  const qWords = wordsOf(q);
  const rWords = wordsOf(r);
  const order = new Uint32Array(r.rows);
  const place = new Uint16Array(r.rows);
  for (let i = 0; i < r.rows; i++) {
    order[i] = i;
    place[i] = rowDistance(rWords, 0, rWords, i, count, Infinity);
  }
  order.sort((a, b) => place[a] - place[b] || a - b);
  const places = Uint16Array.from(order, (i) => place[i]);
  const distance = new Float64Array(q.rows).fill(NaN);
  const neighbour = new Int32Array(q.rows).fill(-1);
  for (let i = 0; i < q.rows; i++) {
    if (r.rows === 0) break;
    const own = rowDistance(rWords, 0, qWords, i, count, Infinity);
    let best = Infinity;
    let at = -1;
    let right = lowerBound(places, own);
    let left = right - 1;
    for (;;) {
      // The side that is nearer in the order goes first.
      const toRight = right < r.rows ? places[right] - own : Infinity;
      const toLeft = left >= 0 ? own - places[left] : Infinity;
      if (Math.min(toRight, toLeft) >= best || (toRight === Infinity && toLeft === Infinity)) break;
      const j = order[toRight <= toLeft ? right++ : left--];
      if (otherCaptures && r.capture[j] === q.capture[i]) continue;
      const d = rowDistance(qWords, i, rWords, j, count, best);
      if (d < best) {
        best = d;
        at = j;
        if (d === 0) break;
      }
    }
    if (at < 0) continue;
    distance[i] = best / UNITS[unit];
    neighbour[i] = referenceRows[at];
  }
  return {
    unit,
    queries: q.rows,
    reference: r.rows,
    ofQueries: queries.rows,
    ofReference: reference.rows,
    distance,
    query: queryRows,
    neighbour,
  };
}

/** Mean normalised Hamming distance of pairs of different rows, drawn with the seed. NaN for fewer than two rows. */
export function pairwiseDistance(
  set: HeaderSet,
  options: { unit?: HammingUnit; pairs?: number; seed?: number | string } = {},
): { mean: number; sd: number; pairs: number } {
  const { unit = 'nibble', pairs = 100_000, seed = 0 } = options;
  if (set.rows < 2) return { mean: NaN, sd: NaN, pairs: 0 };
  const words = wordsOf(set);
  const count = unitCounter(unit);
  const rng = new Rng(seed).split('pairs');
  const all = (set.rows * (set.rows - 1)) / 2;
  let [sum, squares, n] = [0, 0, 0];
  const add = (i: number, j: number): void => {
    const d = rowDistance(words, i, words, j, count, Infinity) / UNITS[unit];
    sum += d;
    squares += d * d;
    n++;
  };
  if (all <= pairs) {
    for (let i = 0; i < set.rows; i++) for (let j = 0; j < i; j++) add(i, j);
  } else {
    while (n < pairs) {
      const i = rng.int(set.rows);
      const j = rng.int(set.rows - 1);
      add(i, j < i ? j : j + 1);
    }
  }
  const mean = sum / n;
  return { mean, sd: Math.sqrt(Math.max(0, squares / n - mean * mean)), pairs: n };
}

/** Row numbers, ascending: all, or so many drawn without replacement. */
function drawRows(rows: number, most: number, rng: Rng): Uint32Array {
  const all = Array.from({ length: rows }, (_, i) => i);
  if (rows <= most) return Uint32Array.from(all);
  for (let i = 0; i < most; i++) {
    const j = i + rng.int(rows - i);
    [all[i], all[j]] = [all[j], all[i]];
  }
  return Uint32Array.from(all.slice(0, most)).sort();
}

function wordsOf(set: HeaderSet): Int32Array {
  // A copy, so that it is aligned.
  return new Int32Array(set.bytes.slice().buffer, 0, set.rows * WORDS);
}

/** Units in which two rows differ; `limit` or more once that is sure. */
function rowDistance(
  a: Int32Array,
  i: number,
  b: Int32Array,
  j: number,
  count: (x: number) => number,
  limit: number,
): number {
  let sum = 0;
  const x = i * WORDS;
  const y = j * WORDS;
  for (let w = 0; w < WORDS; w++) {
    const difference = a[x + w] ^ b[y + w];
    if (difference !== 0) {
      sum += count(difference);
      if (sum >= limit) return sum;
    }
  }
  return sum;
}

function lowerBound(sorted: Uint16Array, value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
