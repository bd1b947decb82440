import type { ClassLabel } from '../classification';
import { variance } from '../describe';
import { badOption } from '../sample';
import { encodeLabels, fitted } from './labels';
import { takeRows, toMatrix, type Matrix, type MatrixLike } from './matrix';
import { solveSmo } from './smo';

export interface KernelSvmOptions {
  /** Weight of the errors against the width of the margin; default 1. */
  C?: number;
  /** exp(-gamma |x - y|^2). `scale`: 1 / (features times variance of all values), `auto`: 1 / features. Default `scale`. */
  gamma?: 'scale' | 'auto' | number;
  /** Largest violation of optimality at which to stop; default 1e-3. */
  tol?: number;
  /** Steps of a pair of classes at most; default 1,000,000. */
  maxIter?: number;
  /** Memory for kernel rows, in MiB; default 200. */
  cacheMiB?: number;
  signal?: AbortSignal;
}

/** One pair of classes: votes for `first` where the decision is above 0. */
interface Pair {
  first: number;
  second: number;
  /** Items with a weight, among {@link Model.support}. */
  items: Uint32Array;
  /** alpha times sign. */
  weights: Float64Array;
  bias: number;
}

interface Model {
  classes: ClassLabel[];
  columns: number;
  gamma: number;
  support: Matrix;
  norms: Float64Array;
  pairs: Pair[];
  converged: boolean;
}

/**
 * A support vector machine with a Gaussian (RBF) kernel, every class against every other, the class of most votes (the first of
 * equals): scikit-learn's `SVC`. Time grows with the square of the items of a pair of classes.
 */
export class KernelSvmClassifier {
  private model?: Model;

  constructor(readonly options: KernelSvmOptions = {}) {}

  /**
   * @throws NetssmError `classes_few` for fewer than two classes, `matrix_shape`, `matrix_invalid`, `samples_differ`,
   *   `option_invalid`, `aborted`.
   */
  fit(X: MatrixLike, y: readonly ClassLabel[]): this {
    const { C = 1, tol = 1e-3, maxIter = 1e6, cacheMiB = 200, signal } = this.options;
    if (!(C > 0)) throw badOption('C', C, 'above 0');
    if (!(tol > 0)) throw badOption('tol', tol, 'above 0');
    if (!(maxIter >= 1)) throw badOption('maxIter', maxIter, 'at least 1');
    const m = toMatrix(X);
    const { classes, codes } = encodeLabels(y, m.rows, 2);
    const gamma = this.gammaOf(m);
    const members = classes.map((_, k) => indicesOf(codes, k));
    const used = new Map<number, number>();
    const solved = [];
    for (let a = 0; a < classes.length; a++)
      for (let b = a + 1; b < classes.length; b++) {
        const items = Uint32Array.from([...members[a], ...members[b]]);
        const part = takeRows(m, items);
        const sign = Int8Array.from(items, (_, i) => (i < members[a].length ? 1 : -1));
        const kernelRow = cachedRows(part, gamma, cacheMiB);
        const kernelDiagonal = new Float64Array(items.length).fill(1);
        const solution = solveSmo({ sign, C, tol, maxIter, kernelRow, kernelDiagonal, signal });
        const kept = indicesOf(
          solution.alpha.map((v) => (v > 0 ? 1 : 0)),
          1,
        );
        for (const i of kept) if (!used.has(items[i])) used.set(items[i], used.size);
        solved.push({
          first: a,
          second: b,
          items: kept.map((i) => used.get(items[i])!),
          weights: Float64Array.from(kept, (i) => solution.alpha[i] * sign[i]),
          bias: solution.bias,
          converged: solution.converged,
        });
      }
    const support = takeRows(m, Uint32Array.from(used.keys()));
    const converged = solved.every((pair) => pair.converged);
    this.model = {
      classes,
      columns: m.columns,
      gamma,
      support,
      norms: normsOf(support),
      pairs: solved,
      converged,
    };
    return this;
  }

