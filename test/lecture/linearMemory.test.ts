/** What states remember: HiPPO's polynomials, memory curves, gradients; a trained model's state; the exercises' checks. */
import { describe, expect, test } from 'vitest';
import {
  convolutionKernel,
  diagonalSystem,
  discretise,
  dot,
  explainedShare,
  firstLayerSteps,
  hippoLegS,
  judgeKeep,
  judgeRecurrence,
  judgeStepSize,
  leakyAverage,
  legendreBasis,
  legendrePolynomials,
  legSImpulse,
  legSMatrix,
  legSMemory,
  legSReadout,
  legSReconstruction,
  linearGradients,
  matrixExponential,
  matrixRows,
  memoryCurve,
  randomRnn,
  randomSystem,
  rnnGradients,
  runRecurrence,
  runRnn,
  smoothNoise,
  solveMatrix,
  spectralRadius,
  toLinearSystem,
  traceModelState,
  applyMatrix,
  combineMatrices,
  type RecurrenceAnswer,
} from '../../src/lecture/linear';
import { loadModelFiles } from '../../src/model';
import { projectRoot, Rng } from '../../src/util';
import { join } from 'node:path';

const sum = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0);

describe('HiPPO-LegS', () => {
  test('A as the paper writes it', () => {
    const rows = matrixRows(legSMatrix(4));
    expect(rows[0]).toEqual([-1, 0, 0, 0]);
    expect(rows[1]).toEqual([-Math.sqrt(3), -2, 0, 0]);
    expect(rows[3].map((v) => v ** 2)).toEqual([7, 21, 35, 16].map((v) => expect.closeTo(v, 12)));
    expect(Array.from(hippoLegS(3).B)).toEqual([1, Math.sqrt(3), Math.sqrt(5)]);
  });

  test('Legendre polynomials: P_3(x) = (5 x^3 - 3 x) / 2; of length 1 on [0, 1]', () => {
    expect(legendrePolynomials(4, 0.3)[3]).toBeCloseTo((5 * 0.027 - 0.9) / 2, 14);
    const grid = Array.from({ length: 4000 }, (_, i) => (i + 0.5) / 4000);
    const product = (n: number, m: number): number =>
      grid.reduce((total, x) => total + legendreBasis(5, x)[n] * legendreBasis(5, x)[m], 0) / 4000;
    expect(product(4, 4)).toBeCloseTo(1, 4);
    expect(product(4, 2)).toBeCloseTo(0, 4);
  });

  test('what an impulse leaves in the state is p_n(e^-a) e^-a', () => {
    const N = 12;
    for (const age of [0.01, 0.4, 2]) {
      const decayed = applyMatrix(
        matrixExponential(combineMatrices(age, legSMatrix(N), 0, legSMatrix(N))),
        hippoLegS(N).B,
      );
      legSImpulse(N, age).forEach((value, n) => expect(decayed[n]).toBeCloseTo(value, 9));
    }
  });

  test('the state of all inputs is their exact projection on polynomials', () => {
    const rng = new Rng('legs');
    const [L, N] = [90, 8];
    const u = Float64Array.from({ length: L }, () => rng.normal());
    const state = legSMemory(u, N)[L - 1];
    // The integral of p_n from a to b is sqrt(2n+1) (P_{n+1} - P_{n-1}) / (2 (2n+1)).
    const integral = (n: number, x: number): number => {
      const P = legendrePolynomials(N + 1, 2 * x - 1);
      return (P[n + 1] - (n === 0 ? -1 : P[n - 1])) / (2 * Math.sqrt(2 * n + 1));
    };
    for (let n = 0; n < N; n++) {
      const projection = sum(u.map((value, i) => value * (integral(n, (i + 1) / L) - integral(n, i / L))));
      expect(state[n]).toBeCloseTo(projection, 12);
    }
    expect(state[0]).toBeCloseTo(sum(u) / L, 13);
  });

  test('polynomials come back; more numbers explain more of a smooth past, and never all of noise', () => {
    const L = 200;
    const cubic = Float64Array.from({ length: L }, (_, i) => (i / L) ** 3 - i / L);
    const back = legSReconstruction(legSMemory(cubic, 4)[L - 1], L);
    expect(1 - explainedShare(cubic, back)).toBeLessThan(5e-5); // steps are no polynomial: 1 / L^2
    const smooth = smoothNoise(L, 14, new Rng('smooth'));
    const share = (N: number, of = smooth): number =>
      explainedShare(of, legSReconstruction(legSMemory(of, N)[L - 1], L));
    expect(share(1)).toBeCloseTo(0, 3);
    expect(share(8)).toBeLessThan(share(16));
    expect(share(24)).toBeGreaterThan(0.97);
    expect(share(24, smoothNoise(L, 0, new Rng('noise')))).toBeLessThan(0.3);
    expect(() => explainedShare([1], [])).toThrow('1 true values, 0 guesses');
  });

  test('C can be chosen to read the input of a while ago', () => {
    const delta = 0.004;
    const K = convolutionKernel(discretise(hippoLegS(24, legSReadout(24, 0.5)), delta), 2000);
    const peak = K.indexOf(Math.max(...K));
    expect(Math.abs((peak + 0.5) * delta - 0.5)).toBeLessThan(0.02);
    expect(sum(K)).toBeCloseTo(1, 2); // of a constant it says the constant
  });
});

