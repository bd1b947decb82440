import { NetssmError, Rng } from '../../util';
import type { ClassLabel } from '../classification';
import { badOption } from '../sample';
import { encodeLabels, fitted } from './labels';
import { toMatrix, type Matrix, type MatrixLike } from './matrix';
import { argmaxRows } from './tree';

export interface LinearSvmOptions {
  /** Weight of the errors against the width of the margin; default 1. */
  C?: number;
  /** Default `squared_hinge`, as scikit-learn's `LinearSVC`. */
  loss?: 'hinge' | 'squared_hinge';
  /** Largest violation of optimality at which to stop; default 1e-4. */
  tol?: number;
  /** Passes over the items at most; default 1000. */
  maxIter?: number;
  /** Order of the items; the optimum does not depend on it. Default 0. */
  seed?: number | string;
  signal?: AbortSignal;
}

/**
 * A linear support vector machine, one class against the rest, by dual coordinate descent (Hsieh et al., A Dual
 * Coordinate Descent Method for Large-scale Linear SVM, ICML 2008, algorithms 1 and 3): the problem of scikit-learn's
 * `LinearSVC`, whose intercept is regularised like a weight. Features of very different scale should be scaled first;
 * nPrint bits need nothing.
 */
export class LinearSvmClassifier {
  private model?: { weights: Float64Array[]; classes: ClassLabel[]; columns: number; converged: boolean };

  constructor(readonly options: LinearSvmOptions = {}) {}

  /**
   * @throws NetssmError `classes_few` for fewer than two classes, `matrix_shape`, `matrix_invalid`, `samples_differ`,
   *   `option_invalid`, `aborted`.
   */
  fit(X: MatrixLike, y: readonly ClassLabel[]): this {
    const { C = 1, loss = 'squared_hinge', tol = 1e-4, maxIter = 1000, seed = 0, signal } = this.options;
    if (!(C > 0)) throw badOption('C', C, 'above 0');
    if (loss !== 'hinge' && loss !== 'squared_hinge') throw badOption('loss', loss, 'hinge or squared_hinge');
    if (!(tol > 0)) throw badOption('tol', tol, 'above 0');
    if (!(maxIter >= 1)) throw badOption('maxIter', maxIter, 'at least 1');
    const m = toMatrix(X);
    const { classes, codes } = encodeLabels(y, m.rows, 2);
    // Two classes need one plane.
    const targets = classes.length === 2 ? [1] : classes.map((_, k) => k);
    const rng = new Rng(seed).split('linear svm');
    const solved = targets.map((k) => {
      const sign = Int8Array.from(codes, (c) => (c === k ? 1 : -1));
      return solve(m, sign, { C, loss, tol, maxIter, rng, signal });
    });
    this.model = {
      weights: solved.map(({ w }) => w),
      classes,
      columns: m.columns,
      converged: solved.every(({ converged }) => converged),
    };
    return this;
  }

  /** @throws NetssmError `not_fitted`, `features_differ`. */
  predict(X: MatrixLike): ClassLabel[] {
    const { classes, weights } = fitted(this.model, 'machine');
    const values = this.decisionFunction(X);
    if (weights.length === 1) return values.map(([v]) => classes[v > 0 ? 1 : 0]);
    const flat = Float64Array.from(values.flatMap((row) => [...row]));
    return Array.from(argmaxRows(flat, values.length, classes.length), (k) => classes[k]);
  }

  /** Signed distances times the weights' norm: one value per class, or one (above 0: the second class) for two classes. */
  decisionFunction(X: MatrixLike): Float64Array[] {
    const { weights, columns } = fitted(this.model, 'machine');
    const m = toMatrix(X, columns);
    return Array.from({ length: m.rows }, (_, i) => Float64Array.from(weights, (w) => dotRow(m, i, w)));
  }

  get classes(): ClassLabel[] {
    return fitted(this.model, 'machine').classes;
  }

  /** Whether every plane was found within `maxIter`. */
  get converged(): boolean {
    return fitted(this.model, 'machine').converged;
  }

  /** Per plane the weights of the features and, last, the intercept. */
  get weights(): Float64Array[] {
    return fitted(this.model, 'machine').weights;
  }
}

interface PlaneProblem {
  C: number;
  loss: 'hinge' | 'squared_hinge';
  tol: number;
  maxIter: number;
  rng: Rng;
  signal?: AbortSignal;
}

function solve(m: Matrix, sign: Int8Array, problem: PlaneProblem): { w: Float64Array; converged: boolean } {
  const { C, loss, tol, maxIter, rng, signal } = problem;
  const { rows, columns, data } = m;
  const upper = loss === 'hinge' ? C : Infinity;
  const diagonal = loss === 'hinge' ? 0 : 0.5 / C;
  const w = new Float64Array(columns + 1);
  const alpha = new Float64Array(rows);
  const curvature = Float64Array.from({ length: rows }, (_, i) => {
    let sum = 1 + diagonal;
    for (let j = i * columns; j < (i + 1) * columns; j++) sum += data[j] * data[j];
    return sum;
  });
  // Items that may still move stand first; those held at a bound by a wide margin are set aside and looked at in the end.
  const order = Uint32Array.from({ length: rows }, (_, i) => i);
  let active = rows;
  let [highBefore, lowBefore] = [Infinity, -Infinity];
  for (let pass = 0; pass < maxIter; pass++) {
    if (signal?.aborted) throw new NetssmError('aborted', `stopped in pass ${pass}`);
    let [high, low] = [-Infinity, Infinity];
    for (let s = 0; s < active; s++) {
      const r = s + rng.int(active - s);
      const i = order[r];
      order[r] = order[s];
      order[s] = i;
    }
    for (let s = 0; s < active; s++) {
      const i = order[s];
      const y = sign[i];
      const gradient = y * dotRow(m, i, w) - 1 + diagonal * alpha[i];
      const atLow = alpha[i] === 0;
      const atHigh = alpha[i] === upper;
      if ((atLow && gradient > highBefore) || (atHigh && gradient < lowBefore)) {
        active--;
        order[s] = order[active];
        order[active] = i;
        s--;
        continue;
      }
      const projected = (atLow && gradient > 0) || (atHigh && gradient < 0) ? 0 : gradient;
      high = Math.max(high, projected);
      low = Math.min(low, projected);
      if (Math.abs(projected) < 1e-12) continue;
      const next = Math.min(upper, Math.max(0, alpha[i] - gradient / curvature[i]));
      const step = (next - alpha[i]) * y;
      alpha[i] = next;
      for (let j = 0, at = i * columns; j < columns; j++, at++) w[j] += step * data[at];
      w[columns] += step;
    }
    if (high - low <= tol) {
      if (active === rows) return { w, converged: true };
      active = rows;
      [highBefore, lowBefore] = [Infinity, -Infinity];
      continue;
    }
    highBefore = high > 0 ? high : Infinity;
    lowBefore = low < 0 ? low : -Infinity;
  }
  return { w, converged: false };
}

/** Item i times the weights, and the intercept. */
function dotRow({ data, columns }: Matrix, i: number, w: Float64Array): number {
  let sum = w[columns];
  for (let j = 0, at = i * columns; j < columns; j++, at++) sum += data[at] * w[j];
  return sum;
}
