import { HEADER_FIELDS, HEADER_WIDTH, type HeaderSet } from './headerSet';

/** How one field differs between headers and those they are compared with. */
export interface FieldChange {
  /** Pairs in which it is another. */
  changed: number;
  /** Sum of the differences of its values, as unsigned numbers. */
  change: number;
}

/** {@link FieldChange} of every field of {@link HEADER_FIELDS}, over pairs of rows: one of `set`, one of `training`. */
export function fieldChanges(
  set: HeaderSet,
  training: HeaderSet,
  pairs: readonly (readonly [number, number])[],
): FieldChange[] {
  return HEADER_FIELDS.map(({ from, to }) => {
    let [changed, change] = [0, 0];
    for (const [i, j] of pairs) {
      let [x, y, same] = [0, 0, true];
      for (let k = from; k < to; k++) {
        const u = set.bytes[i * HEADER_WIDTH + k];
        const v = training.bytes[j * HEADER_WIDTH + k];
        if (u !== v) same = false;
        x = x * 256 + u;
        y = y * 256 + v;
      }
      if (!same) changed++;
      change += Math.abs(x - y);
    }
    return { changed, change };
  });
}
