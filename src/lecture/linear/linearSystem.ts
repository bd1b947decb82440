import { NetssmError } from '../../util';
import {
  applyMatrix,
  combineMatrices,
  identityMatrix,
  matrixExponential,
  solveMatrix,
  zeroMatrix,
  type Matrix,
} from './matrix';

/**
 * A continuous linear state space with one input and one output:
 *
 *     h'(t) = A h(t) + B u(t),   y(t) = C h(t) + D u(t)
 *
 * A. Gu, K. Goel, C. Ré, arXiv 2111.00396, equation 1.
 */
export interface LinearSystem {
  /** [N, N] */
  A: Matrix;
  /** [N] */
  B: Float64Array;
  /** [N] */
  C: Float64Array;
  D: number;
}

/** How a continuous system becomes a recurrence. */
export type Discretisation = 'zoh' | 'bilinear' | 'euler';

/**
 * The same as a recurrence over steps of `delta`:
 *
 *     h_t = Abar h_{t-1} + Bbar u_t,   y_t = C h_t + D u_t
 *
 * h_t is the state at the *end* of step t, during which u_t was there.
 */
export interface DiscreteSystem {
  /** [N, N] */
  Abar: Matrix;
  /** [N] */
  Bbar: Float64Array;
  /** [N] */
  C: Float64Array;
  D: number;
  /** Length of a step; 1 for systems that never were continuous. */
  delta: number;
}

/** A system from plain arrays; A as rows. @throws NetssmError `system_shape` where sizes do not fit. */
export function linearSystem(
  A: Matrix,
  B: ArrayLike<number>,
  C: ArrayLike<number>,
  D: number = 0,
): LinearSystem {
  const N = A.rows;
  if (A.columns !== N || B.length !== N || C.length !== N) {
    throw new NetssmError(
      'system_shape',
      `A is ${A.rows} by ${A.columns}, B has ${B.length} entries, C ${C.length}`,
      { hint: 'A is square; B and C have as many entries as A has rows.' },
    );
  }
  return { A, B: Float64Array.from(B), C: Float64Array.from(C), D };
}

/** A leaky average with time constant `tau`: h' = (u - h) / tau, y = h. The smallest summary there is. */
export function leakyAverage(tau: number): LinearSystem {
  return linearSystem({ rows: 1, columns: 1, data: Float64Array.of(-1 / tau) }, [1 / tau], [1]);
}

/**
 * A mass on a spring with friction, pushed by u: y'' + damping y' + stiffness y = u, state (y, y'). The smallest
 * system that swings.
 */
export function spring(stiffness = 1, damping = 0.2): LinearSystem {
  const A = { rows: 2, columns: 2, data: Float64Array.of(0, 1, -stiffness, -damping) };
  return linearSystem(A, [0, 1], [1, 0]);
}

/**
 * A recurrence that says what the system says at the ends of steps of `delta`.
 *
 * - `zoh`, zero-order hold: the input stands still during a step. Then the recurrence is *exact*:
 *   Abar = exp(delta A), Bbar = (integral of exp(s A) over a step) B (arXiv 2312.00752, equation 4). Both come out of
 *   one exponential of [[A, B], [0, 0]], which also works where A has no inverse.
 * - `bilinear`: the trapezoid rule, (1 - delta A / 2)^-1 (1 + delta A / 2); S4 uses it (arXiv 2111.00396, equation 3).
 *   Stable whenever the system is.
 * - `euler`: 1 + delta A. Unstable as soon as delta is too large.
 *
 * @throws NetssmError `step_size` for a `delta` that is not above 0, `matrix_singular`.
 */
export function discretise(
  system: LinearSystem,
  delta: number,
  method: Discretisation = 'zoh',
): DiscreteSystem {
  if (!(delta > 0 && Number.isFinite(delta))) {
    throw new NetssmError('step_size', `the step size must be above 0, not ${delta}`, {
      hint: 'It is the time between two inputs, in the unit of time in which A is given.',
    });
  }
  const { A, B, C, D } = system;
  const N = A.rows;
  const rest = { C, D, delta };
  const I = identityMatrix(N);
  if (method === 'euler')
    return { Abar: combineMatrices(1, I, delta, A), Bbar: B.map((b) => delta * b), ...rest };
  if (method === 'bilinear') {
    const left = combineMatrices(1, I, -delta / 2, A);
    const input = { rows: N, columns: 1, data: B.map((b) => delta * b) };
    const Abar = solveMatrix(left, combineMatrices(1, I, delta / 2, A));
    return { Abar, Bbar: solveMatrix(left, input).data, ...rest };
  }
  const held = zeroMatrix(N + 1);
  for (let i = 0; i < N; i++) {
    for (let j = 0; j < N; j++) held.data[i * (N + 1) + j] = delta * A.data[i * N + j];
    held.data[i * (N + 1) + N] = delta * B[i];
  }
  const e = matrixExponential(held).data;
  const Abar = zeroMatrix(N);
  for (let i = 0; i < N; i++) Abar.data.set(e.subarray(i * (N + 1), i * (N + 1) + N), i * N);
  return { Abar, Bbar: Float64Array.from({ length: N }, (_, i) => e[i * (N + 1) + N]), ...rest };
}

/** What the differential equation itself says, on a grid finer than the steps. */
export interface ContinuousRun {
  /** [L * substeps + 1], from 0 on. */
  times: Float64Array;
  /** The output without D u, which jumps with the input: C h at each of `times`. */
  y: Float64Array;
  /** C h + D u at the end of each step: [L]. */
  yAtSteps: Float64Array;
}

/**
 * The system under an input that stands still for `delta` at a time, solved by Runge and Kutta's method of fourth
 * order with `substeps` in each step: an answer that owes nothing to any {@link discretise}.
 */
export function solveContinuous(
  system: LinearSystem,
  u: ArrayLike<number>,
  delta: number,
  substeps = 32,
): ContinuousRun {
  const { A, B, C, D } = system;
  const N = A.rows;
  const s = delta / substeps;
  const times = new Float64Array(u.length * substeps + 1);
  const y = new Float64Array(times.length);
  const yAtSteps = new Float64Array(u.length);
  let h = new Float64Array(N);
  const slope = (at: Float64Array, input: number): Float64Array =>
    applyMatrix(A, at).map((value, i) => value + B[i] * input);
  const moved = (by: number, k: Float64Array): Float64Array => h.map((value, i) => value + by * k[i]);
  for (let t = 0; t < u.length; t++) {
    for (let j = 0; j < substeps; j++) {
      const k1 = slope(h, u[t]);
      const k2 = slope(moved(s / 2, k1), u[t]);
      const k3 = slope(moved(s / 2, k2), u[t]);
      const k4 = slope(moved(s, k3), u[t]);
      h = h.map((value, i) => value + (s / 6) * (k1[i] + 2 * k2[i] + 2 * k3[i] + k4[i]));
      const at = t * substeps + j + 1;
      times[at] = at * s;
      y[at] = dot(C, h);
    }
    yAtSteps[t] = dot(C, h) + D * u[t];
  }
  return { times, y, yAtSteps };
}

/** The sum of products. */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
