import { NetssmError, type Rng } from '../../util';
import { spectralRadius } from './eigenvalues';
import type { DiscreteSystem } from './linearSystem';
import { applyMatrix, combineMatrices, solveMatrix, zeroMatrix, type Matrix } from './matrix';

/** What {@link memoryCurve} assumes of inputs and states. */
export interface MemoryOptions {
  /**
   * Inputs that are this many steps apart are hardly related any more: a Gaussian process whose correlation falls as
   * exp(-k^2 / (2 l^2)). 0: each input is news (white noise). Default 0.
   */
  correlationSteps?: number;
  /**
   * Noise on each number of the state, as a share of its own standard deviation. 0.002 is about what bfloat16 keeps,
   * 0.00025 what float16 does. Default 0.002. Without any, even states that differ in the tenth digit could be told apart.
   */
  noise?: number;
  /** Inputs before the present that have gone into the state. Default four times `lags`. */
  past?: number;
}

/**
 * How much of the input k steps ago can still be read from the state: for k = 0 ... lags - 1 the share of its variance
 * that the best linear reading explains, between 0 and 1. The sum over k is the system's memory in inputs; for white
 * noise it cannot exceed N, whatever the system (H. Jaeger, Short term memory in echo state networks, GMD Report 152, 2001).
 *
 * Computed, not sampled: with M = (Bbar, Abar Bbar, ...) the state is h = M u + noise, and the best reading of u_k
 * explains S_k M^T (M S M^T + noise)^-1 M S_k, where S is the covariance of the inputs.
 * @throws NetssmError `memory_options`.
 */
export function memoryCurve(system: DiscreteSystem, lags: number, options: MemoryOptions = {}): Float64Array {
  const { correlationSteps = 0, noise = 0.002, past = 4 * lags } = options;
  if (!(lags >= 1 && past >= lags && noise > 0 && correlationSteps >= 0)) {
    throw new NetssmError(
      'memory_options',
      `lags ${lags}, past ${past}, noise ${noise}, correlationSteps ${correlationSteps}`,
      { hint: 'past is at least lags, noise above 0 and correlationSteps not below 0.' },
    );
  }
  const N = system.Bbar.length;
  const M = zeroMatrix(N, past);
  let h = system.Bbar;
  for (let k = 0; k < past; k++) {
    for (let n = 0; n < N; n++) M.data[n * past + k] = h[n];
    h = applyMatrix(system.Abar, h);
  }
  const MS = correlated(M, correlationSteps);
  const G = zeroMatrix(N);
  for (let i = 0; i < N; i++)
    for (let j = 0; j < N; j++)
      for (let k = 0; k < past; k++) G.data[i * N + j] += MS.data[i * past + k] * M.data[j * past + k];
  // Each number of the state in its own unit, so that the noise means the same for all; one that never moves stays 0.
  const unit = Float64Array.from({ length: N }, (_, n) => 1 / Math.sqrt(G.data[n * N + n] || 1));
  const first = zeroMatrix(N, lags);
  for (let i = 0; i < N; i++) {
    for (let j = 0; j < N; j++) G.data[i * N + j] *= unit[i] * unit[j];
    G.data[i * N + i] += noise * noise;
    for (let k = 0; k < lags; k++) first.data[i * lags + k] = unit[i] * MS.data[i * past + k];
  }
  const reading = solveMatrix(G, first);
  return Float64Array.from({ length: lags }, (_, k) => {
    let sum = 0;
    for (let i = 0; i < N; i++) sum += first.data[i * lags + k] * reading.data[i * lags + k];
    return Math.min(1, Math.max(0, sum));
  });
}

/** M S for the Gaussian correlation S; M itself for white noise. */
function correlated(M: Matrix, steps: number): Matrix {
  if (steps === 0) return M;
  const out = zeroMatrix(M.rows, M.columns);
  const reach = Math.ceil(6 * steps);
  const weight = Float64Array.from({ length: reach + 1 }, (_, k) => Math.exp((-k * k) / (2 * steps * steps)));
  for (let i = 0; i < M.rows; i++) {
    for (let k = 0; k < M.columns; k++) {
      let sum = 0;
      const last = Math.min(M.columns - 1, k + reach);
      for (let j = Math.max(0, k - reach); j <= last; j++)
        sum += M.data[i * M.columns + j] * weight[Math.abs(j - k)];
      out.data[i * M.columns + k] = sum;
    }
  }
  return out;
}

/**
 * A recurrence without any principle: Abar with normally distributed entries, scaled to the given spectral radius, a
 * random Bbar, and C = 1/N everywhere. Stable for a radius below 1.
 */
export function randomSystem(N: number, radius: number, rng: Rng): DiscreteSystem {
  const W: Matrix = { rows: N, columns: N, data: Float64Array.from({ length: N * N }, () => rng.normal()) };
  const Abar = combineMatrices(radius / spectralRadius(W), W, 0, W);
  const Bbar = Float64Array.from({ length: N }, () => rng.normal());
  return { Abar, Bbar, C: new Float64Array(N).fill(1 / N), D: 0, delta: 1 };
}

/** A Gaussian process with the correlation of {@link MemoryOptions.correlationSteps}, of variance 1: [length]. */
export function smoothNoise(length: number, correlationSteps: number, rng: Rng): Float64Array {
  const width = correlationSteps / Math.SQRT2; // a Gaussian convolved with itself is sqrt(2) times as wide
  const reach = Math.ceil(5 * width);
  const weight = Float64Array.from({ length: 2 * reach + 1 }, (_, i) =>
    width === 0 ? 1 : Math.exp(-((i - reach) ** 2) / (2 * width * width)),
  );
  const scale = 1 / Math.sqrt(weight.reduce((sum, w) => sum + w * w, 0));
  const noise = Float64Array.from({ length: length + 2 * reach }, () => rng.normal());
  return Float64Array.from({ length }, (_, t) => {
    let sum = 0;
    for (let i = 0; i < weight.length; i++) sum += weight[i] * noise[t + i];
    return scale * sum;
  });
}

/** One of several systems, and what it remembers. */
export interface BestMemory {
  system: DiscreteSystem;
  /** Place among those given. */
  index: number;
  curve: Float64Array;
  /** The sum of the curve: inputs that are remembered, of those asked for. */
  total: number;
}

/**
 * Of several systems the one that remembers most of the last `lags` inputs: a step size or a spectral radius is a choice,
 * and every kind of system deserves its best one.
 * @throws NetssmError `memory_options`.
 */
export function mostMemory(
  systems: readonly DiscreteSystem[],
  lags: number,
  options: MemoryOptions = {},
): BestMemory {
  if (systems.length === 0) throw new NetssmError('memory_options', 'there is no system to choose from');
  return systems
    .map((system, index): BestMemory => {
      const curve = memoryCurve(system, lags, options);
      return { system, index, curve, total: curve.reduce((a, b) => a + b, 0) };
    })
    .reduce((best, each) => (each.total > best.total ? each : best));
}
