import { describe, expect, it } from 'vitest';
import type { Tensor } from '@tensorflow/tfjs';
import { Rng } from '../../../src/util';
import { agrees, available, backend, make, pairs, random, reason, shapes, tf } from './engines';

const binary: Record<string, (a: Tensor, b: Tensor) => Tensor> = {
  add: tf.add,
  sub: tf.sub,
  mul: tf.mul,
  maximum: tf.maximum,
  minimum: tf.minimum,
  squaredDifference: tf.squaredDifference,
};
const compare: Record<string, (a: Tensor, b: Tensor) => Tensor> = {
  less: tf.less,
  lessEqual: tf.lessEqual,
  greater: tf.greater,
  greaterEqual: tf.greaterEqual,
  equal: tf.equal,
  notEqual: tf.notEqual,
};
const unary: Record<string, (x: Tensor) => Tensor> = {
  exp: tf.exp,
  expm1: tf.expm1,
  sigmoid: tf.sigmoid,
  softplus: tf.softplus,
  tanh: tf.tanh,
  neg: tf.neg,
  square: tf.square,
  relu: tf.relu,
  relu6: tf.relu6,
  elu: tf.elu,
  selu: tf.selu,
  leakyRelu: (x) => tf.leakyRelu(x, 0.1),
  abs: tf.abs,
  sign: tf.sign,
  step: (x) => tf.step(x, 0.25),
  floor: tf.floor,
  ceil: tf.ceil,
  round: tf.round,
  erf: tf.erf,
  clipByValue: (x) => tf.clipByValue(x, -0.5, 1.25),
  reciprocal: tf.reciprocal,
  zerosLike: tf.zerosLike,
  onesLike: tf.onesLike,
};
const positive: Record<string, (x: Tensor) => Tensor> = {
  log: tf.log,
  log1p: tf.log1p,
  sqrt: tf.sqrt,
  rsqrt: tf.rsqrt,
};

