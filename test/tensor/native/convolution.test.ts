import { describe, expect, it } from 'vitest';
import type { Tensor, Tensor2D, Tensor3D, Tensor4D } from '@tensorflow/tfjs';
import { causalConv1d } from '../../../src/tensor';
import { Rng } from '../../../src/util';
import { agrees, available, random, reason, tf } from './engines';

interface Case {
  x: [number, number, number, number];
  f: [number, number, number];
  strides: [number, number];
  pad: 'same' | 'valid' | number;
  dilations?: [number, number];
}

/** x [batch, height, width, channels], f [height, width, outChannels]. */
const cases: Case[] = [
  { x: [2, 7, 9, 3], f: [3, 3, 5], strides: [1, 1], pad: 'same' },
  { x: [1, 12, 11, 16], f: [3, 3, 33], strides: [1, 1], pad: 'valid' },
  { x: [2, 9, 9, 4], f: [3, 2, 7], strides: [2, 2], pad: 'same' },
  { x: [2, 10, 8, 3], f: [5, 4, 6], strides: [2, 1], pad: 'same' },
  { x: [1, 9, 9, 2], f: [3, 3, 3], strides: [2, 2], pad: 1 },
  { x: [3, 5, 5, 8], f: [1, 1, 20], strides: [1, 1], pad: 'valid' },
  { x: [1, 17, 19, 32], f: [3, 3, 32], strides: [1, 1], pad: 'same' },
];

const dilated: Case[] = [
  { x: [1, 13, 12, 4], f: [3, 3, 5], strides: [1, 1], pad: 'same', dilations: [2, 2] },
  { x: [2, 13, 12, 3], f: [2, 3, 5], strides: [1, 1], pad: 'valid', dilations: [1, 3] },
];

const filterOf = (c: Case) => [c.f[0], c.f[1], c.x[3], c.f[2]];

