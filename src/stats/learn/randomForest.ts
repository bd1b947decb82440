import { availableParallelism } from 'node:os';
import type { OnProgress } from '../../util';
import type { ClassLabel } from '../classification';
import { badOption } from '../sample';
import { encodeColumns } from './columns';
import { growForest } from './forestPool';
import { encodeLabels, fitted } from './labels';
import { toMatrix, type MatrixLike } from './matrix';
import { addProbabilities, argmaxRows, type TreeArrays } from './tree';
import { resolveTreeOptions, type TreeOptions } from './treeOptions';

export interface RandomForestOptions extends TreeOptions {
  /** Trees; default 100. */
  nEstimators?: number;
  /** Whether each tree sees items drawn with replacement; default true. */
  bootstrap?: boolean;
  /** Threads; default as many as cores (`NETSSM_THREADS` overrides), and one where there is little to do. */
  jobs?: number;
}

export interface FitOptions {
  /** `done` of `total` trees. */
  onProgress?: OnProgress;
  signal?: AbortSignal;
}

/** Items times trees below which starting threads takes longer than growing. */
const WORTH_THREADS = 50_000;

/**
 * A random forest (Breiman, 2001), as scikit-learn's `RandomForestClassifier`: bootstrap samples, the root of the
 * number of features at each split, trees to the end, mean of the trees' class probabilities. The random numbers are
 * other ones, so single trees differ, and accuracies agree within their spread over seeds.
 */
export class RandomForestClassifier {
  private model?: { trees: TreeArrays[]; classes: ClassLabel[]; columns: number };

  constructor(readonly options: RandomForestOptions = {}) {}

  /**
   * @throws NetssmError `matrix_shape`, `matrix_invalid`, `samples_differ`, `option_invalid`, `aborted` (the
   *   forest is then as it was before).
   */
  async fit(X: MatrixLike, y: readonly ClassLabel[], { onProgress, signal }: FitOptions = {}): Promise<this> {
    const { nEstimators = 100, bootstrap = true, seed = 0 } = this.options;
    if (!(Number.isInteger(nEstimators) && nEstimators >= 1))
      throw badOption('nEstimators', nEstimators, 'a whole number of at least 1');
    const m = toMatrix(X);
    const options = resolveTreeOptions(this.options, m.columns, 'sqrt');
    const { classes, codes } = encodeLabels(y, m.rows);
    const jobs = this.jobs(m.rows * nEstimators);
    const data = {
      columns: encodeColumns(m, jobs > 1),
      labels: share(codes, jobs > 1),
      classes: classes.length,
    };
    const trees = await growForest(
      { data, options, seed: String(seed), bootstrap, trees: nEstimators },
      { jobs, signal, onTree: (done) => onProgress?.({ done, total: nEstimators, unit: 'trees' }) },
    );
    this.model = { trees, classes, columns: m.columns };
    return this;
  }

  /** The class of the greatest mean probability. @throws NetssmError `not_fitted`, `features_differ`. */
  predict(X: MatrixLike): ClassLabel[] {
    const { classes } = fitted(this.model, 'forest');
    const { values, rows } = this.probabilities(X);
    return Array.from(argmaxRows(values, rows, classes.length), (k) => classes[k]);
  }

  /** One array of class probabilities per item, in the order of {@link classes}. */
  predictProba(X: MatrixLike): Float64Array[] {
    const n = fitted(this.model, 'forest').classes.length;
    const { values, rows } = this.probabilities(X);
    return Array.from({ length: rows }, (_, i) => values.slice(i * n, (i + 1) * n));
  }

  get classes(): ClassLabel[] {
    return fitted(this.model, 'forest').classes;
  }

  /** Mean over the trees of each feature's share of the impurity decrease; sums to 1 unless nothing was split. */
  get featureImportances(): Float64Array {
    const { trees, columns } = fitted(this.model, 'forest');
    const mean = new Float64Array(columns);
    for (const { importances } of trees) for (let c = 0; c < columns; c++) mean[c] += importances[c];
    const sum = mean.reduce((a, b) => a + b, 0);
    return sum > 0 ? mean.map((v) => v / sum) : mean;
  }

  private probabilities(X: MatrixLike): { values: Float64Array; rows: number } {
    const { trees, classes, columns } = fitted(this.model, 'forest');
    const m = toMatrix(X, columns);
    const values = new Float64Array(m.rows * classes.length);
    for (const tree of trees) addProbabilities(tree, m, classes.length, values);
    for (let i = 0; i < values.length; i++) values[i] /= trees.length;
    return { values, rows: m.rows };
  }

  private jobs(work: number): number {
    const { jobs } = this.options;
    if (jobs === undefined)
      return work < WORTH_THREADS ? 1 : Number(process.env.NETSSM_THREADS) || availableParallelism();
    if (!(Number.isInteger(jobs) && jobs >= 1)) throw badOption('jobs', jobs, 'a whole number of at least 1');
    return jobs;
  }
}

function share(codes: Uint16Array, shared: boolean): Uint16Array {
  if (!shared) return codes;
  const out = new Uint16Array(new SharedArrayBuffer(codes.byteLength));
  out.set(codes);
  return out;
}
