import {
  derivedSizes,
  mamba2Settings,
  type DerivedSizes,
  type Mamba2Settings,
  type MambaConfig,
} from './config';
import type { LayerLook, StepMixer } from './step';
import { convolve, matVec, pack, rmsNorm, softplus, tapsFirst, type Panels } from './stepMath';

/** Mamba-2's mixer one token at a time: arXiv 2405.21060, section 2.3.1. */
export class Mamba2Step implements StepMixer {
  private readonly settings: Mamba2Settings;
  private readonly sizes: DerivedSizes;
  private readonly inProj: Panels; // [d_in_proj, D]
  private readonly taps: Float32Array; // [K, conv_dim]
  private readonly convBias: Float32Array;
  private readonly dtBias: Float32Array;
  private readonly A: Float32Array; // -exp(A_log)
  private readonly D: Float32Array;
  private readonly gateNorm: Float32Array;
  private readonly outProj: Panels; // [D, d_inner]
  // Scratch, reused by every step.
  private readonly projected: Float32Array; // z, x, B, C, dt: [d_in_proj]
  private readonly xBC: Float32Array; // after convolution and SiLU: [conv_dim]
  private readonly y: Float32Array; // [d_inner]

  constructor(config: MambaConfig, get: (name: string) => Float32Array) {
    this.settings = mamba2Settings(config);
    this.sizes = derivedSizes(config);
    const { d_inner, conv_dim, d_in_proj } = this.sizes;
    this.inProj = pack(get('in_proj.weight'), d_in_proj, config.d_model);
    this.taps = tapsFirst(get('conv1d.weight'), this.settings.d_conv);
    this.convBias = get('conv1d.bias');
    this.dtBias = get('dt_bias');
    this.A = get('A_log').map((v) => -Math.exp(v));
    this.D = get('D');
    this.gateNorm = get('norm.weight');
    this.outProj = pack(get('out_proj.weight'), config.d_model, d_inner);
    this.projected = new Float32Array(8 * Math.ceil(d_in_proj / 8)); // whole panels
    this.xBC = new Float32Array(conv_dim);
    this.y = new Float32Array(d_inner);
  }

  step(u: Float32Array, conv: Float32Array, ssm: Float32Array, out: Float32Array): void {
    const { d_state: N, headdim: P, ngroups: G } = this.settings;
    const { d_inner, nheads: H, conv_dim: C } = this.sizes;
    const { projected, xBC, y } = this;
    matVec(this.inProj, u, projected, false);
    convolve(this.taps, this.convBias, conv, projected, d_inner, xBC);

    // h_t = exp(dt A) h_{t-1} + dt x_t B_t^T,  y_t = h_t C_t + D x_t, gated by SiLU(z).
    const perGroup = H / G;
    for (let head = 0; head < H; head++) {
      const dt = softplus(projected[d_inner + C + head] + this.dtBias[head]);
      const decay = Math.exp(dt * this.A[head]);
      const group = Math.floor(head / perGroup);
      const b = d_inner + group * N;
      const c = d_inner + (G + group) * N;
      for (let p = head * P; p < (head + 1) * P; p++) {
        const z = projected[p];
        const read = updateState(ssm, p * N, N, decay, dt * xBC[p], xBC, b, c);
        y[p] = (read + this.D[head] * xBC[p]) * (z / (1 + Math.exp(-z)));
      }
    }
    const width = d_inner / G;
    for (let g = 0; g < G; g++) rmsNorm(y, this.gateNorm, y, g * width, width);
    matVec(this.outProj, y, out, true);
  }

  look(into: LayerLook): void {
    const { d_inner, nheads: H, conv_dim: C } = this.sizes;
    const { d_state: N, ngroups: G } = this.settings;
    const { projected, xBC } = this;
    for (let head = 0; head < H; head++) {
      const dt = softplus(projected[d_inner + C + head] + this.dtBias[head]);
      into.delta[head] = dt;
      into.decay[head] = Math.exp(dt * this.A[head]);
    }
    for (let p = 0; p < d_inner; p++) into.gate[p] = projected[p] / (1 + Math.exp(-projected[p]));
    into.B.set(xBC.subarray(d_inner, d_inner + G * N));
    into.C.set(xBC.subarray(d_inner + G * N, d_inner + 2 * G * N));
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
