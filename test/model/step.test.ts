import { beforeAll, describe, expect, it } from 'vitest';
import { forward, StepModel, toParams } from '../../src/model';
import { useEngine, type TF } from '../../src/tensor';
import { engines, int2d, livelyWeights, randomTokens, stateValues, tinyConfig, values } from './helpers';

describe.each(engines)('engine %s', (engine) => {
  let tf: TF;
  beforeAll(async () => {
    tf = (await useEngine(engine)).tf;
  });

  describe('StepModel', () => {
    it.each([
      [1, {}],
      [13, {}],
      [29, {}],
      [29, { ngroups: 2 }],
      [29, { d_conv: 2, d_state: 7 }],
    ])('token by token equals the chunked form under teacher forcing: L = %i, %o', (L, changes) => {
      const config = tinyConfig(changes);
      const weights = livelyWeights(config);
      const ids = randomTokens(1, L, 37, L);
      const whole = forward(tf, config, toParams(tf, weights), int2d(tf, ids, 1, L));
      const model = new StepModel(config, weights);
      const state = model.newState();
      const logits = new Float32Array(model.vocabSize);
      const all = [...ids].flatMap((id) => {
        model.step(state, id, logits);
        return [...logits];
      });
      expect(model.vocabSize).toBe(40);
      expect(all).toBeWithin(values(whole.logits), 1e-4);
      const mine = state.conv.flatMap((conv, i) => [...conv, ...state.ssm[i]]);
      expect(mine).toBeWithin(stateValues(whole.states), 1e-4);
    });

    it('prefill is the steps, and a copied state goes its own way', () => {
      const config = tinyConfig();
      const model = new StepModel(config, livelyWeights(config));
      const [a, b, c] = [0, 1, 2].map(() => new Float32Array(model.vocabSize));
      const state = model.newState();
      model.prefill(state, [1, 2, 3, 4], a);
      const kept = model.copyState(state);
      model.step(state, 5, b);
      model.step(kept, 5, c);
      expect([...c]).toEqual([...b]);
      model.step(kept, 6, c);
      const bySteps = [...kept.conv.flatMap((conv) => [...conv]), ...kept.ssm.flatMap((ssm) => [...ssm])];
      const other = model.newState();
      model.copyStateInto(kept, other);
      model.step(kept, 7, c);
      expect([...other.conv.flatMap((conv) => [...conv]), ...other.ssm.flatMap((ssm) => [...ssm])]).toEqual(
        bySteps,
      );
      const fresh = model.newState();
      for (const token of [1, 2, 3, 4, 5]) model.step(fresh, token, c);
      expect([...c]).toEqual([...b]);
      expect(a).not.toEqual(b);
    });

    it('refuses a token outside the vocabulary', () => {
      const config = tinyConfig();
      const model = new StepModel(config, livelyWeights(config));
      expect(() => model.step(model.newState(), 40)).toThrow('token 40 is not in 0..39');
      expect(() => model.step(model.newState(), NaN)).toThrow('token NaN');
    });
  });
});
