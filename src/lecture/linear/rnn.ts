import type { Rng } from '../../util';
import { spectralRadius } from './eigenvalues';
import { dot, type DiscreteSystem } from './linearSystem';
import { applyMatrix, combineMatrices, transposeMatrix, type Matrix } from './matrix';

/**
 * A plain recurrent cell (J. L. Elman, Cognitive Science 14, 1990): h_t = tanh(W h_{t-1} + U x_t + bias), y_t = C h_t.
 * A linear state space without the tanh.
 */
export interface RnnCell {
  /** [N, N] */
  W: Matrix;
  /** [N] */
  U: Float64Array;
  /** [N] */
  bias: Float64Array;
  /** [N] */
  C: Float64Array;
}

/** Random weights, with W scaled to the given spectral radius; C has length 1. */
export function randomRnn(N: number, radius: number, rng: Rng): RnnCell {
  const normals = (length: number): Float64Array => Float64Array.from({ length }, () => rng.normal());
  const W: Matrix = { rows: N, columns: N, data: normals(N * N) };
  const C = normals(N);
  const length = Math.sqrt(dot(C, C));
  return {
    W: combineMatrices(radius / spectralRadius(W), W, 0, W),
    U: normals(N),
    bias: new Float64Array(N),
    C: C.map((value) => value / length),
  };
}

/** States after each input, and outputs. */
export function runRnn(
  { W, U, bias, C }: RnnCell,
  x: ArrayLike<number>,
): { y: Float64Array; states: Float64Array[] } {
  const y = new Float64Array(x.length);
  const states: Float64Array[] = [];
  let h = new Float64Array(U.length);
  for (let t = 0; t < x.length; t++) {
    h = applyMatrix(W, h).map((value, i) => Math.tanh(value + U[i] * x[t] + bias[i]));
    y[t] = dot(C, h);
    states.push(h);
  }
  return { y, states };
}

/**
 * How strongly the last output depends on the state k steps before: |dy_L / dh_{L-k}|, k = 0 ... L - 1, by
 * backpropagation through time: each step back multiplies by W^T and by the slopes 1 - h^2 of tanh. A gradient below
 * 1e-300 counts as 0.
 */
export function rnnGradients(cell: RnnCell, x: ArrayLike<number>): Float64Array {
  const { states } = runRnn(cell, x);
  const Wt = transposeMatrix(cell.W);
  const norms = new Float64Array(x.length);
  let g = cell.C;
  for (let k = 0; k < x.length; k++) {
    norms[k] = Math.sqrt(dot(g, g));
    const h = states[x.length - 1 - k];
    g = applyMatrix(
      Wt,
      g.map((value, i) => value * (1 - h[i] * h[i])),
    );
  }
  return norms.map((norm) => (norm > 1e-300 ? norm : 0));
}

/** The same for a linear system, where no input matters: |(Abar^T)^k C|. */
export function linearGradients({ Abar, C }: DiscreteSystem, L: number): Float64Array {
  const At = transposeMatrix(Abar);
  const norms = new Float64Array(L);
  let g = C;
  for (let k = 0; k < L; k++) {
    norms[k] = Math.sqrt(dot(g, g));
    g = applyMatrix(At, g);
  }
  return norms;
}
