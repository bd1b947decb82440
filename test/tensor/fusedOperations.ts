import type { Tensor, Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs';
import {
  causalConvSilu,
  crossEntropySum,
  embedding,
  gatedRmsNorm,
  linearParts,
  residualRmsNorm,
  type TF,
} from '../../src/tensor';
import { Rng } from '../../src/util';

type Doubles = Float64Array;

/** An operation: what it is given, what it should give in double precision, and how to call it. */
export interface Operation {
  kernels: string[];
  inputs: Record<string, { shape: number[]; values: Doubles }>;
  /** Outputs, then the gradients of sum(weight_i . output_i) for every input. */
  reference: Record<string, Doubles>;
  outputs: string[];
  weights: Doubles[];
  run(tf: TF, inputs: Record<string, Tensor>): Tensor[];
}

const sizeOf = (shape: number[]) => shape.reduce((a, b) => a * b, 1);
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const siluSlope = (x: number) => sigmoid(x) * (1 + x * (1 - sigmoid(x)));

function drawer(seed: number) {
  const rng = new Rng(seed);
  return {
    rng,
    numbers: (shape: number[], low = -2, high = 2) => ({
      shape,
      values: Float64Array.from({ length: sizeOf(shape) }, () =>
        Math.fround(low + (high - low) * rng.uniform()),
      ),
    }),
  };
}

/** Gradients of RMSNorm over parts of `width` numbers, in double. */
function normReference(v: Doubles, w: Doubles, dy: Doubles, width: number) {
  const y = new Float64Array(v.length);
  const dv = new Float64Array(v.length);
  const dw = new Float64Array(w.length);
  for (let at = 0; at < v.length; at += width) {
    let [squares, inner] = [0, 0];
    for (let i = at; i < at + width; i++) squares += v[i] * v[i];
    const r = 1 / Math.sqrt(squares / width + 1e-5);
    for (let i = at; i < at + width; i++) inner += (dy[i] * w[i % w.length] * v[i] * r) / width;
    for (let i = at; i < at + width; i++) {
      y[i] = v[i] * r * w[i % w.length];
      dv[i] = r * (dy[i] * w[i % w.length] - v[i] * r * inner);
      dw[i % w.length] += dy[i] * v[i] * r;
    }
  }
  return { y, dv, dw };
}

export function residual(rows: number, n: number, seed: number): Operation {
  const { numbers } = drawer(seed);
  const inputs = { x: numbers([rows, n]), y: numbers([rows, n]), weight: numbers([n]) };
  const [dSum, dy] = [numbers([rows, n]).values, numbers([rows, n]).values];
  const sum = inputs.x.values.map((x, i) => x + inputs.y.values[i]);
  const { y: normed, dv, dw } = normReference(sum, inputs.weight.values, dy, n);
  const dx = dv.map((d, i) => d + dSum[i]);
  return {
    kernels: ['ResidualRmsNorm'],
    inputs,
    reference: { sum, normed, dx, dy: dx, dweight: dw },
    outputs: ['sum', 'normed'],
    weights: [dSum, dy],
    run(tf, { x, y, weight }) {
      const { sum, normed } = residualRmsNorm(tf, x, y, weight as Tensor1D);
      return [sum, normed];
    },
  };
}

export function gated(
  B: number,
  L: number,
  n: number,
  groups: number,
  gate: boolean,
  seed: number,
): Operation {
  const { numbers } = drawer(seed);
  const shape = [B, L, n];
  const inputs = { x: numbers(shape), weight: numbers([n]), ...(gate ? { z: numbers(shape, -6, 6) } : {}) };
  const dy = numbers(shape).values;
  const z = inputs.z?.values;
  const v = inputs.x.values.map((x, i) => (z ? x * z[i] * sigmoid(z[i]) : x));
  const { y, dv, dw } = normReference(v, inputs.weight.values, dy, n / groups);
  const reference: Operation['reference'] = { y, dx: dv, dweight: dw };
  if (z) {
    reference.dx = dv.map((d, i) => d * z[i] * sigmoid(z[i]));
    reference.dz = dv.map((d, i) => d * inputs.x.values[i] * siluSlope(z[i]));
  }
  return {
    kernels: ['GatedRmsNorm'],
    inputs,
    reference,
    outputs: ['y'],
    weights: [dy],
    run: (tf, { x, weight, z }) => [gatedRmsNorm(tf, x, z, weight as Tensor1D, groups)],
  };
}

export function convolution(
  { B, L, C, K }: { B: number; L: number; C: number; K: number },
  { before, resets }: { before: boolean; resets: number },
  seed: number,
): Operation {
  const { numbers, rng } = drawer(seed);
  const inputs = {
    x: numbers([B, L, C]),
    weight: numbers([C, 1, K]),
    bias: numbers([C]),
    ...(before ? { before: numbers([B, K - 1, C]) } : {}),
  };
  const starts = Float64Array.from({ length: B * L }, () => Number(rng.uniform() < resets));
  const [dy, dState] = [numbers([B, L, C]).values, numbers([B, K - 1, C]).values];
  const [x, w, bias] = [inputs.x.values, inputs.weight.values, inputs.bias.values];
  const out: Operation['reference'] = {
    y: new Float64Array(B * L * C),
    state: new Float64Array(B * (K - 1) * C),
    dx: new Float64Array(x.length),
    dweight: new Float64Array(w.length),
    dbias: new Float64Array(C),
    dbefore: new Float64Array(B * (K - 1) * C),
  };
  for (let b = 0; b < B; b++) {
    /** Array, its gradient and place of input p; p may be before the first. */
    const place = (p: number, c: number): [Doubles | undefined, Doubles, number] =>
      p >= 0
        ? [x, out.dx, (b * L + p) * C + c]
        : [inputs.before?.values, out.dbefore, (b * (K - 1) + p + K - 1) * C + c];
    const seen = (p: number, t: number) => {
      for (let q = Math.max(0, p + 1); q <= t; q++) if (starts[b * L + q]) return false;
      return true;
    };
    for (let c = 0; c < C; c++) {
      for (let t = 0; t < L; t++) {
        let v = bias[c];
        const taps = Array.from({ length: K }, (_, k) => k).filter((k) => seen(t - (K - 1) + k, t));
        for (const k of taps) {
          const [from, , i] = place(t - (K - 1) + k, c);
          v += w[c * K + k] * (from ? from[i] : 0);
        }
        const at = (b * L + t) * C + c;
        out.y[at] = v * sigmoid(v);
        const d = dy[at] * siluSlope(v);
        out.dbias[c] += d;
        for (const k of taps) {
          const [from, gradient, i] = place(t - (K - 1) + k, c);
          out.dweight[c * K + k] += d * (from ? from[i] : 0);
          gradient[i] += d * w[c * K + k];
        }
      }
      for (let i = 0; i < K - 1; i++) {
        const p = L - (K - 1) + i;
        const [from, gradient, j] = place(p, c);
        const to = (b * (K - 1) + i) * C + c;
        if (!seen(p, L - 1)) continue;
        out.state[to] = from ? from[j] : 0;
        gradient[j] += dState[to];
      }
    }
  }
  if (!before) delete out.dbefore;
  return {
    kernels: ['CausalConvSilu'],
    inputs,
    reference: out,
    outputs: ['y', 'state'],
    weights: [dy, dState],
    run(tf, { x, weight, bias, before }) {
      const marks = resets > 0 ? tf.tensor2d(Float32Array.from(starts), [B, L]) : undefined;
      const { y, state } = causalConvSilu(tf, {
        x: x as Tensor3D,
        weight: weight as Tensor3D,
        bias: bias as Tensor1D,
        before: before as Tensor3D | undefined,
        starts: marks,
      });
      return [y, state];
    },
  };
}

export function loss(rows: number, V: number, seed: number): Operation {
  const { numbers, rng } = drawer(seed);
  const inputs = { logits: numbers([1, rows, V], -8, 8) };
  const targets = Int32Array.from({ length: rows }, () => rng.int(V));
  const mask = Float32Array.from({ length: rows }, () => [0, 1, 0.5][rng.int(3)]);
  const x = inputs.logits.values;
  const total = new Float64Array(1);
  const dx = new Float64Array(x.length);
  for (let r = 0; r < rows; r++) {
    const row = x.subarray(r * V, (r + 1) * V);
    const top = Math.max(...row);
    const Z = row.reduce((sum, v) => sum + Math.exp(v - top), 0);
    total[0] += mask[r] * (Math.log(Z) + top - row[targets[r]]);
    for (let j = 0; j < V; j++)
      dx[r * V + j] = 0.7 * mask[r] * (Math.exp(row[j] - top) / Z - Number(j === targets[r]));
  }
  return {
    kernels: ['TokenLoss'],
    inputs,
    reference: { loss: total, dlogits: dx },
    outputs: ['loss'],
    weights: [Float64Array.of(Math.fround(0.7))],
    run: (tf, { logits }) => [
      crossEntropySum(tf, logits, tf.tensor2d(targets, [1, rows], 'int32'), tf.tensor2d(mask, [1, rows])),
    ],
  };
}

export function parts(rows: number, n: number, sizes: number[], seed: number): Operation {
  const { numbers } = drawer(seed);
  const m = sizes.reduce((a, b) => a + b, 0);
  const inputs = { x: numbers([1, rows, n]), W: numbers([m, n]) };
  const weights = sizes.map((size) => numbers([1, rows, size]).values);
  const [x, W] = [inputs.x.values, inputs.W.values];
  const reference: Operation['reference'] = {};
  const [dx, dW] = [new Float64Array(x.length), new Float64Array(W.length)];
  let begin = 0;
  sizes.forEach((size, part) => {
    const y = (reference[`y${part}`] = new Float64Array(rows * size));
    for (let r = 0; r < rows; r++)
      for (let j = 0; j < size; j++) {
        const d = weights[part][r * size + j];
        for (let k = 0; k < n; k++) {
          const [i, w] = [r * n + k, (begin + j) * n + k];
          y[r * size + j] += x[i] * W[w];
          dx[i] += d * W[w];
          dW[w] += d * x[i];
        }
      }
    begin += size;
  });
  return {
    kernels: ['Linear'],
    inputs,
    reference: { ...reference, dx, dW },
    outputs: Object.keys(reference),
    weights,
    run: (tf, { x, W }) => linearParts(tf, x, W as Tensor2D, sizes),
  };
}

export function rowsOfTable(L: number, V: number, D: number, seed: number): Operation {
  const { numbers, rng } = drawer(seed);
  const inputs = { table: numbers([V, D]) };
  const ids = Int32Array.from({ length: 2 * L }, () => rng.int(V));
  const dy = numbers([2, L, D]).values;
  const y = Float64Array.from(dy, (_, i) => inputs.table.values[ids[Math.floor(i / D)] * D + (i % D)]);
  const dtable = new Float64Array(V * D);
  dy.forEach((d, i) => (dtable[ids[Math.floor(i / D)] * D + (i % D)] += d));
  return {
    kernels: ['Embedding'],
    inputs,
    reference: { y, dtable },
    outputs: ['y'],
    weights: [dy],
    run: (tf, { table }) => [embedding(tf, table as Tensor2D, tf.tensor2d(ids, [2, L], 'int32'))],
  };
}
