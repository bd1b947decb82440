import { NetssmError } from '../../util';
import { linearSystem, type LinearSystem } from './linearSystem';
import { applyExponential, zeroMatrix, type Matrix } from './matrix';

/*
 * HiPPO-LegS (A. Gu, T. Dao, S. Ermon, A. Rudra, C. Ré, arXiv 2008.07669): a state that is, at every moment, the best
 * approximation of the whole past by a polynomial. Legendre polynomials on [0, 1], of length 1:
 * p_n(x) = sqrt(2n+1) P_n(2x - 1).
 */

/** P_0(x) ... P_{N-1}(x), the Legendre polynomials, by their recursion. */
export function legendrePolynomials(N: number, x: number): Float64Array {
  const P = new Float64Array(N);
  for (let n = 0; n < N; n++)
    P[n] = n === 0 ? 1 : n === 1 ? x : ((2 * n - 1) * x * P[n - 1] - (n - 1) * P[n - 2]) / n;
  return P;
}

/** p_0(x) ... p_{N-1}(x): the same on [0, 1], and of length 1 there. */
export function legendreBasis(N: number, x: number): Float64Array {
  return legendrePolynomials(N, 2 * x - 1).map((value, n) => Math.sqrt(2 * n + 1) * value);
}

/** HiPPO-LegS: A_nk = -sqrt((2n+1)(2k+1)) below the diagonal, -(n+1) on it, 0 above (equation 2 of arXiv 2111.00396). */
export function legSMatrix(N: number): Matrix {
  const A = zeroMatrix(N);
  for (let n = 0; n < N; n++) {
    for (let k = 0; k < n; k++) A.data[n * N + k] = -Math.sqrt((2 * n + 1) * (2 * k + 1));
    A.data[n * N + n] = -(n + 1);
  }
  return A;
}

/**
 * HiPPO-LegS as S4 uses it: A, B_n = sqrt(2n+1), without the 1/t of {@link legSMemory}. Its state fades: entry n is
 * the past seen through p_n(e^-a) e^-a, where a is the age ({@link legSImpulse}). `C` is whatever is to be read from
 * it; default {@link legSReadout} of the present.
 */
export function hippoLegS(N: number, C: ArrayLike<number> = legSReadout(N, 0)): LinearSystem {
  return linearSystem(
    legSMatrix(N),
    Float64Array.from({ length: N }, (_, n) => Math.sqrt(2 * n + 1)),
    C,
  );
}

/** exp(a A) B of HiPPO-LegS in closed form: what an impulse has left in the state at age `a`. */
export function legSImpulse(N: number, age: number): Float64Array {
  return legendreBasis(N, Math.exp(-age)).map((value) => Math.exp(-age) * value);
}

/** C that reads from HiPPO-LegS what the input was `age` ago: C_n = p_n(e^-age). */
export function legSReadout(N: number, age: number): Float64Array {
  return legendreBasis(N, Math.exp(-age));
}

/**
 * HiPPO-LegS as its authors meant it: the state after t inputs describes *all* of them, stretched over [0, 1]:
 * c'(t) = (A c + B u) / t (arXiv 2008.07669, theorem 2). From input k to k + 1 that is a step of length ln((k+1)/k) of
 * the system without 1/t; solved by zero-order hold, so that the coefficients are exact.
 * @returns the state after each input: L arrays of [N].
 */
export function legSMemory(u: ArrayLike<number>, N: number): Float64Array[] {
  const A = legSMatrix(N);
  const states: Float64Array[] = [];
  // One input stretched over [0, 1] is a constant: the fixed point of the equation, p_0 alone.
  const constant = new Float64Array(N);
  constant[0] = 1;
  let c: Float64Array = new Float64Array(N);
  for (let k = 0; k < u.length; k++) {
    if (k === 0) c = constant.map((value) => value * u[0]);
    else {
      // c - c_inf decays, where c_inf is the state of an input that had always been u_k.
      const away = c.map((value, n) => value - constant[n] * u[k]);
      c = applyExponential(A, Math.log((k + 1) / k), away).map((value, n) => value + constant[n] * u[k]);
    }
    states.push(c);
  }
  return states;
}

/** The past as a state of {@link legSMemory} has it: its polynomial at the middle of each of `length` inputs. */
export function legSReconstruction(state: ArrayLike<number>, length: number): Float64Array {
  const past = new Float64Array(length);
  for (let i = 0; i < length; i++) {
    const p = legendreBasis(state.length, (i + 0.5) / length);
    for (let n = 0; n < state.length; n++) past[i] += state[n] * p[n];
  }
  return past;
}

/**
 * How much of a past a reconstruction explains: 1 - squared error / variance. 1: all of it, 0: no more than its mean
 * does, below 0: less.
 * @throws NetssmError `sequence_length`.
 */
export function explainedShare(truth: ArrayLike<number>, guess: ArrayLike<number>): number {
  const L = truth.length;
  if (guess.length !== L || L === 0)
    throw new NetssmError('sequence_length', `${L} true values, ${guess.length} guesses`);
  const mean = Array.from(truth).reduce((a, b) => a + b, 0) / L;
  let [error, variance] = [0, 0];
  for (let i = 0; i < L; i++) {
    error += (truth[i] - guess[i]) ** 2;
    variance += (truth[i] - mean) ** 2;
  }
  return variance === 0 ? (error === 0 ? 1 : -Infinity) : 1 - error / variance;
}
