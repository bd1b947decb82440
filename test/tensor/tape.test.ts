import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Tensor } from '@tensorflow/tfjs';
import { peakBytes, useEngine, vectorJacobian, type TF } from '../../src/tensor';
import { engines } from './presentEngines';

describe.each(engines)('vectorJacobian on %s', (name) => {
  let tf: TF;
  let before = 0;
  beforeAll(async () => {
    tf = (await useEngine(name)).tf;
    before = tf.memory().numTensors;
  });
  afterEach(() => {
    tf.disposeVariables();
    expect(tf.memory().numTensors).toBe(before);
  });

  /** Two outputs that share work, one input used twice, one that nothing depends on. */
  function example(a: Tensor, b: Tensor): [Tensor, Tensor] {
    const shared = tf.tanh(tf.matMul(a as never, b as never));
    return [tf.sum(tf.mul(shared, shared), 1), tf.add(tf.exp(a), tf.sum(shared))];
  }

  it('gives what tf.grads gives for the weighted sum of the outputs', () => {
    const [a, b, unused] = [
      tf.tensor2d([0.1, -0.4, 0.7, 0.2], [2, 2]),
      tf.tensor2d([0.5, 0.3, -0.2, 0.9], [2, 2]),
      tf.scalar(3),
    ];
    const [g0, g1] = [tf.tensor1d([1.5, -0.5]), tf.tensor2d([1, 2, -3, 0.25], [2, 2])];
    const expected = tf.tidy(() => {
      const f = (x: Tensor, y: Tensor) => {
        const [p, q] = example(x, y);
        return tf.add(tf.sum(tf.mul(p, g0)), tf.sum(tf.mul(q, g1)));
      };
      return tf
        .grads(f)([a, b])
        .map((g) => Array.from(g.dataSync()));
    });
    const { outputs, gradients } = vectorJacobian(tf, () => {
      const [p, q] = example(a, b);
      return [{ output: p, gradient: g0 }, { output: q, gradient: g1 }, { output: tf.mul(p, 2) }];
    }, [a, b, unused]);
    expect(outputs.map((t) => t.shape)).toEqual([[2], [2, 2], [2]]);
    for (const i of [0, 1])
      gradients[i].dataSync().forEach((v, k) => expect(v).toBeCloseTo(expected[i][k], 5));
    expect(gradients[2].dataSync()[0]).toBe(0);
    const p = outputs[0].dataSync();
    outputs[2].dataSync().forEach((v, k) => expect(v).toBe(2 * p[k]));
    tf.dispose([a, b, unused, g0, g1, outputs, gradients]);
  });

  it('copes with gradient functions that hand back what they were given', () => {
    const x = tf.tensor1d([1, 2, 3]);
    const same = tf.customGrad((...args) => ({
      value: (args[0] as Tensor).clone(),
      gradFunc: (dy: Tensor) => dy,
    }));
    const { outputs, gradients } = vectorJacobian(tf, () => {
      const y = same(x);
      return [{ output: tf.sum(tf.add(tf.mul(y, y), y)), gradient: tf.scalar(1) }];
    }, [x]);
    expect(Array.from(gradients[0].dataSync())).toEqual([3, 5, 7]);
    tf.dispose([x, outputs, gradients]);
  });

  it('leaves nothing behind where the function throws', () => {
    const x = tf.scalar(2);
    expect(() =>
      vectorJacobian(tf, () => {
        tf.square(x);
        throw new Error('no');
      }, [x]),
    ).toThrow('no');
    const { outputs, gradients } = vectorJacobian(
      tf,
      () => [{ output: tf.square(x), gradient: tf.scalar(1) }],
      [x],
    );
    expect(gradients[0].dataSync()[0]).toBe(4);
    tf.dispose([x, outputs, gradients]);
  });

  it('holds little more than the tape while going back, unlike tf.grads', () => {
    const x = tf.ones([64, 256]);
    const array = 4 * x.size;
    const f = () => {
      let y: Tensor = x;
      for (let i = 0; i < 20; i++) y = tf.sin(y);
      return tf.sum(y);
    };
    const theirs = peakBytes(tf, () => tf.grad(f)(x).dispose());
    const ours = peakBytes(tf, () => {
      const { outputs, gradients } = vectorJacobian(tf, () => [{ output: f(), gradient: tf.scalar(1) }], [x]);
      tf.dispose([...outputs, ...gradients]);
    });
    // 19 results besides x; going back a gradient, the next one and the cosine between them, all sines still there.
    expect(ours / array).toBeGreaterThan(19);
    expect(ours / array).toBeLessThan(25);
    expect(theirs / array).toBeGreaterThan(39);
    tf.dispose(x);
  });
});
