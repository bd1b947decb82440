import { NetssmError } from '../../util';

/** A dense matrix of float64, row after row. */
export interface Matrix {
  rows: number;
  columns: number;
  /** [rows, columns] */
  data: Float64Array;
}

/** A matrix of zeros. */
export function zeroMatrix(rows: number, columns = rows): Matrix {
  return { rows, columns, data: new Float64Array(rows * columns) };
}

/** A matrix written out: `matrixOf([[1, 2], [3, 4]])`. @throws NetssmError `matrix_shape` for rows of several lengths. */
export function matrixOf(rows: readonly (readonly number[])[]): Matrix {
  const columns = rows[0]?.length ?? 0;
  const odd = rows.findIndex((row) => row.length !== columns);
  if (odd >= 0) throw badShape(`row ${odd} has ${rows[odd].length} entries, row 0 has ${columns}`);
  return { rows: rows.length, columns, data: Float64Array.from(rows.flat()) };
}

/** Ones on the diagonal. */
export function identityMatrix(n: number): Matrix {
  const I = zeroMatrix(n);
  for (let i = 0; i < n; i++) I.data[i * n + i] = 1;
  return I;
}

/** The rows of a matrix as arrays, for tables and heat maps. */
export function matrixRows({ rows, columns, data }: Matrix): number[][] {
  return Array.from({ length: rows }, (_, i) => Array.from(data.subarray(i * columns, (i + 1) * columns)));
}

/** a b. @throws NetssmError `matrix_shape`. */
export function multiplyMatrices(a: Matrix, b: Matrix): Matrix {
  if (a.columns !== b.rows) throw badShape(`${sizeOf(a)} times ${sizeOf(b)}`);
  const out = zeroMatrix(a.rows, b.columns);
  for (let i = 0; i < a.rows; i++) {
    for (let k = 0; k < a.columns; k++) {
      const factor = a.data[i * a.columns + k];
      if (factor === 0) continue;
      for (let j = 0; j < b.columns; j++) out.data[i * b.columns + j] += factor * b.data[k * b.columns + j];
    }
  }
  return out;
}

/** x a + y b, entry by entry. @throws NetssmError `matrix_shape`. */
export function combineMatrices(x: number, a: Matrix, y: number, b: Matrix): Matrix {
  if (a.rows !== b.rows || a.columns !== b.columns) throw badShape(`${sizeOf(a)} plus ${sizeOf(b)}`);
  return { ...a, data: a.data.map((value, i) => x * value + y * b.data[i]) };
}

/** a x, for a vector x of as many entries as `a` has columns. */
export function applyMatrix({ rows, columns, data }: Matrix, x: ArrayLike<number>): Float64Array {
  const out = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    let sum = 0;
    for (let j = 0; j < columns; j++) sum += data[i * columns + j] * x[j];
    out[i] = sum;
  }
  return out;
}

/** Rows become columns. */
export function transposeMatrix({ rows, columns, data }: Matrix): Matrix {
  const out = zeroMatrix(columns, rows);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) out.data[j * rows + i] = data[i * columns + j];
  return out;
}

/**
 * X with a X = b, by elimination with row exchanges.
 * @throws NetssmError `matrix_shape`, `matrix_singular`.
 */
export function solveMatrix(a: Matrix, b: Matrix): Matrix {
  const n = a.rows;
  if (a.columns !== n || b.rows !== n) throw badShape(`${sizeOf(a)} X = ${sizeOf(b)}`);
  const m = b.columns;
  const left = a.data.slice();
  const right = b.data.slice();
  for (let k = 0; k < n; k++) {
    let pivot = k;
    for (let i = k + 1; i < n; i++) if (Math.abs(left[i * n + k]) > Math.abs(left[pivot * n + k])) pivot = i;
    if (left[pivot * n + k] === 0)
      throw new NetssmError('matrix_singular', `a ${n} by ${n} matrix has no inverse (column ${k})`);
    swapRows(left, n, k, pivot);
    swapRows(right, m, k, pivot);
    for (let i = k + 1; i < n; i++) {
      const factor = left[i * n + k] / left[k * n + k];
      if (factor === 0) continue;
      for (let j = k; j < n; j++) left[i * n + j] -= factor * left[k * n + j];
      for (let j = 0; j < m; j++) right[i * m + j] -= factor * right[k * m + j];
    }
  }
  for (let k = n - 1; k >= 0; k--) {
    for (let j = 0; j < m; j++) {
      let sum = right[k * m + j];
      for (let i = k + 1; i < n; i++) sum -= left[k * n + i] * right[i * m + j];
      right[k * m + j] = sum / left[k * n + k];
    }
  }
  return { rows: n, columns: m, data: right };
}

