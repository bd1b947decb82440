import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadModelFiles, toParams } from '../../src/model';
import { useEngine, type Engine } from '../../src/tensor';
import { openDataset } from '../../src/tokens';
import { evaluateLoss, fit, labelEffect } from '../../src/train';
import { temporaryFolder, TOY_CONFIG, writeToyDataset } from './toy';

let engine: Engine;
beforeAll(async () => {
  engine = await useEngine('wasm');
});

describe('labelEffect', () => {
  it('is near 0 before training, rises as the labels are learned, and agrees with evaluateLoss', async () => {
    const folder = temporaryFolder();
    const data = writeToyDataset(join(folder, 'data'), { sequences: 24 });
    const dataset = openDataset(data);
    const measure = async (run: string, packets?: number) => {
      const { config, weights } = loadModelFiles(run);
      const params = toParams(engine.tf, weights);
      const before = engine.tf.memory().numTensors;
      const effect = await labelEffect(engine, config, params, dataset, 'validation', { packets });
      expect(engine.tf.memory().numTensors).toBe(before);
      const whole = await evaluateLoss(engine, config, params, dataset, 'validation');
      engine.tf.dispose(Object.values(params));
      return { effect, whole };
    };
    const fresh = join(folder, 'fresh');
    const common = {
      ...TOY_CONFIG,
      mode: 'packed',
      model: { d_model: 32, n_layer: 1, ssm_cfg: { d_state: 16, headdim: 16, chunk_size: 32 } },
      contextLen: 64,
      chunkLen: 64,
      batchSize: 8,
    } as const;
    await fit({ run: fresh, data, engine, config: { ...common, steps: 1, lr: 1e-9, evalEvery: 0 } });
    expect(Math.abs((await measure(fresh)).effect.nats)).toBeLessThan(0.01);

    const trained = join(folder, 'trained');
    await fit({ run: trained, data, engine, config: { ...common, steps: 120, lr: 2e-2, evalEvery: 0 } });
    const { effect, whole } = await measure(trained, 1000);
    expect(effect.nats).toBeGreaterThan(0.05); // 0.12 where this was written
    expect(effect.lossNats.a.a).toBeCloseTo(whole.perLabel.a.lossNats, 5);
    expect(effect.lossNats.b.a).toBeGreaterThan(effect.lossNats.b.b);
    expect(effect.tokens.a).toBe(whole.perLabel.a.tokens);
    const { effect: short } = await measure(trained, 2);
    // Three sessions, two packets of eight bytes with their marks each.
    expect(short.nats).toBeGreaterThan(effect.nats); // later bytes tell the language themselves
    expect(short.tokens).toEqual({ a: 54, b: 54 });
    dataset.close();
  }, 120_000);

  it('needs two labels', async () => {
    const data = writeToyDataset(join(temporaryFolder(), 'data'), { labels: ['a'] });
    const dataset = openDataset(data);
    await expect(labelEffect(engine, undefined as never, {}, dataset, 'validation')).rejects.toThrow(
      'one label (a)',
    );
  });
});
