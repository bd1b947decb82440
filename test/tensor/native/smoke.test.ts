import { describe, expect, it } from 'vitest';
import * as tf from '@tensorflow/tfjs';
import { registerNative } from '../../../src/tensor/native';
const ok = await registerNative(tf);
describe('smoke', () => {
  it('runs', async () => {
    expect(ok).toBe(true);
    const f = () => {
      const x = tf.randomNormal([4, 33, 20], 0, 1, 'float32', 1) as any;
      const w = tf.randomNormal([20, 17], 0, 1, 'float32', 2);
      const g = tf.grads((x: any, w: any) => {
        const y = tf.reshape(tf.matMul(tf.reshape(x, [132, 20]), w), [4, 33, 17]);
        const z = tf.mul(tf.sigmoid(y), tf.softplus(tf.slice(y, [0, 0, 0], [4, 33, 1])));
        const t = tf.transpose(tf.concat([z, tf.exp(tf.neg(tf.square(y)))], 1), [0, 2, 1]);
        return tf.sum(tf.mul(tf.cumsum(t, 2), tf.softmax(t))).add(tf.mean(tf.logSoftmax(y)));
      })([x, w]);
      return g.map((t) => t.dataSync());
    };
    await tf.setBackend('cpu');
    const a = f();
    await tf.setBackend('native');
    const b = f();
    (expect(b[0]) as any).toBeWithin(a[0], 1e-5);
    (expect(b[1]) as any).toBeWithin(a[1], 1e-5);
  });
});
