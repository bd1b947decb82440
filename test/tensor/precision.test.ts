import type { Tensor, Tensor2D } from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  linear,
  matMulBf16,
  roundBf16,
  useEngine,
  vectorJacobian,
  withPrecision,
  type TF,
} from '../../src/tensor';
import { loadNative, nativeFailure } from '../../src/tensor/native';
import { toBf16 } from '../../src/train';
import { Rng } from '../../src/util';
import { engines } from './presentEngines';

/** The nearest bfloat16s, from the bits. */
function rounded(x: Float32Array): Float32Array {
  const bits = Uint32Array.from(toBf16(x), (h) => h << 16);
  return new Float32Array(bits.buffer);
}

function random(rng: Rng, n: number): Float32Array {
  return Float32Array.from({ length: n }, () => rng.normal());
}

/** Largest difference to the product of rounded operands, in double, as a share of its largest entry. */
function error(
  [m, n, k]: number[],
  [ta, tb]: boolean[],
  a: Float32Array,
  b: Float32Array,
  c: ArrayLike<number>,
): number {
  const [A, B] = [rounded(a), rounded(b)];
  let [worst, largest] = [0, 0];
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let p = 0; p < k; p++) sum += A[ta ? p * m + i : i * k + p] * B[tb ? j * k + p : p * n + j];
      worst = Math.max(worst, Math.abs(sum - c[i * n + j]));
      largest = Math.max(largest, Math.abs(sum));
    }
  return worst / largest;
}

const transposed = [
  [false, false],
  [false, true],
  [true, false],
  [true, true],
];

describe.each(engines)('products with bfloat16 operands, engine %s', (name) => {
  let tf: TF;
  beforeAll(async () => {
    tf = (await useEngine(name)).tf;
  });

  it('rounds to nearest, ties to even', () => {
    const x = random(new Rng(1), 5000).map((v, i) => v * 10 ** ((i % 60) - 30));
    x.set([1, 1 + 2 ** -8, 1 + 3 * 2 ** -8, -1 - 2 ** -8, 0, 1 + 2 ** -8 + 2 ** -20]);
    const t = tf.tensor1d(x);
    expect(Array.from(roundBf16(tf, t).dataSync())).toEqual(Array.from(rounded(x)));
    t.dispose();
  });

  it.each(transposed)('is the product of the rounded operands (transposed %s, %s)', (ta, tb) => {
    const rng = new Rng(2);
    for (const [m, n, k] of [
      [3, 5, 7],
      [40, 33, 70],
      [1, 9, 65],
    ]) {
      const [a, b] = [random(rng, m * k), random(rng, k * n)];
      const [x, y] = [tf.tensor2d(a, ta ? [k, m] : [m, k]), tf.tensor2d(b, tb ? [n, k] : [k, n])];
      const z = matMulBf16(tf, x, y, ta, tb);
      expect(z.shape).toEqual([m, n]);
      expect(error([m, n, k], [ta, tb], a, b, z.dataSync())).toBeLessThan(2e-6);
      tf.dispose([x, y, z]);
    }
  });

  it('linear and its gradients take the precision asked for, and only then', () => {
    const rng = new Rng(3);
    const [rows, n, m] = [12, 20, 9];
    const [x, W, g] = [random(rng, rows * n), random(rng, m * n), random(rng, rows * m)];
    const [tx, tW, tg] = [tf.tensor2d(x, [rows, n]), tf.tensor2d(W, [m, n]), tf.tensor2d(g, [rows, m])];
    const run = () => vectorJacobian(tf, () => [{ output: linear(tf, tx, tW), gradient: tg }], [tx, tW]);
    const half = withPrecision('bf16', run);
    const values = (t: Tensor) => t.dataSync() as Float32Array;
    expect(error([rows, m, n], [false, true], x, W, values(half.outputs[0]))).toBeLessThan(2e-6);
    expect(error([rows, n, m], [false, false], g, W, values(half.gradients[0]))).toBeLessThan(2e-6);
    expect(error([m, n, rows], [true, false], g, x, values(half.gradients[1]))).toBeLessThan(2e-6);
    const full = run();
    const exact = values(tf.matMul(tx, tW, false, true));
    expect(values(full.outputs[0])).toEqual(exact);
    expect(error([rows, m, n], [false, true], x, W, values(full.outputs[0]))).toBeGreaterThan(1e-4);
    expect(() =>
      withPrecision('bf16', () => {
        throw new Error('stop');
      }),
    ).toThrow('stop');
    expect(values(linear(tf, tx, tW as Tensor2D))).toEqual(exact);
  });
});

const addon = await loadNative();

describe.skipIf(!addon)(
  `native kernels for bfloat16${addon ? '' : ` (skipped: ${nativeFailure()?.message})`}`,
  () => {
    const N = addon as NonNullable<typeof addon>;
    const highest = N?.gemmBf16Level();

    it.each([0, 1, 2])(
      'level %i (or the best below it): shapes around the borders of tiles, panels and blocks',
      (level) => {
        try {
          expect(N.gemmBf16Level(level)).toBe(Math.min(level, highest));
          const rng = new Rng(4);
          for (const [ta, tb] of transposed)
            for (const [m, n, k] of [
              [1, 1, 1],
              [16, 32, 32],
              [17, 33, 35],
              [33, 65, 513],
              [31, 1, 600],
              [1, 40, 1030],
              [160, 17, 64],
            ]) {
              const [a, b, c] = [random(rng, m * k), random(rng, k * n), new Float32Array(m * n).fill(NaN)];
              N.params.set([Number(ta), Number(tb), m, n, k, 1, 1, 1]);
              N.gemmBf16(a, b, c, null);
              expect(error([m, n, k], [ta, tb], a, b, c), `${[ta, tb, m, n, k]}`).toBeLessThan(3e-6);
            }
        } finally {
          N.gemmBf16Level(-1);
        }
      },
    );

    it('batches, repeated operands and a bias', () => {
      const rng = new Rng(5);
      const [batch, m, n, k] = [3, 18, 35, 40];
      const [a, b, bias] = [random(rng, batch * m * k), random(rng, k * n), random(rng, n)];
      const c = new Float32Array(batch * m * n);
      N.params.set([0, 0, m, n, k, batch, batch, 1]);
      N.gemmBf16(a, b, c, bias);
      for (let i = 0; i < batch; i++) {
        const own = c.slice(i * m * n, (i + 1) * m * n).map((v, at) => v - bias[at % n]);
        expect(error([m, n, k], [false, false], a.subarray(i * m * k), b, own)).toBeLessThan(3e-6);
      }
      N.params.set([0, 0, 4, 4, 4, 1, 1, 1]);
      expect(() => N.gemmBf16(new Float32Array(15), b, c, null)).toThrow(RangeError);
    });

    it('what is not a number stays so, infinity too', () => {
      for (const level of [0, 1, 2]) {
        N.gemmBf16Level(level);
        const c = new Float32Array(2);
        N.params.set([0, 0, 2, 1, 1, 1, 1, 1]);
        N.gemmBf16(new Float32Array([NaN, Infinity]), new Float32Array([2]), c, null);
        expect(Array.from(c)).toEqual([NaN, Infinity]);
      }
      N.gemmBf16Level(-1);
    });
  },
);
