import type { Tensor } from '@tensorflow/tfjs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { useEngine } from '../../src/tensor';
import { engines } from './presentEngines';

const values = (t: Tensor) => t.dataSync() as Float32Array;

describe('useEngine', () => {
  const asked = process.env.NETSSM_ENGINE;
  afterEach(() => {
    if (asked === undefined) delete process.env.NETSSM_ENGINE;
    else process.env.NETSSM_ENGINE = asked;
  });

  it('gives a measured, active backend, the same one again, and no banner', async () => {
    const warn = vi.spyOn(console, 'warn');
    const wasm = await useEngine('wasm');
    expect(wasm.name).toBe('wasm');
    expect(wasm.tf.getBackend()).toBe('wasm');
    expect(wasm.gflops).toBeGreaterThan(0.5);
    const cpu = await useEngine('cpu');
    expect(cpu.tf.getBackend()).toBe('cpu');
    expect([...values(cpu.tf.tensor1d([1, 2]).add(1))]).toEqual([2, 3]);
    expect(cpu.gflops).toBeLessThan(wasm.gflops);
    expect(await useEngine('wasm')).toBe(wasm);
    expect(wasm.tf.getBackend()).toBe('wasm');
    expect(warn).not.toHaveBeenCalled();
  });

  it('auto follows NETSSM_ENGINE', async () => {
    process.env.NETSSM_ENGINE = 'cpu';
    expect((await useEngine()).name).toBe('cpu');
    process.env.NETSSM_ENGINE = 'abacus';
    await expect(useEngine()).rejects.toThrow('there is no engine "abacus"');
  });

  it('names what is missing where an engine asked for by name cannot run', async () => {
    // True on every machine without a CUDA device that tfjs-node-gpu can use.
    const answer = await useEngine('tensorflow').catch((error: Error) => error.message);
    if (typeof answer === 'string') expect(answer).toContain('the engine "tensorflow" cannot run: ');
    else expect(answer.name).toBe('tensorflow');
    await useEngine('wasm');
  });
});

