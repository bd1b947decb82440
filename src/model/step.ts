import { NetssmError } from '../util';
import { derivedSizes, type MambaConfig } from './config';
import { checkWeights, type Weights } from './params';

/** What the model remembers of one sequence: constant in size. Made by {@link StepModel.newState}. */
export interface StepState {
  /** Per layer the last d_conv - 1 inputs of the convolution, oldest first: [d_conv-1, conv_dim]. */
  conv: Float32Array[];
  /** Per layer h: [nheads, headdim, d_state]. */
  ssm: Float32Array[];
}

/** One layer's weights as {@link StepModel} uses them. */
interface StepLayer {
  norm: Float32Array;
  inProj: Panels; // [d_in_proj, D]
  convWeight: Float32Array; // [K, conv_dim]: taps first, so that the inner loop runs along memory
  convBias: Float32Array;
  dtBias: Float32Array;
  A: Float32Array; // -exp(A_log)
  D: Float32Array;
  gateNorm: Float32Array;
  outProj: Panels; // [D, d_inner]
}

/**
 * The model one token at a time, for generation: the recurrence of the paper (arXiv 2405.21060, section 2.3.1) as
 * plain loops over typed arrays. No tfjs, no allocation per token; one instance serves one sequence at a time, states
 * can be copied and kept.
 *
 * **Official**: `Mamba2.step` in state-spaces/mamba `modules/mamba2.py`.
 * @example
 * const model = new StepModel(config, weights);
 * const state = model.newState();
 * const logits = new Float32Array(model.vocabSize);
 * model.step(state, 258, logits); // the scores of the token after 258
 */
export class StepModel {
  /** Length of the logits: vocab_size rounded up as the embedding is. */
  readonly vocabSize: number;
  private readonly embedding: Float32Array; // [V, D]
  private readonly head: Panels; // the same
  private readonly normF: Float32Array;
  private readonly layers: StepLayer[];
  private readonly sizes: ReturnType<typeof derivedSizes>;
  // Scratch, reused by every step.
  private readonly x: Float32Array; // the residual stream, [D]
  private readonly u: Float32Array; // normed, [D]
  private readonly projected: Float32Array; // z, x, B, C, dt: [d_in_proj]
  private readonly xBC: Float32Array; // after convolution and SiLU: [conv_dim]
  private readonly y: Float32Array; // [d_inner]

  /** @throws NetssmError `weights_mismatch`. */
  constructor(
    readonly config: MambaConfig,
    weights: Weights,
  ) {
    checkWeights(config, weights, 'StepModel');
    this.sizes = derivedSizes(config);
    const { d_inner, conv_dim, d_in_proj, padded_vocab_size } = this.sizes;
    const K = config.ssm_cfg.d_conv;
    this.vocabSize = padded_vocab_size;
    this.embedding = weights['backbone.embedding.weight'].data;
    this.head = pack(this.embedding, padded_vocab_size, config.d_model);
    this.normF = weights['backbone.norm_f.weight'].data;
    this.layers = Array.from({ length: config.n_layer }, (_, i) => {
      const get = (name: string) => weights[`backbone.layers.${i}.${name}`].data;
      const conv = get('mixer.conv1d.weight');
      return {
        norm: get('norm.weight'),
        inProj: pack(get('mixer.in_proj.weight'), d_in_proj, config.d_model),
        convWeight: Float32Array.from(
          { length: K * conv_dim },
          (_, j) => conv[(j % conv_dim) * K + Math.floor(j / conv_dim)],
        ),
        convBias: get('mixer.conv1d.bias'),
        dtBias: get('mixer.dt_bias'),
        A: get('mixer.A_log').map((v) => -Math.exp(v)),
        D: get('mixer.D'),
        gateNorm: get('mixer.norm.weight'),
        outProj: pack(get('mixer.out_proj.weight'), config.d_model, d_inner),
      };
    });
    this.x = new Float32Array(config.d_model);
    this.u = new Float32Array(config.d_model);
    this.projected = new Float32Array(8 * Math.ceil(d_in_proj / 8)); // whole panels
    this.xBC = new Float32Array(conv_dim);
    this.y = new Float32Array(d_inner);
  }

