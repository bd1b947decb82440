import { beforeAll, describe, expect, it } from 'vitest';
import type { Tensor, Tensor3D } from '@tensorflow/tfjs';
import {
  countParameters,
  discretiseLti,
  equalParameters,
  fullConfig,
  initNet,
  ltiScan,
  makeNet,
  MIXERS,
  netOfWeights,
  netStepper,
  type MixerName,
  type NetConfig,
  type SequenceNet,
} from '../../src/lecture';
import { useEngine, vectorJacobian, type TF } from '../../src/tensor';
import { Rng } from '../../src/util';
import { engines } from '../tensor/presentEngines';

const SMALL: Record<MixerName, NetConfig> = {
  mamba1: { mixer: 'mamba1', vocab_size: 11, d_model: 16, n_layer: 2, d_state: 5 },
  mamba2: { mixer: 'mamba2', vocab_size: 11, d_model: 16, n_layer: 2, d_state: 5, nheads: 2 },
  lti: { mixer: 'lti', vocab_size: 11, d_model: 16, n_layer: 2, d_state: 5 },
  gru: { mixer: 'gru', vocab_size: 11, d_model: 16, n_layer: 2, d_hidden: 12 },
  attention: { mixer: 'attention', vocab_size: 11, d_model: 16, n_layer: 2, nheads: 2, mlp_ratio: 2 },
};

/** Weights with every tensor moved away from its special value, so that no term can go missing unseen. */
function livelyNet(tf: TF, config: NetConfig): SequenceNet {
  const weights = initNet(config, 3);
  const rng = new Rng(4);
  for (const { data } of Object.values(weights))
    for (let i = 0; i < data.length; i++) data[i] += 0.15 * rng.normal();
  return netOfWeights(tf, config, weights);
}

function tokensOf(tf: TF, B: number, L: number, V = 11) {
  const rng = new Rng(9);
  const ids = Int32Array.from({ length: B * L }, () => rng.int(V));
  return { ids, tensor: tf.tensor2d(ids, [B, L], 'int32') };
}

const values = (tensor: Tensor) => tensor.dataSync() as Float32Array;

describe.each(engines)('engine %s', (engine) => {
  let tf: TF;
  beforeAll(async () => {
    tf = (await useEngine(engine)).tf;
  });

  it.each(MIXERS)('%s: one token at a time equals all at once; nothing is seen before its time', (mixer) => {
    // More than a chunk of the constant state space, and than a cache's first room; less where that takes seconds.
    const [B, L] = [2, engine === 'cpu' ? 35 : 70];
    const net = livelyNet(tf, SMALL[mixer]);
    const { ids, tensor } = tokensOf(tf, B, L);
    const before = tf.memory().numTensors;
    const logits = net.forward(tensor);
    expect(logits.shape).toEqual([B, L, 11]);
    const all = values(logits);
    const stepper = netStepper(net);
    const one = new Float32Array(11);
    const stepped = new Float32Array(all.length);
    for (let b = 0; b < B; b++) {
      stepper.reset();
      for (let t = 0; t < L; t++) {
        stepper.step(ids[b * L + t], one);
        stepped.set(one, (b * L + t) * 11);
      }
    }
    expect(stepped).toBeWithin(all, 1e-4);
    // A prefix alone gives the same scores.
    const prefix = tf.tidy(() => values(net.forward(tensor.slice([0, 0], [B, 33]))).slice(32 * 11, 33 * 11));
    expect(prefix).toBeWithin(all.slice(32 * 11, 33 * 11), 1e-4);
    logits.dispose();
    const tables = mixer === 'attention' ? 3 : 0; // kept for the next call of the same length
    expect(tf.memory().numTensors).toBe(before + tables);
    tensor.dispose();
    net.dispose();
    expect(tf.memory().numTensors).toBe(before - 1 - Object.keys(net.weights).length);
  });
});

