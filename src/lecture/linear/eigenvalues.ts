import { NetssmError } from '../../util';
import type { Complex } from './diagonal';
import type { Matrix } from './matrix';

/** Steps of the iteration for each eigenvalue before it is given up; two or three suffice nearly always. */
const MOST_STEPS = 60;

/**
 * The eigenvalues of a square matrix, largest modulus first: the poles of a system with that A. Reduction to Hessenberg
 * form by elimination, then QR steps with Wilkinson's shift in complex numbers (G. H. Golub, C. F. Van Loan, Matrix
 * Computations, sections 7.4 and 7.5). N^3 operations.
 * @throws NetssmError `matrix_shape`, `no_convergence`.
 */
export function eigenvalues({ rows: n, columns, data }: Matrix): Complex[] {
  if (columns !== n) throw new NetssmError('matrix_shape', `eigenvalues of ${n} by ${columns}`);
  const re = hessenberg(data, n);
  const im = new Float64Array(n * n);
  const found: Complex[] = [];
  for (let last = n - 1, steps = 0; last >= 0;) {
    let from = last;
    while (from > 0 && !isSmall(re, im, n, from)) from--;
    if (from === last) {
      found.push({ re: re[last * n + last], im: im[last * n + last] });
      last--;
      steps = 0;
      continue;
    }
    if (steps++ > MOST_STEPS)
      throw new NetssmError('no_convergence', `eigenvalue ${last} of a ${n} by ${n} matrix was not found`);
    // Once in a while another shift, in case the usual one runs in a circle.
    const shift =
      steps % 11 === 10
        ? { re: re[last * n + last] + Math.abs(re[last * n + last - 1]), im: im[last * n + last] }
        : wilkinsonShift(re, im, n, last);
    qrStep(re, im, n, from, last, shift);
  }
  return found.sort((a, b) => Math.hypot(b.re, b.im) - Math.hypot(a.re, a.im) || b.im - a.im);
}

/** The largest modulus of an eigenvalue: the factor by which h_t = A h_{t-1} grows in the long run. */
export function spectralRadius(matrix: Matrix): number {
  const [first] = eigenvalues(matrix);
  return first ? Math.hypot(first.re, first.im) : 0;
}

/** A similar matrix with zeros below the first subdiagonal. */
function hessenberg(data: Float64Array, n: number): Float64Array {
  const a = data.slice();
  for (let k = 1; k < n - 1; k++) {
    let pivot = k;
    for (let i = k; i < n; i++) if (Math.abs(a[i * n + k - 1]) > Math.abs(a[pivot * n + k - 1])) pivot = i;
    if (a[pivot * n + k - 1] === 0) continue;
    for (let j = 0; j < n; j++) [a[k * n + j], a[pivot * n + j]] = [a[pivot * n + j], a[k * n + j]];
    for (let i = 0; i < n; i++) [a[i * n + k], a[i * n + pivot]] = [a[i * n + pivot], a[i * n + k]];
    for (let i = k + 1; i < n; i++) {
      const factor = a[i * n + k - 1] / a[k * n + k - 1];
      if (factor === 0) continue;
      for (let j = 0; j < n; j++) a[i * n + j] -= factor * a[k * n + j];
      for (let j = 0; j < n; j++) a[j * n + k] += factor * a[j * n + i];
    }
  }
  return a;
}

/** Whether entry (i, i-1) is nothing beside its neighbours on the diagonal. */
function isSmall(re: Float64Array, im: Float64Array, n: number, i: number): boolean {
  const size = (at: number): number => Math.abs(re[at]) + Math.abs(im[at]);
  return size(i * n + i - 1) <= Number.EPSILON * (size(i * n + i) + size((i - 1) * n + i - 1));
}

/** The eigenvalue of the last 2 by 2 block that is nearer to its last entry. */
function wilkinsonShift(re: Float64Array, im: Float64Array, n: number, last: number): Complex {
  const at = (i: number, j: number): Complex => ({ re: re[i * n + j], im: im[i * n + j] });
  const [a, b, c, d] = [at(last - 1, last - 1), at(last - 1, last), at(last, last - 1), at(last, last)];
  const half = { re: (a.re - d.re) / 2, im: (a.im - d.im) / 2 };
  const bc = { re: b.re * c.re - b.im * c.im, im: b.re * c.im + b.im * c.re };
  const root = squareRoot({
    re: half.re * half.re - half.im * half.im + bc.re,
    im: 2 * half.re * half.im + bc.im,
  });
  const sign = half.re * root.re + half.im * root.im > 0 ? -1 : 1;
  return { re: d.re + half.re + sign * root.re, im: d.im + half.im + sign * root.im };
}

/** One step: subtract the shift, factor into rotations and a triangle, multiply in reverse order, add the shift. */
function qrStep(
  re: Float64Array,
  im: Float64Array,
  n: number,
  from: number,
  last: number,
  shift: Complex,
): void {
  const shiftBy = (sign: number): void => {
    for (let i = from; i <= last; i++) {
      re[i * n + i] += sign * shift.re;
      im[i * n + i] += sign * shift.im;
    }
  };
  shiftBy(-1);
  // Rotations [c, s; -conj(s), c] with real c, each of which makes one entry below the diagonal zero.
  const rotations: { c: number; s: Complex }[] = [];
  for (let k = from; k < last; k++) {
    const [x, y] = [k * n + k, (k + 1) * n + k];
    const length = Math.hypot(re[x], im[x], re[y], im[y]) || 1;
    const top = Math.hypot(re[x], im[x]);
    const phase = top === 0 ? { re: 1, im: 0 } : { re: re[x] / top, im: im[x] / top };
    // s = phase(x) conj(y) / length
    const s = {
      re: (phase.re * re[y] + phase.im * im[y]) / length,
      im: (phase.im * re[y] - phase.re * im[y]) / length,
    };
    const c = top / length;
    rotations.push({ c, s });
    for (let j = k; j <= last; j++) rotate(re, im, k * n + j, (k + 1) * n + j, c, s);
  }
  rotations.forEach(({ c, s }, i) => {
    const k = from + i;
    // From the right the conjugate: columns k and k + 1.
    for (let row = from; row <= Math.min(last, k + 2); row++)
      rotate(re, im, row * n + k, row * n + k + 1, c, { re: s.re, im: -s.im });
  });
  shiftBy(1);
}

/** (x, y) to (c x + s y, -conj(s) x + c y). */
function rotate(re: Float64Array, im: Float64Array, x: number, y: number, c: number, s: Complex): void {
  const [xr, xi, yr, yi] = [re[x], im[x], re[y], im[y]];
  re[x] = c * xr + s.re * yr - s.im * yi;
  im[x] = c * xi + s.re * yi + s.im * yr;
  re[y] = c * yr - s.re * xr - s.im * xi;
  im[y] = c * yi - s.re * xi + s.im * xr;
}

function squareRoot({ re, im }: Complex): Complex {
  const size = Math.hypot(re, im);
  const real = Math.sqrt(Math.max(0, (size + re) / 2));
  const imaginary = Math.sqrt(Math.max(0, (size - re) / 2));
  return { re: real, im: im < 0 ? -imaginary : imaginary };
}
