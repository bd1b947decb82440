import type { Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs';
import {
  derivedSizes,
  makePlan,
  mamba1Mixer,
  mamba2Mixer,
  type Mamba1Params,
  type Mamba2Params,
} from '../../model';
import { causalConvSilu, embedding, linear, linearParts, residualRmsNorm } from '../../tensor';
import { NetssmError } from '../../util';
import { mambaConfig } from './config';
import { discretiseLti, ltiMixer, type LtiParams } from './lti';
import type { SequenceNet } from './net';
import { below } from './prefix';

/** What a layer's state space does at every token of one sequence. Row-major arrays. */
export interface LayerSelection {
  layer: number;
  /** Tokens, channels, numbers a channel remembers. */
  L: number;
  E: number;
  N: number;
  /** Decay rates, below 0: [E, N]. */
  A: Float32Array;
  /** What the state space reads, after the short convolution: [L, E]. */
  x: Float32Array;
  /** Step sizes: [L, E]. */
  delta: Float32Array;
  /** What is written where, and read from where: [L, N], the same for all channels. `lti`: [E, N], for all tokens. */
  B: Float32Array;
  C: Float32Array;
  /** Whether B and C are by token, or by channel. */
  selective: boolean;
  /** Share of the state that is kept at each token, exp(delta A), mean over the numbers of a channel: [L, E]. */
  kept: Float32Array;
  /** Euclidean norm of the state of all channels after each token: [L]. */
  stateNorm: Float32Array;
}

/**
 * Looks into a `mamba1`, `mamba2` or `lti` net while it reads a sequence: step sizes, B, C, decay and the size of the
 * state in every layer, at every token. The channels of a head of Mamba-2 have its step size and its decay.
 * @throws NetssmError `net_mixer` for another mixer.
 */
export function readSelection(net: SequenceNet, tokens: ArrayLike<number>): LayerSelection[] {
  const { tf, config, params } = net;
  if (!['mamba1', 'mamba2', 'lti'].includes(config.mixer)) {
    throw new NetssmError('net_mixer', `a ${config.mixer} net has no selection to look at`, {
      hint: 'Make one with mixer "mamba1", "mamba2" or "lti".',
    });
  }
  const out: LayerSelection[] = [];
  tf.tidy(() => {
    const ids = tf.tensor2d(Int32Array.from(tokens), [1, tokens.length], 'int32');
    let x = embedding(tf, params['backbone.embedding.weight'] as Tensor2D, ids); // [1, L, D]
    let y: Tensor3D | undefined;
    for (let layer = 0; layer < config.n_layer; layer++) {
      const prefix = `backbone.layers.${layer}.`;
      const { sum, normed } = residualRmsNorm(tf, x, y, params[`${prefix}norm.weight`] as Tensor1D);
      const mixer = below(params, `${prefix}mixer.`);
      if (config.mixer === 'mamba1') {
        out.push(ofMamba(net, layer, mixer as Mamba1Params, normed));
        y = mamba1Mixer(tf, mambaConfig(config), mixer as Mamba1Params, normed).out;
      } else if (config.mixer === 'mamba2') {
        out.push(ofMamba2(net, layer, mixer as Mamba2Params, normed));
        const plan = makePlan(tf, mambaConfig(config), 1, tokens.length);
        y = mamba2Mixer(
          tf,
          mambaConfig(config),
          mixer as Mamba2Params,
          normed,
          plan,
          undefined,
          'parallel',
        ).out;
      } else {
        out.push(ofLti(net, layer, mixer as LtiParams, normed));
        y = ltiMixer(tf, mixer as LtiParams, normed);
      }
      x = sum;
    }
  });
  return out;
}

const values = (tensor: { dataSync(): ArrayLike<number> }): Float32Array =>
  Float32Array.from(tensor.dataSync());

/** What the state space reads: in_proj's first half after convolution and SiLU. */
function readInput(net: SequenceNet, params: Mamba1Params | LtiParams, u: Tensor3D): Tensor3D {
  const E = params.D.shape[0];
  const [x] = linearParts(net.tf, u, params['in_proj.weight'], [E, E]);
  const [weight, bias] = [params['conv1d.weight'], params['conv1d.bias']];
  return causalConvSilu(net.tf, { x, weight, bias }).y;
}

function ofMamba(net: SequenceNet, layer: number, params: Mamba1Params, u: Tensor3D): LayerSelection {
  const { tf } = net;
  const { d_inner: E, dt_rank: R } = derivedSizes(mambaConfig(net.config));
  const N = net.config.d_state;
  const x = readInput(net, params, u);
  const [low, B, C] = linearParts(tf, x, params['x_proj.weight'], [R, N, N]);
  const raw = linear(tf, low, params['dt_proj.weight']);
  const delta = tf.softplus(tf.add(raw, params['dt_proj.bias']));
  const L = u.shape[1];
  const A = values(params.A_log).map((v) => -Math.exp(v));
  const read = { x: values(x), delta: values(delta), B: values(B), C: values(C) };
  return withState({ layer, L, E, N, A, selective: true, ...read });
}

function ofMamba2(net: SequenceNet, layer: number, params: Mamba2Params, u: Tensor3D): LayerSelection {
  const { tf } = net;
  const { d_inner: E, nheads: H, conv_dim } = derivedSizes(mambaConfig(net.config));
  const [L, N, P] = [u.shape[1], net.config.d_state, E / H];
  const [, xBC, raw] = linearParts(tf, u, params['in_proj.weight'], [E, conv_dim, H]);
  const [weight, bias] = [params['conv1d.weight'], params['conv1d.bias']];
  const [x, B, C] = tf.split(causalConvSilu(tf, { x: xBC, weight, bias }).y, [E, N, N], 2);
  const byHead = values(tf.softplus(tf.add(raw, params.dt_bias))); // [L, H]
  const rate = values(params.A_log).map((v) => -Math.exp(v)); // [H]
  const delta = Float32Array.from({ length: L * E }, (_, i) => byHead[Math.floor(i / P)]);
  const A = Float32Array.from({ length: E * N }, (_, i) => rate[Math.floor(i / (P * N))]);
  return withState({ layer, L, E, N, A, selective: true, x: values(x), delta, B: values(B), C: values(C) });
}

function ofLti(net: SequenceNet, layer: number, params: LtiParams, u: Tensor3D): LayerSelection {
  const [L, E] = [u.shape[1], params.D.shape[0]];
  const N = net.config.d_state;
  const dt = values(params.log_dt).map(Math.exp);
  const A = values(params.A_log).map((v) => -Math.exp(v));
  // The input of zero-order hold, written as Mamba writes it: delta B.
  const B = values(discretiseLti(net.tf, params).input).map((v, i) => v / dt[Math.floor(i / N)]);
  const delta = Float32Array.from({ length: L * E }, (_, i) => dt[i % E]);
  const read = { x: values(readInput(net, params, u)), delta, B, C: values(params.C) };
  return withState({ layer, L, E, N, A, selective: false, ...read });
}

/** Runs the recurrence h_t = exp(delta A) h_{t-1} + delta x_t B_t beside it. */
function withState(given: Omit<LayerSelection, 'kept' | 'stateNorm'>): LayerSelection {
  const { L, E, N, A, x, delta, B, selective } = given;
  const kept = new Float32Array(L * E);
  const stateNorm = new Float32Array(L);
  const h = new Float64Array(E * N);
  for (let t = 0; t < L; t++) {
    let squares = 0;
    for (let e = 0; e < E; e++) {
      const step = delta[t * E + e];
      const input = step * x[t * E + e];
      let sum = 0;
      for (let n = 0, i = e * N; n < N; n++, i++) {
        const decay = Math.exp(step * A[i]);
        h[i] = decay * h[i] + input * B[selective ? t * N + n : i];
        sum += decay;
        squares += h[i] * h[i];
      }
      kept[t * E + e] = sum / N;
    }
    stateNorm[t] = Math.sqrt(squares);
  }
  return { ...given, kept, stateNorm };
}
