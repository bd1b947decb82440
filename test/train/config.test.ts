import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DEFAULT_TRAIN, loadTrainConfig, TRAIN_PRESETS, validateTrainConfig } from '../../src/train';
import { projectRoot, readJson } from '../../src/util';

describe('train config', () => {
  it('fills in defaults', () => {
    expect(validateTrainConfig({ steps: 3 })).toEqual({ ...DEFAULT_TRAIN, steps: 3 });
  });

  it('names every problem at once, unknown keys too', () => {
    const run = () =>
      validateTrainConfig({
        stepz: 3,
        steps: 0,
        lr: -1,
        beta2: 1,
        mode: 'flows',
        model: { d_modle: 3, vocab_size: 9, ssm_cfg: { state: 1 } },
        maxSeconds: 'x',
      });
    expect(run).toThrow(
      'train config: unknown key "stepz"; steps must be a whole number of at least 1, not 0; maxSeconds must be above 0 or null, not "x"; lr must be above 0, not -1; beta2 must be in [0, 1), not 1; mode must be one of stream, packed, not "flows"; unknown key "model.d_modle"; model.vocab_size comes from the data set and cannot be set; unknown key "model.ssm_cfg.state"',
    );
  });

  it('leaves the chunk to recompute, and refuses one longer than the row', () => {
    expect(validateTrainConfig({ contextLen: 64 }).chunkLen).toBe(null);
    expect(() => validateTrainConfig({ contextLen: 64, chunkLen: 128 })).toThrow(
      'chunkLen (128) must not exceed contextLen (64)',
    );
  });

  it('says which settings of pieces do not go together', () => {
    expect(() => validateTrainConfig({ renumber: true })).toThrow('renumber needs mode "packed"');
    expect(() => validateTrainConfig({ mode: 'packed', freshAddresses: 0.5, openings: 2 })).toThrow(
      'openings must be in [0, 1], not 2; freshAddresses (0.5) needs renumber',
    );
    expect(() => validateTrainConfig({ mode: 'packed', contextLen: 64, shortestPiece: 65 })).toThrow(
      'shortestPiece (65) must not exceed contextLen (64)',
    );
    expect(() => validateTrainConfig({ mode: 'packed', openings: 0.6, endings: 0.5 })).toThrow(
      'openings (0.6) and endings (0.5) must not exceed 1 together',
    );
    expect(() => validateTrainConfig({ headWeight: 2 })).toThrow('headWeight needs mode "packed"');
    expect(() => validateTrainConfig({ mode: 'packed', headWeight: 0 })).toThrow(
      'headWeight must be above 0, not 0',
    );
  });

  it.each(['tiny', 'demo'] as const)('configs/%s.json is the preset', (name) => {
    const path = join(projectRoot, 'configs', `${name}.json`);
    expect(readJson(path)).toEqual(TRAIN_PRESETS[name]);
    expect(loadTrainConfig(path)).toEqual(validateTrainConfig(TRAIN_PRESETS[name]));
  });
});