describe.each(engines.filter((name) => name !== 'cpu'))(
  'kernels of the engine %s equal those of cpu',
  (own) => {
    type TF = Awaited<ReturnType<typeof useEngine>>['tf'];
    const x = (tf: TF, ...shape: number[]) =>
      tf.randomNormal(shape, 0, 1, 'float32', shape.length + shape[0]);
    const cases: [string, (tf: TF) => Tensor | Tensor[]][] = [
      ['matMul', (tf) => tf.matMul(x(tf, 5, 7) as never, x(tf, 7, 3))],
      ['matMul A^T B', (tf) => tf.matMul(x(tf, 7, 5) as never, x(tf, 7, 3), true)],
      ['matMul A B^T', (tf) => tf.matMul(x(tf, 5, 7) as never, x(tf, 3, 7), false, true)],
      ['matMul A^T B^T', (tf) => tf.matMul(x(tf, 7, 5) as never, x(tf, 3, 7), true, true)],
      ['matMul A^T B, wide A', (tf) => tf.matMul(x(tf, 70, 50) as never, x(tf, 70, 3), true)],
      ['matMul A B^T, tall B', (tf) => tf.matMul(x(tf, 2, 30) as never, x(tf, 90, 30), false, true)],
      ['matMul of batches', (tf) => tf.matMul(x(tf, 2, 3, 5, 7), x(tf, 2, 3, 7, 4))],
      ['matMul of batches A^T B', (tf) => tf.matMul(x(tf, 6, 7, 5), x(tf, 6, 7, 4), true)],
      ['matMul of batches A B^T', (tf) => tf.matMul(x(tf, 6, 5, 7), x(tf, 6, 4, 7), false, true)],
      ['matMul, one right side for all', (tf) => tf.matMul(x(tf, 6, 5, 7), x(tf, 1, 7, 4))],
      ['matMul, one left side for all', (tf) => tf.matMul(x(tf, 1, 5, 7), x(tf, 6, 7, 4))],
      // Broadcasting both ways is not here: cpu and wasm give too few values then.
      ['matMul, one right side for two batch axes', (tf) => tf.matMul(x(tf, 2, 3, 5, 7), x(tf, 1, 1, 7, 4))],
      ['slice of rows', (tf) => tf.slice(x(tf, 5, 4, 3), [1, 0, 0], [2, 4, 3])],
      ['slice inside', (tf) => tf.slice(x(tf, 5, 4, 3), [1, 2, 1], [3, 2, 2])],
      ['slice of long runs', (tf) => tf.slice(x(tf, 3, 4, 300), [0, 1, 0], [3, 2, 300])],
      ['slice of everything', (tf) => tf.slice(x(tf, 5, 4), [0, 0])],
      ['slice of int32', (tf) => tf.slice(tf.range(0, 20, 1, 'int32').reshape([4, 5]), [1, 1], [2, 3])],
      ['slice of a vector', (tf) => tf.slice(x(tf, 9), 2, 4)],
      ['split, last axis', (tf) => tf.split(x(tf, 3, 4, 9), [2, 3, 4], 2)],
      ['split, first axis', (tf) => tf.split(x(tf, 6, 4), 3, 0)],
      ['sum of all', (tf) => tf.sum(x(tf, 3, 4, 5))],
      ['sum over rows', (tf) => tf.sum(x(tf, 11, 5), 0)],
      ['sum over middle axes, kept', (tf) => tf.sum(x(tf, 3, 4, 2, 5), [1, 2], true)],
      ['sum over distant axes', (tf) => tf.sum(x(tf, 3, 4, 5), [0, 2])],
      ['sum over the last axis', (tf) => tf.sum(x(tf, 3, 4, 5), 2)],
      ['transpose 2d', (tf) => tf.transpose(x(tf, 37, 21))],
      ['transpose, last axis kept', (tf) => tf.transpose(x(tf, 2, 3, 4, 9), [0, 2, 1, 3])],
      ['transpose, short last axis kept', (tf) => tf.transpose(x(tf, 2, 3, 4, 2), [2, 1, 0, 3])],
      ['transpose, anything', (tf) => tf.transpose(x(tf, 2, 3, 4, 5), [3, 1, 0, 2])],
      [
        'gather gradient',
        (tf) =>
          tf.grad((t) =>
            tf
              .gather(t, tf.tensor1d([1, 1, 3], 'int32'))
              .square()
              .sum(),
          )(x(tf, 5, 4)),
      ],
      [
        'conv2d gradients',
        (tf) =>
          tf.grads((a, w) =>
            tf
              .conv2d(a as never, w as never, 1, 'same')
              .square()
              .sum(),
          )([x(tf, 1, 5, 5, 2), x(tf, 3, 3, 2, 4)]),
      ],
      ['einsum', (tf) => tf.einsum('bij,bjk->bik', x(tf, 2, 3, 4), x(tf, 2, 4, 5))],
      [
        'a tensor outlives its reshape, clone and cast',
        (tf) => {
          const a = x(tf, 4, 3).add(0);
          const [b, c, d] = [a.reshape([12]), a.clone(), a.cast('float32')];
          a.dispose();
          b.dispose();
          const sum = c.add(d);
          c.dispose();
          return [sum, d];
        },
      ],
    ];
    it.each(cases)('%s', async (_, run) => {
      const results: Tensor[][] = [];
      for (const name of ['cpu', own] as const) {
        const { tf } = await useEngine(name);
        results.push([run(tf)].flat());
      }
      const [expected, actual] = results;
      expect(actual.map((t) => t.shape)).toEqual(expected.map((t) => t.shape));
      actual.forEach((t, i) => expect(values(t)).toBeWithin(values(expected[i]), 1e-5));
    });

    it('leaves no memory behind in products of batches', async () => {
      const { tf } = await useEngine(own);
      const before = tf.memory();
      tf.tidy(() => tf.matMul(x(tf, 6, 7, 5), x(tf, 6, 4, 7), true, true).dataSync());
      expect(tf.memory().numTensors).toBe(before.numTensors);
      expect(tf.memory().numDataBuffers).toBe(before.numDataBuffers);
    });
  },
);
