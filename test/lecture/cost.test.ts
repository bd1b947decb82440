import { beforeAll, describe, expect, test } from 'vitest';
import {
  costAt,
  costClaims,
  costLengths,
  crossing,
  crossingText,
  equalParameters,
  fitExponent,
  fitRows,
  forwardWork,
  fullConfig,
  generationCost,
  inRounds,
  judgeCache,
  judgeGrowth,
  judgeWindow,
  lengthFor,
  makeNet,
  measureCost,
  measureNets,
  netOperations,
  attentionWork,
  tenfold,
  trainAtEqualCompute,
  type CostRow,
  type NetConfig,
} from '../../src/lecture';
import { describe as describeModel } from '../../src/model';
import { useEngine, type TF } from '../../src/tensor';
import { openDataset } from '../../src/tokens';
import { NetssmError, Rng } from '../../src/util';
import { costCurves, generationCurves, lossOverCompute } from '../../src/viz';
import { temporaryFolder, writeToyDataset } from '../train/toy';

let tf: TF;
beforeAll(async () => {
  ({ tf } = await useEngine());
});

const net = (mixer: NetConfig['mixer']): NetConfig => ({ mixer, vocab_size: 20, d_model: 32, n_layer: 1 });
const row = (length: number, seconds: number, bytes = 8 * length): CostRow => ({
  length,
  seconds,
  fastest: 0.9 * seconds,
  slowest: 1.2 * seconds,
  repetitions: 5,
  bytes,
});

test('inRounds keeps the fastest of each length, and measures as often as it is told', async () => {
  const times = [
    [3, 9],
    [5, 2],
    [4, 4],
  ];
  let round = 0;
  const measure = () =>
    Promise.resolve({
      net: times[round++].map((fastest, i): CostRow => ({
        length: i,
        seconds: fastest,
        fastest,
        slowest: fastest,
        repetitions: 1,
        bytes: 0,
      })),
    });
  const { net } = await inRounds(3, measure);
  expect(round).toBe(3);
  expect(net.map(({ fastest }) => fastest)).toEqual([3, 2]);
});

describe('fitExponent', () => {
  test('the exponent and its interval: exact without noise, covering with it', () => {
    const lengths = [100, 200, 400, 800, 1600];
    const exact = fitExponent(
      lengths,
      lengths.map((n) => 3e-6 * n ** 2),
    );
    expect(exact.exponent).toBeCloseTo(2, 9);
    expect(exact.factor).toBeCloseTo(3e-6, 12);
    expect([exact.low, exact.high, exact.r2]).toEqual([
      expect.closeTo(2, 6),
      expect.closeTo(2, 6),
      expect.closeTo(1, 9),
    ]);
    expect(costAt(exact, 1000)).toBeCloseTo(3, 6);
    expect(lengthFor(exact, 3)).toBeCloseTo(1000, 6);
    // 95 % of the intervals cover the truth: of 400 that is 380, give or take 13.
    const rng = new Rng(3);
    let covered = 0;
    for (let i = 0; i < 400; i++) {
      const { low, high } = fitExponent(
        lengths,
        lengths.map((n) => n ** 1.3 * Math.exp(0.1 * rng.normal())),
      );
      if (low <= 1.3 && high >= 1.3) covered++;
    }
    expect(covered).toBeGreaterThan(366);
    expect(covered).toBeLessThan(394);
  });

  test('two points have no interval; fewer, or nothing to take a logarithm of, is an error', () => {
    const { exponent, low } = fitExponent([10, 1000], [1, 100]);
    expect([exponent, low]).toEqual([expect.closeTo(1, 12), NaN]);
    expect(() => fitExponent([10], [1])).toThrow(NetssmError);
    expect(() => fitExponent([10, 20], [1, 0])).toThrow('two different lengths');
    expect(() => fitExponent([10, 10], [1, 2])).toThrow('two different lengths');
  });
});

