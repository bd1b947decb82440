import type { ClassLabel } from '../classification';
import { encodeColumns } from './columns';
import { TreeGrower } from './growTree';
import { encodeLabels, fitted } from './labels';
import { toMatrix, type MatrixLike } from './matrix';
import { addProbabilities, argmaxRows, type TreeArrays } from './tree';
import { resolveTreeOptions, type TreeOptions } from './treeOptions';

/** A classification tree, as scikit-learn's `DecisionTreeClassifier` with `criterion="gini"`. */
export class DecisionTreeClassifier {
  private model?: { tree: TreeArrays; classes: ClassLabel[]; columns: number };

  constructor(readonly options: TreeOptions = {}) {}

  /** @throws NetssmError `matrix_shape`, `matrix_invalid`, `samples_differ`, `option_invalid`. */
  fit(X: MatrixLike, y: readonly ClassLabel[]): this {
    const m = toMatrix(X);
    const { classes, codes } = encodeLabels(y, m.rows);
    const options = resolveTreeOptions(this.options, m.columns, 'all');
    const data = { columns: encodeColumns(m, false), labels: codes, classes: classes.length };
    const tree = new TreeGrower(data, options).grow(`${this.options.seed ?? 0}/tree`, false);
    this.model = { tree, classes, columns: m.columns };
    return this;
  }

  /** @throws NetssmError `not_fitted`, `features_differ`. */
  predict(X: MatrixLike): ClassLabel[] {
    const { classes } = fitted(this.model, 'tree');
    const { values, rows } = this.probabilities(X);
    return Array.from(argmaxRows(values, rows, classes.length), (k) => classes[k]);
  }

  /** One array of class probabilities per item, in the order of {@link classes}. */
  predictProba(X: MatrixLike): Float64Array[] {
    const n = fitted(this.model, 'tree').classes.length;
    const { values, rows } = this.probabilities(X);
    return Array.from({ length: rows }, (_, i) => values.slice(i * n, (i + 1) * n));
  }

  get classes(): ClassLabel[] {
    return fitted(this.model, 'tree').classes;
  }

  /** Share of the impurity decrease that each feature brought; sums to 1 unless nothing was split. */
  get featureImportances(): Float64Array {
    return fitted(this.model, 'tree').tree.importances;
  }

  get depth(): number {
    return fitted(this.model, 'tree').tree.depth;
  }

  get leafCount(): number {
    return fitted(this.model, 'tree').tree.feature.filter((f) => f < 0).length;
  }

  private probabilities(X: MatrixLike): { values: Float64Array; rows: number } {
    const { tree, classes, columns } = fitted(this.model, 'tree');
    const m = toMatrix(X, columns);
    const values = new Float64Array(m.rows * classes.length);
    addProbabilities(tree, m, classes.length, values);
    return { values, rows: m.rows };
  }
}
