/** Linear state spaces: discretisation, recurrence and convolution, each against something computed otherwise. */
import { describe, expect, test } from 'vitest';
import {
  applyExponential,
  applyMatrix,
  causalConvolution,
  combineMatrices,
  convolutionKernel,
  diagonalKernel,
  diagonalSystem,
  discretePoles,
  discretise,
  eigenvalues,
  fftConvolution,
  gatedAverage,
  gateOfStep,
  halfLifeSteps,
  identityMatrix,
  leakyAverage,
  linearSystem,
  matrixExponential,
  matrixOf,
  matrixRows,
  multiplyMatrices,
  runRecurrence,
  runWithSteps,
  solveContinuous,
  solveMatrix,
  spectralRadius,
  spring,
  stepOfGate,
  toLinearSystem,
  transposeMatrix,
  withMirrorImages,
} from '../../src/lecture/linear';
import { Rng } from '../../src/util';

const largest = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);
const normals = (length: number, seed: string): Float64Array => {
  const rng = new Rng(seed);
  return Float64Array.from({ length }, () => rng.normal());
};

describe('matrices', () => {
  test('the exponential: a rotation, a nilpotent, a stiff diagonal, and e^A e^-A = 1', () => {
    const turn = matrixRows(matrixExponential(matrixOf([[0, -Math.PI / 3], [Math.PI / 3, 0]]))); // prettier-ignore
    expect(turn[0][0]).toBeCloseTo(0.5, 14);
    expect(turn[1][0]).toBeCloseTo(Math.sqrt(3) / 2, 14);
    expect(matrixRows(matrixExponential(matrixOf([[0, 1, 0], [0, 0, 1], [0, 0, 0]])))).toEqual([[1, 1, 0.5], [0, 1, 1], [0, 0, 1]]); // prettier-ignore
    const stiff = matrixExponential(matrixOf([[-1000, 0], [0, 3]])); // prettier-ignore
    expect(stiff.data[0]).toBe(0);
    expect(stiff.data[3] / Math.exp(3)).toBeCloseTo(1, 12);
    const A = { rows: 7, columns: 7, data: normals(49, 'exponential') };
    const minus = { ...A, data: A.data.map((value) => -value) };
    const x = normals(7, 'vector');
    expect(largest(applyExponential(A, 0.7, x), applyMatrix(matrixExponential(combineMatrices(0.7, A, 0, A)), x))).toBeLessThan(1e-12); // prettier-ignore
    const one = multiplyMatrices(matrixExponential(A), matrixExponential(minus));
    expect(largest(one.data, identityMatrix(7).data)).toBeLessThan(1e-12);
  });

  test('solve finds what was multiplied, and names what has no inverse', () => {
    const A = { rows: 5, columns: 5, data: normals(25, 'solve') };
    const X = { rows: 5, columns: 2, data: normals(10, 'x') };
    expect(largest(solveMatrix(A, multiplyMatrices(A, X)).data, X.data)).toBeLessThan(1e-12);
    expect(() => solveMatrix(matrixOf([[1, 2], [2, 4]]), identityMatrix(2))).toThrow('has no inverse (column 1)'); // prettier-ignore
    expect(() => multiplyMatrices(A, identityMatrix(4))).toThrow('matrices do not fit: 5 by 5 times 4 by 4');
  });

  test('eigenvalues: real, complex, repeated, and of a random matrix trace and determinant', () => {
    const companion = matrixOf([
      [6, -11, 6],
      [1, 0, 0],
      [0, 1, 0],
    ]); // prettier-ignore (x-1)(x-2)(x-3)
    expect(largest(eigenvalues(companion).map(({ re }) => re), [3, 2, 1])).toBeLessThan(1e-12); // prettier-ignore
    const [up, down] = eigenvalues(spring(1, 0.2).A); // x^2 + 0.2 x + 1
    expect(up.re).toBeCloseTo(-0.1, 13);
    expect(up.im).toBeCloseTo(Math.sqrt(0.99), 13);
    expect(down.im).toBeCloseTo(-Math.sqrt(0.99), 13);
    expect(eigenvalues(matrixOf([[2, 1], [0, 2]])).map(({ re }) => re)).toEqual([2, 2]); // prettier-ignore
    const n = 40;
    const A = { rows: n, columns: n, data: normals(n * n, 'eigenvalues') };
    const all = eigenvalues(A);
    const trace = Array.from({ length: n }, (_, i) => A.data[i * n + i]).reduce((a, b) => a + b);
    const squares = multiplyMatrices(A, A).data.filter((_, i) => i % (n + 1) === 0).reduce((a, b) => a + b); // prettier-ignore
    expect(all.reduce((sum, { re }) => sum + re, 0)).toBeCloseTo(trace, 10);
    expect(all.reduce((sum, { im }) => sum + im, 0)).toBeCloseTo(0, 10);
    expect(all.reduce((sum, { re, im }) => sum + re * re - im * im, 0)).toBeCloseTo(squares, 9);
    expect(spectralRadius(transposeMatrix(A))).toBeCloseTo(spectralRadius(A), 10);
  });
});

