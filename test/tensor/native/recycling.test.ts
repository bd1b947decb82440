import { beforeAll, describe, expect, it } from 'vitest';
import type { Tensor, Tensor2D } from '@tensorflow/tfjs';
import { available, backend, reason, tf } from './engines';

const n = 64 * 64;

/** Fills the pool's buffers of the size under test with other numbers. */
function overwrite(): void {
  for (let i = 0; i < 8; i++)
    tf.tidy(() => {
      for (let k = 0; k < 4; k++) tf.fill([64, 64], 777).add(1);
    });
}

describe.skipIf(!available)(`native buffers are used again, and only when nobody looks${reason}`, () => {
  beforeAll(async () => {
    await tf.setBackend('native');
  });

  it('reuses the buffers of disposed tensors', () => {
    overwrite();
    const before = backend().poolMemory().reused;
    overwrite();
    expect(backend().poolMemory().reused).toBeGreaterThanOrEqual(before + 60);
  });

  it('a slice outlives its parent', () => {
    const parent = tf.fill([64, 64], 3).add(0) as Tensor2D;
    const slice = tf.slice(parent, [8, 0], [40, 64]);
    parent.dispose();
    overwrite();
    expect(slice.dataSync().every((v) => v === 3)).toBe(true);
    slice.dispose();
  });

  it('a parent outlives its slice, and parts of a split outlive each other', () => {
    const parent = tf.fill([64, 64], 4).add(0);
    tf.slice(parent, [8, 0], [40, 64]).dispose();
    overwrite();
    const [a, b] = tf.split(parent, 2, 0);
    parent.dispose();
    a.dispose();
    overwrite();
    expect(b.dataSync().every((v) => v === 4)).toBe(true);
    b.dispose();
  });

  it('a reshaped or cloned tensor outlives the original', () => {
    const original = tf.fill([64, 64], 5).add(0);
    const reshaped = original.reshape([n]);
    const cloned = original.clone();
    original.dispose();
    overwrite();
    expect(reshaped.dataSync().every((v) => v === 5)).toBe(true);
    reshaped.dispose();
    overwrite();
    expect(cloned.dataSync().every((v) => v === 5)).toBe(true);
    cloned.dispose();
  });

  it('dataSync() and data() outlive the tensor', async () => {
    const x = tf.fill([64, 64], 6).add(0);
    const seen = x.dataSync();
    x.dispose();
    overwrite();
    expect(seen.every((v) => v === 6)).toBe(true);
    const y = tf.fill([64, 64], 7).add(0);
    const later = await y.data();
    y.dispose();
    overwrite();
    expect(later.every((v) => v === 7)).toBe(true);
  });

  it('a view that was read keeps its whole buffer from coming back', () => {
    const parent = tf.fill([64, 64], 8).add(0);
    const part = tf.slice(parent, [8, 0], [40, 64]);
    const seen = part.dataSync();
    part.dispose();
    parent.dispose();
    overwrite();
    expect(seen.every((v) => v === 8)).toBe(true);
  });

  it("never writes a user's array", () => {
    const mine = new Float32Array(n).fill(9);
    const x = tf.tensor(mine, [64, 64]);
    const results = tf.tidy(() =>
      [tf.relu(x), tf.add(x, 1), tf.neg(x), tf.matMul(x as Tensor2D, x as Tensor2D)].map(tf.keep),
    );
    x.dispose();
    overwrite();
    expect(mine.every((v) => v === 9)).toBe(true);
    tf.dispose(results);
  });

  it('moving to another backend and back keeps the values', async () => {
    const x = tf.fill([64, 64], 10).add(0);
    await tf.setBackend('cpu');
    const sum = tf.sum(x);
    expect(sum.dataSync()[0]).toBe(10 * n);
    await tf.setBackend('native');
    overwrite();
    expect(tf.sum(x).dataSync()[0]).toBe(10 * n);
    tf.dispose([x, sum]);
  });

  it('complex tensors keep their parts', () => {
    const re = tf.fill([64, 64], 11).add(0);
    const z = tf.complex(re, re);
    re.dispose();
    overwrite();
    const parts = [tf.real(z), tf.imag(z)];
    z.dispose();
    overwrite();
    for (const p of parts) expect(p.dataSync().every((v) => v === 11)).toBe(true);
    tf.dispose(parts);
  });

  it('int32 cast to float32 and back, with the original gone', () => {
    const i = tf.cast(tf.fill([64, 64], 12).add(0.5), 'int32');
    const f = tf.cast(i, 'float32');
    i.dispose();
    overwrite();
    expect(f.dataSync().every((v) => v === 12)).toBe(true);
    f.dispose();
  });

  it('a gradient through everything is the same with the pool hot and cold', () => {
    const x = tf.randomNormal([64, 64], 0, 1, 'float32', 3) as Tensor2D;
    const w = tf.randomNormal([64, 64], 0, 1, 'float32', 4) as Tensor2D;
    const f = (a: Tensor, b: Tensor) => {
      const y = tf.matMul(a as Tensor2D, b as Tensor2D).sigmoid();
      const [p, q] = tf.split(y, 2, 1);
      return tf
        .concat([p.mul(q), tf.softmax(y).slice([0, 3], [64, 10])], 1)
        .cumsum(1)
        .square()
        .mean();
    };
    const run = () =>
      tf.tidy(() =>
        tf
          .grads(f)([x, w])
          .map((g) => Array.from(g.dataSync())),
      );
    backend().clearPool();
    const cold = run();
    for (let i = 0; i < 5; i++) expect(run()).toEqual(cold);
    tf.dispose([x, w]);
  });

  it('1,000 training steps hold the number of tensors and the memory constant', () => {
    const x = tf.randomNormal([48, 64], 0, 1, 'float32', 5);
    const y = tf.randomNormal([48, 8], 0, 1, 'float32', 6);
    const w1 = tf.variable(tf.randomNormal([64, 64], 0, 0.1, 'float32', 7));
    const w2 = tf.variable(tf.randomNormal([64, 8], 0, 0.1, 'float32', 8));
    const optimizer = tf.train.adam(1e-3);
    const step = () =>
      optimizer.minimize(() => tf.losses.meanSquaredError(y, x.matMul(w1).relu().matMul(w2)) as never);
    for (let i = 0; i < 100; i++) step();
    const tensors = tf.memory().numTensors;
    const before = backend().poolMemory();
    const rss = process.memoryUsage().rss;
    for (let i = 0; i < 1000; i++) step();
    const after = backend().poolMemory();
    expect(tf.memory().numTensors).toBe(tensors);
    expect(after.liveBytes).toBe(before.liveBytes);
    expect(after.freeBytes).toBeLessThanOrEqual(before.freeBytes + 65536);
    expect(process.memoryUsage().rss - rss).toBeLessThan(100e6);
    optimizer.dispose();
    tf.dispose([x, y, w1, w2]);
  });
});
