import { NetssmError } from '../../util';

/** A two-class problem: kernel values of an item with all others, computed when asked for. */
export interface SmoProblem {
  /** +1 or -1 for each item. */
  sign: Int8Array;
  C: number;
  tol: number;
  maxIter: number;
  /** K(i, j) for all j. The array may be used again by the next call but one. */
  kernelRow: (i: number) => Float32Array;
  /** K(i, i). */
  kernelDiagonal: Float64Array;
  signal?: AbortSignal;
}

export interface SmoSolution {
  alpha: Float64Array;
  /** The decision is sum_i alpha_i sign_i K(i, x) + bias. */
  bias: number;
  converged: boolean;
}

/** Least curvature of a pair: identical items of different classes have none. */
const TAU = 1e-12;

/**
 * Sequential minimal optimisation (Platt, 1998) with the choice of pairs by second-order information (Fan, Chen and
 * Lin, Working Set Selection Using Second Order Information, JMLR 2005, WSS 2): what LIBSVM solves, to the same tolerance.
 *
 * @throws NetssmError `aborted`.
 */
export function solveSmo(problem: SmoProblem): SmoSolution {
  const { sign, C, tol, maxIter, kernelRow, kernelDiagonal, signal } = problem;
  const n = sign.length;
  const alpha = new Float64Array(n);
  // Gradient of 1/2 a'Qa - sum a.
  const gradient = new Float64Array(n).fill(-1);
  const canGrow = (t: number): boolean => (sign[t] > 0 ? alpha[t] < C : alpha[t] > 0);
  const canShrink = (t: number): boolean => (sign[t] > 0 ? alpha[t] > 0 : alpha[t] < C);
  let converged = false;
  for (let iteration = 0; iteration < maxIter; iteration++) {
    if ((iteration & 1023) === 0 && signal?.aborted)
      throw new NetssmError('aborted', `stopped after ${iteration} iterations`);
    let i = -1;
    let top = -Infinity;
    for (let t = 0; t < n; t++) {
      const value = -sign[t] * gradient[t];
      if (value > top && canGrow(t)) {
        top = value;
        i = t;
      }
    }
    let bottom = Infinity;
    let j = -1;
    if (i >= 0) {
      const row = kernelRow(i);
      let best = Infinity;
      for (let t = 0; t < n; t++) {
        if (!canShrink(t)) continue;
        const value = -sign[t] * gradient[t];
        if (value < bottom) bottom = value;
        const gain = top - value;
        if (gain <= 0) continue;
        const curvature = Math.max(TAU, kernelDiagonal[i] + kernelDiagonal[t] - 2 * row[t]);
        const decrease = -(gain * gain) / curvature;
        if (decrease < best) {
          best = decrease;
          j = t;
        }
      }
    }
    if (i < 0 || j < 0 || top - bottom < tol) {
      converged = true;
      break;
    }
    const [rowI, rowJ] = [kernelRow(i), kernelRow(j)];
    const curvature = Math.max(TAU, kernelDiagonal[i] + kernelDiagonal[j] - 2 * rowI[j]);
    // Along the line that keeps sum sign a: sign_i a_i grows by d, sign_j a_j falls by d.
    let d = (-sign[i] * gradient[i] + sign[j] * gradient[j]) / curvature;
    d = Math.min(d, sign[i] > 0 ? C - alpha[i] : alpha[i], sign[j] > 0 ? alpha[j] : C - alpha[j]);
    alpha[i] = inside(alpha[i] + sign[i] * d, C);
    alpha[j] = inside(alpha[j] - sign[j] * d, C);
    for (let t = 0; t < n; t++) gradient[t] += sign[t] * d * (rowI[t] - rowJ[t]);
  }
  return { alpha, bias: biasOf(sign, alpha, gradient, C), converged };
}

/** Free of rounding at the bounds, so that "at a bound" stays exact. */
function inside(a: number, C: number): number {
  return a < 1e-14 * C ? 0 : a > C * (1 - 1e-14) ? C : a;
}

/** Mean over the items between the bounds; the middle of what the others allow where there are none. */
function biasOf(sign: Int8Array, alpha: Float64Array, gradient: Float64Array, C: number): number {
  let [sum, free, upper, lower] = [0, 0, Infinity, -Infinity];
  for (let t = 0; t < sign.length; t++) {
    const value = -sign[t] * gradient[t];
    if (alpha[t] > 0 && alpha[t] < C) {
      sum += value;
      free++;
    } else if (sign[t] > 0 === (alpha[t] === 0)) lower = Math.max(lower, value);
    else upper = Math.min(upper, value);
  }
  return free > 0 ? sum / free : (upper + lower) / 2;
}
