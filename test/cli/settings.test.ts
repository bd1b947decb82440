import { describe, expect, it } from 'vitest';
import { readSettings } from '../../src/cli/settings';

describe('--set', () => {
  it('reads JSON, text where it is none, and paths into objects whose other keys stay', () => {
    const base = { lr: 1, model: { d_model: 64, ssm_cfg: { d_state: 32, headdim: 32 } } };
    expect(readSettings(['lr=1e-3', 'phase=teardown', 'init=null'], base)).toEqual({
      lr: 0.001,
      phase: 'teardown',
      init: null,
    });
    expect(readSettings(['model.ssm_cfg.d_state=8', 'model.n_layer=2', 'model.n_layer=3'], base)).toEqual({
      model: { d_model: 64, n_layer: 3, ssm_cfg: { d_state: 8, headdim: 32 } },
    });
    expect(base.model.ssm_cfg.d_state).toBe(32);
  });

  it.each(['lr', '=3', 'a..b=1', '__proto__.x=1'])('refuses %s', (text) => {
    expect(() => readSettings([text], {})).toThrow(`--set ${text}: expected key=value`);
  });
});
