import { beforeAll, describe, expect, it } from 'vitest';
import { forward, toParams, type LayerState, type Params } from '../../src/model';
import { useEngine, type TF } from '../../src/tensor';
import { engines, int2d, livelyWeights, randomTokens, stateValues, tinyConfig, values } from './helpers';

describe.each(engines)('engine %s', (engine) => {
  let tf: TF;
  beforeAll(async () => {
    tf = (await useEngine(engine)).tf;
  });

  const livelyParams = (config = tinyConfig()): Params => toParams(tf, livelyWeights(config));

  describe('fused = chunked = sequential', () => {
    it.each([
      [1, {}],
      [5, {}],
      [8, {}],
      [9, {}],
      [29, {}],
      [40, {}],
      [29, { ngroups: 2 }],
      [29, { chunk_size: 16, d_conv: 3 }],
    ])('L = %i, %o: logits and states', (L, changes) => {
      const config = tinyConfig(changes);
      const params = livelyParams(config);
      const tokens = int2d(tf, randomTokens(2, L, config.vocab_size, L), 2, L);
      const chunked = forward(tf, config, params, tokens, { scan: 'parallel' });
      const auto = forward(tf, config, params, tokens);
      const sequential = forward(tf, config, params, tokens, { scan: 'sequential' });
      expect(values(chunked.logits)).toBeWithin(values(sequential.logits), 1e-4);
      expect(stateValues(chunked.states)).toBeWithin(stateValues(sequential.states), 1e-4);
      expect(values(auto.logits)).toBeWithin(values(sequential.logits), 1e-4);
      expect(stateValues(auto.states)).toBeWithin(stateValues(sequential.states), 1e-4);
      // A state that is all zeros would pass too.
      expect(Math.max(...stateValues(chunked.states).map(Math.abs))).toBeGreaterThan(0.05);
    });
  });

  describe('states', () => {
    it.each([3, 8, 11, 20])('two calls, cut at %i, equal one', (cut) => {
      const config = tinyConfig();
      const params = livelyParams(config);
      const tokens = int2d(tf, randomTokens(2, 29, 37, 3), 2, 29);
      const whole = forward(tf, config, params, tokens);
      const first = forward(tf, config, params, tokens.slice([0, 0], [2, cut]));
      const second = forward(tf, config, params, tokens.slice([0, cut], [2, 29 - cut]), {
        states: first.states,
      });
      expect(values(tf.concat([first.logits, second.logits], 1))).toBeWithin(values(whole.logits), 1e-4);
      expect(stateValues(second.states)).toBeWithin(stateValues(whole.states), 1e-4);
    });
  });

  describe('causality and independence', () => {
    it('a token leaves all logits before it exactly as they were, and changes its own', () => {
      const config = tinyConfig();
      const params = livelyParams(config);
      const ids = randomTokens(1, 29, 37, 4);
      const before = values(forward(tf, config, params, int2d(tf, ids, 1, 29)).logits);
      for (const t of [0, 7, 8, 17]) {
        const changed = Int32Array.from(ids);
        changed[t] = (changed[t] + 1) % 37;
        const after = values(forward(tf, config, params, int2d(tf, changed, 1, 29)).logits);
        expect([...after.slice(0, t * 40)]).toEqual([...before.slice(0, t * 40)]);
        for (const later of [t, t + 1, t + 4, 28]) {
          expect([...after.slice(later * 40, later * 40 + 40)]).not.toEqual([
            ...before.slice(later * 40, later * 40 + 40),
          ]);
        }
      }
    });

    it('rows of a batch do not see each other', () => {
      const config = tinyConfig();
      const params = livelyParams(config);
      const rows = [5, 6, 7].map((seed) => randomTokens(1, 19, 37, seed));
      const batch = forward(
        tf,
        config,
        params,
        int2d(
          tf,
          rows.flatMap((r) => [...r]),
          3,
          19,
        ),
      );
      const alone = rows.map((row) => values(forward(tf, config, params, int2d(tf, row, 1, 19)).logits));
      expect(values(batch.logits)).toBeWithin(
        alone.flatMap((r) => [...r]),
        1e-5,
      );
    });
  });

  describe.each(['auto', 'parallel', 'sequential'] as const)('packed sequences, %s', (scan) => {
    // Row 0: 3 tokens that continue the state, then sequences of 6, 1 and 19 tokens; row 1: starts at once, then 13, 16.
    const L = 29;
    const cuts = [
      [3, 9, 10],
      [0, 13],
    ];
    const starts = new Int32Array(2 * L);
    cuts.forEach((row, b) => row.forEach((t) => (starts[b * L + t] = 1)));

    it.each([{}, { ngroups: 2 }])('equal the same sequences on their own, %o', (changes) => {
      const config = tinyConfig(changes);
      const params = livelyParams(config);
      const ids = randomTokens(2, L, 37, 8);
      const incoming = forward(tf, config, params, int2d(tf, randomTokens(2, 12, 37, 9), 2, 12)).states;
      const packed = forward(tf, config, params, int2d(tf, ids, 2, L), {
        states: incoming,
        starts: int2d(tf, starts, 2, L),
        scan,
      });
      for (let b = 0; b < 2; b++) {
        const edges = [0, ...cuts[b].filter((t) => t > 0), L];
        const parts: number[] = [];
        let states: LayerState[] = [];
        for (let i = 0; i + 1 < edges.length; i++) {
          const row = int2d(
            tf,
            ids.slice(b * L + edges[i], b * L + edges[i + 1]),
            1,
            edges[i + 1] - edges[i],
          );
          const continues = edges[i] === 0 && starts[b * L] === 0;
          const mine = incoming.map(({ conv, ssm }) => ({
            conv: conv.slice([b, 0, 0], [1, -1, -1]),
            ssm: ssm.slice([b, 0, 0, 0], [1, -1, -1, -1]),
          }));
          const alone = forward(tf, config, params, row, continues ? { states: mine } : {});
          parts.push(...values(alone.logits));
          states = alone.states;
        }
        expect(values(packed.logits.slice([b, 0, 0], [1, L, -1]))).toBeWithin(parts, 1e-4);
        const last = packed.states.map(({ conv, ssm }) => ({
          conv: conv.slice([b, 0, 0], [1, -1, -1]),
          ssm: ssm.slice([b, 0, 0, 0], [1, -1, -1, -1]),
        }));
        expect(stateValues(last)).toBeWithin(stateValues(states), 1e-4);
      }
    });
  });

  describe('forward refuses', () => {
    it('tokens without a row in the embedding, states and weights of another model', () => {
      const config = tinyConfig();
      const params = livelyParams(config);
      const bad = int2d(tf, [1, 2, 40, 3], 2, 2);
      expect(() => forward(tf, config, params, bad)).toThrow('token 40 at row 1, position 0 is not in 0..39');
      const fine = int2d(tf, [1, 2, 39, 3], 2, 2);
      const { states } = forward(tf, config, params, fine);
      expect(() => forward(tf, config, params, fine, { states: states.slice(1) })).toThrow(
        '1 states for 2 layers',
      );
      expect(() => forward(tf, { ...config, d_model: 48 }, params, fine)).toThrow(
        '[40,24] but the config asks for [40,48]',
      );
    });
  });
});
