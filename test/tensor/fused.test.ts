import type { Tensor, Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  causalConvSilu,
  crossEntropySum,
  embedding,
  gatedRmsNorm,
  linearParts,
  residualRmsNorm,
  useEngine,
  type TF,
} from '../../src/tensor';
import { loadNative } from '../../src/tensor/native';
import { Rng } from '../../src/util';
import { engines } from './presentEngines';

type Doubles = Float64Array;

/** An operation: what it is given, what it should give in double precision, and how to call it. */
interface Operation {
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

function residual(rows: number, n: number, seed: number): Operation {
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

function gated(B: number, L: number, n: number, groups: number, gate: boolean, seed: number): Operation {
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

function convolution(
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

function loss(rows: number, V: number, seed: number): Operation {
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

function parts(rows: number, n: number, sizes: number[], seed: number): Operation {
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

function rowsOfTable(L: number, V: number, D: number, seed: number): Operation {
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

/** Outputs and gradients of an operation on the active engine, by name. */
function results(tf: TF, op: Operation): Record<string, Float32Array> {
  return tf.tidy(() => {
    const names = Object.keys(op.inputs);
    const inputs = names.map((name) =>
      tf.tensor(Float32Array.from(op.inputs[name].values), op.inputs[name].shape),
    );
    const run = (...t: Tensor[]) => op.run(tf, Object.fromEntries(t.map((x, i) => [names[i], x])));
    const outputs = run(...inputs);
    const weights = outputs.map((out, i) => tf.tensor(Float32Array.from(op.weights[i]), out.shape));
    const objective = (...t: Tensor[]) =>
      tf.addN(run(...t).map((out, i) => tf.sum(tf.mul(out, weights[i])))) as never;
    const gradients = tf.grads(objective)(inputs);
    const found = [...outputs, ...gradients].map((t) => t.dataSync().slice() as Float32Array);
    return Object.fromEntries(
      [...op.outputs, ...names.map((name) => `d${name}`)].map((name, i) => [name, found[i]]),
    );
  });
}

/** Largest errors as shares of the largest reference value. */
function errors(found: Record<string, Float32Array>, { reference }: Operation): Record<string, number> {
  expect(Object.keys(found).sort()).toEqual(Object.keys(reference).sort());
  return Object.fromEntries(
    Object.entries(reference).map(([name, expected]) => {
      expect(found[name].length, name).toBe(expected.length);
      const scale = expected.reduce((most, v) => Math.max(most, Math.abs(v)), 1e-30);
      return [
        name,
        expected.reduce((worst, v, i) => Math.max(worst, Math.abs(v - found[name][i])), 0) / scale,
      ];
    }),
  );
}

const random = new Rng(77);
const below = (n: number) => 1 + random.int(n);
const OPERATIONS: Record<string, Operation[]> = {
  residualRmsNorm: [
    residual(1, 1, 1),
    residual(3, 17, 2),
    residual(200, 64, 3),
    ...[4, 5, 6].map((seed) => residual(below(150), below(300), seed)),
  ],
  gatedRmsNorm: [
    gated(1, 1, 1, 1, true, 1),
    gated(2, 1, 34, 2, true, 2),
    gated(1, 140, 48, 1, false, 3),
    ...[4, 5, 6, 7].map((seed) => gated(below(2), below(100), 3 * below(60), 3, seed % 2 === 0, seed)),
  ],
  causalConvSilu: [
    convolution({ B: 1, L: 1, C: 1, K: 4 }, { before: false, resets: 0 }, 1),
    convolution({ B: 2, L: 1, C: 19, K: 4 }, { before: true, resets: 0 }, 2),
    convolution({ B: 2, L: 2, C: 5, K: 4 }, { before: true, resets: 0.5 }, 3),
    convolution({ B: 1, L: 130, C: 40, K: 4 }, { before: true, resets: 0.05 }, 4),
    convolution({ B: 3, L: 67, C: 33, K: 4 }, { before: false, resets: 0.2 }, 5),
    convolution({ B: 2, L: 33, C: 16, K: 4 }, { before: true, resets: 1 }, 6),
    convolution({ B: 1, L: 70, C: 20, K: 2 }, { before: true, resets: 0.1 }, 7),
    convolution({ B: 2, L: 40, C: 7, K: 6 }, { before: true, resets: 0.1 }, 8),
    convolution({ B: 1, L: 9, C: 7, K: 1 }, { before: false, resets: 0.1 }, 9),
    ...[10, 11, 12, 13].map((seed) =>
      convolution(
        { B: below(3), L: below(150), C: below(70), K: 4 },
        { before: seed % 2 === 0, resets: [0, 0.02, 0.3][seed % 3] },
        seed,
      ),
    ),
  ],
  crossEntropySum: [
    loss(1, 2, 1),
    loss(1, 272, 2),
    loss(120, 33, 3),
    ...[4, 5].map((seed) => loss(below(100), below(300), seed)),
  ],
  linearParts: [
    parts(1, 1, [1], 1),
    parts(5, 9, [3, 1, 7], 2),
    parts(40, 33, [130, 150, 4], 3),
    parts(70, 20, [90], 4),
  ],
  embedding: [rowsOfTable(1, 2, 1, 1), rowsOfTable(37, 9, 20, 2), rowsOfTable(150, 40, 33, 3)],
};

const library = await loadNative();

describe.skipIf(!library)(`fused operations${library ? '' : ' (skipped: native is not available)'}`, () => {
  let tf: TF;
  beforeAll(async () => {
    tf = (await useEngine('native')).tf;
  });
  const threads = library?.threads() as number;
  afterAll(() => library?.threads(threads));

  /** The same without the fused kernel. */
  function composed(op: Operation): Record<string, Float32Array> {
    const taken = op.kernels.map((name) => tf.getKernel(name, 'native'));
    for (const { kernelName } of taken) tf.unregisterKernel(kernelName, 'native');
    try {
      return results(tf, op);
    } finally {
      for (const config of taken) tf.registerKernel(config);
    }
  }

  for (const [name, operations] of Object.entries(OPERATIONS)) {
    it(`${name}: against float64 no worse than twice the chain of operations`, () => {
      for (const op of operations) {
        for (const kernel of op.kernels) expect(tf.getKernel(kernel, 'native').kernelName).toBe(kernel);
        const shapes = JSON.stringify(Object.entries(op.inputs).map(([name, { shape }]) => [name, shape]));
        const theirs = errors(composed(op), op);
        // A few units in the last place are nobody's fault.
        for (const [part, error] of Object.entries(errors(results(tf, op), op)))
          expect(error, `${part} of ${shapes}: composed ${theirs[part]}`).toBeLessThanOrEqual(
            Math.max(2 * theirs[part], 5e-7),
          );
      }
    });
  }

  it('has the same bits with one thread and with two', () => {
    const larger: Operation[] = [
      residual(300, 96, 1),
      gated(1, 300, 96, 2, true, 2),
      convolution({ B: 2, L: 200, C: 40, K: 4 }, { before: true, resets: 0.02 }, 3),
      loss(200, 272, 4),
      parts(150, 40, [100, 160, 4], 5),
      rowsOfTable(400, 50, 64, 6),
    ];
    for (const op of larger) {
      library?.threads(1);
      const one = results(tf, op);
      library?.threads(2);
      const two = results(tf, op);
      for (const name of Object.keys(one))
        expect(Buffer.compare(Buffer.from(one[name].buffer), Buffer.from(two[name].buffer)), name).toBe(0);
    }
  });

  it('keeps nothing but what its gradient needs', () => {
    const kept = (run: () => Tensor[]) =>
      tf.tidy(() => {
        const before = tf.memory().numBytes;
        run();
        return tf.memory().numBytes - before;
      });
    const x = tf.ones([1, 50, 24]);
    const w = tf.ones([24]) as Tensor1D;
    const array = 4 * 50 * 24;
    expect(
      kept(
        () =>
          tf
            .engine()
            .runKernel('ResidualRmsNorm', { x, y: x, weight: w }, { epsilon: 1e-5 }) as unknown as Tensor[],
      ),
    ).toBe(2 * array + 4 * 50);
    expect(kept(() => [gatedRmsNorm(tf, x, x, w)])).toBe(array + 4 * 50);
    tf.dispose([x, w]);
  });

  it('refuses a target without a score, unless it does not count', () => {
    const logits = tf.zeros([3, 5]);
    const targets = tf.tensor1d([1, 5, -1], 'int32');
    const run = (mask: number[]) => crossEntropySum(tf, logits, targets, tf.tensor1d(mask)).dataSync()[0];
    expect(run([1, 0, 0])).toBeCloseTo(Math.log(5), 6);
    expect(() => run([1, 1, 0])).toThrow('loss: target 5 of row 1 is not in [0, 5)');
    tf.dispose([logits, targets]);
  });
});

describe.each(engines)('operations of a Mamba block, engine %s', (name) => {
  it('are what they say, within 1e-5', async () => {
    const { tf } = await useEngine(name);
    for (const operations of Object.values(OPERATIONS)) {
      // Not the first ones: a norm over one number has a gradient of next to nothing.
      for (const op of operations.slice(1, 5)) {
        for (const [part, error] of Object.entries(errors(results(tf, op), op)))
          expect(error, `${op.kernels[0]} ${part}`).toBeLessThanOrEqual(1e-5);
      }
    }
  });
});
