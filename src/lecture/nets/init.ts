import { initWeights, type Weights } from '../../model';
import { NetssmError, Rng } from '../../util';
import { fullConfig, mambaConfig, type FullNetConfig, type NetConfig } from './config';
import { netShapes } from './shapes';

/** Where the state spaces of mamba1, mamba2 and lti begin, under the reference's names. Other mixers have no use for it. */
export interface InitOptions {
  /**
   * Lowest and highest decay rate -A. mamba2: spread evenly on a logarithmic scale over the heads; mamba1 and lti: in equal
   * steps over the d_state numbers of each channel. Default: those of the papers, 1 to 16 (mamba2) or to d_state.
   */
  A_init_range?: readonly [number, number];
  /** Step sizes are spread evenly on a logarithmic scale from dt_min to dt_max. Default 0.001 and 0.1, drawn at random. */
  dt_min?: number;
  dt_max?: number;
}

/**
 * Fresh weights. The Mambas as `src/model` makes them. The others: embedding N(0, 0.02), norms 1, matrices
 * U(+-1/sqrt(fan_in)) as PyTorch's defaults (recurrent ones with the state as fan-in), those that write into the residual
 * stream divided by the square root of their number.
 *
 * `lti` as S4D-Real (A. Gu, A. Gupta, K. Goel, C. Ré, arXiv 2206.11893): A = -1, -2 .. -d_state, B = 1, C N(0, 1), step
 * size log-uniform in [1e-3, 0.1]; every tensor that it shares with Mamba-1 has Mamba's numbers for the same seed.
 *
 * With `A_init_range` and `dt_min`, `dt_max` the state spaces begin with another memory: a step keeps exp(-dt A), so the
 * papers' ranges forget within some ten tokens, and gradients reach no further back than that.
 * @throws NetssmError `net_config`, `net_init` for a range that is none.
 */
export function initNet(given: NetConfig, seed: number | string, init: InitOptions = {}): Weights {
  const weights = defaultWeights(fullConfig(given), new Rng(seed));
  setMemory(weights, init, new Rng(`init${seed}`));
  return weights;
}

const GOLDEN_RATIO = (1 + Math.sqrt(5)) / 2;

function setMemory(weights: Weights, { A_init_range, dt_min, dt_max }: InitOptions, rng: Rng): void {
  const dt = dt_min === undefined && dt_max === undefined ? undefined : [dt_min ?? 1e-3, dt_max ?? 0.1];
  for (const [what, range] of Object.entries({ A_init_range, dt })) {
    if (!range || (range[0] > 0 && range[1] >= range[0] && Number.isFinite(range[1]))) continue;
    throw new NetssmError(
      'net_init',
      `${what} from ${range[0]} to ${range[1]} is no range of positive numbers`,
      {
        hint: 'The papers: A_init_range [1, 16], dt_min 0.001, dt_max 0.1.',
        exitCode: 2,
      },
    );
  }
  for (const [name, { shape, data }] of Object.entries(weights)) {
    // Multiples of an irrational number modulo 1 lie evenly from the first few on, where draws of eight heads may all be
    // short memories; two numbers, so that rates and step sizes do not go together.
    const irrational = name.endsWith('.A_log') ? GOLDEN_RATIO : Math.SQRT2;
    let u = rng.uniform();
    const logUniform = ([low, high]: readonly number[]) => {
      u = (u + irrational) % 1;
      return Math.log(low) + u * Math.log(high / low);
    };
    if (A_init_range && name.endsWith('.A_log')) {
      const [low, high] = A_init_range;
      const N = shape[1];
      const step = (i: number) => (N === 1 ? 0 : (i % N) / (N - 1));
      for (let i = 0; i < data.length; i++)
        data[i] = shape.length === 1 ? logUniform(A_init_range) : Math.log(low + step(i) * (high - low));
    }
    if (!dt) continue;
    if (name.endsWith('.log_dt')) for (let i = 0; i < data.length; i++) data[i] = logUniform(dt);
    if (!/\.dt(_proj\.|_)bias$/.test(name)) continue;
    for (let i = 0; i < data.length; i++) {
      const value = Math.exp(logUniform(dt));
      data[i] = value + Math.log(-Math.expm1(-value)); // softplus of it is the step size
    }
  }
}

function defaultWeights(config: FullNetConfig, rng: Rng): Weights {
  if (config.mixer === 'mamba1' || config.mixer === 'mamba2') return initWeights(mambaConfig(config), rng);
  const shared = config.mixer === 'lti' ? initWeights({ ...mambaConfig(config) }, rng) : {};
  const weights: Weights = {};
  for (const [name, shape] of netShapes(config)) {
    const same = shared[name];
    if (same && same.shape.join() === shape.join()) {
      weights[name] = same;
      continue;
    }
    const draw = sampler(name, shape, config, rng.split(name));
    weights[name] = { shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, draw) };
  }
  return weights;
}

function sampler(
  name: string,
  shape: number[],
  { mixer, n_layer, d_hidden }: FullNetConfig,
  rng: Rng,
): (_: unknown, i: number) => number {
  const uniform = (bound: number) => () => (2 * rng.uniform() - 1) * bound;
  const residuals = n_layer * (mixer === 'attention' ? 2 : 1);
  if (name.endsWith('embedding.weight')) return () => 0.02 * rng.normal();
  if (/norm\w*\.weight$/.test(name)) return () => 1;
  if (/(out_proj|fc2)\.weight$/.test(name)) return uniform(1 / Math.sqrt(shape[1] * residuals));
  if (/(in_proj|fc1)\.weight$/.test(name)) return uniform(1 / Math.sqrt(shape[1]));
  if (mixer === 'gru') return uniform(1 / Math.sqrt(d_hidden));
  if (name.endsWith('log_dt')) return () => Math.log(1e-3) + rng.uniform() * Math.log(100);
  if (name.endsWith('.C')) return () => rng.normal();
  return () => 1; // B
}