  /** The state before the first token. */
  newState(): StepState {
    const { d_conv, headdim, d_state } = this.config.ssm_cfg;
    const { nheads, conv_dim } = this.sizes;
    return {
      conv: this.layers.map(() => new Float32Array((d_conv - 1) * conv_dim)),
      ssm: this.layers.map(() => new Float32Array(nheads * headdim * d_state)),
    };
  }

  /** An independent copy: to go on from the same point twice. */
  copyState(state: StepState): StepState {
    return { conv: state.conv.map((a) => a.slice()), ssm: state.ssm.map((a) => a.slice()) };
  }

  /** The same without a new state: `to` becomes a copy of `from`. */
  copyStateInto(from: StepState, to: StepState): void {
    from.conv.forEach((a, i) => to.conv[i].set(a));
    from.ssm.forEach((a, i) => to.ssm[i].set(a));
  }

  /**
   * Takes one token in: updates `state` in place and writes the scores of the token after it into `logits`
   * ([vocabSize]), if given.
   * @throws NetssmError `token_out_of_range`.
   */
  step(state: StepState, token: number, logits?: Float32Array): void {
    const D = this.config.d_model;
    if (!(token >= 0 && token < this.vocabSize)) {
      throw new NetssmError('token_out_of_range', `token ${token} is not in 0..${this.vocabSize - 1}`, {
        hint: 'The tokens and the model must come from the same vocabulary (tokenizer.json).',
      });
    }
    const { x, u } = this;
    for (let i = 0; i < D; i++) x[i] = this.embedding[token * D + i];
    for (let i = 0; i < this.layers.length; i++) {
      rmsNorm(x, this.layers[i].norm, u, 0, D);
      this.mix(this.layers[i], state.conv[i], state.ssm[i]);
    }
    if (!logits) return;
    rmsNorm(x, this.normF, u, 0, D);
    matVec(this.head, u, logits, false);
  }

  /** Takes tokens in, one after the other; `logits`, if given, are those after the last. */
  prefill(state: StepState, tokens: ArrayLike<number>, logits?: Float32Array): void {
    for (let i = 0; i < tokens.length; i++)
      this.step(state, tokens[i], i === tokens.length - 1 ? logits : undefined);
  }

  /** x += mixer(u), with the layer's states moved on by one token. */
  private mix(layer: StepLayer, conv: Float32Array, ssm: Float32Array): void {
    const { d_state: N, d_conv: K, headdim: P, ngroups: G } = this.config.ssm_cfg;
    const { d_inner, nheads: H, conv_dim: C } = this.sizes;
    const { projected, xBC, y } = this;
    matVec(layer.inProj, this.u, projected, false);

    // Convolution over the K-1 inputs before and this one; then the oldest goes.
    const { convWeight, convBias } = layer;
    for (let c = 0; c < C; c++) {
      const now = projected[d_inner + c];
      let sum = convBias[c] + convWeight[(K - 1) * C + c] * now;
      for (let k = 0; k < K - 1; k++) {
        const past = conv[k * C + c];
        sum += convWeight[k * C + c] * past;
        if (k > 0) conv[(k - 1) * C + c] = past;
      }
      if (K > 1) conv[(K - 2) * C + c] = now;
      xBC[c] = sum / (1 + Math.exp(-sum));
    }

    // h_t = exp(dt A) h_{t-1} + dt x_t B_t^T,  y_t = h_t C_t + D x_t, gated by SiLU(z).
    const perGroup = H / G;
    for (let head = 0; head < H; head++) {
      const raw = projected[d_inner + C + head] + layer.dtBias[head];
      const dt = raw > 20 ? raw : Math.log1p(Math.exp(raw));
      const decay = Math.exp(dt * layer.A[head]);
      const group = Math.floor(head / perGroup);
      const b = d_inner + group * N;
      const c = d_inner + (G + group) * N;
      for (let p = head * P; p < (head + 1) * P; p++) {
        const z = projected[p];
        y[p] =
          (updateState(ssm, p * N, N, decay, dt * xBC[p], xBC, b, c) + layer.D[head] * xBC[p]) *
          (z / (1 + Math.exp(-z)));
      }
    }
    const width = d_inner / G;
    for (let g = 0; g < G; g++) rmsNorm(y, layer.gateNorm, y, g * width, width);
    matVec(layer.outProj, y, this.x, true);
  }
}

