import type { Tensor } from '@tensorflow/tfjs';
import type { TF } from '../tensor';
import { NetssmError, type Rng } from '../util';
import { derivedSizes, type MambaConfig } from './config';

/** A model's weights outside any engine, under the reference's names; row-major float32. */
export type Weights = Record<string, { shape: number[]; data: Float32Array }>;

/** The same as tensors of an engine. */
export type Params = Record<string, Tensor>;

/** Name and shape of every tensor of a model, in the order of the network. The tied head is not among them. */
export function parameterShapes(config: MambaConfig): [name: string, shape: number[]][] {
  const { d_model: D, n_layer } = config;
  const { padded_vocab_size } = derivedSizes(config);
  const mixer = config.ssm_cfg.layer === 'Mamba1' ? mamba1Shapes(config) : mamba2Shapes(config);
  const layers = Array.from({ length: n_layer }, (_, i): [string, number[]][] => [
    [`backbone.layers.${i}.norm.weight`, [D]],
    ...mixer.map(([name, shape]): [string, number[]] => [`backbone.layers.${i}.mixer.${name}`, [...shape]]),
  ]);
  return [
    ['backbone.embedding.weight', [padded_vocab_size, D]],
    ...layers.flat(),
    ['backbone.norm_f.weight', [D]],
  ];
}

function mamba1Shapes(config: MambaConfig): [string, number[]][] {
  const { d_inner, dt_rank, d_in_proj } = derivedSizes(config);
  const { d_state, d_conv } = config.ssm_cfg;
  return [
    ['in_proj.weight', [d_in_proj, config.d_model]],
    ['conv1d.weight', [d_inner, 1, d_conv]],
    ['conv1d.bias', [d_inner]],
    ['x_proj.weight', [dt_rank + 2 * d_state, d_inner]],
    ['dt_proj.weight', [d_inner, dt_rank]],
    ['dt_proj.bias', [d_inner]],
    ['A_log', [d_inner, d_state]],
    ['D', [d_inner]],
    ['out_proj.weight', [config.d_model, d_inner]],
  ];
}

function mamba2Shapes(config: MambaConfig): [string, number[]][] {
  const { d_inner, nheads, conv_dim, d_in_proj } = derivedSizes(config);
  return [
    ['in_proj.weight', [d_in_proj, config.d_model]],
    ['conv1d.weight', [conv_dim, 1, config.ssm_cfg.d_conv]],
    ['conv1d.bias', [conv_dim]],
    ['dt_bias', [nheads]],
    ['A_log', [nheads]],
    ['D', [nheads]],
    ['norm.weight', [d_inner]],
    ['out_proj.weight', [config.d_model, d_inner]],
  ];
}

/**
 * Fresh weights with the reference's distributions (state-spaces/mamba `mamba_simple.py`, `mamba2.py` and
 * `mixer_seq_simple.py`): embedding N(0, 0.02); linear and convolution Kaiming-uniform as PyTorch's defaults,
 * U(+-1/sqrt(fan_in)); out_proj that divided by sqrt(n_layer); dt log-uniform in [1e-3, 0.1], at least 1e-4;
 * D and norms 1. Mamba-1: A = 1, 2 .. d_state in every channel, dt_proj U(+-1/sqrt(dt_rank)), which keeps the variance
 * of the bottleneck. Mamba-2: A uniform in [1, 16]. Every tensor has its own stream of the generator, by name.
 */
export function initWeights(config: MambaConfig, rng: Rng): Weights {
  const weights: Weights = {};
  for (const [name, shape] of parameterShapes(config)) {
    const own = rng.split(name);
    const draw = sampler(name, shape, config, own);
    const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
    for (let i = 0; i < data.length; i++) data[i] = draw(i);
    weights[name] = { shape, data };
  }
  return weights;
}

function sampler(name: string, shape: number[], config: MambaConfig, rng: Rng): (i: number) => number {
  const uniform = (bound: number) => () => (2 * rng.uniform() - 1) * bound;
  if (name.endsWith('embedding.weight')) return () => 0.02 * rng.normal();
  if (/(in|x|dt)_proj\.weight$/.test(name)) return uniform(1 / Math.sqrt(shape[1]));
  if (name.endsWith('out_proj.weight')) return uniform(1 / Math.sqrt(shape[1] * config.n_layer));
  if (name.includes('.conv1d.')) return uniform(1 / Math.sqrt(config.ssm_cfg.d_conv));
  if (name.endsWith('.A_log') && shape.length === 2) return (i) => Math.log(1 + (i % shape[1]));
  if (name.endsWith('.A_log')) return () => Math.log(1 + 15 * rng.uniform());
  if (/\.dt(_proj\.|_)bias$/.test(name)) {
    return () => {
      const dt = Math.max(1e-4, Math.exp(Math.log(1e-3) + rng.uniform() * Math.log(100)));
      return dt + Math.log(-Math.expm1(-dt)); // softplus of it is dt
    };
  }
  return () => 1; // norms and D
}

/** Weights as tensors of the engine. The caller disposes them. */
export function toParams(tf: TF, weights: Weights): Params {
  return Object.fromEntries(
    Object.entries(weights).map(([name, { shape, data }]) => [
      name,
      tf.tensor(data.slice(), shape, 'float32'),
    ]),
  );
}

/** Tensors as weights: copies, which no later step changes. */
export function toWeights(params: Params): Weights {
  return Object.fromEntries(
    Object.entries(params).map(([name, tensor]) => [
      name,
      { shape: [...tensor.shape], data: Float32Array.from(tensor.dataSync() as Float32Array) },
    ]),
  );
}

/** @throws NetssmError `weights_mismatch` naming every tensor that is missing, superfluous or of another shape. */
export function checkWeights(config: MambaConfig, weights: Weights, where = 'weights'): void {
  const problems: string[] = [];
  const expected = new Map(parameterShapes(config));
  for (const [name, shape] of expected) {
    const found = weights[name];
    if (!found) problems.push(`${name} is missing`);
    else if (found.shape.join() !== shape.join())
      problems.push(`${name} is [${found.shape}], expected [${shape}]`);
  }
  for (const name of Object.keys(weights))
    if (!expected.has(name)) problems.push(`${name} is not part of the model`);
  if (problems.length > 0) {
    const more = problems.length > 5 ? `; and ${problems.length - 5} more` : '';
    throw new NetssmError('weights_mismatch', `${where}: ${problems.slice(0, 5).join('; ')}${more}`, {
      hint: 'Use the config.json that was saved beside the weights.',
    });
  }
}
