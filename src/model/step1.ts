import { derivedSizes, type DerivedSizes, type MambaConfig } from './config';
import type { LayerLook, StepMixer } from './step';
import { convolve, matVec, pack, softplus, tapsFirst, type Panels } from './stepMath';

/** Mamba-1's mixer one token at a time: arXiv 2312.00752, equation (2) and Algorithm 2. */
export class Mamba1Step implements StepMixer {
  private readonly sizes: DerivedSizes;
  private readonly d_state: number;
  private readonly inProj: Panels; // [2 d_inner, D]
  private readonly taps: Float32Array; // [K, d_inner]
  private readonly convBias: Float32Array;
  private readonly xProj: Panels; // [dt_rank + 2 d_state, d_inner]
  private readonly dtProj: Panels; // [d_inner, dt_rank]
  private readonly dtBias: Float32Array;
  private readonly A: Float32Array; // -exp(A_log): [d_inner, d_state]
  private readonly D: Float32Array;
  private readonly outProj: Panels; // [D, d_inner]
  // Scratch, reused by every step.
  private readonly projected: Float32Array; // x, z: [2 d_inner]
  private readonly x: Float32Array; // after convolution and SiLU: [d_inner]
  private readonly selected: Float32Array; // dt_rank numbers, B, C
  private readonly dt: Float32Array; // [d_inner]
  private readonly y: Float32Array; // [d_inner]

  constructor(config: MambaConfig, get: (name: string) => Float32Array) {
    this.sizes = derivedSizes(config);
    const { d_inner, dt_rank, d_in_proj } = this.sizes;
    const { d_state, d_conv } = config.ssm_cfg;
    this.d_state = d_state;
    this.inProj = pack(get('in_proj.weight'), d_in_proj, config.d_model);
    this.taps = tapsFirst(get('conv1d.weight'), d_conv);
    this.convBias = get('conv1d.bias');
    this.xProj = pack(get('x_proj.weight'), dt_rank + 2 * d_state, d_inner);
    this.dtProj = pack(get('dt_proj.weight'), d_inner, dt_rank);
    this.dtBias = get('dt_proj.bias');
    this.A = get('A_log').map((v) => -Math.exp(v));
    this.D = get('D');
    this.outProj = pack(get('out_proj.weight'), config.d_model, d_inner);
    const panels = (n: number) => new Float32Array(8 * Math.ceil(n / 8));
    this.projected = panels(d_in_proj);
    this.x = new Float32Array(d_inner);
    this.selected = panels(dt_rank + 2 * d_state);
    this.dt = panels(d_inner);
    this.y = new Float32Array(d_inner);
  }

  step(u: Float32Array, conv: Float32Array, ssm: Float32Array, out: Float32Array): void {
    const { d_inner: E, dt_rank: R } = this.sizes;
    const { d_state: N, projected, x, selected, dt, y, A } = this;
    matVec(this.inProj, u, projected, false);
    convolve(this.taps, this.convBias, conv, projected, 0, x);
    matVec(this.xProj, x, selected, false);
    matVec(this.dtProj, selected, dt, false);

    // h_t = exp(dt A) h_{t-1} + dt x_t B_t,  y_t = C_t . h_t + D x_t, gated by SiLU(z).
    for (let e = 0; e < E; e++) {
      const step = softplus(dt[e] + this.dtBias[e]);
      const input = step * x[e];
      let sum = this.D[e] * x[e];
      for (let n = 0, i = e * N; n < N; n++, i++) {
        const h = Math.exp(step * A[i]) * ssm[i] + input * selected[R + n];
        ssm[i] = h;
        sum += h * selected[R + N + n];
      }
      const z = projected[E + e];
      y[e] = sum * (z / (1 + Math.exp(-z)));
    }
    matVec(this.outProj, y, out, true);
  }

  look(into: LayerLook): void {
    const { d_inner: E, dt_rank: R } = this.sizes;
    const { d_state: N, projected, selected, dt, A } = this;
    for (let e = 0; e < E; e++) {
      const step = softplus(dt[e] + this.dtBias[e]);
      let kept = 0;
      for (let i = e * N; i < (e + 1) * N; i++) kept += Math.exp(step * A[i]);
      into.delta[e] = step;
      into.decay[e] = kept / N;
      const z = projected[E + e];
      into.gate[e] = z / (1 + Math.exp(-z));
    }
    into.B.set(selected.subarray(R, R + N));
    into.C.set(selected.subarray(R + N, R + 2 * N));
  }
}