describe('on one engine', () => {
  let tf: TF;
  beforeAll(async () => {
    tf = (await useEngine()).tf;
  });

  // Those of the Mambas are compared with PyTorch's in test/model.
  it.each(['lti', 'gru', 'attention'] as const)('%s: gradients are those of finite differences', (mixer) => {
    const net = livelyNet(tf, SMALL[mixer]);
    const { tensor } = tokensOf(tf, 2, 37);
    const names = Object.keys(net.params);
    const rng = new Rng(5);
    const probe = tf.tensor(
      Float32Array.from({ length: 2 * 37 * 11 }, () => rng.normal()),
      [2, 37, 11],
    );
    const objective = () => tf.sum(tf.mul(net.forward(tensor), probe));
    const { gradients } = vectorJacobian(
      tf,
      () => [{ output: objective(), gradient: tf.scalar(1) }],
      names.map((name) => net.params[name]),
    );
    for (const [k, name] of names.entries()) {
      // Along the gradient itself: its length is the slope.
      const gradient = values(gradients[k]);
      const length = Math.sqrt(gradient.reduce((sum, g) => sum + g * g, 0));
      expect(length, name).toBeGreaterThan(0);
      const original = net.weights[name].data.slice();
      const at = (h: number): number => {
        net.weights[name].data.set(original.map((w, i) => w + (h * gradient[i]) / length));
        net.refresh();
        return tf.tidy(() => objective().dataSync()[0]);
      };
      const h = 2e-3 * Math.sqrt(original.length);
      const slope = (8 * (at(h / 2) - at(-h / 2)) - (at(h) - at(-h))) / (6 * h);
      at(0);
      expect(Math.abs(slope - length) / length, `${name}: ${slope} and ${length}`).toBeLessThan(0.02);
    }
    tf.dispose([...gradients, probe, tensor]);
    net.dispose();
  });

  it('tf.grads goes through every mixer, too', () => {
    for (const mixer of MIXERS) {
      const net = livelyNet(tf, SMALL[mixer]);
      const { tensor } = tokensOf(tf, 1, 9);
      const names = Object.keys(net.params);
      const loss = () => tf.sum(tf.square(net.forward(tensor)));
      const usual = tf.grads(loss)(names.map((name) => net.params[name]));
      const { gradients } = vectorJacobian(
        tf,
        () => [{ output: loss(), gradient: tf.scalar(1) }],
        names.map((name) => net.params[name]),
      );
      names.forEach((_, i) => expect(values(usual[i])).toBeWithin(values(gradients[i]), 1e-4, 1e-6));
      tf.dispose([...usual, ...gradients, tensor]);
      net.dispose();
    }
  });

  it('the constant state space is the recurrence it stands for, at any length', () => {
    const [B, E, N] = [2, 3, 4];
    const rng = new Rng(2);
    const random = (...shape: number[]) =>
      tf.tensor(
        Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => rng.normal()),
        shape,
      );
    for (const L of [1, 40, 64, 65, 150]) {
      const x = random(B, L, E) as Tensor3D;
      const system = discretiseLti(tf, {
        log_dt: tf.tensor1d([-3, -1, -6]),
        A_log: random(E, N) as never,
        B: random(E, N) as never,
        C: random(E, N) as never,
      });
      const [decay, input, output] = [tf.exp(system.logDecay), system.input, system.output].map(values);
      const xs = values(x);
      const expected = new Float32Array(B * L * E);
      for (let b = 0; b < B; b++)
        for (let e = 0; e < E; e++) {
          const h = new Float64Array(N);
          for (let t = 0; t < L; t++)
            for (let n = 0, i = e * N; n < N; n++, i++) {
              h[n] = decay[i] * h[n] + input[i] * xs[(b * L + t) * E + e];
              expected[(b * L + t) * E + e] += output[i] * h[n];
            }
        }
      expect(values(ltiScan(tf, x, system))).toBeWithin(expected, 1e-5);
    }
  });

  it('zero-order hold of dt = ln 2, A = -1: half is kept, half of the input comes in', () => {
    const system = discretiseLti(tf, {
      log_dt: tf.tensor1d([Math.log(Math.LN2)]),
      A_log: tf.tensor2d([[0]]),
      B: tf.tensor2d([[3]]),
      C: tf.tensor2d([[1]]),
    });
    expect(values(tf.exp(system.logDecay))[0]).toBeCloseTo(0.5, 6);
    expect(values(system.input)[0]).toBeCloseTo(1.5, 6);
  });
});