describe.skipIf(!available)(`native elementwise kernels equal the cpu backend's${reason}`, () => {
  it.each(Object.keys(binary))('%s: float32, int32 and mixed, every broadcast', async (name) => {
    const rng = new Rng(1);
    for (const [a, b] of pairs) {
      await agrees(binary[name], [random(rng, a), random(rng, b)]);
      await agrees(binary[name], [random(rng, a, 'int32'), random(rng, b, 'int32')]);
      await agrees(binary[name], [random(rng, a), random(rng, b, 'int32')]);
    }
  });

  it('div: away from zero', async () => {
    const rng = new Rng(2);
    for (const [a, b] of pairs) await agrees(tf.div, [random(rng, a), random(rng, b, 'float32', 0.5, 2)]);
  });

  it.each(Object.keys(compare))('%s: floats with ties, integers', async (name) => {
    const rng = new Rng(3);
    for (const [a, b] of pairs) {
      const x = random(rng, a);
      const y = random(rng, b);
      for (const s of [x, y]) s.values = s.values.map((v) => Math.round(v));
      await agrees(compare[name], [x, y]);
      await agrees(compare[name], [random(rng, a, 'int32'), random(rng, b, 'int32')]);
    }
  });

  it('comparisons of integers that float32 cannot tell apart', async () => {
    const big = { shape: [3], dtype: 'int32' as const, values: [16777217, 5, 16777216] };
    const other = { shape: [3], dtype: 'int32' as const, values: [16777216, 5, 16777217] };
    for (const f of Object.values(compare)) await agrees(f, [big, other]);
  });

  it.each(Object.keys(unary))('%s', async (name) => {
    const rng = new Rng(4);
    for (const s of shapes) await agrees(unary[name], [random(rng, s)]);
  });

  it.each(Object.keys(positive))('%s of positive numbers', async (name) => {
    const rng = new Rng(5);
    for (const s of shapes) await agrees(positive[name], [random(rng, s, 'float32', 0.01, 3)]);
  });

  it('special values: infinities, NaN, zeros, subnormals', async () => {
    const values = [
      NaN,
      Infinity,
      -Infinity,
      0,
      -0,
      1e-40,
      -1e-40,
      3e38,
      -3e38,
      88.7,
      88.8,
      -87.4,
      -103.5,
      -104,
    ];
    const x = { shape: [values.length], dtype: 'float32' as const, values };
    await tf.setBackend('native');
    const at = (f: (t: Tensor) => Tensor) => Array.from(tf.tidy(() => f(make(x))).dataSync());
    expect(at(tf.exp).slice(0, 5)).toEqual([NaN, Infinity, 0, 1, 1]);
    expect(at(tf.exp)[8]).toBe(0);
    expect(at(tf.exp)[10]).toBe(Infinity);
    expect(at(tf.log).slice(0, 5)).toEqual([NaN, Infinity, NaN, -Infinity, -Infinity]);
    expect(at(tf.log)[5]).toBeCloseTo(Math.log(1e-40), 4);
    expect(at(tf.sigmoid).slice(0, 4)).toEqual([NaN, 1, 0, 0.5]);
    expect(at(tf.tanh).slice(0, 4)).toEqual([NaN, 1, -1, 0]);
    expect(at(tf.softplus).slice(0, 3)).toEqual([NaN, Infinity, 0]);
    expect(at(tf.softplus)[7]).toBe(Math.fround(3e38));
    expect(at((t) => tf.maximum(t, 1))[0]).toBeNaN();
    expect(at((t) => tf.minimum(tf.onesLike(t), t))[0]).toBeNaN();
    expect(at(tf.sign).slice(0, 5)).toEqual([0, 1, -1, 0, 0]);
  });

  it('exp, log, tanh, sigmoid, softplus, expm1, log1p, erf: within 1e-6 relative over their range', async () => {
    await tf.setBackend('native');
    const n = 40001;
    const check = (
      f: (t: Tensor) => Tensor,
      g: (x: number) => number,
      low: number,
      high: number,
      allowed = 1e-6,
    ) => {
      const x = Float32Array.from({ length: n }, (_, i) => low + ((high - low) * i) / (n - 1));
      const y = tf.tidy(() => f(tf.tensor1d(x))).dataSync();
      let worst = 0;
      for (let i = 0; i < n; i++) {
        const e = g(x[i]);
        worst = Math.max(worst, Math.abs(y[i] - e) / Math.max(Math.abs(e), 1e-30));
      }
      expect(worst).toBeLessThan(allowed);
    };
    check(tf.exp, Math.exp, -60, 60, 3e-7);
    check(tf.exp, Math.exp, -1, 1, 2e-7);
    check(tf.log, Math.log, 1e-3, 0.99);
    check(tf.log, Math.log, 1.01, 1e5, 3e-7);
    check(tf.tanh, Math.tanh, -5, 5, 4e-7);
    check(tf.tanh, Math.tanh, -1e-3, 1e-3, 4e-7);
    check(tf.sigmoid, (v) => 1 / (1 + Math.exp(-v)), -40, 40, 3e-7);
    check(tf.softplus, (v) => Math.log1p(Math.exp(v)), -30, 30, 4e-7);
    check(tf.expm1, Math.expm1, -8, 8, 4e-7);
    check(tf.expm1, Math.expm1, -1e-3, 1e-3, 3e-7);
    check(tf.log1p, Math.log1p, -0.9, 5, 6e-7);
    check(tf.log1p, Math.log1p, 1e-7, 1e-3, 3e-7);
  });

  it('cast between every pair of types', async () => {
    const rng = new Rng(6);
    for (const from of ['float32', 'int32', 'bool'] as const)
      for (const to of ['float32', 'int32', 'bool'] as const)
        for (const s of shapes) await agrees((x) => tf.cast(x, to), [random(rng, s, from)]);
    await agrees(
      (x) => tf.cast(x, 'int32'),
      [{ shape: [6], dtype: 'float32', values: [-1.9, 1.9, 3e9, -3e9, 1e20, 0] }],
    );
  });

  it('addN, where, fill', async () => {
    const rng = new Rng(7);
    for (const s of shapes) {
      const three = [random(rng, s), random(rng, s), random(rng, s)];
      await agrees((...t) => tf.addN(t), three);
      await agrees((c, t, e) => tf.where(c, t, e), [random(rng, s, 'bool'), three[0], three[1]]);
      await agrees(() => tf.fill(s, 2.5), []);
    }
  });

  it('int32 data in a float32 tensor (a cast that shares storage) into every kernel', async () => {
    await tf.setBackend('native');
    const ints = Int32Array.from([1, 2, 3, 4, 5, 6]);
    const wrapped = () => {
      const t = tf.tensor(ints, [2, 3], 'int32');
      const b = backend();
      b.incRef(t.dataId);
      return tf.engine().makeTensorFromDataId(t.dataId, [2, 3], 'float32', b);
    };
    const plain = () => tf.tensor([1, 2, 3, 4, 5, 6], [2, 3]);
    const ops: ((x: Tensor) => Tensor)[] = [
      ...Object.values(unary),
      ...Object.values(positive),
      (x) => tf.add(x, x),
      (x) => tf.mul(x, 2),
      (x) => tf.greater(x, 2),
      (x) => tf.matMul(x as never, x as never, false, true),
      (x) => tf.sum(x, 0),
      (x) => tf.mean(x),
      (x) => tf.max(x, 1),
      (x) => tf.argMax(x, 1),
      (x) => tf.softmax(x),
      (x) => tf.logSoftmax(x),
      (x) => tf.cumsum(x, 1),
      (x) => tf.transpose(x),
      (x) => tf.slice(x, [0, 1], [2, 2]),
      (x) => tf.concat([x, x], 1),
      (x) => tf.stack([x, x]),
      (x) =>
        tf.pad(
          x as never,
          [
            [1, 0],
            [0, 2],
          ] as never,
        ),
      (x) => tf.tile(x, [2, 2]),
      (x) => tf.reverse(x, 1),
      (x) => tf.gather(x, [1, 0]),
      (x) => tf.unsortedSegmentSum(x, tf.tensor1d([1, 0], 'int32'), 2),
      (x) => tf.addN([x, x]),
      (x) => tf.where(tf.greater(x, 2), x, x),
      (x) => tf.cast(x, 'int32'),
      (x) => tf.stridedSlice(x, [0, 0], [2, 3], [1, 2]),
    ];
    for (const op of ops)
      expect(Array.from(tf.tidy(() => op(wrapped())).dataSync())).toEqual(
        Array.from(tf.tidy(() => op(plain())).dataSync()),
      );
    expect(Array.from(ints)).toEqual([1, 2, 3, 4, 5, 6]);
  });
});
