import { describe, expect, it } from 'vitest';
import type { Tensor, Tensor1D, Tensor2D, Tensor3D, Tensor4D } from '@tensorflow/tfjs';
import { causalConv1d } from '../../../src/tensor';
import { Rng } from '../../../src/util';
import { agrees, available, backend, random, reason, tf, type Spec } from './engines';

type Padding =
  'same' | 'valid' | number | [[number, number], [number, number], [number, number], [number, number]];

interface Shape {
  x: [number, number, number, number];
  kernel: [number, number];
  strides: [number, number];
  dilations: [number, number];
  pad: Padding;
}

const from = (rng: Rng, low: number, high: number) => low + rng.int(high - low + 1);

/** Batch 1 to 3, 1 to 17 channels, sides up to 14, strides 1 to 3 or dilations 1 to 2, every kind of padding. */
function randomShape(rng: Rng): Shape {
  const kernel: [number, number] = [from(rng, 1, 4), from(rng, 1, 4)];
  const dilated = rng.int(3) === 0;
  const dilations: [number, number] = dilated ? [from(rng, 1, 2), from(rng, 1, 2)] : [1, 1];
  const strides: [number, number] = dilated ? [1, 1] : [from(rng, 1, 3), from(rng, 1, 3)];
  const pads: Padding[] = [
    'same',
    'valid',
    rng.int(3),
    [
      [0, 0],
      [rng.int(3), rng.int(3)],
      [rng.int(3), rng.int(3)],
      [0, 0],
    ],
  ];
  const side = (k: number, d: number) => from(rng, (k - 1) * d + 1, 14);
  return {
    x: [from(rng, 1, 3), side(kernel[0], dilations[0]), side(kernel[1], dilations[1]), from(rng, 1, 17)],
    kernel,
    strides,
    dilations,
    pad: pads[rng.int(4)],
  };
}

const squares = (t: Tensor) => t.square().sum();

