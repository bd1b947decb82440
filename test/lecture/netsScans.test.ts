import { beforeAll, describe, expect, it } from 'vitest';
import {
  channelSequence,
  compareScanForms,
  largestDifference,
  makeNet,
  numericalRank,
  readingStrength,
  readSelection,
  scanForms,
  semiseparableMatrix,
  type NetConfig,
} from '../../src/lecture';
import { useEngine, type TF } from '../../src/tensor';
import { Rng } from '../../src/util';

let tf: TF;
beforeAll(async () => {
  tf = (await useEngine()).tf;
});

const config: NetConfig = { mixer: 'mamba1', vocab_size: 9, d_model: 16, n_layer: 2, d_state: 4 };
const tokens = Array.from({ length: 40 }, (_, i) => (i * 7) % 9);

describe('forms of the scan', () => {
  it.each([1, 63, 130])('all give the same at length %i', (L) => {
    const before = tf.memory().numTensors;
    const results = compareScanForms(tf, { L, B: 2, H: 2, P: 8, N: 5, chunk_size: 16 }, { budgetMs: 0 });
    expect(results.map(({ form }) => form)).toEqual(scanForms(tf));
    for (const { form, y, seconds } of results) {
      expect(y.length).toBe(2 * L * 16);
      expect(largestDifference(y, results[0].y), form).toBeLessThan(2e-5);
      expect(seconds).toBeGreaterThan(0);
    }
    expect(tf.memory().numTensors).toBe(before);
  });

  it('the largest difference is measured by the largest number', () => {
    expect(largestDifference([1, 2.5, -4], [1, 2, -4])).toBe(0.125);
  });
});

describe('a look into the selection', () => {
  it('step sizes, decay and state follow the recurrence; the time-invariant one never changes its step', () => {
    const kinds = [
      config,
      { ...config, mixer: 'mamba2' as const, nheads: 2 },
      { ...config, mixer: 'lti' as const },
    ];
    for (const kind of kinds) {
      const net = makeNet(tf, kind, 1);
      const before = tf.memory().numTensors;
      const layers = readSelection(net, tokens);
      expect(tf.memory().numTensors).toBe(before);
      expect(layers.map(({ layer }) => layer)).toEqual([0, 1]);
      const { L, E, N, A, x, delta, B, kept, stateNorm, selective } = layers[1];
      expect([L, E]).toEqual([40, 32]);
      expect(Math.min(...delta)).toBeGreaterThan(0);
      const varies = Array.from({ length: E }, (_, e) => Math.abs(delta[e] - delta[7 * E + e])).some(
        (d) => d > 1e-7,
      );
      expect(varies).toBe(selective);
      // The first token: h = delta x B.
      let squares = 0;
      for (let e = 0; e < E; e++)
        for (let n = 0; n < N; n++) squares += (delta[e] * x[e] * B[selective ? n : e * N + n]) ** 2;
      expect(stateNorm[0]).toBeCloseTo(Math.sqrt(squares), 6);
      const means = Array.from({ length: N }, (_, n) => Math.exp(delta[5 * E + 3] * A[3 * N + n]));
      expect(kept[5 * E + 3]).toBeCloseTo(means.reduce((a, b) => a + b) / N, 6);
      net.dispose();
    }
  });

  it('is refused for mixers without one', () => {
    const net = makeNet(tf, { mixer: 'gru', vocab_size: 9, d_model: 8, n_layer: 1 }, 1);
    expect(() => readSelection(net, [1])).toThrow(/gru/);
    net.dispose();
  });
});

describe('the matrix of a state space', () => {
  it('two tokens by hand: A = -1, delta = ln 2', () => {
    const M = semiseparableMatrix({ delta: [Math.LN2, Math.LN2], A: [-1], B: [1, 3], C: [2, 5] });
    expect(M[0][0]).toBeCloseTo(2 * Math.LN2, 12);
    expect(M[0][1]).toBe(0);
    expect(M[1][0]).toBeCloseTo((5 * Math.LN2) / 2, 12);
    expect(M[1][1]).toBeCloseTo(15 * Math.LN2, 12);
  });

  it('times x it is the scan, and blocks below its diagonal have the rank of the state', () => {
    const net = makeNet(tf, config, 1);
    const layer = readSelection(net, tokens)[0];
    const [channel, L, E, N] = [3, layer.L, layer.E, layer.N];
    const M = semiseparableMatrix(channelSequence(layer, channel));
    const h = new Float64Array(N);
    for (let t = 0; t < L; t++) {
      const step = layer.delta[t * E + channel];
      let y = 0;
      for (let n = 0; n < N; n++) {
        const kept = Math.exp(step * layer.A[channel * N + n]) * h[n];
        h[n] = kept + step * layer.x[t * E + channel] * layer.B[t * N + n];
        y += h[n] * layer.C[t * N + n];
      }
      const product = M[t].reduce((sum, m, j) => sum + m * layer.x[j * E + channel], 0);
      expect(product).toBeCloseTo(y, 9);
    }
    const block = M.slice(20).map((row) => row.subarray(0, 20));
    expect(numericalRank(block, 1e-12)).toBe(N);
    expect(numericalRank(M)).toBe(L);
    net.dispose();
  });

  it('a constant system has the same number along each diagonal; a selective one has not', () => {
    const constant = makeNet(tf, { ...config, mixer: 'lti' }, 1);
    const selective = makeNet(tf, config, 1);
    const spread = [constant, selective].map((net) => {
      const M = semiseparableMatrix(channelSequence(readSelection(net, tokens)[1], 2));
      return Math.abs(M[30][25] - M[12][7]) / Math.abs(M[30][25]);
    });
    expect(spread[0]).toBeLessThan(1e-9);
    expect(spread[1]).toBeGreaterThan(1e-5);
    constant.dispose();
    selective.dispose();
  });

  it('rank of an outer product is one', () => {
    const rng = new Rng(1);
    const [a, b] = [0, 1].map(() => Array.from({ length: 6 }, () => rng.normal()));
    expect(numericalRank(a.map((v) => b.map((w) => v * w)))).toBe(1);
    expect(numericalRank([[0, 0], [0, 0]])).toBe(0); // prettier-ignore
  });

  it('reading strength adds the channels up', () => {
    const net = makeNet(tf, config, 1);
    const layer = readSelection(net, tokens)[1];
    const rows = readingStrength(layer, 3);
    expect(rows.map((row) => row.length)).toEqual([40, 40, 40]);
    const own = Array.from({ length: layer.E }, (_, e) => {
      const M = semiseparableMatrix(channelSequence(layer, e));
      return Math.abs(M[38][11] * layer.x[11 * layer.E + e]);
    });
    expect(rows[1][11] / own.reduce((a, b) => a + b)).toBeCloseTo(1, 6);
    net.dispose();
  });
});