describe.skipIf(!available)(`native convolutions equal the cpu backend's${reason}`, () => {
  it('conv2d: strides, padding, dilation', async () => {
    const rng = new Rng(31);
    for (const c of [...cases, ...dilated])
      await agrees(
        (x, f) => tf.conv2d(x as Tensor4D, f as Tensor4D, c.strides, c.pad, 'NHWC', c.dilations ?? 1),
        [random(rng, c.x), random(rng, filterOf(c))],
      );
  });

  it('conv2d: gradients of image and filter', async () => {
    const rng = new Rng(32);
    for (const c of cases)
      await agrees(
        (x, f) =>
          tf.grads((a: Tensor, b: Tensor) =>
            tf
              .conv2d(a as Tensor4D, b as Tensor4D, c.strides, c.pad)
              .square()
              .sum(),
          )([x, f]),
        [random(rng, c.x, 'float32', -1, 1), random(rng, filterOf(c), 'float32', -1, 1)],
      );
  });

  it('depthwiseConv2d with multipliers, strides, dilation; gradients', async () => {
    const rng = new Rng(33);
    for (const c of [...cases.slice(0, 5), ...dilated])
      for (const multiplier of [1, 2]) {
        const filter = random(rng, [c.f[0], c.f[1], c.x[3], multiplier]);
        const run = (x: Tensor, f: Tensor) =>
          tf.depthwiseConv2d(x as Tensor4D, f as Tensor4D, c.strides, c.pad, 'NHWC', c.dilations ?? 1);
        await agrees(run, [random(rng, c.x), filter]);
        if (!c.dilations)
          await agrees(
            (x, f) => tf.grads((a: Tensor, b: Tensor) => run(a, b).square().sum())([x, f]),
            [random(rng, c.x, 'float32', -1, 1), filter],
          );
      }
    await agrees(
      (x, f) =>
        tf.grads((a: Tensor, b: Tensor) =>
          tf
            .depthwiseConv2d(a as Tensor4D, b as Tensor4D, 1, 'same')
            .square()
            .sum(),
        )([x, f]),
      [random(rng, [2, 16, 16, 40]), random(rng, [3, 3, 40, 1])],
    );
  });

  it('conv1d, conv2dTranspose, fused convolutions', async () => {
    const rng = new Rng(34);
    await agrees(
      (x, f) => tf.conv1d(x as Tensor3D, f as Tensor3D, 1, 'same'),
      [random(rng, [2, 19, 6]), random(rng, [4, 6, 8])],
    );
    await agrees(
      (x, f) => tf.conv2dTranspose(x as Tensor4D, f as Tensor4D, [2, 10, 12, 3], 2, 'same'),
      [random(rng, [2, 5, 6, 4]), random(rng, [3, 3, 3, 4])],
    );
    for (const activation of ['linear', 'relu', 'elu'] as const) {
      await agrees(
        (x, f, b) =>
          tf.fused.conv2d({
            x: x as Tensor4D,
            filter: f as Tensor4D,
            strides: 1,
            pad: 'same',
            bias: b,
            activation,
          }),
        [random(rng, [2, 6, 7, 3]), random(rng, [3, 3, 3, 4]), random(rng, [4])],
      );
      await agrees(
        (x, f, b) =>
          tf.fused.depthwiseConv2d({
            x: x as Tensor4D,
            filter: f as Tensor4D,
            strides: 1,
            pad: 'same',
            bias: b,
            activation,
          }),
        [random(rng, [2, 6, 7, 3]), random(rng, [3, 3, 3, 1]), random(rng, [3])],
      );
    }
  });

  it('pooling and its gradients', async () => {
    const rng = new Rng(35);
    for (const [size, stride, pad] of [
      [2, 2, 'valid'],
      [3, 2, 'same'],
      [3, 1, 'same'],
      [2, 3, 'same'],
    ] as const)
      for (const shape of [
        [2, 8, 9, 5],
        [1, 7, 7, 33],
      ])
        for (const name of ['maxPool', 'avgPool'] as const) {
          const f = (x: Tensor) => tf[name](x as Tensor4D, size, stride, pad);
          const x = random(rng, shape);
          if (name === 'maxPool') x.values = x.values.map((v) => Math.round(3 * v)); // ties
          await agrees(f, [x]);
          await agrees((t) => tf.grad((a: Tensor) => f(a).square().sum())(t), [x]);
        }
  });

  it('resizing and its gradients', async () => {
    const rng = new Rng(36);
    for (const size of [
      [7, 11],
      [3, 2],
      [10, 14],
      [1, 1],
    ] as [number, number][])
      for (const [align, half] of [
        [false, false],
        [true, false],
        [false, true],
      ])
        for (const name of ['resizeBilinear', 'resizeNearestNeighbor'] as const) {
          const f = (x: Tensor) => tf.image[name](x as Tensor4D, size, align, half);
          const x = random(rng, [1, 6, 6, 3]);
          await agrees(f, [random(rng, [1, 5, 7, 3])]);
          await agrees(f, [random(rng, [2, 5, 7, 17])]);
          if (!half) await agrees((t) => tf.grad((a: Tensor) => f(a).square().sum())(t), [x]);
        }
  });

  it('the causal convolution of a Mamba block, with and without packed sequences; gradients', async () => {
    const rng = new Rng(37);
    for (const [B, L, C, K] of [
      [1, 1, 1, 1],
      [2, 9, 5, 4],
      [3, 40, 48, 4],
      [1, 300, 70, 3],
    ]) {
      const padded = L + K - 1;
      const segments = { shape: [B, padded], dtype: 'float32' as const, values: [] as number[] };
      for (let b = 0; b < B; b++)
        for (let i = 0, s = 0; i < padded; i++) segments.values.push((s += rng.int(6) === 0 ? 1 : 0));
      const specs = [random(rng, [B, padded, C]), random(rng, [K, C]), random(rng, [C]), segments];
      for (const packed of [false, true]) {
        const f = (x: Tensor, w: Tensor, b: Tensor, s: Tensor) =>
          causalConv1d(tf, x as Tensor3D, w as Tensor2D, b as never, packed ? (s as Tensor2D) : undefined);
        await agrees(f, specs);
        await agrees(
          (x, w, b, s) =>
            tf.grads((x2: Tensor, w2: Tensor, b2: Tensor) => f(x2, w2, b2, s).square().sum())([x, w, b]),
          specs,
        );
      }
    }
  });

  it('layers models: the same training on cpu and native', async () => {
    const losses: number[][] = [];
    for (const engine of ['cpu', 'native']) {
      await tf.setBackend(engine);
      const initializer = (seed: number) => tf.initializers.glorotUniform({ seed });
      const model = tf.sequential({
        layers: [
          tf.layers.conv2d({
            inputShape: [8, 8, 2],
            filters: 6,
            kernelSize: 3,
            activation: 'relu',
            kernelInitializer: initializer(1),
          }),
          tf.layers.maxPooling2d({ poolSize: 2 }),
          tf.layers.reshape({ targetShape: [3, 18] }),
          tf.layers.gru({
            units: 7,
            kernelInitializer: initializer(2),
            recurrentInitializer: initializer(3),
          }),
          tf.layers.dense({ units: 3, activation: 'softmax', kernelInitializer: initializer(4) }),
        ],
      });
      model.compile({ optimizer: tf.train.sgd(0.5), loss: 'categoricalCrossentropy' });
      const x = tf.randomNormal([12, 8, 8, 2], 0, 1, 'float32', 5);
      const y = tf.oneHot(
        tf.tensor1d(
          Array.from({ length: 12 }, (_, i) => i % 3),
          'int32',
        ),
        3,
      );
      const run = await model.fit(x, y, { epochs: 6, batchSize: 12, verbose: 0, shuffle: false });
      losses.push(run.history['loss'] as number[]);
      model.dispose();
      tf.dispose([x, y]);
    }
    expect(losses[1]).toBeWithin(losses[0], 1e-4);
  });
});
