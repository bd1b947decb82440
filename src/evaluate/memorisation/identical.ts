import { HEADER_WIDTH, type HeaderSet } from './headerSet';

/** Rows that occur in another set, byte for byte. All rows are looked at. */
export interface IdenticalRows {
  rows: number;
  identical: number;
  /** identical / rows; null without rows. */
  share: number | null;
}

/** Counts the rows of `set` that `reference` has too. */
export function identicalRows(set: HeaderSet, reference: HeaderSet): IdenticalRows {
  const known = new Set<string>();
  for (let i = 0; i < reference.rows; i++) known.add(keyOf(reference, i));
  let identical = 0;
  for (let i = 0; i < set.rows; i++) if (known.has(keyOf(set, i))) identical++;
  return { rows: set.rows, identical, share: set.rows === 0 ? null : identical / set.rows };
}

function keyOf({ bytes }: HeaderSet, row: number): string {
  const at = row * HEADER_WIDTH;
  return Buffer.from(bytes.buffer, bytes.byteOffset + at, HEADER_WIDTH).toString('latin1');
}
