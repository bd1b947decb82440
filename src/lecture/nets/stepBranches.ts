import { convolve, matVec, pack, tapsFirst, type Panels } from '../../model/stepMath';
import { GELU, rotation } from './attention';
import { mlpWidth, type FullNetConfig } from './config';

/** One branch of a block, a token at a time, with what it remembers. */
export interface BranchStep {
  /** out += branch(u). */
  step(u: Float32Array, out: Float32Array): void;
  stateBytes(): number;
  reset(): void;
}

type Get = (name: string) => Float32Array;

/** Arrays that a matrix product writes have whole panels of eight rows. */
const panels = (n: number): Float32Array => new Float32Array(8 * Math.ceil(n / 8));

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** The time-invariant block: the recurrence that `ltiScan` computes as a convolution. */
export class LtiStep implements BranchStep {
  private readonly E: number;
  private readonly N: number;
  private readonly inProj: Panels; // [2 E, D]
  private readonly outProj: Panels; // [D, E]
  private readonly taps: Float32Array; // [K, E]
  private readonly convBias: Float32Array;
  private readonly decay: Float32Array; // [E, N]
  private readonly input: Float32Array; // [E, N]
  private readonly C: Float32Array; // [E, N]
  private readonly D: Float32Array;
  // State.
  private readonly conv: Float32Array; // [K-1, E]
  private readonly h: Float32Array; // [E, N]
  // Scratch, reused by every step.
  private readonly projected: Float32Array; // x, z: [2 E]
  private readonly x: Float32Array; // [E]
  private readonly y: Float32Array; // [E]

  constructor({ d_model, expand, d_state: N, d_conv }: FullNetConfig, get: Get) {
    const E = expand * d_model;
    [this.E, this.N] = [E, N];
    this.inProj = pack(get('in_proj.weight'), 2 * E, d_model);
    this.outProj = pack(get('out_proj.weight'), d_model, E);
    this.taps = tapsFirst(get('conv1d.weight'), d_conv);
    this.convBias = get('conv1d.bias');
    const [logDt, aLog, B] = ['log_dt', 'A_log', 'B'].map(get);
    const A = aLog.map((v) => -Math.exp(v));
    this.decay = A.map((a, i) => Math.exp(Math.exp(logDt[Math.floor(i / N)]) * a));
    this.input = B.map((b, i) => ((this.decay[i] - 1) / A[i]) * b);
    this.C = get('C');
    this.D = get('D');
    this.conv = new Float32Array((d_conv - 1) * E);
    this.h = new Float32Array(E * N);
    this.projected = panels(2 * E);
    this.x = new Float32Array(E);
    this.y = new Float32Array(E);
  }

  step(u: Float32Array, out: Float32Array): void {
    const { E, N, projected, x, y, h, decay, input, C } = this;
    matVec(this.inProj, u, projected, false);
    convolve(this.taps, this.convBias, this.conv, projected, 0, x);
    for (let e = 0; e < E; e++) {
      let sum = this.D[e] * x[e];
      for (let n = 0, i = e * N; n < N; n++, i++) {
        h[i] = decay[i] * h[i] + input[i] * x[e];
        sum += h[i] * C[i];
      }
      const z = projected[E + e];
      y[e] = sum * z * sigmoid(z);
    }
    matVec(this.outProj, y, out, true);
  }

  stateBytes(): number {
    return this.conv.byteLength + this.h.byteLength;
  }

  reset(): void {
    this.conv.fill(0);
    this.h.fill(0);
  }
}

/** The GRU's three gates. */
export class GruStep implements BranchStep {
  private readonly H: number;
  private readonly kernel: Panels; // [3 H, D]
  private readonly gates: Panels; // [2 H, H]
  private readonly candidate: Panels; // [H, H]
  private readonly bias: Float32Array;
  private readonly outProj: Panels; // [D, H]
  private readonly h: Float32Array; // [H], the state
  // Scratch, reused by every step.
  private readonly projected: Float32Array; // [3 H]
  private readonly recurrent: Float32Array; // [2 H]
  private readonly reset_: Float32Array; // r h: [H]

  constructor({ d_model: D, d_hidden: H }: FullNetConfig, get: Get) {
    this.H = H;
    /** Columns from .. to of a [rows, 3 H] matrix as rows. */
    const turned = (W: Float32Array, rows: number, from: number, to: number) => {
      const value = (_: unknown, j: number) => W[(j % rows) * 3 * H + from + Math.floor(j / rows)];
      return pack(Float32Array.from({ length: (to - from) * rows }, value), to - from, rows);
    };
    this.kernel = turned(get('kernel'), D, 0, 3 * H);
    this.gates = turned(get('recurrent'), H, 0, 2 * H);
    this.candidate = turned(get('recurrent'), H, 2 * H, 3 * H);
    this.bias = get('bias');
    this.outProj = pack(get('out_proj.weight'), D, H);
    this.h = new Float32Array(H);
    this.projected = panels(3 * H);
    this.recurrent = panels(2 * H);
    this.reset_ = new Float32Array(H);
  }

