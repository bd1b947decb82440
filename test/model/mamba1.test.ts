import { beforeAll, describe, expect, it } from 'vitest';
import { chunkedLossAndGradients, forward, StepModel, toParams, type LayerState } from '../../src/model';
import { useEngine, type TF } from '../../src/tensor';
import { engines, int2d, livelyWeights, randomTokens, stateValues, tinyMamba1, values } from './helpers';

describe.each(engines)('Mamba-1, engine %s', (engine) => {
  let tf: TF;
  beforeAll(async () => {
    tf = (await useEngine(engine)).tf;
  });

  it.each([
    [1, {}],
    [2, {}],
    [16, {}],
    [33, { d_state: 16 }],
    [29, { d_state: 3, d_conv: 2, dt_rank: 'auto' as const }],
    [29, { d_state: 21, expand: 1 }],
  ])('L = %i, %o: fused = parallel = sequential = step, logits and states', (L, changes) => {
    const config = tinyMamba1(changes);
    const weights = livelyWeights(config);
    const params = toParams(tf, weights);
    const ids = randomTokens(2, L, config.vocab_size, L);
    const tokens = int2d(tf, ids, 2, L);
    const sequential = forward(tf, config, params, tokens, { scan: 'sequential' });
    for (const scan of ['auto', 'parallel'] as const) {
      const other = forward(tf, config, params, tokens, { scan });
      expect(values(other.logits), scan).toBeWithin(values(sequential.logits), 1e-4);
      expect(stateValues(other.states), scan).toBeWithin(stateValues(sequential.states), 1e-4);
    }
    const model = new StepModel(config, weights);
    const logits = new Float32Array(model.vocabSize);
    const stepped: number[] = [];
    const ends = [0, 1].map((b) => {
      const state = model.newState();
      for (const id of ids.subarray(b * L, b * L + L)) {
        model.step(state, id, logits);
        stepped.push(...logits);
      }
      return state;
    });
    expect(stepped).toBeWithin(values(sequential.logits), 1e-4);
    const mine = [0, 1].flatMap((i) => [
      ...ends.flatMap((state) => [...state.conv[i]]),
      ...ends.flatMap((state) => [...state.ssm[i]]),
    ]);
    expect(mine).toBeWithin(stateValues(sequential.states), 1e-4);
    expect(Math.max(...mine.map(Math.abs))).toBeGreaterThan(0.05); // zeros everywhere would pass, too
  });

  it.each([3, 8, 20])('two calls, cut at %i, equal one', (cut) => {
    const config = tinyMamba1();
    const params = toParams(tf, livelyWeights(config));
    const tokens = int2d(tf, randomTokens(2, 29, 37, 3), 2, 29);
    const whole = forward(tf, config, params, tokens);
    const first = forward(tf, config, params, tokens.slice([0, 0], [2, cut]));
    const { states, logits } = forward(tf, config, params, tokens.slice([0, cut], [2, 29 - cut]), {
      states: first.states,
    });
    expect(values(tf.concat([first.logits, logits], 1))).toBeWithin(values(whole.logits), 1e-4);
    expect(stateValues(states)).toBeWithin(stateValues(whole.states), 1e-4);
  });

  it.each(['auto', 'parallel', 'sequential'] as const)(
    'packed sequences equal the same alone: %s',
    (scan) => {
      const L = 29;
      const config = tinyMamba1();
      const params = toParams(tf, livelyWeights(config));
      const ids = randomTokens(1, L, 37, 8);
      const states = forward(tf, config, params, int2d(tf, randomTokens(1, 12, 37, 9), 1, 12)).states;
      const cuts = [3, 9, 10];
      const starts = Int32Array.from({ length: L }, (_, t) => Number(cuts.includes(t)));
      const packed = forward(tf, config, params, int2d(tf, ids, 1, L), {
        states,
        starts: int2d(tf, starts, 1, L),
        scan,
      });
      const edges = [0, ...cuts, L];
      const parts: number[] = [];
      let last: LayerState[] = [];
      for (let i = 0; i + 1 < edges.length; i++) {
        const row = int2d(tf, ids.slice(edges[i], edges[i + 1]), 1, edges[i + 1] - edges[i]);
        const alone = forward(tf, config, params, row, i === 0 ? { states } : {});
        parts.push(...values(alone.logits));
        last = alone.states;
      }
      expect(values(packed.logits)).toBeWithin(parts, 1e-4);
      expect(stateValues(packed.states)).toBeWithin(stateValues(last), 1e-4);
    },
  );

  it.each([9, 16])('gradients in chunks of %i equal those of the whole row, packed rows too', (chunkLen) => {
    const [B, L] = [2, 29];
    const config = tinyMamba1();
    const params = toParams(tf, livelyWeights(config));
    const [tokens, targets] = [1, 2].map((seed) => int2d(tf, randomTokens(B, L, 37, seed), B, L));
    const starts = new Int32Array(B * L);
    for (const t of [0, 6, 7, 20, L + 11, L + 16]) starts[t] = 1;
    const states = forward(tf, config, params, int2d(tf, randomTokens(B, 9, 37, 5), B, 9)).states;
    const options = { states, starts: int2d(tf, starts, B, L) };
    const mask = tf.ones([B, L]) as never;
    const whole = chunkedLossAndGradients(tf, config, params, tokens, targets, mask, options);
    const split = chunkedLossAndGradients(tf, config, params, tokens, targets, mask, {
      ...options,
      chunkLen,
    });
    for (const name of Object.keys(params)) {
      expect(Math.max(...values(whole.gradients[name]).map(Math.abs)), name).toBeGreaterThan(1e-5);
      expect(values(split.gradients[name]), name).toBeWithin(values(whole.gradients[name]), 1e-4);
    }
  });

  it('leaves no tensors behind', () => {
    const config = tinyMamba1();
    const params = toParams(tf, livelyWeights(config));
    const row = int2d(tf, randomTokens(1, 21, 37, 1), 1, 21);
    const mask = tf.ones([1, 21]) as never;
    const before = tf.memory().numTensors;
    const { gradients, states } = chunkedLossAndGradients(tf, config, params, row, row, mask, {
      chunkLen: 8,
    });
    tf.dispose([...Object.values(gradients), ...states.flatMap(({ conv, ssm }) => [conv, ssm])]);
    expect(tf.memory().numTensors).toBe(before);
  });
});