describe('crossing', () => {
  const lengths = [100, 1000, 10_000];
  const curve = (f: (n: number) => number) => ({ lengths, costs: lengths.map(f) });

  test('between two measurements, on logarithmic axes', () => {
    const found = crossing(
      curve((n) => n ** 2),
      curve((n) => 3000 * n),
    );
    expect(found?.where).toBe('between');
    expect(crossingText(found)).toBe('at 3,000 tokens');
    expect(found?.length).toBeCloseTo(3000, 6);
  });

  test('beyond them, by the fits; nowhere', () => {
    const found = crossing(
      curve((n) => n ** 2),
      curve((n) => 50_000 * n),
    );
    expect([found?.where, found?.length]).toEqual(['beyond', expect.closeTo(50_000, 2)]);
    expect(crossingText(found)).toBe('at 50,000 tokens, by the fits');
    const below = crossing(
      curve((n) => n ** 2),
      curve((n) => n / 10),
    );
    expect(below).toEqual({ length: 100, where: 'below' });
    expect(crossingText(below)).toBe('below 100 tokens: dearer at every length measured');
    expect(
      crossing(
        curve((n) => n),
        curve((n) => 2 * n ** 1.5),
      ),
    ).toBeUndefined();
  });
});

describe('measureCost', () => {
  test('median of the repetitions, the peak of tensors, and nothing left behind', async () => {
    const before = tf.memory().numTensors;
    let runs = 0;
    const rows = await measureCost(
      tf,
      (length) => ({
        run: () => {
          runs++;
          tf.tidy(() => tf.add(tf.ones([length]), tf.ones([length])).dataSync());
        },
      }),
      [2000, 1000],
      { repetitions: 3, leastSeconds: 0 },
    );
    expect(rows.map(({ length, bytes, repetitions }) => [length, bytes, repetitions])).toEqual([
      [1000, 12_000, 3],
      [2000, 24_000, 3],
    ]);
    expect(runs).toBe(2 * (1 + 1 + 3));
    for (const { fastest, seconds, slowest } of rows) {
      expect(fastest).toBeGreaterThan(0);
      expect(seconds).toBeGreaterThanOrEqual(fastest);
      expect(slowest).toBeGreaterThanOrEqual(seconds);
    }
    expect(tf.memory().numTensors).toBe(before);
    await expect(measureCost(tf, () => ({ run: () => undefined }), [0.5])).rejects.toThrow('whole numbers');
    await expect(measureCost(tf, () => ({ run: () => undefined }), [1], { repetitions: 0 })).rejects.toThrow(
      'repetitions',
    );
  });

  test('memory: attention’s grows with the square of the length, Mamba’s with the length', async () => {
    const few = { repetitions: 1, warmUps: 0, leastSeconds: 0 };
    const lengths = [128, 256, 512];
    const attention = await measureCost(tf, attentionWork(tf, { d_model: 32, nheads: 1 }), lengths, few);
    const exponent = (rows: CostRow[]) => fitRows(rows, { what: 'bytes' }).exponent;
    expect(exponent(attention)).toBeGreaterThan(1.8);
    const mamba = makeNet(tf, net('mamba2'), 1);
    const rows = await measureCost(tf, forwardWork(mamba), lengths, few);
    mamba.dispose();
    expect(exponent(rows)).toBeGreaterThan(0.9);
    expect(exponent(rows)).toBeLessThan(1.1);
  });

  test('several nets, each up to its own length; training, too', async () => {
    const before = tf.memory().numTensors;
    const nets = { Mamba: net('mamba1'), transformer: net('attention'), GRU: net('gru') };
    const options = {
      lengths: [16, 32],
      longest: { attention: 16 },
      repetitions: 1,
      warmUps: 0,
      leastSeconds: 0,
    };
    const forward = await measureNets(tf, nets, options);
    const training = await measureNets(tf, nets, { ...options, work: 'training' });
    expect(Object.values(forward).map((rows) => rows.length)).toEqual([2, 1, 2]);
    for (const name of Object.keys(nets))
      expect(training[name][0].bytes).toBeGreaterThan(forward[name][0].bytes);
    expect(tf.memory().numTensors).toBe(before);
    expect(costCurves(Object.entries(forward).map(([name, rows]) => ({ name, rows }))).data).toHaveLength(3);
  });

  test('lengths: evenly spaced, each with its tenfold', () => {
    expect(costLengths(400, 4000)).toEqual([400, 711, 1265, 2249, 4000]);
    expect(costLengths(100, 20_000, 2)).toEqual([100, 316, 1000, 3162, 10_000]);
  });
});