  /** @throws NetssmError `not_fitted`, `features_differ`. */
  predict(X: MatrixLike): ClassLabel[] {
    const { classes, pairs } = fitted(this.model, 'machine');
    const votes = new Uint32Array(classes.length);
    return this.decisionFunction(X).map((values) => {
      votes.fill(0);
      pairs.forEach(({ first, second }, p) => votes[values[p] > 0 ? first : second]++);
      return classes[votes.indexOf(Math.max(...votes))];
    });
  }

  /** Per item one value for each pair of classes, (0,1), (0,2) ... (1,2) ...; above 0 is a vote for the first. */
  decisionFunction(X: MatrixLike): Float64Array[] {
    const { support, norms, gamma, pairs, columns } = fitted(this.model, 'machine');
    const m = toMatrix(X, columns);
    const own = normsOf(m);
    const row = new Float32Array(support.rows);
    return Array.from({ length: m.rows }, (_, i) => {
      fillKernelRow(m, i, own[i], support, norms, gamma, row);
      return Float64Array.from(pairs, ({ items, weights, bias }) => {
        let sum = bias;
        for (let s = 0; s < items.length; s++) sum += weights[s] * row[items[s]];
        return sum;
      });
    });
  }

  get classes(): ClassLabel[] {
    return fitted(this.model, 'machine').classes;
  }

  /** Items that the decision rests on. */
  get supportCount(): number {
    return fitted(this.model, 'machine').support.rows;
  }

  /** Whether every pair of classes was solved within `maxIter`. */
  get converged(): boolean {
    return fitted(this.model, 'machine').converged;
  }

  private gammaOf(m: Matrix): number {
    const { gamma = 'scale' } = this.options;
    if (typeof gamma === 'number' && gamma > 0) return gamma;
    if (gamma === 'auto') return 1 / m.columns;
    if (gamma !== 'scale') throw badOption('gamma', gamma, 'scale, auto or a number above 0');
    const spread = variance(m.data);
    return spread > 0 ? 1 / (m.columns * spread) : 1;
  }
}

function indicesOf(codes: ArrayLike<number>, wanted: number): Uint32Array {
  const out: number[] = [];
  for (let i = 0; i < codes.length; i++) if (codes[i] === wanted) out.push(i);
  return Uint32Array.from(out);
}

function normsOf({ data, rows, columns }: Matrix): Float64Array {
  return Float64Array.from({ length: rows }, (_, i) => {
    let sum = 0;
    for (let at = i * columns; at < (i + 1) * columns; at++) sum += data[at] * data[at];
    return sum;
  });
}

function fillKernelRow(
  from: Matrix,
  i: number,
  norm: number,
  to: Matrix,
  norms: Float64Array,
  gamma: number,
  out: Float32Array,
): void {
  const { columns } = from;
  const x = Float64Array.from(from.data.subarray(i * columns, (i + 1) * columns));
  const { data } = to;
  for (let t = 0, at = 0; t < to.rows; t++) {
    let dot = 0;
    for (let j = 0; j < columns; j++) dot += x[j] * data[at++];
    out[t] = Math.exp(-gamma * Math.max(0, norm + norms[t] - 2 * dot));
  }
}

/** Rows of the kernel matrix, the ones used last kept in memory (two at least). */
function cachedRows(m: Matrix, gamma: number, mebibytes: number): (i: number) => Float32Array {
  const norms = normsOf(m);
  const room = Math.max(2, Math.floor((mebibytes * 2 ** 20) / (4 * m.rows)));
  const rows = new Map<number, Float32Array>();
  return (i) => {
    let row = rows.get(i);
    if (row) {
      // A map keeps the order of insertion: the oldest is the first.
      rows.delete(i);
      rows.set(i, row);
      return row;
    }
    if (rows.size >= room) {
      const [oldest, reused] = rows.entries().next().value as [number, Float32Array];
      rows.delete(oldest);
      row = reused;
    } else row = new Float32Array(m.rows);
    fillKernelRow(m, i, norms[i], m, norms, gamma, row);
    rows.set(i, row);
    return row;
  };
}
