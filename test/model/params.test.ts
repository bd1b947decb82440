import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  describe as describeModel,
  describeText,
  initWeights,
  loadModelFiles,
  parameterShapes,
  saveModel,
  stateShapes,
  validateConfig,
} from '../../src/model';
import { Rng } from '../../src/util';
import { livelyWeights, tinyConfig, tinyMamba1 } from './helpers';

/** The paper's model: 24 layers of width 768, vocabulary 272. */
const paper = validateConfig({
  d_model: 768,
  n_layer: 24,
  vocab_size: 272,
  ssm_cfg: { d_state: 128, chunk_size: 256 },
});

describe('parameterShapes', () => {
  it('gives the names and shapes of the reference', () => {
    const shapes = Object.fromEntries(parameterShapes(paper));
    expect(shapes['backbone.embedding.weight']).toEqual([272, 768]);
    expect(shapes['backbone.layers.23.mixer.in_proj.weight']).toEqual([3352, 768]);
    expect(shapes['backbone.layers.0.mixer.conv1d.weight']).toEqual([1792, 1, 4]);
    expect(shapes['backbone.layers.0.mixer.A_log']).toEqual([24]);
    expect(shapes['backbone.layers.0.mixer.norm.weight']).toEqual([1536]);
    expect(shapes['backbone.norm_f.weight']).toEqual([768]);
    expect(Object.keys(shapes)).toHaveLength(24 * 9 + 2);
    expect(Object.keys(shapes)).not.toContain('lm_head.weight');
  });
});

describe('describe', () => {
  it('counts the parameters of the paper: 90,577,344 with its vocabulary, 128,989,632 with 50,288', () => {
    expect(describeModel(paper).parameters).toBe(90_577_344);
    expect(describeModel({ ...paper, vocab_size: 50_288 }).parameters).toBe(128_989_632);
  });

  it('counts the state and the operations', () => {
    const d = describeModel(paper);
    // 24 layers x (24 heads x 64 x 128 + 3 x 1792)
    expect(d.stateBytes).toBe(4 * 4_847_616);
    expect(d.operationsPerToken.matrix).toBe(2 * (24 * (3352 * 768 + 768 * 1536) + 272 * 768));
    expect(d.operationsPerToken.scan).toBe(24 * 1536 * 128 * 5);
    expect(describeModel(paper, { L: 2048 }).activationBytes).toBe(
      2 * describeModel(paper, { L: 1024 }).activationBytes,
    );
  });

  it('prints one screen', () => {
    const text = describeText(paper);
    expect(text).toContain('90,577,344');
    expect(text).toContain('23 more layers');
    expect(text.split('\n').length).toBeLessThan(20);
  });
});

describe('initWeights', () => {
  const config = validateConfig({ d_model: 64, n_layer: 4, ssm_cfg: { headdim: 8, d_state: 32 } });
  const weights = initWeights(config, new Rng(1));
  const layer = (name: string) => weights[`backbone.layers.2.mixer.${name}`].data;
  const range = (data: Float32Array) => [Math.min(...data), Math.max(...data)];

  it('draws every tensor from the distribution of the reference', () => {
    const embedding = weights['backbone.embedding.weight'].data;
    const deviation = Math.sqrt(embedding.reduce((sum, v) => sum + v * v, 0) / embedding.length);
    expect(Math.abs(deviation / 0.02 - 1)).toBeLessThan(0.03);
    for (const [name, bound] of [
      ['in_proj.weight', 1 / 8], //                            1 / sqrt(d_model)
      ['out_proj.weight', 1 / Math.sqrt(128) / 2], //          1 / sqrt(d_inner) / sqrt(n_layer)
      ['conv1d.weight', 0.5],
      ['conv1d.bias', 0.5],
    ] as const) {
      const [low, high] = range(layer(name));
      expect(low, name).toBeGreaterThanOrEqual(-bound);
      expect(high, name).toBeLessThanOrEqual(bound);
      expect(high - low, name).toBeGreaterThan(1.9 * bound);
    }
    const [aLow, aHigh] = range(layer('A_log').map(Math.exp));
    expect(aLow).toBeGreaterThanOrEqual(1 - 1e-6);
    expect(aHigh).toBeLessThanOrEqual(16 + 1e-5);
    expect(aHigh - aLow).toBeGreaterThan(8);
    const dt = layer('dt_bias').map((v) => Math.log1p(Math.exp(v)));
    expect(range(dt)[0]).toBeGreaterThanOrEqual(0.000999);
    expect(range(dt)[1]).toBeLessThanOrEqual(0.1001);
    for (const name of ['D', 'norm.weight']) expect(range(layer(name))).toEqual([1, 1]);
  });

  it('is the same for the same seed, and its tensors do not depend on each other', () => {
    expect(initWeights(config, new Rng(1))).toEqual(weights);
    expect(initWeights(config, new Rng(2))['backbone.embedding.weight'].data).not.toEqual(
      weights['backbone.embedding.weight'].data,
    );
    const deeper = initWeights({ ...config, n_layer: 6 }, new Rng(1));
    expect(deeper['backbone.layers.2.mixer.in_proj.weight'].data).toEqual(layer('in_proj.weight'));
    expect(layer('in_proj.weight')).not.toEqual(weights['backbone.layers.1.mixer.in_proj.weight'].data);
    expect(Object.keys(initWeights(tinyConfig(), new Rng(1)))).toHaveLength(20);
  });
});

