import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { initWeights, StepModel, toParams, validateConfig } from '../../src/model';
import { useEngine, type Engine } from '../../src/tensor';
import { openDataset, PKT, planBatches, planPieces, type TokenDataset } from '../../src/tokens';
import { crossEntropy, evaluateLoss } from '../../src/train';
import { Rng } from '../../src/util';
import { temporaryFolder, TOY_CONFIG, writeToyDataset } from './toy';

const config = validateConfig({ ...TOY_CONFIG.model, vocab_size: 262, label_every_packet: true });
const weights = initWeights(config, new Rng(3));
for (const { data } of Object.values(weights)) for (let i = 0; i < data.length; i++) data[i] *= 1.5;

let engine: Engine;
let dataset: TokenDataset;
beforeAll(async () => {
  engine = await useEngine('wasm');
  dataset = openDataset(writeToyDataset(join(temporaryFolder(), 'data')));
});

describe('label_every_packet', () => {
  it('puts the label in the place of <|pkt|> in what is read, never in what is predicted', () => {
    const options = { dataset, split: 'train', rowLen: 64, batch: 2, seed: 1 } as const;
    const plans = (labelEveryPacket: boolean) => [
      planBatches({ ...options, epoch: 0, labelEveryPacket }).at(0),
      planPieces({ ...options, openings: 0.5, labelEveryPacket }).at(0),
    ];
    const [plain, labelled] = [plans(false), plans(true)];
    for (const [i, batch] of labelled.entries()) {
      expect(plain[i].tokens).toContain(PKT);
      expect(batch.targets).toEqual(plain[i].targets);
      let label = 0;
      const expected = plain[i].tokens.map((token, at) => {
        if (plain[i].starts[at] === 1) label = token;
        return token === PKT ? label : token;
      });
      expect(batch.tokens).toEqual(expected);
    }
  });

  it('is the same one token at a time, and not what a model that reads it once says', async () => {
    const loss = async (c: typeof config) =>
      evaluateLoss(engine, c, toParams(engine.tf, weights), dataset, 'validation', { chunkLen: 32 });
    const step = new StepModel(config, weights);
    const logits = new Float32Array(step.vocabSize);
    const sum = { nats: 0, tokens: 0 };
    dataset.sequences.forEach(({ split }, i) => {
      if (split !== 'validation') return;
      let state = step.newState();
      const ids = dataset.tokens(i);
      for (let t = 0; t + 1 < ids.length; t++) {
        step.step(state, ids[t], logits);
        sum.nats += crossEntropy(logits, 0, step.vocabSize, ids[t + 1]);
        sum.tokens++;
        // A copy remembers the label, too.
        state = step.copyState(state);
      }
    });
    const { lossNats } = await loss(config);
    expect(sum.nats / sum.tokens).toBeCloseTo(lossNats, 4);
    const once = await loss({ ...config, label_every_packet: undefined });
    expect(Math.abs(once.lossNats - lossNats)).toBeGreaterThan(1e-3);
  });

  it('is written only where it is on, so that other configs stay those of the reference', () => {
    expect(Object.keys(validateConfig({ label_every_packet: false }))).not.toContain('label_every_packet');
    expect(() => validateConfig({ label_every_packet: 'yes' })).toThrow(
      'label_every_packet must be true or false',
    );
  });
});
