import type { Tensor, Tensor1D, Tensor3D, Tensor4D } from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { makePlan, scanParallel, ssdChunked, validateConfig, type Packing } from '../../src/model';
import { linearScan, scanChunk, selectiveScan, silu, ssdScan, useEngine, type TF } from '../../src/tensor';
import { loadNative } from '../../src/tensor/native';
import { Rng } from '../../src/util';
import { engines } from './presentEngines';

/** Sizes of a scan as in native/src/scan.h: width 0 is Mamba-1, else channels of a head. */
interface Case {
  B: number;
  L: number;
  E: number;
  N: number;
  width: number;
  G: number;
}

type Arrays = Record<string, Float64Array>;

/** The recurrence and its gradients in double precision; `x` and the results under the names of the inputs. */
function reference(k: Case, x: Arrays, dy: Float64Array, dhEnd: Float64Array): Arrays {
  const { B, L, E, N, width, G } = k;
  const heads = width ? E / width : E;
  const out: Arrays = { y: new Float64Array(B * L * E), h: new Float64Array(B * E * N) };
  for (const name of ['u', 'delta', 'A', 'B', 'C', 'D', 'bias', 'z', 'h0'])
    out[`d${name}`] = new Float64Array(x[name].length);
  for (let b = 0; b < B; b++) {
    for (let e = 0; e < E; e++) {
      const head = width ? Math.floor(e / width) : e;
      const g = Math.floor(e / (E / G));
      const kept: Float64Array[] = [x.h0.slice((b * E + e) * N, (b * E + e + 1) * N)];
      const at = (t: number) => {
        const row = b * L + t;
        const raw = x.delta[row * heads + head] + x.bias[head];
        return { row, i: row * E + e, raw, dt: Math.log1p(Math.exp(raw)), s: (row * G + g) * N };
      };
      const decay = (dt: number, n: number, row: number) =>
        x.starts[row] ? 0 : Math.exp(dt * x.A[width ? head : e * N + n]);
      const sums: number[] = [];
      for (let t = 0; t < L; t++) {
        const { row, i, dt, s } = at(t);
        const h = kept[t].map((v, n) => decay(dt, n, row) * v + dt * x.u[i] * x.B[s + n]);
        kept.push(h);
        sums.push(h.reduce((sum, v, n) => sum + v * x.C[s + n], x.D[head] * x.u[i]));
        out.y[i] = width ? sums[t] : (sums[t] * x.z[i]) / (1 + Math.exp(-x.z[i]));
      }
      out.h.set(kept[L], (b * E + e) * N);
      const carry = dhEnd.slice((b * E + e) * N, (b * E + e + 1) * N);
      for (let t = L - 1; t >= 0; t--) {
        const { row, i, raw, dt, s } = at(t);
        const sig = 1 / (1 + Math.exp(-x.z[i]));
        const grad = width ? dy[i] : dy[i] * x.z[i] * sig;
        if (!width) out.dz[i] = dy[i] * sums[t] * sig * (1 + x.z[i] * (1 - sig));
        out.dD[head] += grad * x.u[i];
        out.du[i] += grad * x.D[head];
        let dDt = 0;
        for (let n = 0; n < N; n++) {
          const w = carry[n] + grad * x.C[s + n];
          const a = decay(dt, n, row);
          const rate = width ? head : e * N + n;
          out.dC[s + n] += grad * kept[t + 1][n];
          out.dB[s + n] += w * dt * x.u[i];
          out.du[i] += w * dt * x.B[s + n];
          dDt += w * (x.u[i] * x.B[s + n] + x.A[rate] * a * kept[t][n]);
          out.dA[rate] += w * dt * a * kept[t][n];
          carry[n] = w * a;
        }
        const change = dDt / (1 + Math.exp(-raw));
        out.ddelta[row * heads + head] += change;
        out.dbias[head] += change;
      }
      out.dh0.set(carry, (b * E + e) * N);
    }
  }
  return out;
}