describe('discretisation', () => {
  test('zero-order hold of h = -h + u: e^-delta and 1 - e^-delta', () => {
    const { Abar, Bbar } = discretise(leakyAverage(1), 0.5);
    expect(Abar.data[0]).toBeCloseTo(0.6065306597126334, 15);
    expect(Bbar[0]).toBeCloseTo(0.3934693402873666, 15);
    const bilinear = discretise(leakyAverage(1), 0.5, 'bilinear');
    expect([bilinear.Abar.data[0], bilinear.Bbar[0]]).toEqual([0.6, 0.4]);
    const euler = discretise(leakyAverage(1), 0.5, 'euler');
    expect([euler.Abar.data[0], euler.Bbar[0]]).toEqual([0.5, 0.5]);
  });

  test('zero-order hold of an integrator, whose A has no inverse: 1 and delta', () => {
    const { Abar, Bbar } = discretise(linearSystem(matrixOf([[0]]), [1], [1]), 0.25);
    expect([Abar.data[0], Bbar[0]]).toEqual([1, 0.25]);
  });

  test('zero-order hold says what the differential equation says; the others only nearly', () => {
    const u = normals(60, 'held');
    const delta = 0.5;
    const truth = solveContinuous(spring(), u, delta, 64).yAtSteps;
    const error = (method: 'zoh' | 'bilinear' | 'euler', step = delta): number => {
      const inputs = Float64Array.from({ length: u.length * (delta / step) }, (_, i) => u[Math.floor((i * step) / delta)]); // prettier-ignore
      const { y } = runRecurrence(discretise(spring(), step, method), inputs);
      return largest(truth, y.filter((_, i) => (i + 1) % (delta / step) === 0)); // prettier-ignore
    };
    expect(error('zoh')).toBeLessThan(1e-8); // of Runge and Kutta
    expect(error('bilinear')).toBeGreaterThan(0.01);
    // Orders of the errors: half the step, a quarter and a half.
    expect(error('bilinear', delta / 16) / error('bilinear', delta / 32)).toBeCloseTo(4, 1);
    expect(error('euler', delta / 128) / error('euler', delta / 256)).toBeCloseTo(2, 0);
  });

  test('stability: Euler of this spring grows above 0.2, the others never do', () => {
    const radius = (delta: number, method?: 'bilinear' | 'euler'): number =>
      spectralRadius(discretise(spring(1, 0.2), delta, method).Abar);
    expect(radius(0.19, 'euler')).toBeLessThan(1);
    expect(radius(0.21, 'euler')).toBeGreaterThan(1);
    expect(radius(10, 'bilinear')).toBeLessThan(1);
    expect(radius(10)).toBeCloseTo(Math.exp(-1), 12);
  });

  test('refuses steps without length', () => {
    expect(() => discretise(spring(), 0)).toThrow('the step size must be above 0, not 0');
    expect(() => discretise(spring(), NaN)).toThrow('NaN');
    expect(() => linearSystem(identityMatrix(2), [1], [1, 1])).toThrow('A is 2 by 2, B has 1 entries, C 2');
  });
});

