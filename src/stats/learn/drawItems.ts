import type { Rng } from '../../util';
import type { EncodedColumns } from './columns';

/** What trees are grown from; threads share it. */
export interface TreeData {
  columns: EncodedColumns;
  /** Class of every item. */
  labels: Uint16Array;
  classes: number;
}

/** An item of a tree and how often it was drawn, in one number: `item | weight << 24`. This is the item's part. */
export const ITEM = 0xffffff;
export const MOST_ITEMS = 1 << 24;

/**
 * Fills `entries` with a tree's items, ordered by class; `bootstrap` draws as many as there are, with replacement. Returns
 * how many differ, and the greatest weight.
 */
export function drawItems(
  { labels, classes, columns }: TreeData,
  rng: Rng,
  bootstrap: boolean,
  entries: Uint32Array,
): { size: number; heaviest: number } {
  const { rows } = columns;
  const drawn = new Uint8Array(rows);
  if (bootstrap) for (let i = 0; i < rows; i++) drawn[rng.int(rows)]++;
  else drawn.fill(1);
  const place = new Uint32Array(classes + 1);
  let heaviest = 1;
  for (let i = 0; i < rows; i++) {
    if (drawn[i] > 0) place[labels[i] + 1]++;
    heaviest = Math.max(heaviest, drawn[i]);
  }
  for (let c = 0; c < classes; c++) place[c + 1] += place[c];
  const size = place[classes];
  for (let i = 0; i < rows; i++) if (drawn[i] > 0) entries[place[labels[i]]++] = i | (drawn[i] << 24);
  return { size, heaviest };
}

/** Marsaglia's xorshift (2003), 32 bits: drawing a feature must cost nothing. */
export class Xorshift {
  private state: number;

  constructor(seed: number) {
    this.state = seed | 0 || 1;
  }

  /** Uniform integer below n. */
  below(n: number): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x;
    return Math.floor(((x >>> 0) / 4294967296) * n);
  }
}
