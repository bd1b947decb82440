import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { derivedSizes, forward, initWeights, toParams, validateConfig, type Params } from '../../src/model';
import { useEngine, type Engine } from '../../src/tensor';
import { openDataset, planBatches, type TokenDataset } from '../../src/tokens';
import { crossEntropy, evaluateLoss, lengthCap } from '../../src/train';
import { Rng } from '../../src/util';
import { temporaryFolder, TOY_CONFIG, writeToyDataset } from './toy';

let engine: Engine;
let dataset: TokenDataset;
let params: Params;
const config = validateConfig({ ...TOY_CONFIG.model, vocab_size: 262 });

beforeAll(async () => {
  engine = await useEngine('wasm');
  dataset = openDataset(writeToyDataset(join(temporaryFolder(), 'data')));
  // Large weights, so that every token has its own loss.
  const weights = initWeights(config, new Rng(3));
  for (const { data } of Object.values(weights)) for (let i = 0; i < data.length; i++) data[i] *= 1.5;
  params = toParams(engine.tf, weights);
});

/** Sequence by sequence in one piece, straight from the definition. */
function direct(split: string, cap = Infinity): { lossNats: number; tokens: number; a: number } {
  const { tf } = engine;
  const V = derivedSizes(config).padded_vocab_size;
  const sum = { all: 0, a: 0 };
  const count = { all: 0, a: 0 };
  dataset.sequences.forEach((sequence, i) => {
    if (sequence.split !== split) return;
    const ids = Array.from(dataset.tokens(i)).slice(0, cap);
    const logits = tf.tidy(
      () =>
        forward(
          tf,
          config,
          params,
          tf.tensor2d([ids], [1, ids.length], 'int32'),
        ).logits.dataSync() as Float32Array,
    );
    for (let t = 0; t + 1 < ids.length; t++) {
      const loss = crossEntropy(logits, t * V, V, ids[t + 1]);
      sum.all += loss;
      count.all++;
      if (sequence.label !== 'a') continue;
      sum.a += loss;
      count.a++;
    }
  });
  return { lossNats: sum.all / count.all, tokens: count.all, a: sum.a / count.a };
}

describe('evaluateLoss', () => {
  it('is the mean over whole sequences from the empty state, however they are laid out', async () => {
    const expected = direct('validation');
    for (const [batch, chunkLen] of [
      [8, 32],
      [2, 17],
      [1, 256],
    ]) {
      const result = await evaluateLoss(engine, config, params, dataset, 'validation', { batch, chunkLen });
      expect(result.tokens).toBe(expected.tokens);
      expect(result.lossNats).toBeCloseTo(expected.lossNats, 5);
      expect(result.perLabel.a.lossNats).toBeCloseTo(expected.a, 5);
    }
  });

  it('counts the tokens that training counts', async () => {
    const result = await evaluateLoss(engine, config, params, dataset, 'train');
    const plan = planBatches({ dataset, split: 'train', rowLen: 32, batch: 4, seed: 1, epoch: 0 });
    expect(plan.lossTokens).toBe(result.tokens);
  });

  it('maxTokens cuts all sequences to one length, and every label stays', async () => {
    const result = await evaluateLoss(engine, config, params, dataset, 'validation', { maxTokens: 100 });
    expect(result.tokens).toBe(96); // 6 sequences, 16 predicted tokens each
    expect(result.lossNats).toBeCloseTo(direct('validation', 17).lossNats, 5);
    expect(result.perLabel.b.tokens).toBe(48);
  });

  it('leaves no tensor behind, reports progress, refuses an empty split', async () => {
    const before = engine.tf.memory().numTensors;
    const seen: number[] = [];
    const { tokens } = await evaluateLoss(engine, config, params, dataset, 'validation', {
      onProgress: (u) => seen.push(u.done),
    });
    expect(engine.tf.memory().numTensors).toBe(before);
    expect(seen.at(-1)).toBe(tokens);
    await expect(evaluateLoss(engine, config, params, dataset, 'test')).rejects.toMatchObject({
      code: 'split_empty',
    });
  });
});

describe('lengthCap', () => {
  it('is the largest cut whose sum fits', () => {
    expect(lengthCap([5, 1, 9], 15)).toBe(9);
    expect(lengthCap([5, 1, 9], 14)).toBe(8);
    expect(lengthCap([5, 1, 9], 10)).toBe(4);
    expect(lengthCap([5, 5], 1)).toBe(1);
  });
});
