import { afterEach, describe, expect, it } from 'vitest';
import type { LayersModel, Scalar, Sequential, Tensor } from '@tensorflow/tfjs';
import { fusedLayers } from '../../../src/tensor/native';
import { Rng } from '../../../src/util';
import { available, random, reason, make, tf, type Spec } from './engines';

type Layer = ReturnType<typeof tf.layers.dense>;

const values = (t: Tensor) => Array.from(t.dataSync());

/** Runs `f` with tfjs's own code and with the fused one, on `native`. */
async function both<T>(f: () => T | Promise<T>): Promise<[T, T]> {
  await tf.setBackend('native');
  const results: T[] = [];
  for (const on of [false, true]) {
    fusedLayers(on);
    results.push(await f());
  }
  return results as [T, T];
}

/** Names of the kernels that `f` runs. */
async function kernels(f: () => unknown): Promise<string[]> {
  return (await tf.profile(f as () => Tensor)).kernels.map((k) => k.name);
}

/** The layer's outputs and the gradients for its inputs and all its weights, each output weighted by other numbers. */
function outputsAndGradients(layer: Layer, specs: Spec[], kwargs: object = {}): number[][] {
  return tf.tidy(() => {
    const inputs = specs.map(make);
    const apply = (list: Tensor[]) =>
      [
        list.length === 1
          ? layer.apply(list[0], kwargs)
          : layer.apply(list[0], { ...kwargs, initialState: list.slice(1) }),
      ].flat() as Tensor[];
    const outputs = apply(inputs);
    const rng = new Rng(7);
    const weights = outputs.map((t) => make(random(rng, t.shape)));
    const loss = (list: Tensor[]) =>
      tf.addN(apply(list).map((t, i) => tf.sum(tf.mul(t, weights[i])))) as Scalar;
    const dInputs = tf.grads((...list: Tensor[]) => loss(list))(inputs);
    const { grads } = tf.variableGrads(
      () => loss(inputs),
      layer.trainableWeights.map((w) => w.read() as never),
    );
    const byName = layer.trainableWeights.map((w) => grads[(w.read() as unknown as { name: string }).name]);
    return [...outputs, ...dInputs, ...byName].map(values);
  });
}

const makers = {
  lstm: (o: object) => tf.layers.lstm({ units: 5, ...o }),
  gru: (o: object) => tf.layers.gru({ units: 5, ...o }),
  simpleRNN: (o: object) => tf.layers.simpleRNN({ units: 5, ...o }),
} as Record<string, (o: object) => Layer>;

const states = { lstm: 2, gru: 1, simpleRNN: 1 } as Record<string, number>;