  step(u: Float32Array, out: Float32Array): void {
    const { H, h, bias, projected, recurrent, reset_ } = this;
    matVec(this.kernel, u, projected, false);
    matVec(this.gates, h, recurrent, false);
    for (let i = 0; i < H; i++) {
      projected[i] = sigmoid(projected[i] + recurrent[i] + bias[i]); // z
      reset_[i] = sigmoid(projected[H + i] + recurrent[H + i] + bias[H + i]) * h[i]; // r h
    }
    matVec(this.candidate, reset_, recurrent, false);
    for (let i = 0; i < H; i++) {
      const c = Math.tanh(projected[2 * H + i] + recurrent[i] + bias[2 * H + i]);
      h[i] = c + projected[i] * (h[i] - c);
    }
    matVec(this.outProj, h, out, true);
  }

  stateBytes(): number {
    return this.h.byteLength;
  }

  reset(): void {
    this.h.fill(0);
  }
}

/** Causal attention with the keys and values of all tokens before. */
export class AttentionStep implements BranchStep {
  private readonly D: number;
  private readonly heads: number;
  private readonly inProj: Panels; // [3 D, D]
  private readonly outProj: Panels; // [D, D]
  // The cache: one row [D] a token.
  private keys: Float32Array;
  private values: Float32Array;
  private length = 0;
  // Scratch, reused by every step.
  private readonly projected: Float32Array; // q, k, v: [3 D]
  private readonly y: Float32Array; // [D]
  private weights = new Float32Array(64); // one a token

  constructor({ d_model: D, nheads }: FullNetConfig, get: Get) {
    [this.D, this.heads] = [D, nheads];
    this.inProj = pack(get('in_proj.weight'), 3 * D, D);
    this.outProj = pack(get('out_proj.weight'), D, D);
    this.keys = new Float32Array(64 * D);
    this.values = new Float32Array(64 * D);
    this.projected = panels(3 * D);
    this.y = new Float32Array(D);
  }

  step(u: Float32Array, out: Float32Array): void {
    const { D, heads, projected, y } = this;
    const P = D / heads;
    if (this.length === this.weights.length) this.grow();
    const { keys, values, weights } = this;
    matVec(this.inProj, u, projected, false);
    this.turn(0);
    this.turn(D);
    keys.set(projected.subarray(D, 2 * D), this.length * D);
    values.set(projected.subarray(2 * D, 3 * D), this.length * D);
    this.length++;
    const T = this.length;
    const scale = 1 / Math.sqrt(P);
    for (let head = 0; head < heads; head++) {
      const from = head * P;
      let highest = -Infinity;
      for (let t = 0; t < T; t++) {
        let score = 0;
        for (let p = from, k = t * D + from; p < from + P; p++, k++) score += projected[p] * keys[k];
        weights[t] = score * scale;
        if (weights[t] > highest) highest = weights[t];
      }
      let total = 0;
      for (let t = 0; t < T; t++) total += weights[t] = Math.exp(weights[t] - highest);
      y.fill(0, from, from + P);
      for (let t = 0; t < T; t++) {
        const weight = weights[t] / total;
        for (let p = from, v = t * D + from; p < from + P; p++, v++) y[p] += weight * values[v];
      }
    }
    matVec(this.outProj, y, out, true);
  }

  /** Turns the channel pairs of all heads of the vector at `from` by the position's angles. */
  private turn(from: number): void {
    const P = this.D / this.heads;
    for (let i = 0; i < P / 2; i++) {
      const angle = rotation(this.length, i, P);
      const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
      for (let a = from + i; a < from + this.D; a += P) {
        const [x, y] = [this.projected[a], this.projected[a + P / 2]];
        this.projected[a] = x * cos - y * sin;
        this.projected[a + P / 2] = x * sin + y * cos;
      }
    }
  }

  /** Room for twice as many tokens. */
  private grow(): void {
    const twice = (old: Float32Array) => {
      const array = new Float32Array(2 * old.length);
      array.set(old);
      return array;
    };
    this.keys = twice(this.keys);
    this.values = twice(this.values);
    this.weights = twice(this.weights);
  }

  /** Keys and values in use; the arrays have room for up to twice that. */
  stateBytes(): number {
    return 2 * 4 * this.length * this.D;
  }

  reset(): void {
    this.length = 0;
  }
}

/** The MLP: remembers nothing. */
export class MlpStep implements BranchStep {
  private readonly fc1: Panels; // [M, D]
  private readonly fc2: Panels; // [D, M]
  private readonly hidden: Float32Array; // [M]
  private readonly M: number;

  constructor(config: FullNetConfig, get: Get) {
    this.M = mlpWidth(config);
    this.fc1 = pack(get('fc1.weight'), this.M, config.d_model);
    this.fc2 = pack(get('fc2.weight'), config.d_model, this.M);
    this.hidden = panels(this.M);
  }

  step(u: Float32Array, out: Float32Array): void {
    const { M, hidden } = this;
    matVec(this.fc1, u, hidden, false);
    for (let i = 0; i < M; i++) hidden[i] *= sigmoid(GELU * hidden[i]);
    matVec(this.fc2, hidden, out, true);
  }

  stateBytes(): number {
    return 0;
  }

  reset(): void {}
}
