import type { Tensor, Tensor1D } from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { crossEntropySum, gatedRmsNorm, useEngine, type TF } from '../../src/tensor';
import { loadNative } from '../../src/tensor/native';
import { Rng } from '../../src/util';
import { convolution, gated, loss, parts, residual, rowsOfTable, type Operation } from './fusedOperations';
import { engines } from './presentEngines';

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
