import { NetssmError } from '../../util';

/** Values of a {@link Matrix}. */
export type MatrixData =
  Float64Array | Float32Array | Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array;

/** Items by features, row after row: item i's feature j is `data[i * columns + j]`. */
export interface Matrix {
  readonly data: MatrixData;
  readonly rows: number;
  readonly columns: number;
}

/** What every `fit` and `predict` takes: a matrix, or one array of features per item. */
export type MatrixLike = Matrix | readonly ArrayLike<number>[];

/** A matrix over one's own array, which is not copied. @throws NetssmError `matrix_shape`. */
export function matrix(data: MatrixData, rows: number, columns: number): Matrix {
  if (!(rows >= 0 && columns >= 0) || data.length !== rows * columns)
    throw new NetssmError('matrix_shape', `${data.length} values are not ${rows} x ${columns}`, {
      exitCode: 2,
    });
  return { data, rows, columns };
}

/**
 * @throws NetssmError `matrix_shape` for no items or items of different length, `matrix_invalid` for values that are not
 *   finite, `features_differ` where `columns` is given and another.
 */
export function toMatrix(from: MatrixLike, columns?: number): Matrix {
  const m = 'columns' in from ? matrix(from.data, from.rows, from.columns) : pack(from);
  if (m.rows === 0 || m.columns === 0)
    throw new NetssmError('matrix_shape', `${m.rows} items of ${m.columns} features: nothing to learn from`);
  if (columns !== undefined && m.columns !== columns)
    throw new NetssmError('features_differ', `items of ${m.columns} features, but ${columns} were fitted`, {
      hint: 'Make both sets in the same way, with the same columns in the same order.',
    });
  if (m.data instanceof Float64Array || m.data instanceof Float32Array) {
    for (let i = 0; i < m.data.length; i++)
      if (!Number.isFinite(m.data[i]))
        throw new NetssmError(
          'matrix_invalid',
          `feature ${i % m.columns} of item ${Math.floor(i / m.columns)} is ${m.data[i]}`,
          { hint: 'Replace missing values first, by a value that says so.' },
        );
  }
  return m;
}

function pack(rows: readonly ArrayLike<number>[]): Matrix {
  const columns = rows[0]?.length ?? 0;
  const ternary = rows.length > 0 && rows.every((row) => row instanceof Int8Array);
  const data = ternary ? new Int8Array(rows.length * columns) : new Float64Array(rows.length * columns);
  rows.forEach((row, i) => {
    if (row.length !== columns)
      throw new NetssmError('matrix_shape', `item ${i} has ${row.length} features, item 0 has ${columns}`);
    data.set(row, i * columns);
  });
  return { data, rows: rows.length, columns };
}

/** The items of some indices, as a matrix of its own. */
export function takeRows(from: Matrix, indices: ArrayLike<number>): Matrix {
  const { data, columns } = from;
  const out = new (data.constructor as new (n: number) => MatrixData)(indices.length * columns);
  for (let i = 0; i < indices.length; i++)
    out.set(data.subarray(indices[i] * columns, (indices[i] + 1) * columns), i * columns);
  return { data: out, rows: indices.length, columns };
}
