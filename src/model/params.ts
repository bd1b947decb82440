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
  const { d_inner, nheads, conv_dim, d_in_proj, padded_vocab_size } = derivedSizes(config);
  const layers = Array.from({ length: n_layer }, (_, i): [string, number[]][] => [
    [`backbone.layers.${i}.norm.weight`, [D]],
    [`backbone.layers.${i}.mixer.in_proj.weight`, [d_in_proj, D]],
    [`backbone.layers.${i}.mixer.conv1d.weight`, [conv_dim, 1, config.ssm_cfg.d_conv]],
    [`backbone.layers.${i}.mixer.conv1d.bias`, [conv_dim]],
    [`backbone.layers.${i}.mixer.dt_bias`, [nheads]],
    [`backbone.layers.${i}.mixer.A_log`, [nheads]],
    [`backbone.layers.${i}.mixer.D`, [nheads]],
    [`backbone.layers.${i}.mixer.norm.weight`, [d_inner]],
    [`backbone.layers.${i}.mixer.out_proj.weight`, [D, d_inner]],
  ]);
  return [
    ['backbone.embedding.weight', [padded_vocab_size, D]],
    ...layers.flat(),
    ['backbone.norm_f.weight', [D]],
  ];
}

/**
 * Fresh weights with the reference's distributions (state-spaces/mamba `mamba2.py` and `mixer_seq_simple.py`):
 * embedding N(0, 0.02); linear and convolution Kaiming-uniform as PyTorch's defaults, U(+-1/sqrt(fan_in));
 * out_proj that divided by sqrt(n_layer); A uniform in [1, 16]; dt log-uniform in [1e-3, 0.1], at least 1e-4;
 * D and norms 1. Every tensor has its own stream of the generator, by name.
 */
export function initWeights(config: MambaConfig, rng: Rng): Weights {
  const weights: Weights = {};
  for (const [name, shape] of parameterShapes(config)) {
    const own = rng.split(name);
    const draw = sampler(name, shape, config, own);
    const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
    for (let i = 0; i < data.length; i++) data[i] = draw();
    weights[name] = { shape, data };
  }
  return weights;
}

function sampler(name: string, shape: number[], config: MambaConfig, rng: Rng): () => number {
  const uniform = (bound: number) => () => (2 * rng.uniform() - 1) * bound;
  if (name.endsWith('embedding.weight')) return () => 0.02 * rng.normal();
  if (name.endsWith('in_proj.weight')) return uniform(1 / Math.sqrt(shape[1]));
  if (name.endsWith('out_proj.weight')) return uniform(1 / Math.sqrt(shape[1] * config.n_layer));
  if (name.includes('.conv1d.')) return uniform(1 / Math.sqrt(config.ssm_cfg.d_conv));
  if (name.endsWith('.A_log')) return () => Math.log(1 + 15 * rng.uniform());
  if (name.endsWith('.dt_bias')) {
    return () => {
      const dt = Math.max(1e-4, Math.exp(Math.log(1e-3) + rng.uniform() * Math.log(100)));
      return dt + Math.log(-Math.expm1(-dt)); // softplus(dt_bias) = dt
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