describe('recurrence and convolution', () => {
  test('agree to twelve digits, by loops and by Fourier transforms', () => {
    const u = normals(257, 'input');
    const N = 6;
    const A = {
      rows: N,
      columns: N,
      data: normals(N * N, 'A').map((v, i) => 0.3 * v - (i % (N + 1) ? 0 : 1)),
    };
    const system = discretise(linearSystem(A, normals(N, 'B'), normals(N, 'C'), 0.7), 0.1);
    const { y, states } = runRecurrence(system, u);
    const skip = (values: Float64Array): Float64Array => values.map((value, t) => value + 0.7 * u[t]);
    const K = convolutionKernel(system, u.length);
    expect(largest(y, skip(causalConvolution(K, u)))).toBeLessThan(1e-12);
    expect(largest(y, skip(fftConvolution(K, u)))).toBeLessThan(1e-12);
    expect(states).toHaveLength(257);
    // From a state in the middle the rest is the same.
    expect(largest(runRecurrence(system, u.slice(100), states[99]).y, y.slice(100))).toBe(0);
    expect(Array.from(fftConvolution([1, 2], [1, 0, 0, 5]))).toEqual([1, 2, 0, 5].map((v) => expect.closeTo(v, 12))); // prettier-ignore
  });

  test('steps of its own for each input: equal ones are the recurrence, one of 2 is two of 1', () => {
    const u = normals(50, 'steps');
    const same = runWithSteps(spring(), u, new Array(50).fill(0.3));
    expect(same.y).toEqual(runRecurrence(discretise(spring(), 0.3), u).y);
    const long = runWithSteps(spring(), [1, 3], [2, 0.5]).states[1];
    const short = runWithSteps(spring(), [1, 1, 3], [1, 1, 0.5]).states[2];
    expect(largest(long, short)).toBeLessThan(1e-14);
    expect(() => runWithSteps(spring(), u, [1])).toThrow('50 inputs, but 1 step sizes');
  });
});

describe('diagonal systems', () => {
  test('S4D-Lin, -Inv and -Real have the poles of the paper', () => {
    expect(diagonalSystem('s4d-lin', 6).poles).toEqual([0, 1, 2].map((n) => ({ re: -0.5, im: Math.PI * n })));
    expect(diagonalSystem('s4d-real', 3).poles.map(({ re }) => re)).toEqual([-1, -2, -3]);
    const inv = diagonalSystem('s4d-inv', 4).poles.map(({ im }) => im);
    expect(inv[0]).toBeCloseTo(12 / Math.PI, 14);
    expect(inv[1]).toBeCloseTo(4 / 3 / Math.PI, 14);
    expect(() => diagonalSystem('s4d-lin', 3)).toThrow('s4d-lin with a state of 3 numbers');
  });

  test('the kernel without a state is that of the recurrence', () => {
    const rng = new Rng('diagonal');
    for (const init of ['s4d-lin', 's4d-inv', 's4d-real'] as const) {
      const count = init === 's4d-real' ? 8 : 4;
      const C = Array.from({ length: count }, () => ({
        re: rng.normal(),
        im: count === 8 ? 0 : rng.normal(),
      }));
      const system = diagonalSystem(init, 8, C);
      const K = convolutionKernel(discretise(toLinearSystem(system), 0.05), 200);
      expect(largest(K, diagonalKernel(system, 0.05, 200))).toBeLessThan(1e-13);
    }
  });

  test('zero-order hold maps a pole p to e^(delta p)', () => {
    const system = diagonalSystem('s4d-lin', 8);
    const expected = withMirrorImages(discretePoles(system.poles.slice(1), 0.05));
    const found = eigenvalues(discretise(toLinearSystem(system), 0.05).Abar);
    expect(found).toHaveLength(8);
    for (const { re, im } of expected)
      expect(Math.min(...found.map((f) => Math.hypot(f.re - re, f.im - im)))).toBeLessThan(1e-12);
  });
});

describe('steps as gates', () => {
  test('zero-order hold over softplus(z) is a gate of sigmoid(z)', () => {
    for (const z of [-4, -0.3, 0, 2, 9]) {
      const delta = Math.log1p(Math.exp(z));
      const gate = gateOfStep(delta);
      expect(gate).toBeCloseTo(1 / (1 + Math.exp(-z)), 14);
      expect(stepOfGate(gate)).toBeCloseTo(delta, 10);
      expect(discretise(leakyAverage(1), delta).Bbar[0]).toBeCloseTo(gate, 14);
    }
    expect(() => stepOfGate(1)).toThrow('a gate of 1');
  });

  test('a gated average is the leaky average whose steps are those of the gates', () => {
    const u = normals(30, 'gated');
    const gates = normals(30, 'gates').map((z) => 1 / (1 + Math.exp(-z)));
    const { y } = runWithSteps(leakyAverage(1), u, gates.map(stepOfGate));
    expect(largest(y, gatedAverage(u, gates))).toBeLessThan(1e-13);
    expect(Array.from(gatedAverage([4, 8, 2], [1, 0, 0.5]))).toEqual([4, 4, 3]);
    expect(halfLifeSteps(0.5)).toBe(1);
    expect(halfLifeSteps(1)).toBe(Infinity);
    expect(Array.from(applyMatrix(matrixOf([[1, 2], [3, 4]]), [1, 1]))).toEqual([3, 7]); // prettier-ignore
  });
});