describe('memory', () => {
  test('a leaky average: (1 - a^2) a^(2k) of white noise, as can be calculated', () => {
    const a = Math.exp(-0.1);
    const curve = memoryCurve(discretise(leakyAverage(1), 0.1), 20, { noise: 1e-6, past: 300 });
    curve.forEach((value, k) => expect(value).toBeCloseTo((1 - a * a) * a ** (2 * k), 9));
  });

  test('a delay line knows its N last inputs and nothing else', () => {
    const N = 5;
    const Abar = { rows: N, columns: N, data: new Float64Array(N * N) };
    for (let i = 1; i < N; i++) Abar.data[i * N + i - 1] = 1;
    const Bbar = Float64Array.of(1, 0, 0, 0, 0);
    const line = { Abar, Bbar, C: Bbar, D: 0, delta: 1 };
    const noise = 0.1;
    const curve = memoryCurve(line, 10, { noise });
    curve.forEach((value, k) => expect(value).toBeCloseTo(k < N ? 1 / (1 + noise ** 2) : 0, 12));
    expect(() => memoryCurve(line, 10, { past: 4 })).toThrow('lags 10, past 4');
  });

  test('the curve is what a best reading of simulated states explains', () => {
    const system = discretise(hippoLegS(6), 0.05);
    const options = { correlationSteps: 4, noise: 0.05 };
    const curve = memoryCurve(system, 40, { ...options, past: 300 });
    const [rng, lag, T] = [new Rng('simulated'), 12, 8000];
    const u = smoothNoise(T, 4, rng);
    const { states } = runRecurrence(system, u);
    const deviation = Array.from({ length: 6 }, (_, n) => Math.sqrt(sum(states.map((h) => h[n] ** 2)) / T));
    const noisy = states.map((h) => h.map((v, n) => v / deviation[n] + 0.05 * rng.normal()));
    // Least squares of u_{t-lag} on the noisy state.
    const used = noisy.map((h, t) => [h, u[t - lag]] as const).slice(400);
    const G = matrixOfSums(6, (i, j) => sum(used.map(([h]) => h[i] * h[j])));
    const right = { rows: 6, columns: 1, data: Float64Array.from({ length: 6 }, (_, i) => sum(used.map(([h, v]) => h[i] * v))) }; // prettier-ignore
    const weights = solveMatrix(G, right).data;
    const error = sum(used.map(([h, v]) => (v - dot(weights, h)) ** 2)) / sum(used.map(([, v]) => v * v));
    expect(curve[lag]).toBeCloseTo(1 - error, 1.5);
  });

  test('same poles, different memory: HiPPO-LegS and real exponentials span the same functions', () => {
    const [N, delta] = [16, 0.02];
    const legs = discretise(hippoLegS(N), delta);
    const real = discretise(toLinearSystem(diagonalSystem('s4d-real', N)), delta);
    const known = (system: typeof legs, noise: number): number =>
      sum(memoryCurve(system, 150, { noise, correlationSteps: 8 }));
    expect(known(legs, 0.002)).toBeGreaterThan(1.5 * known(real, 0.002));
    expect(spectralRadius(real.Abar)).toBeCloseTo(spectralRadius(legs.Abar), 6);
  });

  test('a random matrix has the radius that it was given; its total memory is below N', () => {
    const system = randomSystem(24, 0.97, new Rng(3));
    expect(spectralRadius(system.Abar)).toBeCloseTo(0.97, 10);
    const total = sum(memoryCurve(system, 300, { past: 600 }));
    expect(total).toBeGreaterThan(3);
    expect(total).toBeLessThan(24);
  });
});

function matrixOfSums(n: number, entry: (i: number, j: number) => number) {
  return { rows: n, columns: n, data: Float64Array.from({ length: n * n }, (_, k) => entry(Math.floor(k / n), k % n)) }; // prettier-ignore
}

