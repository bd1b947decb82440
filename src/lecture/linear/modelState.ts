import { derivedSizes, StepModel, type MambaConfig, type Weights } from '../../model';
import { NetssmError } from '../../util';
import { dot } from './linearSystem';
import { halfLifeSteps } from './gate';

/** A trained model's state while it reads. */
export interface StateTrace {
  /** Size of the state in bytes as float32, convolutions included: the same before and after any number of tokens. */
  stateBytes: number;
  layers: number;
  /** Heads of a layer. In Mamba-1 every channel is one. */
  nheads: number;
  /** |h| of each head after each token: L arrays of [layers * nheads], layer after layer. */
  norms: Float64Array[];
  /** |h_t - h_{t-1}| / |h_t| of each head: what the token has changed. */
  change: Float64Array[];
}

/**
 * Reads tokens one by one and watches the state. Needs no tensors.
 * @throws NetssmError `token_out_of_range`.
 */
export function traceModelState(
  { config, weights }: { config: MambaConfig; weights: Weights },
  tokens: ArrayLike<number>,
): StateTrace {
  const model = new StepModel(config, weights);
  const state = model.newState();
  const { nheads } = derivedSizes(config);
  const layers = config.n_layer;
  const stateBytes = [...state.conv, ...state.ssm].reduce((sum, { byteLength }) => sum + byteLength, 0);
  const trace: StateTrace = { stateBytes, layers, nheads, norms: [], change: [] };
  for (let t = 0; t < tokens.length; t++) {
    const before = state.ssm.map((h) => h.slice());
    model.step(state, tokens[t]);
    const [norms, change] = [new Float64Array(layers * nheads), new Float64Array(layers * nheads)];
    state.ssm.forEach((h, layer) => {
      const size = h.length / nheads;
      for (let head = 0; head < nheads; head++) {
        const [now, old] = [h, before[layer]].map((each) => each.subarray(head * size, (head + 1) * size));
        const norm = Math.sqrt(dot(now, now));
        norms[layer * nheads + head] = norm;
        change[layer * nheads + head] = norm === 0 ? 0 : distance(now, old) / norm;
      }
    });
    trace.norms.push(norms);
    trace.change.push(change);
  }
  return trace;
}

/** Step sizes of a first layer. */
export interface FirstLayerSteps {
  /** Delta after softplus: one a head. */
  delta: Float64Array;
  /** Tokens in which each head forgets half, if it read this token again and again. */
  halfLife: Float64Array;
}

/**
 * What one token does to the step sizes of the first layer of a Mamba-2 model: there the step depends on nothing but
 * the token's embedding, delta = softplus(W_dt norm(x) + dt_bias), and a head forgets by exp(delta A) (arXiv 2405.21060,
 * section 2.3.1). A model that reads its label at every packet (`label_every_packet`) has the label's steps at `<|pkt|>`.
 * @throws NetssmError `layer_kind` for Mamba-1, `token_out_of_range`.
 */
export function firstLayerSteps(
  { config, weights }: { config: MambaConfig; weights: Weights },
  token: number,
): FirstLayerSteps {
  if (config.ssm_cfg.layer !== 'Mamba2') {
    throw new NetssmError('layer_kind', `firstLayerSteps reads Mamba2 layers, not ${config.ssm_cfg.layer}`, {
      hint: 'In Mamba-1 the step size also depends on the tokens before, through the convolution.',
    });
  }
  const D = config.d_model;
  const { padded_vocab_size, nheads, d_inner, conv_dim } = derivedSizes(config);
  if (!(token >= 0 && token < padded_vocab_size))
    throw new NetssmError('token_out_of_range', `token ${token} is not in 0..${padded_vocab_size - 1}`);
  const get = (name: string): Float32Array => weights[`backbone.${name}`].data;
  const x = get('embedding.weight').subarray(token * D, (token + 1) * D);
  const scale = 1 / Math.sqrt(dot(x, x) / D + 1e-5);
  const u = Float64Array.from(get('layers.0.norm.weight'), (weight, i) => weight * x[i] * scale);
  const inProj = get('layers.0.mixer.in_proj.weight');
  const bias = get('layers.0.mixer.dt_bias');
  const A = get('layers.0.mixer.A_log').map((value) => -Math.exp(value));
  const delta = Float64Array.from({ length: nheads }, (_, head) => {
    const row = d_inner + conv_dim + head;
    return softplus(dot(u, inProj.subarray(row * D, (row + 1) * D)) + bias[head]);
  });
  return { delta, halfLife: delta.map((value, head) => halfLifeSteps(Math.exp(value * A[head]))) };
}

function softplus(x: number): number {
  return x > 20 ? x : Math.log1p(Math.exp(x));
}

function distance(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return Math.sqrt(sum);
}