describe('counts', () => {
  test('operations: attention’s mixing grows with the length, Mamba’s does not', () => {
    const mixing = (mixer: NetConfig['mixer'], L: number) => netOperations(net(mixer), L).mixing;
    // 2 D for each of L scores, 2 D for the weighted sum, 3 a head for the softmax.
    expect(mixing('attention', 1000)).toBe(4 * 1000 * 32 + 3 * 1000);
    expect(mixing('attention', 2000)).toBe(2 * mixing('attention', 1000));
    expect(mixing('mamba1', 2000)).toBe(mixing('mamba1', 1000));
    expect(mixing('gru', 2000)).toBe(6 * 32 * 32);
    const { total } = netOperations(net('mamba2'), 256);
    expect(total).toBeGreaterThan(2 * 20 * 32);
    const small = { vocab_size: 20, d_model: 32, n_layer: 1, pad_vocab_size_multiple: 1 };
    expect(describeModel({ ...describeConfig(), ...small }, { L: 256 }).trainingOperationsPerToken / 3).toBe(
      total,
    );
  });

  test('generation: a cache that grows, a state that does not', () => {
    const bytes = (mixer: NetConfig['mixer']) => {
      const own = makeNet(tf, net(mixer), 1);
      const rows = generationCost(own, [64, 4], { around: 4, rounds: 2 });
      own.dispose();
      expect(rows.map(({ position }) => position)).toEqual([4, 64]);
      expect(rows.every(({ secondsPerToken: s }) => s > 0 && Number.isFinite(s))).toBe(true);
      return rows.map(({ stateBytes }) => stateBytes);
    };
    expect(bytes('attention')).toEqual([4 * 2 * 32 * 4, 64 * 2 * 32 * 4]);
    for (const mixer of ['mamba1', 'mamba2', 'gru'] as const) {
      const [short, long] = bytes(mixer);
      expect(long).toBe(short);
    }
    const rows = [{ position: 4, secondsPerToken: 1e-5, stateBytes: 1024 }];
    expect(generationCurves([{ name: 'x', rows }], 'memory').data[0].y).toEqual([1.024]);
  });
});

/** The Mamba-2 that a net of width 32 is. */
function describeConfig() {
  return {
    rms_norm: true,
    residual_in_fp32: true,
    fused_add_norm: true,
    tie_embeddings: true,
    ssm_cfg: { layer: 'Mamba2', d_state: 64, d_conv: 4, expand: 2, headdim: 64, ngroups: 1, chunk_size: 64 },
  } as const;
}

test('equal compute: a dearer net gets fewer updates, and the loss falls', async () => {
  const dataset = openDataset(writeToyDataset(temporaryFolder()));
  const vocab_size = dataset.vocabulary.size;
  const base: NetConfig = { mixer: 'mamba2', vocab_size, d_model: 16, n_layer: 1, d_state: 8, nheads: 1 };
  const nets = {
    mamba: base,
    wide: { ...base, d_model: 32 },
    transformer: { ...base, mixer: 'attention' },
  } as const;
  const options = {
    dataset,
    operations: 4e7,
    length: 32,
    batchSize: 4,
    evaluations: 2,
    evalRows: 8,
    lr: 1e-2,
  };
  const curves = await trainAtEqualCompute(tf, nets, options);
  for (const { points, operationsPerToken, name } of curves) {
    const last = points[points.length - 1];
    expect(Math.abs(last.operations - 4e7), name).toBeLessThanOrEqual((operationsPerToken * 32 * 4) / 2);
    expect(last.lossNats, name).toBeLessThan(points[0].lossNats - 0.3);
  }
  expect(curves[1].points.at(-1)!.updates).toBeLessThan(curves[0].points.at(-1)!.updates);
  expect(lossOverCompute(curves).data).toHaveLength(3);
});