describe.skipIf(!available)(`native convolutions of random shapes equal the cpu backend's${reason}`, () => {
  it('conv2d and both gradients', async () => {
    const rng = new Rng(41);
    for (let i = 0; i < 40; i++) {
      const s = randomShape(rng);
      const run = (x: Tensor, f: Tensor) =>
        tf.conv2d(x as Tensor4D, f as Tensor4D, s.strides, s.pad as number, 'NHWC', s.dilations);
      const specs = [
        random(rng, s.x, 'float32', -1, 1),
        random(rng, [...s.kernel, s.x[3], from(rng, 1, 40)], 'float32', -1, 1),
      ];
      await agrees(run, specs);
      // tfjs differentiates convolutions without dilation only.
      if (s.dilations.every((d) => d === 1))
        await agrees((x, f) => tf.grads((a: Tensor, b: Tensor) => squares(run(a, b)))([x, f]), specs);
    }
  });

  it('the gradient kernels with dilation', async () => {
    const rng = new Rng(42);
    for (let i = 0; i < 20; i++) {
      const s = randomShape(rng);
      const outC = from(rng, 1, 20);
      const filterShape = [...s.kernel, s.x[3], outC];
      const y = tf.tidy(
        () =>
          tf.conv2d(
            tf.zeros(s.x) as Tensor4D,
            tf.zeros(filterShape) as Tensor4D,
            s.strides,
            s.pad as number,
            'NHWC',
            s.dilations,
          ).shape,
      );
      const attrs = { strides: s.strides, pad: s.pad, dataFormat: 'NHWC', dilations: s.dilations };
      const kernel = (name: string, inputs: object, more: object) =>
        tf.engine().runKernel(name, inputs as never, { ...attrs, ...more } as never) as Tensor;
      const specs = [random(rng, s.x), random(rng, filterShape), random(rng, y)];
      // What the chain rule says, from the product with dy: both are linear in the other operand.
      await tf.setBackend('native');
      tf.tidy(() => {
        const [x, f, dy] = specs.map((p) => tf.tensor(p.values, p.shape));
        if (s.dilations.every((d) => d === 1)) return;
        const out = tf.conv2d(x as Tensor4D, f as Tensor4D, s.strides, s.pad as number, 'NHWC', s.dilations);
        const dot = (a: Tensor, b: Tensor) => tf.sum(tf.mul(a, b)).dataSync()[0];
        const whole = dot(out, dy);
        const scale = Math.max(1, tf.sum(tf.abs(tf.mul(out, dy))).dataSync()[0]);
        const dx = kernel('Conv2DBackpropInput', { dy, filter: f }, { inputShape: s.x });
        const df = kernel('Conv2DBackpropFilter', { x, dy }, { filterShape });
        expect(Math.abs(dot(dx, x) - whole) / scale).toBeLessThan(1e-5);
        expect(Math.abs(dot(df, f) - whole) / scale).toBeLessThan(1e-5);
      });
    }
  });

  it('large enough for several blocks of rows, columns and depth', async () => {
    const rng = new Rng(43);
    for (const [x, f, strides] of [
      [[1, 18, 19, 40], [3, 3, 40, 70], 1],
      [[1, 22, 23, 17], [4, 4, 17, 33], 2],
      [[1, 1, 300, 64], [1, 5, 64, 48], 1],
      [[2, 3, 3, 300], [3, 3, 300, 48], 1],
      [[3, 28, 28, 1], [5, 5, 1, 16], 1],
    ] as [number[], number[], number][]) {
      const specs = [random(rng, x, 'float32', -1, 1), random(rng, f, 'float32', -1, 1)];
      const run = (a: Tensor, b: Tensor) => tf.conv2d(a as Tensor4D, b as Tensor4D, strides, 'same');
      await agrees(run, specs);
      await agrees((a, b) => tf.grads((p: Tensor, q: Tensor) => run(p, q).sum())([a, b]), specs);
    }
  });

  it('depthwiseConv2d, multipliers 1 to 3, and both gradients', async () => {
    const rng = new Rng(44);
    for (let i = 0; i < 40; i++) {
      const s = randomShape(rng);
      // tfjs wants equal strides in both directions here.
      s.strides[1] = s.strides[0];
      if (rng.int(4) === 0) s.x[3] = from(rng, 60, 80);
      const run = (x: Tensor, f: Tensor) =>
        tf.depthwiseConv2d(x as Tensor4D, f as Tensor4D, s.strides, s.pad as number, 'NHWC', s.dilations);
      const specs = [
        random(rng, s.x, 'float32', -1, 1),
        random(rng, [...s.kernel, s.x[3], from(rng, 1, 3)], 'float32', -1, 1),
      ];
      await agrees(run, specs);
      if (s.dilations.every((d) => d === 1))
        await agrees((x, f) => tf.grads((a: Tensor, b: Tensor) => squares(run(a, b)))([x, f]), specs);
    }
  });

  it('fused bias and every activation, ordinary and depthwise', async () => {
    const rng = new Rng(45);
    const activations = ['linear', 'relu', 'relu6', 'elu', 'leakyrelu', 'sigmoid', 'prelu'] as const;
    for (const activation of activations)
      for (const depthwise of [false, true])
        for (const alphaShape of [[5], [1, 1, 5], [6, 7, 5]]) {
          if (activation !== 'prelu' && alphaShape.length > 1) continue;
          await agrees(
            (x, filter, bias, alpha) =>
              (depthwise ? tf.fused.depthwiseConv2d : tf.fused.conv2d)({
                x: x as Tensor4D,
                filter: filter as Tensor4D,
                strides: 1,
                pad: 'same',
                bias,
                activation,
                preluActivationWeights: activation === 'prelu' ? alpha : undefined,
                leakyreluAlpha: 0.3,
              }),
            [
              random(rng, [2, 6, 7, 5], 'float32', -4, 4),
              random(rng, depthwise ? [3, 3, 5, 1] : [3, 3, 5, 5]),
              random(rng, [5]),
              random(rng, alphaShape),
            ],
          );
        }
  });

  it('channels first, integers and wrong shapes: as on the cpu backend', async () => {
    const rng = new Rng(46);
    const int = random(rng, [1, 5, 6, 3], 'int32');
    const f = random(rng, [3, 2, 3, 4]);
    // A cast keeps the integers' storage: the kernel has to convert.
    await agrees((x, w) => tf.conv2d(tf.cast(x, 'float32') as Tensor4D, w as Tensor4D, 1, 'same'), [int, f]);
    await agrees(
      (x, w) => tf.depthwiseConv2d(tf.cast(x, 'float32') as Tensor4D, w as Tensor4D, 1, 'valid'),
      [int, random(rng, [2, 2, 3, 2])],
    );
    await agrees((x) => tf.maxPool(x as Tensor4D, 2, 2, 'valid'), [int]);
    await agrees((x) => tf.maxPool(tf.cast(x, 'float32') as Tensor4D, 2, 1, 'same'), [int]);
    const messages: string[] = [];
    for (const engine of ['cpu', 'native']) {
      await tf.setBackend(engine);
      const message = (run: () => unknown) => {
        try {
          tf.tidy(() => void run());
          return 'no error';
        } catch (e) {
          return (e as Error).message;
        }
      };
      messages.push(
        [
          message(() => tf.conv2d(tf.ones([1, 4, 4, 3]), tf.ones([2, 2, 5, 1]), 1, 'same')),
          message(() => tf.maxPool(tf.ones([4, 4]) as unknown as Tensor3D, 2, 2, 'same')),
        ].join('\n'),
      );
    }
    expect(messages[0]).not.toContain('no error');
    expect(messages[1]).toBe(messages[0]);
  });

  it('refuses sizes that the arrays do not have', async () => {
    await tf.setBackend('native');
    const { addon } = backend();
    const x = new Float32Array(2 * 5 * 5 * 3);
    const filter = new Float32Array(3 * 3 * 3 * 4);
    const y = new Float32Array(2 * 5 * 5 * 4);
    const good = [2, 5, 5, 3, 5, 5, 4, 3, 3, 1, 1, 1, 1, 1, 1];
    const run = (change: Record<number, number>) => {
      const sizes = good.map((v, i) => change[i] ?? v);
      addon.params.set(sizes);
      addon.conv2d(0, x, filter, y, null);
    };
    expect(() => run({})).not.toThrow();
    expect(() => run({ 0: 3 })).toThrow(/elements/);
    expect(() => run({ 6: 5 })).toThrow(/elements/);
    expect(() => run({ 7: 4 })).toThrow(/elements/);
    expect(() => run({ 9: 0 })).toThrow(/at least 1/);
    expect(() => run({ 0: -1 })).toThrow(/negative/);
    expect(() => run({ 0: 2 ** 31 - 1, 1: 2 ** 31 - 1, 2: 2 ** 31 - 1 })).toThrow(/too many/);
    addon.params.set(good);
    expect(() => addon.conv2d(0, x, filter, y, new Float32Array(3))).toThrow(/elements/);
    expect(() => addon.conv2d(3, x, filter, y, null)).toThrow(/multiple/);
    expect(() => addon.conv2d(6, x, filter, y, null)).toThrow(/does not exist/);
    expect(() => addon.pool(1, x, y)).toThrow(/channels/);
    addon.params.set([1, 4, 8, 0]);
    expect(() => addon.causalConv(x, filter, filter, null, y)).toThrow(/bad sizes/);
    addon.params.set([1, 4, 8, 4]);
    expect(() => addon.causalConv(x, filter.subarray(0, 31), filter, null, y)).toThrow(/elements/);
  });

  it('pools of random shapes and their gradients', async () => {
    const rng = new Rng(47);
    for (let i = 0; i < 30; i++) {
      const s = randomShape(rng);
      if (rng.int(4) === 0) s.x[3] = from(rng, 60, 140);
      const pad = s.pad === 'same' || s.pad === 'valid' ? s.pad : 'same';
      const x = random(rng, s.x);
      x.values = x.values.map((v) => Math.round(2 * v)); // ties
      for (const name of ['maxPool', 'avgPool'] as const) {
        const run = (t: Tensor) => tf[name](t as Tensor4D, s.kernel, s.strides, pad);
        await agrees(run, [x]);
        await agrees((t) => tf.grad((a: Tensor) => squares(run(a)))(t), [x]);
      }
    }
  });

  it('causal convolutions of random shapes, packed and not, and their gradients', async () => {
    const rng = new Rng(48);
    for (let i = 0; i < 12; i++) {
      const [B, L, C] = [
        from(rng, 1, 3),
        from(rng, 1, 150),
        i % 4 === 0 ? from(rng, 60, 140) : from(rng, 1, 17),
      ];
      const K = rng.int(2) === 0 ? 4 : from(rng, 1, 5);
      const padded = L + K - 1;
      const segments: Spec = { shape: [B, padded], dtype: 'float32', values: [] };
      for (let b = 0; b < B; b++)
        for (let t = 0, s = 0; t < padded; t++) segments.values.push((s += rng.int(20) === 0 ? 1 : 0));
      const packed = rng.int(2) === 0;
      const run = (x: Tensor, w: Tensor, b: Tensor, s: Tensor) =>
        causalConv1d(tf, x as Tensor3D, w as Tensor2D, b as Tensor1D, packed ? (s as Tensor2D) : undefined);
      const specs = [random(rng, [B, padded, C]), random(rng, [K, C]), random(rng, [C]), segments];
      await agrees(run, specs);
      await agrees(
        (x, w, b, s) =>
          tf.grads((x2: Tensor, w2: Tensor, b2: Tensor) => squares(run(x2, w2, b2, s)))([x, w, b]),
        specs,
      );
    }
  });

  it('is the same bit for bit for every number of threads', async () => {
    await tf.setBackend('native');
    const { addon } = backend();
    const before = addon.threads();
    const rng = new Rng(49);
    const t = (shape: number[]) => tf.tensor(random(rng, shape).values, shape);
    const [x, f, d] = [t([3, 24, 25, 16]), t([3, 3, 16, 40]), t([3, 3, 16, 2])];
    const [u, w, b] = [t([2, 303, 40]), t([4, 40]), t([40])];
    const run = () =>
      tf.tidy(() =>
        [
          ...tf.grads((p: Tensor, q: Tensor) => squares(tf.conv2d(p as Tensor4D, q as Tensor4D, 1, 'same')))([
            x,
            f,
          ]),
          ...tf.grads((p: Tensor, q: Tensor) =>
            squares(tf.depthwiseConv2d(p as Tensor4D, q as Tensor4D, 2, 'same')),
          )([x, d]),
          tf.grad((p: Tensor) => squares(tf.maxPool(p as Tensor4D, 3, 2, 'same')))(x),
          ...tf.grads((p: Tensor, q: Tensor, r: Tensor) =>
            squares(causalConv1d(tf, p as Tensor3D, q as Tensor2D, r as Tensor1D)),
          )([u, w, b]),
        ].map((g) => Buffer.from(new Uint8Array(g.dataSync().slice().buffer)).toString('base64')),
      );
    const results = [1, 2, 3, 5].map((threads) => {
      addon.threads(threads);
      return run();
    });
    addon.threads(before);
    for (const r of results) expect(r).toEqual(results[0]);
  });

  it('every instruction set of this processor gives the same', async () => {
    await tf.setBackend('native');
    const { addon } = backend();
    const chosen = addon.isa();
    const sets = ['avx512', 'avx2', 'neon', 'scalar'].filter((name) => addon.isa(name));
    expect(sets.length).toBeGreaterThanOrEqual(1);
    try {
      for (const name of sets) {
        addon.isa(name);
        const rng = new Rng(50);
        const x = random(rng, [2, 9, 11, 19], 'float32', -1, 1);
        await agrees(
          (a, b) =>
            tf.grads((p: Tensor, q: Tensor) => squares(tf.conv2d(p as Tensor4D, q as Tensor4D, 2, 'same')))([
              a,
              b,
            ]),
          [x, random(rng, [3, 3, 19, 37], 'float32', -1, 1)],
        );
        await agrees(
          (a, b) =>
            tf.grads((p: Tensor, q: Tensor) =>
              squares(tf.maxPool(tf.depthwiseConv2d(p as Tensor4D, q as Tensor4D, 1, 'same'), 2, 2, 'same')),
            )([a, b]),
          [x, random(rng, [3, 3, 19, 2])],
        );
        await agrees(
          (a, b, c) =>
            tf.grads((p: Tensor, q: Tensor, r: Tensor) =>
              squares(causalConv1d(tf, p as Tensor3D, q as Tensor2D, r as Tensor1D)),
            )([a, b, c]),
          [random(rng, [2, 43, 37]), random(rng, [4, 37]), random(rng, [37])],
        );
      }
    } finally {
      addon.isa(chosen);
    }
  });
});