describe.skipIf(!available)(`fused layers and optimisers${reason}`, () => {
  afterEach(() => fusedLayers(true));

  describe.each(['lstm', 'gru', 'simpleRNN'])('%s', (kind) => {
    const options: [string, object, object?][] = [
      ['as it comes', {}],
      ['whole sequences', { returnSequences: true }],
      ['last states', { returnState: true }],
      ['whole sequences and last states', { returnSequences: true, returnState: true }],
      ['backwards', { goBackwards: true, returnSequences: true, returnState: true }],
      ['without bias', { useBias: false }],
      ['sigmoid gates', { recurrentActivation: 'sigmoid', returnSequences: true }],
      ['relu, tanh gates', { activation: 'relu', recurrentActivation: 'tanh' }],
      ['linear', { activation: 'linear' }],
      ['dropout outside training', { dropout: 0.5, recurrentDropout: 0.5 }],
      ['many units and rows', { units: 70, returnSequences: true }, { batch: 37, steps: 6, features: 19 }],
      // Two steps: tfjs itself cannot differentiate a sequence of one.
      ['one unit, row and feature', { units: 1, returnState: true }, { batch: 1, steps: 2, features: 1 }],
    ];
    it.each(options)('%s: outputs and all gradients as tfjs computes them', async (_, o, size = {}) => {
      const { batch, steps, features } = { batch: 3, steps: 7, features: 4, ...size };
      const layer = makers[kind]({
        recurrentInitializer: 'glorotUniform',
        biasInitializer: 'randomNormal',
        ...o,
      });
      const rng = new Rng(1);
      const x = random(rng, [batch, steps, features]);
      const [plain, fused] = await both(() => outputsAndGradients(layer, [x]));
      fused.forEach((v, i) => expect(v, `array ${i}`).toBeWithin(plain[i], 1e-5, 1e-6));
      expect(await kernels(() => layer.apply(make(x)))).toContain('FusedRecurrent');
      layer.dispose();
    });

    it('initial states, and their gradients', async () => {
      const layer = makers[kind]({ returnSequences: true, returnState: true });
      const rng = new Rng(2);
      const specs = [
        random(rng, [3, 4, 6]),
        ...Array.from({ length: states[kind] }, () => random(rng, [3, 5])),
      ];
      const [plain, fused] = await both(() => outputsAndGradients(layer, specs));
      fused.forEach((v, i) => expect(v, `array ${i}`).toBeWithin(plain[i], 1e-5, 1e-6));
      layer.dispose();
    });

    it.each([
      ['a mask', {}, { mask: () => tf.tensor2d([1, 1, 0, 1, 0, 0], [2, 3]) }],
      ['dropout in training', { dropout: 0.5 }, { training: true }],
      ['another activation', { activation: 'elu' }, {}],
      ['state between batches', { stateful: true, batchInputShape: [2, 3, 4] }, {}],
    ] as [string, object, { mask?: () => Tensor; training?: boolean }][])(
      '%s: tfjs takes it',
      async (_, o, kwargs) => {
        await tf.setBackend('native');
        const layer = makers[kind](o);
        const x = tf.ones([2, 3, 4]);
        const names = await kernels(() =>
          layer.apply(x, { ...kwargs, ...(kwargs.mask ? { mask: kwargs.mask() } : {}) } as never),
        );
        expect(names).not.toContain('FusedRecurrent');
        expect(names.length).toBeGreaterThan(10);
        layer.dispose();
      },
    );
  });

  it('a bidirectional layer walks both ways', async () => {
    const layer = tf.layers.bidirectional({
      layer: tf.layers.gru({ units: 4, returnSequences: true }) as never,
      mergeMode: 'concat',
    });
    const x = random(new Rng(3), [2, 5, 3]);
    const [plain, fused] = await both(() => outputsAndGradients(layer, [x]));
    fused.forEach((v, i) => expect(v, `array ${i}`).toBeWithin(plain[i], 1e-5, 1e-6));
    layer.dispose();
  });

  it.each([
    ['linear', [6, 3]],
    ['relu', [6, 3]],
    ['sigmoid', [40, 33]],
    ['tanh', [2, 5, 3]],
    ['softmax', [300, 70]],
    ['softmax', [2, 3, 4, 5]],
    ['elu', [6, 3]],
    [undefined, [1, 1]],
  ] as [undefined | 'relu', number[]][])('dense, %s, %j', async (activation, shape) => {
    for (const useBias of [true, false]) {
      const layer = tf.layers.dense({ units: 17, activation, useBias, biasInitializer: 'randomNormal' });
      const x = random(new Rng(4), shape);
      const [plain, fused] = await both(() => outputsAndGradients(layer, [x]));
      fused.forEach((v, i) => expect(v, `array ${i}`).toBeWithin(plain[i], 1e-5, 1e-6));
      if (activation !== ('elu' as never))
        expect(await kernels(() => layer.apply(make(x)))).toContain('FusedDense');
      layer.dispose();
    }
  });

  it('second derivatives still exist: a gradient penalty through dense and gru', async () => {
    const dense = tf.layers.dense({ units: 4, activation: 'tanh' });
    const gru = tf.layers.gru({ units: 3, recurrentActivation: 'sigmoid' });
    const x = random(new Rng(5), [2, 3, 4]);
    const [plain, fused] = await both(() =>
      tf.tidy(() => {
        const f = (t: Tensor) => tf.sum(gru.apply(dense.apply(t) as Tensor) as Tensor) as Scalar;
        return values(tf.grad((t) => tf.sum(tf.square(tf.grad(f)(t))))(make(x)));
      }),
    );
    expect(Math.max(...plain.map(Math.abs))).toBeGreaterThan(1e-3);
    expect(fused).toBeWithin(plain, 1e-5, 1e-6);
    dense.dispose();
    gru.dispose();
  });

  const optimizers = {
    sgd: () => tf.train.sgd(0.1),
    momentum: () => tf.train.momentum(0.1, 0.9),
    nesterov: () => tf.train.momentum(0.1, 0.9, true),
    rmsprop: () => tf.train.rmsprop(0.01, 0.9, 0.5),
    'rmsprop, centred': () => tf.train.rmsprop(0.01, 0.9, 0.5, 1e-4, true),
    adam: () => tf.train.adam(0.01),
  };

  it.each(Object.entries(optimizers))('%s: ten steps as tfjs computes them', async (_, optimizer) => {
    const rng = new Rng(6);
    // Away from zero, where the centred variance of rmsprop is negative and tfjs's answer NaN.
    const starts = [[300, 7], [], [5], [0]].map((s) => random(rng, s, 'float32', 1, 2));
    const factors = starts.map((s) => random(rng, s.shape, 'float32', 1, 2));
    const [plain, fused] = await both(() => {
      const variables = starts.map((s) => tf.variable(make(s)));
      const own = optimizer();
      const kept: { seen: Float32Array; copy: number[] }[] = [];
      for (let i = 0; i < 10; i++) {
        own.minimize(
          () => tf.addN(variables.map((v, k) => tf.sum(tf.mul(tf.square(v), make(factors[k]))))) as Scalar,
        );
        // What a caller has seen must not change under its hands, nor a clone.
        if (i === 4) {
          const seen = variables[0].dataSync() as Float32Array;
          kept.push({ seen, copy: [...seen] });
        }
      }
      const clone = variables[0].clone();
      const before = values(clone).slice();
      own.minimize(() => tf.sum(tf.square(variables[0])) as Scalar, false, [variables[0]]);
      expect(values(clone)).toEqual(before);
      for (const { seen, copy } of kept) expect([...seen]).toEqual(copy);
      const result = variables.map(values);
      tf.dispose([clone, ...variables]);
      own.dispose();
      return result;
    });
    fused.forEach((v, i) => expect(v, `variable ${i}`).toBeWithin(plain[i], 1e-5, 1e-6));
  });

  it("an optimiser's state moves between the two forms, weights saved and loaded", async () => {
    await tf.setBackend('native');
    const run = async (order: boolean[]) => {
      const v = tf.variable(tf.tensor1d([1, -2, 3]));
      let own = tf.train.adam(0.1);
      for (const on of order) {
        fusedLayers(on);
        own.minimize(() => tf.sum(tf.square(v)) as Scalar);
        const saved = await own.getWeights();
        const next = tf.train.adam(0.1);
        await next.setWeights(saved);
        own = next;
      }
      return values(v);
    };
    const plain = await run([false, false, false, false]);
    expect(await run([true, false, true, true])).toBeWithin(plain, 1e-6);
    expect(plain[0]).toBeCloseTo(0.6, 1);
  });

  type Loss = (target: Tensor, prediction: Tensor) => Tensor;
  const compiled = (loss: unknown): Loss => {
    const model = tf.sequential({ layers: [tf.layers.dense({ inputShape: [3], units: 4 })] });
    model.compile({ optimizer: 'sgd', loss: loss as string });
    return (model as unknown as { model: { lossFunctions: Loss[] } }).model.lossFunctions[0];
  };

  it.each([
    ['meanSquaredError', [6, 4]],
    ['meanSquaredError', [2, 3, 5]],
    ['categoricalCrossentropy', [6, 4]],
    ['categoricalCrossentropy', [50, 3, 70]],
  ])('the loss %s of %j, and its gradient', async (name, shape) => {
    const loss = compiled(name);
    const rng = new Rng(9);
    const [target, x, weight] = [
      random(rng, shape, 'float32', 0, 1),
      random(rng, shape, 'float32', 0, 1),
      random(rng, shape.slice(0, -1)),
    ];
    x.values[1] = 0; // below the 1e-7 that tfjs keeps probabilities away from 0
    const [plain, fused] = await both(() =>
      tf.tidy(() => {
        const f = (t: Tensor) => tf.sum(tf.mul(loss(make(target), t), make(weight))) as Scalar;
        return [loss(make(target), make(x)), tf.grad(f)(make(x))].map(values);
      }),
    );
    fused.forEach((v, i) => expect(v, `array ${i}`).toBeWithin(plain[i], 1e-5));
    expect(await kernels(() => loss(make(target), make(x)))).toEqual(['FusedLoss']);
    const ints = make({ ...target, dtype: 'int32', values: target.values.map(Math.round) });
    expect(await kernels(() => loss(ints, make(x)))).not.toContain('FusedLoss');
  });

  it("a loss of the user's own stays, whatever it is called", async () => {
    await tf.setBackend('native');
    const meanSquaredError = (a: Tensor, b: Tensor) => tf.mean(tf.abs(tf.sub(a, b)), -1);
    expect(compiled(meanSquaredError)).toBe(meanSquaredError);
  });

  const models: Record<string, () => Sequential> = {
    dense: () =>
      tf.sequential({
        layers: [
          tf.layers.dense({ inputShape: [12], units: 20, activation: 'relu' }),
          tf.layers.dense({ units: 10, activation: 'sigmoid' }),
          tf.layers.dense({ units: 4, activation: 'softmax' }),
        ],
      }),
    lstm: () =>
      tf.sequential({
        layers: [
          tf.layers.lstm({ inputShape: [6, 2], units: 16, returnSequences: true }),
          tf.layers.lstm({ units: 8 }),
          tf.layers.dense({ units: 4, activation: 'softmax' }),
        ],
      }),
    gru: () =>
      tf.sequential({
        layers: [
          tf.layers.gru({ inputShape: [6, 2], units: 16 }),
          tf.layers.dense({ units: 4, activation: 'softmax' }),
        ],
      }),
  };

  it.each(Object.keys(models))('ten training steps of a %s model, weights within 1e-4', async (name) => {
    const start = models[name]().getWeights().map(values);
    const rng = new Rng(8);
    const x = random(rng, name === 'dense' ? [30, 12] : [30, 6, 2]);
    const labels = Array.from({ length: 30 }, () => rng.int(4));
    const [plain, fused] = await both(async () => {
      const model: LayersModel = models[name]();
      model.setWeights(model.getWeights().map((w, i) => tf.tensor(start[i], w.shape)));
      model.compile({
        optimizer: tf.train.adam(0.01),
        loss: 'categoricalCrossentropy',
        metrics: ['accuracy'],
      });
      const y = tf.oneHot(tf.tensor1d(labels, 'int32'), 4).toFloat();
      const history = await model.fit(make(x), y, { epochs: 5, batchSize: 15, shuffle: false, verbose: 0 });
      return [...model.getWeights().map(values), history.history.loss as number[]];
    });
    fused.forEach((v, i) => expect(v, `array ${i}`).toBeWithin(plain[i], 1e-4));
  });

  it('leaves no tensors behind, and nothing patched twice', async () => {
    await tf.setBackend('native');
    const { installLayers } = await import('../../../src/tensor/native/layers');
    const method = tf.AdamOptimizer.prototype.applyGradients;
    installLayers(tf);
    expect(tf.AdamOptimizer.prototype.applyGradients).toBe(method);
    const model = models.lstm();
    model.compile({ optimizer: 'adam', loss: 'meanSquaredError' });
    const [x, y] = [tf.ones([4, 6, 2]), tf.ones([4, 4])];
    await model.trainOnBatch(x, y);
    const { numTensors, numDataBuffers } = tf.memory();
    for (let i = 0; i < 3; i++) await model.trainOnBatch(x, y);
    (model.predict(x) as Tensor).dispose();
    expect(tf.memory().numTensors).toBe(numTensors);
    expect(tf.memory().numDataBuffers).toBe(numDataBuffers);
  });

  it('other engines run tfjs as it is', async () => {
    await tf.setBackend('cpu');
    (tf.backend() as unknown as { firstUse: boolean }).firstUse = false; // tfjs's advertisement
    const layer = tf.layers.lstm({ units: 3 });
    expect(await kernels(() => layer.apply(tf.ones([2, 3, 4])))).not.toContain('FusedRecurrent');
    await tf.setBackend('native');
  });
});
