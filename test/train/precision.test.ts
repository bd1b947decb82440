import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { useEngine } from '../../src/tensor';
import { fit, validateTrainConfig } from '../../src/train';
import { engines } from '../tensor/presentEngines';
import { temporaryFolder, TOY_CONFIG, writeToyDataset } from './toy';

describe.each(engines.filter((name) => name !== 'cpu'))('training in bf16, engine %s', (name) => {
  // The composed form of Mamba-1 takes too long for a test.
  const layers = name === 'native' ? (['Mamba1', 'Mamba2'] as const) : (['Mamba2'] as const);
  it.each(layers)('%s: the loss curve is that of float32', async (layer) => {
    const engine = await useEngine(name);
    const data = writeToyDataset(join(temporaryFolder(), 'data'));
    const curve = async (precision: 'float32' | 'bf16') => {
      const ssm_cfg = layer === 'Mamba1' ? { layer, d_state: 8 } : TOY_CONFIG.model?.ssm_cfg;
      const config = {
        ...TOY_CONFIG,
        model: { ...TOY_CONFIG.model, ssm_cfg },
        chunkLen: null,
        steps: 20,
        evalEvery: 20,
        precision,
      };
      const history = await fit({ run: join(temporaryFolder(), 'run'), data, engine, config });
      return { losses: history.steps.map((s) => s.lossNats), heldOut: history.evals[0].lossNats };
    };
    const [full, half] = [await curve('float32'), await curve('bf16')];
    expect(half.losses).not.toEqual(full.losses);
    expect(full.losses[19]).toBeLessThan(0.75 * full.losses[0]); // it does learn
    half.losses.forEach((loss, i) => expect(Math.abs(loss / full.losses[i] - 1)).toBeLessThan(0.005));
    expect(Math.abs(half.heldOut / full.heldOut - 1)).toBeLessThan(0.005);
  });
});

describe('precision', () => {
  it('is float32 unless asked for, and nothing else but bf16', () => {
    expect(validateTrainConfig({}).precision).toBe('float32');
    expect(() => validateTrainConfig({ precision: 'fp16' })).toThrow(
      'precision must be one of float32, bf16, not "fp16"',
    );
  });
});