describe('Mamba-1', () => {
  /** The published model of 130 M parameters (state-spaces/mamba-130m). */
  const published = validateConfig({
    d_model: 768,
    n_layer: 24,
    vocab_size: 50_277,
    pad_vocab_size_multiple: 8,
    ssm_cfg: { layer: 'Mamba1' },
  });

  it('has the names, shapes and number of parameters of the reference', () => {
    const shapes = Object.fromEntries(parameterShapes(published));
    const layer = (name: string) => shapes[`backbone.layers.23.mixer.${name}`];
    expect(layer('in_proj.weight')).toEqual([3072, 768]);
    expect(layer('x_proj.weight')).toEqual([48 + 32, 1536]);
    expect(layer('dt_proj.weight')).toEqual([1536, 48]);
    expect(layer('dt_proj.bias')).toEqual([1536]);
    expect(layer('A_log')).toEqual([1536, 16]);
    expect(layer('conv1d.weight')).toEqual([1536, 1, 4]);
    expect(Object.keys(shapes)).toHaveLength(24 * 10 + 2);
    expect(describeModel(published).parameters).toBe(129_135_360);
  });

  it('describes its operations and state', () => {
    const d = describeModel(published);
    const layer = 3072 * 768 + 80 * 1536 + 1536 * 48 + 768 * 1536;
    expect(d.operationsPerToken.matrix).toBe(2 * (24 * layer + 50_280 * 768));
    expect(d.operationsPerToken.scan).toBe(24 * 1536 * 16 * 7);
    expect(stateShapes(published)).toEqual({ conv: [3, 1536], ssm: [1536, 16] });
    expect(d.stateBytes).toBe(4 * 24 * (3 * 1536 + 1536 * 16));
    expect(describeText(published)).toContain('mixer.x_proj.weight');
  });

  it('draws the initial weights of the reference', () => {
    const config = validateConfig({ d_model: 64, n_layer: 2, ssm_cfg: { layer: 'Mamba1' } });
    const weights = initWeights(config, new Rng(1));
    const get = (name: string) => weights[`backbone.layers.1.mixer.${name}`].data;
    expect([...get('A_log').slice(16, 32)].map((v) => Math.round(1e5 * Math.exp(v)) / 1e5)).toEqual(
      Array.from({ length: 16 }, (_, n) => n + 1),
    );
    const dt = get('dt_proj.bias').map((v) => Math.log1p(Math.exp(v)));
    expect(Math.min(...dt)).toBeGreaterThanOrEqual(0.000999);
    expect(Math.max(...dt)).toBeLessThanOrEqual(0.1001);
    expect(new Set(dt).size).toBe(128);
    for (const [name, bound] of [
      ['dt_proj.weight', 0.5], //                 1 / sqrt(dt_rank), dt_rank 4
      ['x_proj.weight', 1 / Math.sqrt(128)],
      ['out_proj.weight', 1 / Math.sqrt(128 * 2)],
    ] as const) {
      const most = Math.max(...get(name).map(Math.abs));
      expect(most, name).toBeLessThanOrEqual(bound);
      expect(most, name).toBeGreaterThan(0.95 * bound);
    }
  });

  it('goes to files and back, and a config says what does not belong to it', () => {
    const dir = mkdtempSync(join(tmpdir(), 'netssm-mamba1-'));
    try {
      const config = tinyMamba1({ dt_rank: 'auto' });
      const weights = livelyWeights(config);
      saveModel(dir, { config, weights });
      expect(loadModelFiles(dir)).toMatchObject({ config, weights });
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
    const refused = (ssm_cfg: object) => () => validateConfig({ ssm_cfg });
    expect(refused({ layer: 'Mamba1', headdim: 64 })).toThrow(
      'unknown key "ssm_cfg.headdim" (it belongs to Mamba2)',
    );
    expect(refused({ layer: 'Mamba1', dt_rank: 0 })).toThrow('ssm_cfg.dt_rank must be a whole number');
    expect(refused({ layer: 'Mamba3' })).toThrow('ssm_cfg.layer must be "Mamba1" or "Mamba2", not "Mamba3"');
    expect(validateConfig({ ssm_cfg: { layer: 'Mamba1' } }).ssm_cfg).toEqual({
      layer: 'Mamba1',
      d_state: 16,
      d_conv: 4,
      expand: 2,
      dt_rank: 'auto',
    });
  });
});
