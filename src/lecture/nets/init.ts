import { initWeights, type Weights } from '../../model';
import { Rng } from '../../util';
import { fullConfig, mambaConfig, type FullNetConfig, type NetConfig } from './config';
import { netShapes } from './shapes';

/**
 * Fresh weights. The Mambas as `src/model` makes them. The others: embedding N(0, 0.02), norms 1, matrices
 * U(+-1/sqrt(fan_in)) as PyTorch's defaults (recurrent ones with the state as fan-in), those that write into the residual
 * stream divided by the square root of their number.
 *
 * `lti` as S4D-Real (A. Gu, A. Gupta, K. Goel, C. Ré, arXiv 2206.11893): A = -1, -2 .. -d_state, B = 1, C N(0, 1), step
 * size log-uniform in [1e-3, 0.1]; every tensor that it shares with Mamba-1 has Mamba's numbers for the same seed.
 */
export function initNet(given: NetConfig, seed: number | string): Weights {
  const config = fullConfig(given);
  const rng = new Rng(seed);
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
