import { NetssmError } from '../../util';
import { discretise, dot, type DiscreteSystem, type LinearSystem } from './linearSystem';
import { applyMatrix } from './matrix';

/** A system's answer to an input. */
export interface RecurrenceRun {
  /** [L] */
  y: Float64Array;
  /** The state after each step: L arrays of [N]. */
  states: Float64Array[];
}

/**
 * The recurrent view: one state, updated with each input. L N^2 products for L inputs, and memory for one state.
 * `start` is the state before the first input; default zero.
 */
export function runRecurrence(
  system: DiscreteSystem,
  u: ArrayLike<number>,
  start: Float64Array = new Float64Array(system.Bbar.length),
): RecurrenceRun {
  const { Abar, Bbar, C, D } = system;
  const y = new Float64Array(u.length);
  const states: Float64Array[] = [];
  let h = start;
  for (let t = 0; t < u.length; t++) {
    h = applyMatrix(Abar, h).map((value, i) => value + Bbar[i] * u[t]); // h_t = Abar h_{t-1} + Bbar u_t
    y[t] = dot(C, h) + D * u[t]; // y_t = C h_t + D u_t
    states.push(h);
  }
  return { y, states };
}

/**
 * The same with a step size of its own for each input, which is what Mamba adds: A, B and C stay, but the input decides
 * how long a step lasts (arXiv 2312.00752, section 3.2; zero-order hold for both Abar and Bbar, where Mamba's code uses
 * delta B). No kernel gives this: it is no convolution any more.
 * @throws NetssmError `step_size`, `sequence_length`.
 */
export function runWithSteps(
  system: LinearSystem,
  u: ArrayLike<number>,
  deltas: ArrayLike<number>,
): RecurrenceRun {
  if (deltas.length !== u.length) {
    throw new NetssmError('sequence_length', `${u.length} inputs, but ${deltas.length} step sizes`);
  }
  const known = new Map<number, DiscreteSystem>();
  const y = new Float64Array(u.length);
  const states: Float64Array[] = [];
  let h = new Float64Array(system.B.length);
  for (let t = 0; t < u.length; t++) {
    const step = known.get(deltas[t]) ?? discretise(system, deltas[t]);
    known.set(deltas[t], step);
    h = applyMatrix(step.Abar, h).map((value, i) => value + step.Bbar[i] * u[t]);
    y[t] = dot(system.C, h) + system.D * u[t];
    states.push(h);
  }
  return { y, states };
}

/**
 * The convolutional view: what an impulse at time 0 does to the outputs, K = (C Bbar, C Abar Bbar, C Abar^2 Bbar ...)
 * (arXiv 2111.00396, equation 5), [L]. The skip D is not part of it.
 */
export function convolutionKernel({ Abar, Bbar, C }: DiscreteSystem, L: number): Float64Array {
  const K = new Float64Array(L);
  let h = Bbar;
  for (let k = 0; k < L; k++) {
    K[k] = dot(C, h);
    h = applyMatrix(Abar, h);
  }
  return K;
}

/** What one push leaves in number `n` of the state, step by step: the kernel of a system that shows nothing else, [L]. */
export function stateResponse(system: DiscreteSystem, n: number, L: number): Float64Array {
  const C = new Float64Array(system.Bbar.length);
  C[n] = 1;
  return convolutionKernel({ ...system, C }, L);
}

/** y_t = sum over k of K_k u_{t-k}, with zeros before the first input: L^2 / 2 products. */
export function causalConvolution(K: ArrayLike<number>, u: ArrayLike<number>): Float64Array {
  const y = new Float64Array(u.length);
  for (let t = 0; t < u.length; t++) for (let k = 0; k <= t && k < K.length; k++) y[t] += K[k] * u[t - k];
  return y;
}

/** The same by Fourier transforms: L log L products. That is how S4 trains (arXiv 2111.00396, section 2.4). */
export function fftConvolution(K: ArrayLike<number>, u: ArrayLike<number>): Float64Array {
  const length = u.length;
  // Padded to twice the length, so that the end does not run into the beginning.
  const n = 2 ** Math.ceil(Math.log2(Math.max(2, length + Math.min(K.length, length))));
  const padded = (values: ArrayLike<number>): Float64Array => {
    const out = new Float64Array(n);
    for (let i = 0; i < Math.min(values.length, length); i++) out[i] = values[i];
    return out;
  };
  const [a, b] = [fft(padded(K), new Float64Array(n)), fft(padded(u), new Float64Array(n))];
  const re = a.re.map((value, i) => value * b.re[i] - a.im[i] * b.im[i]);
  const im = a.re.map((value, i) => value * b.im[i] + a.im[i] * b.re[i]);
  // The inverse transform is the transform with real and imaginary parts exchanged.
  return fft(im, re)
    .im.subarray(0, length)
    .map((value) => value / n);
}

/** The discrete Fourier transform of a length that is a power of two (Cooley and Tukey, 1965), by halves. */
function fft(re: Float64Array, im: Float64Array): { re: Float64Array; im: Float64Array } {
  const n = re.length;
  if (n === 1) return { re, im };
  const every = (values: Float64Array, from: number): Float64Array =>
    Float64Array.from({ length: n / 2 }, (_, i) => values[2 * i + from]);
  const even = fft(every(re, 0), every(im, 0));
  const odd = fft(every(re, 1), every(im, 1));
  const out = { re: new Float64Array(n), im: new Float64Array(n) };
  for (let k = 0; k < n / 2; k++) {
    const [c, s] = [Math.cos((2 * Math.PI * k) / n), -Math.sin((2 * Math.PI * k) / n)];
    const [x, y] = [c * odd.re[k] - s * odd.im[k], c * odd.im[k] + s * odd.re[k]];
    out.re[k] = even.re[k] + x;
    out.im[k] = even.im[k] + y;
    out.re[k + n / 2] = even.re[k] - x;
    out.im[k + n / 2] = even.im[k] - y;
  }
  return out;
}