describe('gradients', () => {
  test('of a recurrent network: backpropagation says what a small change of the state does', () => {
    const cell = randomRnn(5, 1.1, new Rng('rnn'));
    const x = smoothNoise(12, 0, new Rng('x'));
    const norms = rnnGradients(cell, x);
    expect(norms[0]).toBeCloseTo(1, 14);
    // |dy/dh| seven steps back by differences: start there with a changed state.
    const { states, y } = runRnn(cell, x);
    const from = x.length - 1 - 7;
    const eps = 1e-6;
    const moved = Array.from({ length: 5 }, (_, i) => {
      let h = states[from].map((v, j) => (i === j ? v + eps : v));
      for (let t = from + 1; t < x.length; t++)
        h = applyMatrix(cell.W, h).map((v, j) => Math.tanh(v + cell.U[j] * x[t]));
      return (dot(cell.C, h) - y[x.length - 1]) / eps;
    });
    expect(Math.sqrt(dot(moved, moved)) / norms[7]).toBeCloseTo(1, 4);
  });

  test('vanish for a small radius, explode for a large one without input; a linear system ignores the input', () => {
    const zeros = new Float64Array(200);
    const quiet = (radius: number): Float64Array => rnnGradients(randomRnn(24, radius, new Rng(1)), zeros);
    // Without input the state stays 0, where tanh has slope 1: the gradient goes with radius^k.
    expect(Math.log10(quiet(0.5)[199] / quiet(0.5)[99])).toBeCloseTo(100 * Math.log10(0.5), 0);
    expect(Math.log10(quiet(1.5)[199] / quiet(1.5)[99])).toBeCloseTo(100 * Math.log10(1.5), 0);
    const g = linearGradients(discretise(leakyAverage(1), 0.01), 101);
    expect(g[100]).toBeCloseTo(Math.exp(-1), 12);
  });
});

describe('a trained model', () => {
  const files = loadModelFiles(join(projectRoot, 'data', 'models', 'demo'));

  test('has a state of one size, before and after any number of tokens', () => {
    const trace = traceModelState(files, [260, 1, 2, 3, 259]);
    // 4 layers of 256 x 128 numbers, and 3 x (256 + 2 x 128) of convolution, 4 bytes each.
    expect(trace.stateBytes).toBe(4 * 4 * (256 * 128 + 3 * 512));
    expect([trace.layers, trace.nheads, trace.norms.length, trace.norms[0].length]).toEqual([4, 8, 5, 32]);
    // The first token makes all of the state, later ones part of it.
    expect(Array.from(trace.change[0])).toEqual(new Array(32).fill(1));
    expect(trace.change[4].every((value) => value > 0 && value < 2)).toBe(true);
  });

  test('steps of the first layer: those that decide how its state fades', () => {
    const { delta, halfLife } = firstLayerSteps(files, 259);
    const A_log = files.weights['backbone.layers.0.mixer.A_log'].data;
    expect(delta).toHaveLength(8);
    expect(halfLife[2]).toBeCloseTo(Math.LN2 / (delta[2] * Math.exp(A_log[2])), 5);
    expect(() => firstLayerSteps(files, 272)).toThrow('token 272 is not in 0..271');
  });
});

describe('exercises', () => {
  test('★ unsolved, wrong and right', () => {
    expect(judgeKeep(NaN)).toMatchObject({ right: false });
    expect(judgeKeep(NaN).message).toContain('it lies between 0 and 1');
    expect(judgeKeep(0.9).message).toContain('It should keep more.');
    expect(judgeKeep(0.999).message).toContain('It should keep less.');
    expect(judgeKeep(0.5 ** 0.01).right).toBe(true);
  });

  test('★★ unsolved, wrong in two usual ways, and right', () => {
    const loop =
      (late: boolean, inPlace: boolean): RecurrenceAnswer =>
      (Abar, Bbar, C, u) => {
        let h = Bbar.map(() => 0);
        return u.map((input) => {
          const before = dot(C, h);
          const next = inPlace ? h : [...h];
          Abar.forEach((row, i) => (next[i] = dot(row, h) + Bbar[i] * input));
          h = next;
          return late ? before : dot(C, h);
        });
      };
    expect(judgeRecurrence(() => undefined).message).toBe('40 inputs went in, nothing came out. Return one y for each u.'); // prettier-ignore
    expect(judgeRecurrence(loop(true, false)).message).toContain('update h before you read y');
    expect(judgeRecurrence(loop(false, true)).message).toContain('mixes two times');
    expect(judgeRecurrence(loop(false, false)).right).toBe(true);
  });

  test('★★★ unsolved, too small, too large, and right', () => {
    expect(judgeStepSize(NaN).message).toContain('a step size is above 0');
    expect(judgeStepSize(0.1).right).toBe(false);
    expect(judgeStepSize(0.0001).right).toBe(false);
    expect(judgeStepSize(0.01)).toMatchObject({ right: true });
  });
});