/** Numerator and denominator of exp's diagonal Padé approximant of order 13. */
const PADE = [
  64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000, 10559470521600,
  670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1,
];

/**
 * e^a to the precision of float64: the Padé approximant of order 13 of a / 2^s, squared s times (N. J. Higham, SIAM
 * J. Matrix Anal. Appl. 26, 2005, algorithm 2.3).
 * @throws NetssmError `matrix_shape`.
 */
export function matrixExponential(a: Matrix): Matrix {
  const n = a.rows;
  if (a.columns !== n) throw badShape(`the exponential of ${sizeOf(a)}`);
  const squarings = Math.max(0, Math.ceil(Math.log2(oneNorm(a) / 5.37)) || 0);
  const I = identityMatrix(n);
  const x = combineMatrices(2 ** -squarings, a, 0, a);
  const x2 = multiplyMatrices(x, x);
  const x4 = multiplyMatrices(x2, x2);
  const x6 = multiplyMatrices(x4, x2);
  const even = [I, x2, x4, x6];
  // x6 (c13 x6 + c11 x4 + c9 x2) + c7 x6 + c5 x4 + c3 x2 + c1, and the same with even coefficients.
  const part = (odd: number): Matrix => {
    const high = weighted(even.slice(1), [PADE[8 + odd], PADE[10 + odd], PADE[12 + odd]]);
    const low = weighted(even, [PADE[odd], PADE[2 + odd], PADE[4 + odd], PADE[6 + odd]]);
    return combineMatrices(1, multiplyMatrices(x6, high), 1, low);
  };
  const U = multiplyMatrices(x, part(1));
  const V = part(0);
  let result = solveMatrix(combineMatrices(1, V, -1, U), combineMatrices(1, V, 1, U));
  for (let i = 0; i < squarings; i++) result = multiplyMatrices(result, result);
  return result;
}

/**
 * e^(s a) x without the exponential itself: Taylor's series on the vector, in pieces that are short enough for it. n^2
 * operations a term; for short steps far cheaper than {@link matrixExponential}.
 */
export function applyExponential(a: Matrix, s: number, x: Float64Array): Float64Array {
  const pieces = Math.max(1, Math.ceil(Math.abs(s) * oneNorm(a)));
  let result = x;
  for (let piece = 0; piece < pieces; piece++) {
    const sum = result.slice();
    let term = result;
    for (let k = 1, size = 1; size > 1e-18 && k < 40; k++) {
      term = applyMatrix(a, term).map((value) => (value * s) / (pieces * k));
      size /= k;
      for (let i = 0; i < sum.length; i++) sum[i] += term[i];
    }
    result = sum;
  }
  return result;
}

function weighted(matrices: readonly Matrix[], weights: readonly number[]): Matrix {
  return matrices
    .map((matrix, i) => combineMatrices(weights[i], matrix, 0, matrix))
    .reduce((a, b) => combineMatrices(1, a, 1, b));
}

/** The largest sum of absolute values of a column. */
function oneNorm({ rows, columns, data }: Matrix): number {
  let largest = 0;
  for (let j = 0; j < columns; j++) {
    let sum = 0;
    for (let i = 0; i < rows; i++) sum += Math.abs(data[i * columns + j]);
    largest = Math.max(largest, sum);
  }
  return largest;
}

function swapRows(data: Float64Array, width: number, a: number, b: number): void {
  if (a === b) return;
  const row = data.slice(a * width, (a + 1) * width);
  data.copyWithin(a * width, b * width, (b + 1) * width);
  data.set(row, b * width);
}

function sizeOf({ rows, columns }: Matrix): string {
  return `${rows} by ${columns}`;
}

function badShape(what: string): NetssmError {
  return new NetssmError('matrix_shape', `matrices do not fit: ${what}`);
}
