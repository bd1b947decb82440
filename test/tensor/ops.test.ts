import type { Scalar, Tensor, Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  causalConv1d,
  crossEntropySum,
  embedding,
  hasKernel,
  linear,
  rmsNorm,
  silu,
  useEngine,
  type TF,
} from '../../src/tensor';
import { engines } from './presentEngines';

const values = (t: Tensor) => t.dataSync() as Float32Array;

describe.each(engines)('operations with gradients of their own, engine %s', (name) => {
  let tf: TF;
  beforeAll(async () => {
    tf = (await useEngine(name)).tf;
  });
  const x = (seed: number, ...shape: number[]) => tf.randomNormal(shape, 0, 1, 'float32', seed);

  /** Values and gradients of `ours` equal those of the plain formula, which tfjs differentiates itself. */
  function compare(
    inputs: Tensor[],
    ours: (...t: Tensor[]) => Tensor,
    plain: (...t: Tensor[]) => Tensor,
  ): void {
    const [a, b] = [ours, plain].map((f) => {
      const out = f(...inputs);
      const weights = x(99, ...out.shape); // a different weight for every output
      const grads = tf.grads((...t) => tf.sum(tf.mul(f(...t), weights)) as Scalar)(inputs);
      return [out, ...grads];
    });
    expect(a.map((t) => t.shape)).toEqual(b.map((t) => t.shape));
    a.forEach((t, i) => expect(values(t), i ? `gradient ${i - 1}` : 'value').toBeWithin(values(b[i]), 1e-5));
  }

  it('linear', () => {
    compare(
      [x(1, 2, 5, 3), x(2, 4, 3)],
      (u, W) => linear(tf, u, W as Tensor2D),
      (u, W) => tf.reshape(tf.matMul(tf.reshape(u, [10, 3]), tf.transpose(W)), [2, 5, 4]),
    );
  });

  it('silu', () => {
    compare(
      [x(3, 4, 5)],
      (u) => silu(tf, u),
      (u) => tf.mul(u, tf.sigmoid(u)),
    );
    // The ends of the range: no overflow.
    expect([...values(silu(tf, tf.tensor1d([-200, 0, 200])))].map((v) => v + 0)).toEqual([0, 0, 200]);
  });

  it('rmsNorm', () => {
    compare(
      [x(4, 6, 5), x(5, 5)],
      (u, w) => rmsNorm(tf, u as Tensor2D, w as Tensor1D),
      (u, w) => tf.mul(tf.div(u, tf.sqrt(tf.add(tf.mean(tf.square(u), 1, true), 1e-5))), w),
    );
  });

  it('embedding: rows, and a gradient that adds where an id repeats', () => {
    const ids = tf.tensor2d([3, 1, 1, 0], [2, 2], 'int32');
    const table = x(6, 4, 3) as Tensor2D;
    const out = embedding(tf, table, ids);
    expect([...values(out)]).toEqual(
      [3, 1, 1, 0].flatMap((id) => [...values(table)].slice(3 * id, 3 * id + 3)),
    );
    const dy = tf.range(0, 12).reshape([2, 2, 3]);
    const [g] = tf.grads((t) => tf.sum(tf.mul(embedding(tf, t as Tensor2D, ids), dy)))([table]);
    expect([...values(g)]).toEqual([9, 10, 11, 3 + 6, 4 + 7, 5 + 8, 0, 0, 0, 0, 1, 2]);
  });

  it('crossEntropySum, by hand and against log-softmax, stable for large logits', () => {
    const targets = tf.tensor1d([0, 2, 1], 'int32');
    const mask = tf.tensor1d([1, 0, 1]);
    const logits = tf.tensor2d([0, 0, 0, 5, 5, 5, 0, Math.log(2), 0], [3, 3]);
    expect(values(crossEntropySum(tf, logits, targets, mask))[0]).toBeCloseTo(Math.log(3) + Math.log(2), 6);
    compare(
      [x(7, 3, 5)],
      (u) => crossEntropySum(tf, u as Tensor2D, targets, mask),
      (u) => {
        const oneHot = tf.cast(tf.oneHot(targets, 5), 'float32');
        const logZ = tf.log(tf.sum(tf.exp(u), 1, true));
        return tf.neg(tf.sum(tf.mul(tf.mul(tf.sub(u, logZ), oneHot), tf.reshape(mask, [3, 1]))));
      },
    );
    const huge = tf.tensor2d([1e4, 0, -1e4], [1, 3]);
    expect(values(crossEntropySum(tf, huge, tf.tensor1d([1], 'int32'), tf.ones([1]) as Tensor1D))[0]).toBe(
      1e4,
    );
  });

  it.each([
    [4, false],
    [4, true],
    [3, true],
    [1, false],
    [2, false],
  ])('causalConv1d with %i taps, packed %s: kernel = chain of operations', (K, packed) => {
    expect(hasKernel(tf, 'CausalConv1d')).toBe(true);
    const [B, L, C] = [2, 9, 5];
    const numbers = [0, 0, 0, 1, 1, 2, 3, 3, 3, 1, 1, 1, 1, 1, 1, 2, 2, 2];
    const rows = [0, 1].map((b) => [...Array<number>(K - 1).fill(0), ...numbers.slice(b * L, b * L + L)]);
    const segments = packed ? tf.tensor2d(rows) : undefined;
    const plain = (u: Tensor, w: Tensor, bias: Tensor) => {
      let y: Tensor = bias;
      for (let k = 0; k < K; k++) {
        let part: Tensor = tf.mul(tf.slice(u, [0, k, 0], [B, L, C]), tf.slice(w, [k, 0], [1, C]));
        const same = rows.flatMap((row) =>
          row.slice(0, L).map((_, t) => Number(row[t + k] === row[t + K - 1])),
        );
        if (packed) part = tf.mul(part, tf.tensor(same, [B, L, 1]));
        y = tf.add(part, y);
      }
      return y;
    };
    const inputs = [x(8, B, K - 1 + L, C), x(9, K, C), x(10, C)];
    const conv = (u: Tensor, w: Tensor, bias: Tensor) =>
      causalConv1d(tf, u as Tensor3D, w as Tensor2D, bias as Tensor1D, segments);
    compare(inputs, conv, plain);
    // The same without the kernel, as an engine that has none runs it.
    const kernel = tf.getKernel('CausalConv1d', name);
    tf.unregisterKernel('CausalConv1d', name);
    try {
      expect(hasKernel(tf, 'CausalConv1d')).toBe(false);
      compare(inputs, conv, plain);
    } finally {
      tf.registerKernel(kernel);
    }
  });
});