describe('slides', () => {
  test('tenfold: the cost at ten times the length over that at the length', () => {
    const { time, memory, median, to } = tenfold([row(100, 0.01, 50), row(1000, 0.8, 5000)], 100);
    expect([time, memory, to]).toEqual([expect.closeTo(80, 9), 100, 1000]);
    expect(median).toBeCloseTo(80, 9);
    expect(() => tenfold([row(100, 1)], 100)).toThrow('lengths 100 and 1000 are not both');
  });

  test('a row a claim, with the slide’s number, ours, and why', () => {
    const ten = tenfold([row(400, 0.01), row(4000, 0.1)], 400);
    const claims = costClaims({
      attention: { exponent: 2.04, low: 1.95, high: 2.13 },
      mamba: { exponent: 0.99, low: 0.97, high: 1.01 },
      tenfoldAttention: { ...ten, time: 104 },
      tenfoldTransformer: { ...ten, time: 61 },
      tenfoldMamba: ten,
      longest: { tokens: 100_000, seconds: 1.25, bytes: 4e8 },
      scoresBytes: 4e10,
      generation: { position: 4000, speedup: 3.2, cacheBytes: 4e6, stateBytes: 2e4 },
      context: { bytes: 1e9, mamba: 80_000, transformer: 4000 },
      tokensPerPacket: { here: 8, paper: 106 },
    });
    expect(claims.map(({ slide }) => slide)).toEqual([6, 6, 6, 6, 9, 23, 23]);
    expect(claims[0].measured).toBe('L^2.04 (1.95 to 2.13)');
    expect(claims[1].measured).toBe(
      'attention part 104 x (400 to 4000 tokens); whole model 61 x (400 to 4000 tokens)',
    );
    expect(claims[5].measured).toBe('20 x: 80,000 tokens instead of 4,000 in 1,000 MB');
    expect(claims[6].measured).toBe('12,500 packets of 8.0 tokens');
    for (const { why } of claims) expect(why).toMatch(/\.$/);
  });
});

describe('exercises', () => {
  test('★: ten times longer', () => {
    expect(judgeGrowth(NaN, NaN)).toMatchObject({
      right: false,
      message: expect.stringContaining('two factors'),
    });
    expect(judgeGrowth(10, 10).message).toContain('How many pairs');
    expect(judgeGrowth(100, 100).message).toContain('reads every token once');
    expect(judgeGrowth(100, 10).right).toBe(true);
  });

  test('★★: the cache', () => {
    expect(judgeCache(tf, () => undefined).message).toContain('Which vectors of every token');
    expect(judgeCache(tf, ({ d_model, n_layer }, t) => n_layer * d_model * t * 4).message).toContain(
      'Keys *and* values',
    );
    expect(judgeCache(tf, ({ d_model, n_layer }, t) => 2 * n_layer * d_model * t * 4).right).toBe(true);
  });

  test('★★★: the window that a scan pays for', () => {
    const config = { d_model: 64, n_layer: 2, vocab_size: 266 };
    const scan = netOperations({ ...config, mixer: 'mamba1' }, 4096).mixing;
    const one = netOperations({ ...config, mixer: 'attention' }, 1).mixing;
    const window = Math.floor(scan / one);
    expect(judgeWindow(NaN, config).message).toContain('one token in the window');
    expect(judgeWindow(window + 1, config).message).toContain('too long');
    expect(judgeWindow(window - 1, config).message).toContain('one token more');
    expect(judgeWindow(window, config).right).toBe(true);
  });

  test('equal parameters keep width and depth', () => {
    const base = fullConfig({ mixer: 'mamba1', vocab_size: 266, d_model: 64, n_layer: 2 });
    const rival = equalParameters(base, 'attention');
    expect([rival.d_model, rival.n_layer]).toEqual([64, 2]);
  });
});