function draw(
  { B, L, E, N, width, G }: Case,
  seed: number,
): { x: Arrays; dy: Float64Array; dh: Float64Array } {
  const rng = new Rng(seed);
  const heads = width ? E / width : E;
  const numbers = (n: number, low = -2, high = 2) =>
    Float64Array.from({ length: n }, () => Math.fround(low + (high - low) * rng.uniform()));
  const x: Arrays = {
    u: numbers(B * L * E),
    delta: numbers(B * L * heads, -3, 1),
    A: numbers(width ? heads : E * N, -4, -0.05),
    B: numbers(B * L * G * N),
    C: numbers(B * L * G * N),
    D: numbers(heads),
    bias: numbers(heads, -1, 1),
    z: numbers(B * L * E),
    h0: numbers(B * E * N),
    starts: Float64Array.from({ length: B * L }, () => Number(rng.uniform() < 0.1)),
  };
  return { x, dy: numbers(B * L * E), dh: numbers(B * E * N) };
}

/** Largest error of each output and gradient, as a share of the largest reference value. */
function errors(got: Tensor[], names: string[], expected: Arrays): Map<string, number> {
  return new Map(
    names.map((name, i) => {
      const values = got[i].dataSync();
      const scale = Math.max(...expected[name].map(Math.abs), 1e-30);
      let worst = 0;
      for (let j = 0; j < values.length; j++)
        worst = Math.max(worst, Math.abs(values[j] - expected[name][j]));
      expect(values.length).toBe(expected[name].length);
      return [name, worst / scale];
    }),
  );
}

const available = (await loadNative()) !== null;

