import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  chunkedLossAndGradients,
  disposeStates,
  initWeights,
  toParams,
  validateConfig,
} from '../../src/model';
import { peakBytes, useEngine, type Engine } from '../../src/tensor';
import {
  activationBytesPerToken,
  estimateMemory,
  fit,
  planMemory,
  usableMemory,
  validateTrainConfig,
} from '../../src/train';
import { Rng } from '../../src/util';
import { engines } from '../tensor/presentEngines';
import { temporaryFolder, TOY_CONFIG, writeToyDataset } from './toy';

const MiB = 2 ** 20;
const models = {
  'Mamba-1': { d_model: 64, n_layer: 3, vocab_size: 272, ssm_cfg: { layer: 'Mamba1' } },
  'Mamba-2': {
    d_model: 64,
    n_layer: 3,
    vocab_size: 272,
    ssm_cfg: { d_state: 32, headdim: 32, chunk_size: 64 },
  },
};

describe.each(engines.filter((name) => name !== 'cpu'))('memory of a training step, engine %s', (name) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await useEngine(name);
  });

  it.each(Object.entries(models))('%s: the estimate from short rows is what a long one takes', (_, model) => {
    const { tf } = engine;
    const config = validateConfig(model);
    const perToken = activationBytesPerToken(engine, config);
    const params = toParams(tf, initWeights(config, new Rng(1)));
    const L = 640;
    const ids = tf.zeros([1, L], 'int32');
    const mask = tf.ones([1, L]);
    const measured = peakBytes(tf, () => {
      const result = chunkedLossAndGradients(tf, config, params, ids as never, ids as never, mask as never);
      tf.dispose(Object.values(result.gradients));
      disposeStates(result.states);
    });
    tf.dispose([ids, mask, ...Object.values(params)]);
    const { activations } = estimateMemory(
      engine,
      config,
      { batchSize: 1, contextLen: L, accumulate: 1 },
      L,
      perToken,
    );
    // The estimate adds 30 % for buffers that wait for others of their size.
    expect(activations / 1.3 / measured).toBeGreaterThan(0.85);
    expect(activations / 1.3 / measured).toBeLessThan(1.2);
  });
});

describe('planMemory', () => {
  let engine: Engine;
  const config = validateConfig(models['Mamba-2']);
  beforeAll(async () => {
    engine = await useEngine('wasm');
  });
  const plan = (settings: object, processBytes = 100 * MiB, before?: number) =>
    planMemory(engine, config, validateTrainConfig({ batchSize: 1, ...settings }), processBytes, before);

  it('keeps the tape while it fits, and cuts rows where it does not', () => {
    expect(plan({ contextLen: 2048 })).toMatchObject({ chunkLen: 2048, recomputes: false, notes: [] });
    const cut = plan({ contextLen: 2048, memoryBudgetGB: 0.2 });
    expect(cut.recomputes).toBe(true);
    expect(Math.log2(cut.chunkLen) % 1).toBe(0);
    expect(cut.estimate.total).toBeLessThanOrEqual(cut.budget);
    expect(cut.notes[0]).toContain(`rows of 2048 tokens are cut into chunks of ${cut.chunkLen}`);
    const twice = plan({ contextLen: 2048, memoryBudgetGB: 0.2, batchSize: 2 });
    expect(twice.chunkLen).toBeLessThan(cut.chunkLen);
    // Longer rows take little more: states between chunks, and the tokens.
    const long = plan({ contextLen: 16_384, memoryBudgetGB: 0.2 });
    expect(long.chunkLen).toBe(cut.chunkLen);
    expect(long.estimate.activations).toBe(cut.estimate.activations);
    expect(long.estimate.boundaries / cut.estimate.boundaries).toBeGreaterThan(8);
  });

  it('cuts rows into equal chunks where it can', () => {
    const lengths = [3000, 100_000, 65_536, 4099].map((contextLen) => {
      const { chunkLen } = plan({ contextLen, memoryBudgetGB: 0.25 });
      return [contextLen % chunkLen, chunkLen];
    });
    const power = lengths[2][1];
    expect(Math.log2(power) % 1).toBe(0);
    expect(lengths.slice(0, 3).map(([rest]) => rest)).toEqual([0, 0, 0]);
    expect(lengths[0][1]).toBeGreaterThan(power / 2);
    expect(lengths[3][1]).toBe(power); // a prime
  });

  it('does what it is told', () => {
    expect(plan({ contextLen: 2048, chunkLen: 100 }).chunkLen).toBe(100);
    expect(plan({ contextLen: 2048, chunkLen: 100 }).notes).toEqual([]);
    expect(plan({ contextLen: 2048, chunkLen: 100, recompute: 'always', memoryBudgetGB: 0.1 }).chunkLen).toBe(
      100,
    );
    expect(plan({ contextLen: 2048, recompute: 'always' }).chunkLen).toBe(2048);
    const never = plan({ contextLen: 2048, recompute: 'never', memoryBudgetGB: 0.2 });
    expect(never).toMatchObject({ chunkLen: 2048, recomputes: false });
    expect(never.notes[0]).toContain('more than the budget of 200 MB');
    expect(() => validateTrainConfig({ contextLen: 64, chunkLen: 32, recompute: 'never' })).toThrow(
      'recompute "never" and chunkLen (32) contradict each other',
    );
    expect(() => validateTrainConfig({ recompute: 'yes' })).toThrow(
      'recompute must be one of auto, always, never',
    );
  });

  it('goes on with the chunks of a resumed run while they fit', () => {
    expect(plan({ contextLen: 2048 }, 100 * MiB, 512).chunkLen).toBe(512);
    const { chunkLen, notes } = plan({ contextLen: 2048, memoryBudgetGB: 0.2 }, 100 * MiB, 2048);
    expect(chunkLen).toBeLessThan(2048);
    expect(notes[0]).toContain('instead of 2048, which do not fit the memory budget');
  });

  it('says no before memory runs out', () => {
    expect(() => plan({ contextLen: 2 ** 24, recompute: 'never' })).toThrow(
      /would take about .* of memory and there are/,
    );
    expect(() => plan({}, usableMemory())).toThrow('for weights and optimiser');
  });
});

describe('fit with little memory', () => {
  it('trains the same model in chunks', async () => {
    const engine = await useEngine('wasm');
    const data = writeToyDataset(join(temporaryFolder(), 'data'));
    const losses = async (settings: object) => {
      const run = join(temporaryFolder(), 'run');
      const config = { ...TOY_CONFIG, contextLen: 96, chunkLen: null, steps: 4, evalEvery: 0, ...settings };
      return (await fit({ run, data, engine, config })).steps.map(({ lossNats }) => lossNats);
    };
    const whole = await losses({ recompute: 'never' });
    const chunks = await losses({ memoryBudgetGB: 0.001 }); // less than the process has: the shortest chunks
    expect(chunks).not.toEqual(whole);
    chunks.forEach((loss, i) => expect(loss).toBeCloseTo(whole[i], 4));
  });
});