/** h = decay h + input B for one row of the state, returning its product with C. B and C lie in `xBC`. */
function updateState(
  h: Float32Array,
  at: number,
  N: number,
  decay: number,
  input: number,
  xBC: Float32Array,
  b: number,
  c: number,
): number {
  let s0 = 0;
  let s1 = 0;
  let n = 0;
  for (; n + 2 <= N; n += 2) {
    const h0 = decay * h[at + n] + input * xBC[b + n];
    const h1 = decay * h[at + n + 1] + input * xBC[b + n + 1];
    h[at + n] = h0;
    h[at + n + 1] = h1;
    s0 += h0 * xBC[c + n];
    s1 += h1 * xBC[c + n + 1];
  }
  for (; n < N; n++) {
    const h0 = decay * h[at + n] + input * xBC[b + n];
    h[at + n] = h0;
    s0 += h0 * xBC[c + n];
  }
  return s0 + s1;
}

/** out[from ..] = weight x / rms(x) over n entries; in place is fine. */
function rmsNorm(x: Float32Array, weight: Float32Array, out: Float32Array, from: number, n: number): void {
  let sum = 0;
  for (let i = from; i < from + n; i++) sum += x[i] * x[i];
  const scale = 1 / Math.sqrt(sum / n + 1e-5);
  for (let i = from; i < from + n; i++) out[i] = x[i] * scale * weight[i];
}

/** A matrix in panels of eight rows, column after column: what {@link matVec} reads lies one after the other. */
interface Panels {
  data: Float32Array;
  rows: number;
  n: number;
}

/** W [rows, n] row-major to panels; missing rows of the last one are zero. */
function pack(W: Float32Array, rows: number, n: number): Panels {
  const data = new Float32Array(Math.ceil(rows / 8) * 8 * n);
  for (let r = 0; r < rows; r++) {
    const base = (r - (r % 8)) * n + (r % 8);
    for (let i = 0; i < n; i++) data[base + 8 * i] = W[r * n + i];
  }
  return { data, rows, n };
}

/** out = W x, or out += W x. Eight sums at a time, so that none waits for its last addition. */
function matVec({ data, rows, n }: Panels, x: Float32Array, out: Float32Array, add: boolean): void {
  for (let r = 0, at = 0; r < rows; r += 8) {
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    let s4 = 0;
    let s5 = 0;
    let s6 = 0;
    let s7 = 0;
    for (let i = 0; i < n; i++, at += 8) {
      const v = x[i];
      s0 += data[at] * v;
      s1 += data[at + 1] * v;
      s2 += data[at + 2] * v;
      s3 += data[at + 3] * v;
      s4 += data[at + 4] * v;
      s5 += data[at + 5] * v;
      s6 += data[at + 6] * v;
      s7 += data[at + 7] * v;
    }
    // Past the end of a typed array nothing is written; arrays of whole panels avoid the detour.
    out[r] = add ? out[r] + s0 : s0;
    out[r + 1] = add ? out[r + 1] + s1 : s1;
    out[r + 2] = add ? out[r + 2] + s2 : s2;
    out[r + 3] = add ? out[r + 3] + s3 : s3;
    out[r + 4] = add ? out[r + 4] + s4 : s4;
    out[r + 5] = add ? out[r + 5] + s5 : s5;
    out[r + 6] = add ? out[r + 6] + s6 : s6;
    out[r + 7] = add ? out[r + 7] + s7 : s7;
  }
}