describe.skipIf(!available)(`fused scans${available ? '' : ' (skipped: native is not available)'}`, () => {
  let tf: TF;
  beforeAll(async () => {
    tf = (await useEngine('native')).tf;
  });

  function compare(k: Case, seed: number): void {
    const { B, L, E, N, width, G } = k;
    const heads = width ? E / width : E;
    const { x, dy, dh } = draw(k, seed);
    const expected = reference(k, x, dy, dh);
    const tensor = (name: string, ...shape: number[]) => tf.tensor(Float32Array.from(x[name]), shape);
    const state = width ? [B, heads, width, N] : [B, E, N];
    const starts = tf.tensor2d(Float32Array.from(x.starts), [B, L]);
    const names = ['u', 'delta', 'A', 'B', 'C', 'D', 'bias', ...(width ? [] : ['z']), 'h0'];
    const inputs = [
      tensor('u', B, L, E),
      tensor('delta', B, L, heads),
      width ? tensor('A', heads) : tensor('A', E, N),
      tensor('B', B, L, G * N),
      tensor('C', B, L, G * N),
      tensor('D', heads),
      tensor('bias', heads),
      ...(width ? [] : [tensor('z', B, L, E)]),
      tensor('h0', ...state),
    ];
    const fused = (...t: Tensor[]): { y: Tensor; h: Tensor } => {
      const [u, delta, A, Bm, Cm, D, bias] = t as [
        Tensor3D,
        Tensor3D,
        never,
        Tensor3D,
        Tensor3D,
        Tensor1D,
        Tensor1D,
      ];
      const h = t[t.length - 1] as never;
      if (!width)
        return selectiveScan(tf, { u, delta, A, B: Bm, C: Cm, D, bias, z: t[7] as Tensor3D, h, starts });
      const xBC = tf.concat([u, Bm, Cm], 2) as Tensor3D;
      return ssdScan(
        tf,
        { xBC, dt: delta, A, D, bias, h, starts },
        { headdim: width, ngroups: G, d_state: N },
      );
    };
    const composed = (...t: Tensor[]): { y: Tensor; h: Tensor } => {
      const [u, delta, A, Bm, Cm, D, bias] = t as [
        Tensor3D,
        Tensor3D,
        never,
        Tensor3D,
        Tensor3D,
        Tensor1D,
        Tensor1D,
      ];
      const h = t[t.length - 1] as never;
      const dt = tf.softplus(tf.add(delta, bias)) as Tensor3D;
      if (!width) {
        const packed = { keep: tf.sub(1, starts) } as unknown as Packing;
        const scan = scanParallel(tf, { x: u, dt, A, Bm, Cm, h }, packed);
        return { y: tf.mul(tf.add(scan.y, tf.mul(u, D)), silu(tf, t[7])), h: scan.h };
      }
      const config = validateConfig({
        d_model: E / 2,
        ssm_cfg: { headdim: width, d_state: N, ngroups: G, chunk_size: 16 },
      });
      const plan = makePlan(tf, config, B, L, starts.toInt());
      const heads4 = (v: Tensor, a: number, b: number) => tf.reshape(v, [B, L, a, b]) as Tensor4D;
      const parts = { dt, A, Bm: heads4(Bm, G, N), Cm: heads4(Cm, G, N), h };
      const scan = ssdChunked(tf, { x: heads4(u, heads, width), ...parts }, plan);
      const y = tf.add(scan.y, tf.mul(heads4(u, heads, width), tf.reshape(D, [heads, 1])));
      return { y: tf.reshape(y, [B, L, E]), h: scan.h };
    };
    const weightY = tf.tensor(Float32Array.from(dy), [B, L, E]);
    const weightH = tf.tensor(Float32Array.from(dh), state);
    const run = (f: typeof fused) => {
      const { y, h } = f(...inputs);
      const loss = (...t: Tensor[]) => {
        const now = f(...t);
        return tf.add(tf.sum(tf.mul(now.y, weightY)), tf.sum(tf.mul(now.h, weightH)));
      };
      const grads = tf.grads(loss)(inputs);
      return errors([y, h, ...grads], ['y', 'h', ...names.map((name) => `d${name}`)], expected);
    };
    tf.tidy(() => {
      const ours = run(fused);
      const theirs = run(composed);
      for (const [name, error] of ours) {
        // A few units in the last place are nobody's fault.
        expect(error, `${name} of ${JSON.stringify(k)}: composed ${theirs.get(name)}`).toBeLessThanOrEqual(
          Math.max(2 * (theirs.get(name) as number), 5e-7),
        );
      }
    });
    tf.dispose([...inputs, starts, weightY, weightH]);
  }

  it('Mamba-1: against float64 no worse than twice the chain of operations', () => {
    compare({ B: 1, L: 1, E: 3, N: 2, width: 0, G: 1 }, 1);
    compare({ B: 2, L: 37, E: 70, N: 16, width: 0, G: 1 }, 2);
    compare({ B: 1, L: 130, E: 33, N: 5, width: 0, G: 1 }, 3);
    const rng = new Rng(4);
    for (let i = 0; i < 6; i++) {
      const [B, L, E, N] = [2, 60, 140, 24].map((most) => 1 + rng.int(most));
      compare({ B, L, E, N, width: 0, G: 1 }, 10 + i);
    }
  });

  it('Mamba-2: the same', () => {
    compare({ B: 1, L: 1, E: 16, N: 3, width: 8, G: 1 }, 1);
    compare({ B: 2, L: 37, E: 72, N: 16, width: 12, G: 2 }, 2);
    compare({ B: 1, L: 100, E: 128, N: 64, width: 64, G: 1 }, 3);
    compare({ B: 2, L: 71, E: 160, N: 20, width: 20, G: 2 }, 4); // by chunks: runs of heads, ragged in every size
    compare({ B: 1, L: 64, E: 64, N: 130, width: 32, G: 1 }, 5);
    const rng = new Rng(5);
    for (let i = 0; i < 5; i++) {
      const [B, L, width, N] = [2, 60, 40, 70].map((most) => 1 + rng.int(most));
      const G = 1 + rng.int(2);
      compare({ B, L, E: 2 * G * width, N, width, G }, 20 + i);
    }
  });

  it('gives the same bits for every number of threads', async () => {
    const library = await loadNative();
    const { x } = draw({ B: 1, L: 70, E: 300, N: 16, width: 0, G: 1 }, 6);
    const shapes: Record<string, number[]> = {
      u: [1, 70, 300],
      delta: [1, 70, 300],
      A: [300, 16],
      B: [1, 70, 16],
    };
    Object.assign(shapes, { C: [1, 70, 16], D: [300], bias: [300], z: [1, 70, 300] });
    const names = Object.keys(shapes);
    const inputs = names.map((name) => tf.tensor(Float32Array.from(x[name]), shapes[name]));
    const run = () => {
      const f = (...t: Tensor[]) =>
        tf.sum(tf.square(selectiveScan(tf, Object.fromEntries(t.map((v, i) => [names[i], v])) as never).y));
      return tf
        .grads(f)(inputs)
        .map((g) => [...g.dataSync()]);
    };
    const [xBC, dt] = [
      tf.randomUniform([1, 70, 320], -1, 1, 'float32', 7),
      inputs[1].slice([0, 0, 0], [1, 70, 16]),
    ];
    const heads = [tf.fill([16], -2), tf.ones([16]), tf.zeros([16])];
    const runSsd = () => {
      const f = (...t: Tensor[]) => {
        const [xBC, dt, A, D, bias] = t as [Tensor3D, Tensor3D, Tensor1D, Tensor1D, Tensor1D];
        const { y, h } = ssdScan(tf, { xBC, dt, A, D, bias }, { headdim: 16, ngroups: 1, d_state: 32 });
        return tf.add(tf.sum(tf.square(y)), tf.sum(tf.square(h)));
      };
      return tf
        .grads(f)([xBC, dt, ...heads])
        .map((g) => [...g.dataSync()]);
    };
    const before = library?.threads() as number;
    try {
      library?.threads(1);
      const one = [run(), runSsd()];
      library?.threads(4);
      expect([run(), runSsd()]).toEqual(one);
    } finally {
      library?.threads(before);
    }
  });

  it('keeps a state every scanChunk tokens and nothing else for the gradient', () => {
    const [L, E, N] = [100, 24, 16];
    const shapes = {
      u: [1, L, E],
      delta: [1, L, E],
      A: [E, N],
      B: [1, L, N],
      C: [1, L, N],
      D: [E],
      bias: [E],
      z: [1, L, E],
    };
    const inputs = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, tf.ones(shape)]));
    const nothing = tf.zeros([0]);
    const before = tf.memory().numBytes;
    const outputs = tf
      .engine()
      .runKernel('SelectiveScan', { ...inputs, h: nothing, starts: nothing } as never);
    const bytes = tf.memory().numBytes - before;
    expect(bytes).toBe(4 * (L * E + E * N + Math.ceil(L / scanChunk(N)) * E * N));
    tf.dispose(outputs as unknown as Tensor[]);
  });
});

describe.each(engines)('linearScan, engine %s', (name) => {
  it('is the recurrence, and its gradient too', async () => {
    const { tf } = await useEngine(name);
    for (const L of [2, 3, 7, 16]) {
      const [a, b, w] = [1, 2, 3].map(
        (seed) => tf.randomUniform([2, L, 3], -1, 1, 'float32', seed) as Tensor3D,
      );
      const plain = (a: Tensor, b: Tensor) => {
        const at = (v: Tensor, t: number) => tf.slice(v, [0, t, 0], [2, 1, 3]);
        const rows = [at(b, 0)];
        for (let t = 1; t < L; t++) rows.push(tf.add(tf.mul(at(a, t), rows[t - 1]), at(b, t)));
        return tf.concat(rows, 1);
      };
      const [ours, theirs] = [
        (a: Tensor, b: Tensor) => linearScan(tf, a as Tensor3D, b as Tensor3D),
        plain,
      ].map((f) => [f(a, b), ...tf.grads((a, b) => tf.sum(tf.mul(f(a, b), w)) as never)([a, b])]);
      ours.forEach((t, i) => expect([...t.dataSync()]).toBeWithin([...theirs[i].dataSync()], 1e-5));
    }
  });
});
