/** The probe tells what a step did, by the definitions; and a step that is looked at is the same step. */
import { describe, expect, test } from 'vitest';
import { derivedSizes, StepModel, type MambaConfig } from '../../src/model';
import { livelyWeights, randomTokens, tinyConfig, tinyMamba1 } from './helpers';

const configs: [string, MambaConfig][] = [
  ['Mamba-1', tinyMamba1()],
  ['Mamba-2', tinyConfig()],
  ['Mamba-2, two groups', tinyConfig({ ngroups: 2 })],
];

describe.each(configs)('%s', (_name, config) => {
  const weights = livelyWeights(config);
  const model = new StepModel(config, weights);
  const tokens = randomTokens(1, 9, 37, 4);

  test('a step that is looked at gives the same numbers', () => {
    const [plain, looked] = [model.newState(), model.newState()];
    const [a, b] = [new Float32Array(model.vocabSize), new Float32Array(model.vocabSize)];
    const probe = model.newProbe();
    for (const token of tokens) {
      model.step(plain, token, a);
      model.step(looked, token, b, probe);
    }
    expect([...b]).toEqual([...a]);
    expect(looked.ssm.map((h) => [...h])).toEqual(plain.ssm.map((h) => [...h]));
  });

  test('h = decay h + Delta x B: the change of the state is along B, what is kept follows from Delta', () => {
    const state = model.newState();
    const probe = model.newProbe();
    let worst = 0;
    const near = (a: number, b: number) => (worst = Math.max(worst, Math.abs(a - b)));
    const { nheads, d_inner } = derivedSizes(config);
    const N = config.ssm_cfg.d_state;
    const groups = config.ssm_cfg.layer === 'Mamba2' ? config.ssm_cfg.ngroups : 1;
    for (const token of tokens) {
      const before = model.copyState(state).ssm;
      model.step(state, token, undefined, probe);
      probe.layers.forEach((look, layer) => {
        const A_log = weights[`backbone.layers.${layer}.mixer.A_log`].data;
        const channels = d_inner / nheads;
        let [norm, change] = [0, 0];
        for (let e = 0; e < d_inner; e++) {
          const head = Math.floor(e / channels);
          const group = Math.floor(head / (nheads / groups));
          const decay = Array.from({ length: N }, (_, n) =>
            Math.exp(
              -look.delta[head] * Math.exp(A_log[config.ssm_cfg.layer === 'Mamba1' ? e * N + n : head]),
            ),
          );
          near(look.decay[head], decay.reduce((a, b) => a + b) / N);
          // What was added, divided by B, is the same number for all n: Delta x.
          const added = decay.map((d, n) => state.ssm[layer][e * N + n] - d * before[layer][e * N + n]);
          const B = look.B.subarray(group * N, (group + 1) * N);
          const most = B.reduce((best, v, n) => (Math.abs(v) > Math.abs(B[best]) ? n : best), 0);
          added.forEach((value, n) => near(value, (added[most] / B[most]) * B[n]));
          for (let n = 0; n < N; n++) {
            norm += state.ssm[layer][e * N + n] ** 2;
            change += (state.ssm[layer][e * N + n] - before[layer][e * N + n]) ** 2;
          }
        }
        near(look.stateNorm, Math.sqrt(norm));
        near(look.stateChange, Math.sqrt(change));
        expect(Math.min(...look.delta)).toBeGreaterThan(0);
        expect(look.C.some((v) => v !== 0)).toBe(true);
        expect(look.gate.every((v) => v > -0.2785)).toBe(true); // the least value of SiLU
      });
    }
    expect(worst).toBeLessThan(1e-4);
  });
});