describe('sizes', () => {
  const mamba: NetConfig = { mixer: 'mamba1', vocab_size: 18, d_model: 64, n_layer: 2 };

  it('counts by hand', () => {
    // in_proj, convolution, x_proj, dt_proj, A, D, out_proj, norm
    const layer = 256 * 64 + 128 * 5 + 36 * 128 + 128 * 5 + 128 * 16 + 128 + 64 * 128 + 64;
    expect(countParameters(mamba)).toBe(18 * 64 + 2 * layer + 64);
    expect(countParameters({ ...mamba, mixer: 'gru' })).toBe(18 * 64 + 2 * (64 + 6 * 4096 + 192 + 4096) + 64);
    expect(countParameters({ ...mamba, mixer: 'attention' })).toBe(18 * 64 + 2 * (128 + 12 * 4096) + 64);
  });

  it.each(MIXERS)('%s of equal width and depth has as many parameters, within one in a hundred', (mixer) => {
    for (const d_model of [64, 128]) {
      const from = { ...mamba, d_model };
      const config = equalParameters(from, mixer);
      expect([config.mixer, config.d_model, config.n_layer]).toEqual([mixer, d_model, 2]);
      expect(Math.abs(countParameters(config) / countParameters(from) - 1)).toBeLessThan(0.01);
    }
  });

  it('the time-invariant rival gets a larger state for the projections it lacks', () => {
    expect(equalParameters(mamba, 'lti').d_state).toBe(19);
    const [selective, constant] = [initNet(mamba, 1), initNet(equalParameters(mamba, 'lti'), 1)];
    const name = 'backbone.layers.1.mixer.in_proj.weight';
    expect(constant[name].data).toEqual(selective[name].data);
  });

  it('another memory to begin with: decays and step sizes in their ranges, all else as before', () => {
    const memory = { A_init_range: [0.02, 0.5], dt_min: 0.02, dt_max: 0.3 } as const;
    const softplus = (v: number) => Math.log1p(Math.exp(v));
    const inside = (data: Float32Array, of: (v: number) => number, [low, high]: readonly number[]) => {
      const [least, most] = [Math.min(...data.map(of)), Math.max(...data.map(of))];
      expect(least).toBeGreaterThan(0.99 * low);
      expect(most).toBeLessThan(1.01 * high);
      return most / least;
    };
    for (const mixer of ['mamba1', 'mamba2', 'lti'] as const) {
      const config = { ...SMALL[mixer], d_model: 32, d_state: 8, nheads: 16 };
      const [usual, long] = [initNet(config, 5), initNet(config, 5, memory)];
      for (const [name, { data, shape }] of Object.entries(long)) {
        if (name.endsWith('A_log')) {
          expect(inside(data, Math.exp, memory.A_init_range)).toBeGreaterThan(3);
          if (shape.length === 2) expect(Math.exp(data[7])).toBeCloseTo(0.5, 5);
        } else if (/log_dt$|dt(_proj\.|_)bias$/.test(name)) {
          const of = name.endsWith('log_dt') ? Math.exp : softplus;
          expect(inside(data, of, [memory.dt_min, memory.dt_max])).toBeGreaterThan(3);
        } else expect(data, name).toEqual(usual[name].data);
      }
      expect(initNet(config, 5, memory)).toEqual(long);
    }
    expect(() => initNet(SMALL.mamba2, 1, { dt_min: 0.2 })).toThrow(/dt from 0.2 to 0.1 is no range/);
    expect(() => initNet(SMALL.gru, 1, { A_init_range: [0, 1] })).toThrow(/A_init_range from 0 to 1/);
  });

  it('says what is wrong', () => {
    expect(() => fullConfig({ ...mamba, mixer: 's4' as MixerName, n_layer: 0 })).toThrow(
      /mixer is "s4".*; n_layer is 0/,
    );
    expect(() => fullConfig({ ...mamba, mixer: 'attention', nheads: 5 })).toThrow(/5 heads/);
    expect(() => equalParameters({ ...mamba, mixer: 'gru', d_hidden: 2 }, 'attention')).toThrow(/1 %/);
  });

  it('a token without a row is named with its place', async () => {
    const { tf } = await useEngine('cpu');
    const net = makeNet(tf, SMALL.gru, 1);
    const tokens = tf.tensor2d([[1, 2, 11]], [1, 3], 'int32');
    expect(() => net.forward(tokens)).toThrow(/token 11 at row 0, position 2 is not in 0\.\.10/);
    expect(() => netStepper(net).step(11)).toThrow(/token 11/);
    net.dispose();
  });
});
