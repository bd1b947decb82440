import { beforeAll, describe, expect, it } from 'vitest';
import {
  chunkedLossAndGradients,
  disposeStates,
  forward,
  initWeights,
  nextTokenLoss,
  toParams,
} from '../../src/model';
import { useEngine, type TF } from '../../src/tensor';
import { Rng } from '../../src/util';
import { engines, int2d, livelyWeights, randomTokens, stateValues, tinyConfig, values } from './helpers';

describe.each(engines)('engine %s', (engine) => {
  let tf: TF;
  beforeAll(async () => {
    tf = (await useEngine(engine)).tf;
  });

  const [B, L] = [2, 29];

  function batch(seed: number) {
    const ids = randomTokens(B, L + 1, 37, seed);
    const rows = (shift: number) =>
      Array.from({ length: B * L }, (_, i) => ids[Math.floor(i / L) * (L + 1) + (i % L) + shift]);
    const mask = Float32Array.from({ length: B * L }, (_, i) => (i % 7 === 3 ? 0 : 1));
    return {
      tokens: int2d(tf, rows(0), B, L),
      targets: int2d(tf, rows(1), B, L),
      mask: tf.tensor2d(mask, [B, L]),
    };
  }

  describe('chunkedLossAndGradients', () => {
    const starts = new Int32Array(B * L);
    for (const t of [0, 6, 7, 20, L + 11, L + 16]) starts[t] = 1;

    it.each([
      [8, false],
      [10, false],
      [1, false],
      [10, true],
      [16, true],
    ])('chunks of %i, packed %s: every gradient equals the whole row', (chunkLen, packed) => {
      const config = tinyConfig({ ngroups: packed ? 2 : 1 });
      const params = toParams(tf, livelyWeights(config));
      const { tokens, targets, mask } = batch(2);
      const states = forward(tf, config, params, int2d(tf, randomTokens(B, 9, 37, 5), B, 9)).states;
      const options = { states, ...(packed ? { starts: int2d(tf, starts, B, L) } : {}) };
      const whole = chunkedLossAndGradients(tf, config, params, tokens, targets, mask, options);
      const split = chunkedLossAndGradients(tf, config, params, tokens, targets, mask, {
        ...options,
        chunkLen,
      });
      expect(whole.count).toBe(50);
      expect(split.lossSum / whole.lossSum).toBeCloseTo(1, 5);
      expect(split.loss).toBeCloseTo(split.lossSum / 50, 6);
      expect(stateValues(split.states)).toBeWithin(stateValues(whole.states), 1e-4);
      expect(Object.keys(split.gradients)).toEqual(Object.keys(params));
      for (const name of Object.keys(params)) {
        expect(Math.max(...values(whole.gradients[name]).map(Math.abs)), name).toBeGreaterThan(1e-5);
        expect(values(split.gradients[name]), name).toBeWithin(values(whole.gradients[name]), 1e-4);
      }
    });

    it('leaves nothing behind', () => {
      const config = tinyConfig();
      const params = toParams(tf, initWeights(config, new Rng(1)));
      const { tokens, targets, mask } = batch(3);
      const before = tf.memory().numTensors;
      const result = chunkedLossAndGradients(tf, config, params, tokens, targets, mask, { chunkLen: 8 });
      tf.dispose(Object.values(result.gradients));
      disposeStates(result.states);
      expect(tf.memory().numTensors).toBe(before);
    });

    it('agree with finite differences', () => {
      const config = tinyConfig({ n_layer: 1 });
      const weights = livelyWeights(config);
      const params = toParams(tf, weights);
      const { tokens, targets, mask } = batch(4);
      const { gradients } = chunkedLossAndGradients(tf, config, params, tokens, targets, mask, {
        denominator: 1,
      });
      const rng = new Rng(6);
      for (const [name, { data, shape }] of Object.entries(weights)) {
        // Along a random direction, so that a single small entry's rounding does not decide.
        const direction = Float32Array.from(data, () => rng.normal());
        const norm = Math.sqrt(direction.reduce((sum, v) => sum + v * v, 0));
        const h = 0.02;
        const lossAt = (step: number) =>
          tf.tidy(() => {
            const moved = tf.tensor(
              data.map((v, i) => v + (step * direction[i]) / norm),
              shape,
            );
            const { logits } = forward(tf, config, { ...params, [name]: moved }, tokens);
            return nextTokenLoss(tf, logits, targets, mask).dataSync()[0];
          });
        const slope = (8 * (lossAt(h) - lossAt(-h)) - (lossAt(2 * h) - lossAt(-2 * h))) / (12 * h);
        const predicted = values(gradients[name]).reduce((sum, g, i) => sum + (g * direction[i]) / norm, 0);
        const size = Math.sqrt(values(gradients[name]).reduce((sum, g) => sum + g * g, 0));
        expect(Math.abs(slope - predicted), `${name}: ${slope} ~ ${predicted}`).toBeLessThan(0.02 * size);
      }
    });

    it('refuses targets of another shape', () => {
      const config = tinyConfig();
      const params = toParams(tf, initWeights(config, new Rng(1)));
      const { tokens, mask } = batch(3);
      expect(() => chunkedLossAndGradients(tf, config, params, tokens, tokens.slice([0, 1]), mask)).toThrow(
        'targets is [2,28] but tokens is [2,29]',
      );
    });
  });
});
