import type { Matrix } from './matrix';

/**
 * A grown tree as arrays over its nodes; node 0 is the root. An item goes left where its feature is at most the
 * threshold.
 */
export interface TreeArrays {
  /** -1 for a leaf. */
  feature: Int32Array;
  threshold: Float64Array;
  /** Node; for a leaf its number among the leaves. */
  left: Int32Array;
  right: Int32Array;
  /** Class probabilities of leaf k from `leaves[k * classes]`. */
  leaves: Float64Array;
  /** Total impurity decrease by feature, weighted by the share of items; sums to 1 unless there is no split. */
  importances: Float64Array;
  depth: number;
}

/** Adds the class probabilities of every item to `sums` (rows x classes). */
export function addProbabilities(tree: TreeArrays, m: Matrix, classes: number, sums: Float64Array): void {
  const { feature, threshold, left, right, leaves } = tree;
  const { data, rows, columns } = m;
  for (let i = 0; i < rows; i++) {
    const row = i * columns;
    let node = 0;
    while (feature[node] >= 0) node = data[row + feature[node]] <= threshold[node] ? left[node] : right[node];
    const from = left[node] * classes;
    for (let k = 0; k < classes; k++) sums[i * classes + k] += leaves[from + k];
  }
}

/** Index of the greatest of each row; the first of equals. */
export function argmaxRows(values: Float64Array, rows: number, columns: number): Uint32Array {
  return Uint32Array.from({ length: rows }, (_, i) => {
    let best = 0;
    for (let k = 1; k < columns; k++) if (values[i * columns + k] > values[i * columns + best]) best = k;
    return best;
  });
}
