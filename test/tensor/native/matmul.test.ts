import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/util';
import { agrees, available, backend, random, reason, tf } from './engines';

/** [m, n, k]: single rows and columns, odd sizes, sizes around the tile and block borders, deep and shallow. */
const sizes = [
  [1, 1, 1],
  [1, 40, 300],
  [1, 300, 17],
  [40, 1, 33],
  [3, 5, 7],
  [8, 9, 65],
  [13, 31, 16],
  [14, 32, 256],
  [15, 33, 257],
  [29, 65, 513],
  [64, 64, 64],
  [70, 48, 100],
  [128, 128, 17],
  [200, 10, 3],
  [5, 200, 1],
];

describe.skipIf(!available)(`native matrix products equal the cpu backend's${reason}`, () => {
  it.each([
    [false, false],
    [false, true],
    [true, false],
    [true, true],
  ])('transposeA %s, transposeB %s', async (ta, tb) => {
    const rng = new Rng(21);
    for (const [m, n, k] of sizes)
      await agrees(
        (a, b) => tf.matMul(a, b, ta, tb),
        [random(rng, ta ? [k, m] : [m, k]), random(rng, tb ? [n, k] : [k, n])],
      );
  });

  it('batches: equal, one repeated, many small, few large', async () => {
    const rng = new Rng(22);
    for (const [a, b] of [
      [
        [3, 5, 7],
        [3, 7, 4],
      ],
      [
        [20, 9, 16],
        [20, 16, 33],
      ],
      [
        [5, 7],
        [3, 7, 4],
      ],
      [
        [3, 5, 7],
        [1, 7, 4],
      ],
      [
        [2, 3, 5, 7],
        [2, 3, 7, 4],
      ],
      [
        [2, 130, 70],
        [2, 70, 129],
      ],
      [
        [0, 3, 4],
        [0, 4, 2],
      ],
      [
        [2, 3, 0],
        [2, 0, 4],
      ],
    ]) {
      await agrees((x, y) => tf.matMul(x, y), [random(rng, a), random(rng, b)]);
      const flip = (s: number[]) => [...s.slice(0, -2), s[s.length - 1], s[s.length - 2]];
      await agrees((x, y) => tf.matMul(x, y, true, true), [random(rng, flip(a)), random(rng, flip(b))]);
    }
  });

  it('repeats both operands along different dimensions (which the cpu backend gets wrong)', async () => {
    await tf.setBackend('native');
    const rng = new Rng(23);
    const a = tf.tensor(random(rng, [2, 1, 3, 4]).values, [2, 1, 3, 4]);
    const b = tf.tensor(random(rng, [1, 5, 4, 2]).values, [1, 5, 4, 2]);
    const whole = tf.matMul(a, b);
    expect(whole.shape).toEqual([2, 5, 3, 2]);
    for (let i = 0; i < 2; i++)
      for (let j = 0; j < 5; j++)
        expect(tf.slice(whole, [i, j, 0, 0], [1, 1, 3, 2]).dataSync()).toBeWithin(
          tf.matMul(a.slice([i], [1]).reshape([3, 4]), b.slice([0, j], [1, 1]).reshape([4, 2])).dataSync(),
          1e-6,
        );
  });

  it('fused bias and activations', async () => {
    const rng = new Rng(24);
    for (const activation of ['linear', 'relu', 'relu6', 'elu', 'sigmoid', 'leakyrelu'] as const)
      for (const [m, n, k] of sizes.slice(4, 10))
        await agrees(
          (a, b, bias) =>
            tf.fused.matMul({
              a: a as never,
              b: b as never,
              bias,
              transposeA: false,
              transposeB: false,
              activation,
              leakyreluAlpha: 0.3,
            }),
          [random(rng, [m, k]), random(rng, [k, n]), random(rng, [n])],
        );
  });

  it('is the same bit for bit for every number of threads', async () => {
    await tf.setBackend('native');
    const { addon } = backend();
    const before = addon.threads();
    const rng = new Rng(25);
    const x = tf.tensor(random(rng, [300, 260]).values, [300, 260]);
    const run = () =>
      tf.tidy(() => {
        const y = tf.matMul(x, x, false, true);
        return [
          y,
          tf.sum(y),
          tf.sum(y, 0),
          tf.sum(y, 1),
          tf.softmax(y),
          tf.cumsum(y, 0),
          tf.matMul(x, x, true),
        ].map((t) => Buffer.from(new Uint8Array(t.dataSync().slice().buffer)).toString('base64'));
      });
    const results = [1, 2, 3, 5].map((threads) => {
      addon.threads(threads);
      return run();
    });
    addon.threads(before);
    for (const r of results) expect(r).toEqual(results[0]);
  });

  it('every instruction set of this processor gives the same products', async () => {
    await tf.setBackend('native');
    const { addon } = backend();
    const chosen = addon.isa();
    const rng = new Rng(26);
    const sets = ['avx512', 'avx2', 'neon', 'scalar'].filter((name) => addon.isa(name));
    expect(sets.length).toBeGreaterThanOrEqual(1);
    try {
      for (const name of sets) {
        for (const [m, n, k] of sizes) {
          expect(addon.isa(name)).toBe(true);
          await agrees((a, b) => tf.matMul(a, b), [random(rng, [m, k]), random(rng, [k, n])]);
          await agrees((a, b) => tf.matMul(a, b, true, true), [random(rng, [k, m]), random(rng, [n, k])]);
        }
        await agrees(
          (x) => [
            tf.exp(x),
            tf.tanh(x),
            tf.softplus(x),
            tf.sigmoid(x),
            tf.softmax(x),
            tf.sum(x, 0),
            tf.transpose(x),
          ],
          [random(rng, [37, 53])],
        );
        await agrees(
          (x) => [tf.log(x), tf.log1p(x), tf.expm1(x), tf.elu(x)],
          [random(rng, [37, 53], 'float32', 0.1, 5)],
        );
      }
    } finally {
      addon.isa(chosen);
    }
  });
});
