import { NetssmError } from '../../util';
import { linearSystem, type LinearSystem } from './linearSystem';
import { zeroMatrix } from './matrix';

/** A complex number. */
export interface Complex {
  re: number;
  im: number;
}

/** A diagonal system of S4D; each pole stands for itself and, unless `real`, its mirror image. */
export interface DiagonalSystem {
  /** The continuous system's poles, the diagonal of A. */
  poles: Complex[];
  /** One weight a pole; B is 1 everywhere, as in S4D. */
  C: Complex[];
  /** Poles are real and have no mirror image. */
  real: boolean;
}

/** Ways to begin: poles of S4D (A. Gu, A. Gupta, K. Goel, C. Ré, arXiv 2206.11893, section 4) and of Mamba. */
export type DiagonalInit = 's4d-lin' | 's4d-inv' | 's4d-real';

/**
 * An S4D initialisation with a state of N real numbers: N/2 pairs of poles, or N real ones.
 *
 * - `s4d-lin`: -1/2 + i pi n: all decay alike, and swing n times as fast, like a Fourier series;
 * - `s4d-inv`: -1/2 + i (N/pi) (N/(2n+1) - 1), close to the poles of HiPPO-LegS;
 * - `s4d-real`: -(n+1): nothing swings. Mamba begins with these.
 *
 * @param C one weight a pole, default 1.
 * @throws NetssmError `state_size` for an odd N where poles come in pairs.
 */
export function diagonalSystem(init: DiagonalInit, N: number, C?: readonly Complex[]): DiagonalSystem {
  const real = init === 's4d-real';
  if (!(N >= 1 && Number.isInteger(N)) || (!real && N % 2 === 1)) {
    throw new NetssmError('state_size', `${init} with a state of ${N} numbers`, {
      hint: real ? 'Give a whole number above 0.' : 'Its poles come in pairs: give an even number above 0.',
    });
  }
  const count = real ? N : N / 2;
  const poles = Array.from({ length: count }, (_, n): Complex => {
    if (real) return { re: -(n + 1), im: 0 };
    return { re: -0.5, im: init === 's4d-lin' ? Math.PI * n : (N / Math.PI) * (N / (2 * n + 1) - 1) };
  });
  return { poles, C: C ? [...C] : poles.map(() => ({ re: 1, im: 0 })), real };
}

/**
 * The same system with real numbers only: a pair of poles a ± i w is a 2 by 2 block that turns by w and shrinks by a.
 * y = 2 Re(sum C_n h_n), or without the 2 where poles are real.
 */
export function toLinearSystem({ poles, C, real }: DiagonalSystem): LinearSystem {
  const N = poles.length * (real ? 1 : 2);
  const A = zeroMatrix(N);
  const [B, row] = [new Float64Array(N), new Float64Array(N)];
  poles.forEach(({ re, im }, n) => {
    const i = real ? n : 2 * n;
    A.data[i * N + i] = re;
    B[i] = 1;
    row[i] = (real ? 1 : 2) * C[n].re;
    if (real) return;
    A.data[i * N + i + 1] = -im;
    A.data[(i + 1) * N + i] = im;
    A.data[(i + 1) * N + i + 1] = re;
    row[i + 1] = -2 * C[n].im;
  });
  return linearSystem(A, B, row);
}

/**
 * The kernel of a diagonal system under zero-order hold, [L], without any state or matrix: K_k = 2 Re(sum over n of
 * C_n (e^{delta p_n} - 1) / p_n e^{delta p_n k}), N L products (arXiv 2206.11893, section 3.2).
 */
export function diagonalKernel({ poles, C, real }: DiagonalSystem, delta: number, L: number): Float64Array {
  const K = new Float64Array(L);
  poles.forEach((pole, n) => {
    const e = exponential({ re: delta * pole.re, im: delta * pole.im });
    const held = divide({ re: e.re - 1, im: e.im }, pole);
    let term = times(C[n], held);
    for (let k = 0; k < L; k++) {
      K[k] += (real ? 1 : 2) * term.re;
      term = times(term, e);
    }
  });
  return K;
}

/** Where a continuous pole goes under zero-order hold: e^{delta p}. Inside the unit circle when p is left of 0. */
export function discretePoles(poles: readonly Complex[], delta: number): Complex[] {
  return poles.map(({ re, im }) => exponential({ re: delta * re, im: delta * im }));
}

/** Each pole and, where it is not real, its mirror image. */
export function withMirrorImages(poles: readonly Complex[]): Complex[] {
  return poles.flatMap((pole) => (pole.im === 0 ? [pole] : [pole, { re: pole.re, im: -pole.im }]));
}

function exponential({ re, im }: Complex): Complex {
  return { re: Math.exp(re) * Math.cos(im), im: Math.exp(re) * Math.sin(im) };
}

function times(a: Complex, b: Complex): Complex {
  return { re: a.re * b.re - a.im * b.im, im: a.re * b.im + a.im * b.re };
}

function divide(a: Complex, b: Complex): Complex {
  const square = b.re * b.re + b.im * b.im;
  return { re: (a.re * b.re + a.im * b.im) / square, im: (a.im * b.re - a.re * b.im) / square };
}
