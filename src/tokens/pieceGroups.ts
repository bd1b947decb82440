import { lastAtMost } from './batches';
import type { TokenDataset } from './meta';

/** Sequences to draw pieces from. */
export interface Pool {
  sequences: number[];
  /** Packets that pieces from inside may begin with, summed up: element i those of sequences 0 .. i - 1. */
  inside: number[];
}

/** Sequences that rows of one part of an epoch draw from; they fit into memory together. */
export interface Group extends Pool {
  /** Rows of the epoch before this group's. */
  firstRow: number;
  /** The same sequences, a pool a label. */
  labels: Pool[];
}

/** Deals sequences, in their order, to groups of at most `maxBytes`; each has rows in proportion to its tokens. */
export function groupSequences(
  dataset: TokenDataset,
  order: readonly number[],
  epochRows: number,
  maxBytes: number,
): Group[] {
  const groups: Group[] = [];
  let bytes = 0;
  let tokens = 0;
  const total = order.reduce((sum, i) => sum + dataset.sequences[i].length, 0);
  for (const i of order) {
    const { packets, length } = dataset.sequences[i];
    const need = 80 * packets; // header bytes, offset and length of a packet, about
    if (groups.length === 0 || bytes + need > maxBytes) {
      const firstRow = Math.floor((epochRows * tokens) / total);
      // A group too small for a row of its own takes the place of the one before.
      if (groups.length > 0 && groups[groups.length - 1].firstRow === firstRow) groups.pop();
      groups.push({ sequences: [], inside: [0], firstRow, labels: [] });
      bytes = 0;
    }
    groups[groups.length - 1].sequences.push(i);
    bytes += need;
    tokens += length;
  }
  for (const group of groups) {
    group.inside = poolOf(dataset, group.sequences).inside;
    const labels = new Map<string, number[]>();
    for (const i of group.sequences) {
      const { label } = dataset.sequences[i];
      const sequences = labels.get(label);
      if (sequences) sequences.push(i);
      else labels.set(label, [i]);
    }
    group.labels = [...labels].sort().map(([, sequences]) => poolOf(dataset, sequences));
  }
  return groups;
}

function poolOf(dataset: TokenDataset, sequences: number[]): Pool {
  const inside = [0];
  for (const i of sequences) inside.push(inside[inside.length - 1] + dataset.sequences[i].packets - 1);
  return { sequences, inside };
}

/** The session and packet where the `n`-th place inside a pool is; never a first packet. */
export function insideStart({ sequences, inside }: Pool, n: number): [sequence: number, packet: number] {
  // Sessions of one packet have no place inside: of equal sums the last is taken.
  const i = lastAtMost(inside, n);
  return [sequences[i], 1 + n - inside[i]];
}
