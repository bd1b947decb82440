import { NetssmError } from '../../util';
import type { Matrix } from './matrix';

/**
 * Features as trees need them: column after column, every value replaced by its rank among the column's distinct
 * values. Columns of at most 256 distinct values take a byte an item, the others four. In columns of at most three
 * (ternary nPrint bits) the byte is one of {@link TERNARY_CODES} instead. Plain typed arrays, so that threads can share
 * them.
 */
export interface EncodedColumns {
  rows: number;
  columns: number;
  /** Columns of at most 256 values: item i of column c is at `place[c] + i`. */
  narrow: Uint8Array;
  /** The others. */
  wide: Uint32Array;
  place: Int32Array;
  /** Distinct values of column c, ascending: `values[from[c]]` to before `values[from[c + 1]]`. */
  values: Float64Array;
  from: Uint32Array;
}

const NARROW = 256;

/**
 * Codes of the lowest, the middle and the highest of three values: how far a weight is shifted when it is added to a
 * 32-bit sum. The sum then holds the weight at the lowest value in its bits 0 to 14 and that at the highest in its bits
 * 15 to 29; what lies at the middle goes where it does not disturb.
 */
export const TERNARY_CODES = { low: 0, middle: 30, high: 15 } as const;
/** Weight that such a sum can hold. */
export const TERNARY_CAPACITY = 0x7fff;
/** By number of values, rank by rank. */
const TERNARY_BY_RANK = [
  [],
  [TERNARY_CODES.low],
  [TERNARY_CODES.low, TERNARY_CODES.high],
  [0, 30, 15],
] as const;

/** The code of a column's k-th value. */
function codeOf(levels: number, rank: number): number {
  return levels <= 3 ? TERNARY_BY_RANK[levels][rank] : rank;
}

/** Columns transposed at a time, so that the rows read stay in the cache. */
const BLOCK = 64;

/**
 * @param shared Whether the arrays shall lie in memory that threads share.
 * @throws NetssmError `matrix_shape` from 2^31 values on.
 */
export function encodeColumns(m: Matrix, shared: boolean): EncodedColumns {
  const { rows, columns } = m;
  // Places are 32-bit integers: the inner loops of the trees live on that.
  if (rows * columns >= 2 ** 31)
    throw new NetssmError(
      'matrix_shape',
      `${rows} x ${columns} features: trees take fewer than 2^31 values`,
      {
        hint: 'Draw a sample of the items, or leave out columns that never vary.',
      },
    );
  const distinct = distinctValues(m);
  const isWide = distinct.map((values) => values.length > NARROW);
  const wideCount = isWide.filter(Boolean).length;
  const buffer = (bytes: number): ArrayBuffer | SharedArrayBuffer =>
    shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes);
  const encoded: EncodedColumns = {
    rows,
    columns,
    narrow: new Uint8Array(buffer((columns - wideCount) * rows)),
    wide: new Uint32Array(buffer(4 * wideCount * rows)),
    place: new Int32Array(buffer(4 * columns)),
    values: new Float64Array(buffer(8 * distinct.reduce((sum, values) => sum + values.length, 0))),
    from: new Uint32Array(buffer(4 * (columns + 1))),
  };
  let [narrowAt, wideAt] = [0, 0];
  for (let c = 0; c < columns; c++) {
    encoded.place[c] = isWide[c] ? wideAt++ * rows : narrowAt++ * rows;
    encoded.values.set(distinct[c], encoded.from[c]);
    encoded.from[c + 1] = encoded.from[c] + distinct[c].length;
  }
  if (m.data instanceof Int8Array || m.data instanceof Uint8Array) encodeBytes(m, m.data, encoded);
  else encodeNumbers(m, encoded);
  return encoded;
}

function distinctValues(m: Matrix): Float64Array[] {
  const { rows, columns, data } = m;
  if (data instanceof Int8Array || data instanceof Uint8Array) {
    // Which of the 256 values occur, by column.
    const seen = new Uint8Array(columns * 256);
    for (let i = 0, at = 0; i < rows; i++)
      for (let c = 0; c < columns; c++) seen[(c << 8) | (data[at++] & 255)] = 1;
    const first = data instanceof Int8Array ? -128 : 0;
    return Array.from({ length: columns }, (_, c) => {
      const values: number[] = [];
      for (let v = first; v < first + 256; v++) if (seen[(c << 8) | (v & 255)]) values.push(v);
      return Float64Array.from(values);
    });
  }
  const column = new Float64Array(rows);
  return Array.from({ length: columns }, (_, c) => {
    for (let i = 0; i < rows; i++) column[i] = data[i * columns + c];
    column.sort();
    let n = 0;
    for (let i = 0; i < rows; i++) if (i === 0 || column[i] !== column[n - 1]) column[n++] = column[i];
    return column.slice(0, n);
  });
}

function encodeBytes(m: Matrix, data: Int8Array | Uint8Array, to: EncodedColumns): void {
  const { rows, columns } = m;
  const ranks = new Uint8Array(columns * 256);
  for (let c = 0; c < columns; c++)
    for (let k = to.from[c]; k < to.from[c + 1]; k++)
      ranks[(c << 8) | (to.values[k] & 255)] = codeOf(to.from[c + 1] - to.from[c], k - to.from[c]);
  const { narrow } = to;
  for (let block = 0; block < columns; block += BLOCK) {
    const end = Math.min(columns, block + BLOCK);
    for (let i = 0; i < rows; i++) {
      let target = block * rows + i;
      const row = i * columns;
      for (let c = block; c < end; c++, target += rows)
        narrow[target] = ranks[(c << 8) | (data[row + c] & 255)];
    }
  }
}

function encodeNumbers({ rows, columns, data }: Matrix, to: EncodedColumns): void {
  for (let c = 0; c < columns; c++) {
    const values = to.values.subarray(to.from[c], to.from[c + 1]);
    const codes = values.length > NARROW ? to.wide : to.narrow;
    const place = to.place[c];
    for (let i = 0; i < rows; i++) {
      const x = data[i * columns + c];
      let [low, high] = [0, values.length - 1];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (values[middle] < x) low = middle + 1;
        else high = middle;
      }
      codes[place + i] = codeOf(values.length, low);
    }
  }
}

/** Distinct values of a column. */
export function levelsOf(columns: EncodedColumns, column: number): number {
  return columns.from[column + 1] - columns.from[column];
}

/** Codes of a column, and where they begin. */
export function codesOf(columns: EncodedColumns, column: number): Uint8Array | Uint32Array {
  return levelsOf(columns, column) > NARROW ? columns.wide : columns.narrow;
}
