import { describe, expect, it } from 'vitest';
import type { Tensor } from '@tensorflow/tfjs';
import { Rng } from '../../../src/util';
import { agrees, available, random, reason, shapes, tf } from './engines';

const ranked = shapes.filter((s) => s.length > 0);

describe.skipIf(!available)(`native layout and reduction kernels equal the cpu backend's${reason}`, () => {
  it.each(['sum', 'mean', 'max', 'min', 'prod'] as const)('%s over every set of axes', async (name) => {
    const rng = new Rng(11);
    for (const s of shapes.filter((t) => !t.includes(0))) {
      const x = random(rng, s, 'float32', 0.5, 1.5);
      if (name === 'prod') x.values = x.values.map((v) => 1 + (v - 1) / 100);
      const sets = Math.min(1 << s.length, 32);
      for (let bits = 0; bits < sets; bits++) {
        const axes = s.map((_, d) => d).filter((d) => bits & (1 << d));
        if (axes.length === 0 && s.length > 0) continue;
        await agrees((t) => tf[name](t, axes, bits % 2 === 1), [x]);
      }
      await agrees((t) => tf[name](t), [x]);
      await agrees((t) => tf[name](t), [random(rng, s, 'int32')]);
    }
  });

  it('sums of empty dimensions', async () => {
    for (const s of [[0], [3, 0, 2]])
      for (let axis = 0; axis < s.length; axis++)
        await agrees((t) => tf.sum(t, axis), [{ shape: s, dtype: 'float32', values: [] }]);
  });

  it('long rows and long columns: sums of a million numbers', async () => {
    const rng = new Rng(12);
    const x = random(rng, [3, 200_000]);
    await agrees((t) => tf.sum(t, 1), [x]);
    await agrees((t) => tf.sum(t, 0), [x]);
    await agrees((t) => tf.sum(t), [x]);
    const y = random(rng, [50_000, 7]);
    await agrees((t) => tf.sum(t, 0), [y]);
    await agrees((t) => tf.max(t, 0), [y]);
  });

  it('argMax, argMin with ties', async () => {
    const rng = new Rng(13);
    for (const s of ranked.filter((t) => !t.includes(0))) {
      const x = random(rng, s);
      x.values = x.values.map((v) => Math.round(2 * v));
      for (let axis = 0; axis < s.length; axis++) {
        await agrees((t) => tf.argMax(t, axis), [x]);
        await agrees((t) => tf.argMin(t, axis), [x]);
      }
    }
  });

  it('softmax, logSoftmax', async () => {
    const rng = new Rng(14);
    for (const s of ranked.filter((t) => !t.includes(0))) {
      await agrees((t) => tf.softmax(t), [random(rng, s, 'float32', -20, 20)]);
      await agrees((t) => tf.logSoftmax(t), [random(rng, s, 'float32', -20, 20)]);
    }
  });

  it('cumsum and cumprod, each axis, exclusive and reversed', async () => {
    const rng = new Rng(15);
    for (const s of ranked)
      for (let axis = 0; axis < s.length; axis++)
        for (const [exclusive, reverse] of [
          [false, false],
          [true, false],
          [false, true],
          [true, true],
        ]) {
          await agrees((t) => tf.cumsum(t, axis, exclusive, reverse), [random(rng, s)]);
          await agrees((t) => tf.cumprod(t, axis, exclusive, reverse), [random(rng, s, 'float32', 0.9, 1.1)]);
        }
  });

  it.each(['float32', 'int32', 'bool'] as const)(
    'transpose, slice, concat, stack, tile, reverse of %s',
    async (kind) => {
      const rng = new Rng(16);
      for (const s of shapes) {
        const x = random(rng, s, kind);
        const rank = s.length;
        const perms = permutations(rank).slice(0, 24);
        for (const perm of perms) await agrees((t) => tf.transpose(t, perm), [x]);
        const begin = s.map((n) => (n > 1 ? rng.int(n) : 0));
        const size = s.map((n, d) => (n === 0 ? 0 : 1 + rng.int(n - begin[d])));
        if (rank > 0) {
          await agrees((t) => tf.slice(t, begin, size), [x]);
          for (let axis = 0; axis < rank; axis++) {
            await agrees((a, b) => tf.concat([a, b, a], axis), [x, random(rng, s, kind)]);
            await agrees((t) => tf.reverse(t, axis), [x]);
            if (s[axis] > 1) await agrees((t) => tf.split(t, [1, s[axis] - 1], axis), [x]);
            if (s[axis] > 0 && s[axis] < 50) await agrees((t) => tf.unstack(t, axis), [x]);
          }
          if (s.reduce((a, b) => a * b, 1) < 5000)
            await agrees(
              (t) =>
                tf.tile(
                  t,
                  s.map((_, d) => 1 + (d % 3)),
                ),
              [x],
            );
        }
        for (let axis = 0; axis <= rank; axis++)
          await agrees((a, b) => tf.stack([a, b], axis), [x, random(rng, s, kind)]);
      }
    },
  );

  it('transposes of larger matrices, batches, heads', async () => {
    const rng = new Rng(17);
    await agrees((t) => tf.transpose(t), [random(rng, [131, 257])]);
    await agrees((t) => tf.transpose(t, [0, 2, 1]), [random(rng, [3, 65, 130])]);
    await agrees((t) => tf.transpose(t, [0, 2, 1, 3]), [random(rng, [2, 33, 5, 16])]);
    await agrees((t) => tf.transpose(t, [2, 0, 1]), [random(rng, [9, 17, 40])]);
    await agrees((t) => tf.transpose(t, [1, 2, 0]), [random(rng, [9, 17, 40])]);
  });

  it('pad, stridedSlice, expandDims, reshape, oneHot', async () => {
    const rng = new Rng(18);
    for (const kind of ['float32', 'int32'] as const) {
      await agrees((t) => tf.pad(t, [[2, 3]], 7), [random(rng, [5], kind)]);
      await agrees(
        (t) =>
          tf.pad(t, [
            [0, 0],
            [1, 2],
            [3, 0],
          ]),
        [random(rng, [2, 5, 3], kind)],
      );
      await agrees(
        (t) => tf.stridedSlice(t, [0, 1, 4], [2, 5, 0], [1, 2, -2]),
        [random(rng, [2, 5, 6], kind)],
      );
      await agrees((t) => tf.stridedSlice(t, [1], [2], [1], 0, 0, 0, 0, 1), [random(rng, [4, 3], kind)]);
      await agrees((t) => tf.reshape(tf.expandDims(t, 1), [-1, 2]), [random(rng, [4, 3], kind)]);
    }
    await agrees(
      (t) => tf.oneHot(t as never, 7),
      [{ shape: [2, 3], dtype: 'int32', values: [0, 6, -1, 7, 3, 3] }],
    );
    await agrees(
      (t) => tf.oneHot(t as never, 4, 5, -1, 'float32'),
      [{ shape: [3], dtype: 'int32', values: [0, 3, 2] }],
    );
  });

  it('gather over every axis, with batches; unsortedSegmentSum', async () => {
    const rng = new Rng(19);
    for (const s of [[7], [5, 6], [3, 4, 5], [2, 3, 4, 5]])
      for (const kind of ['float32', 'int32'] as const)
        for (let axis = 0; axis < s.length; axis++) {
          const ids = {
            shape: [2, 3],
            dtype: 'int32' as const,
            values: Array.from({ length: 6 }, () => rng.int(s[axis])),
          };
          await agrees((x, i) => tf.gather(x, i as never, axis), [random(rng, s, kind), ids]);
        }
    const ids = { shape: [3, 2], dtype: 'int32' as const, values: [0, 3, 1, 1, 2, 0] };
    await agrees((x, i) => tf.gather(x, i as never, 1, 1), [random(rng, [3, 4, 5]), ids]);
    await agrees((x, i) => tf.gather(x, i as never, 2, 1), [random(rng, [3, 5, 4]), ids]);
    for (const [n, inner, segments] of [
      [9, 4, 3],
      [500, 33, 20],
      [300, 600, 17],
    ]) {
      const segment = {
        shape: [n],
        dtype: 'int32' as const,
        values: Array.from({ length: n }, () => rng.int(segments)),
      };
      await agrees(
        (x, i) => tf.unsortedSegmentSum(x, i as never, segments),
        [random(rng, [n, inner]), segment],
      );
    }
  });

  it('wrong arguments raise JavaScript errors', async () => {
    await tf.setBackend('native');
    const x = tf.ones([2, 3]);
    expect(() => tf.gather(x, [5], 0)).toThrow(/index value 5/);
    expect(() => tf.matMul(x as never, x as never)).toThrow(/inner/i);
    expect(() => tf.add(x, tf.ones([4]))).toThrow(/broadcast/);
    expect(() => tf.transpose(x, [0, 0] as never)).toThrow();
    expect(() => tf.concat([x, tf.ones([3, 4])], 0)).toThrow(/concat/i);
    expect(() => tf.sum(x, 5)).toThrow(/axis/i);
  });

  it('scatter, top-k, sort and others still work by inheritance', async () => {
    const rng = new Rng(20);
    await agrees((t) => tf.topk(t, 3).values, [random(rng, [4, 9])]);
    await agrees((t) => tf.sin(t), [random(rng, [4, 9])]);
    await agrees((t) => tf.pow(t, 3), [random(rng, [4, 9])]);
    await agrees((t) => tf.mirrorPad(t, [[1, 1]], 'reflect'), [random(rng, [4])]);
    await agrees((t) => tf.depthToSpace(t as never, 2), [random(rng, [1, 2, 2, 8])]);
    await agrees((a, b) => tf.einsum('bij,bjk->bik', a, b), [random(rng, [2, 3, 4]), random(rng, [2, 4, 5])]);
    await agrees((t: Tensor) => tf.complex(t, t).mul(tf.complex(t, t)).abs(), [random(rng, [5])]);
  });
});

function permutations(n: number): number[][] {
  if (n === 0) return [[]];
  return permutations(n - 1).flatMap((p) =>
    Array.from({ length: n }, (_, i) => [...p.slice(0, i), n - 1, ...p.slice(i)]),
  );
}
