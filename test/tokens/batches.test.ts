import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PADDING, PKT, planBatches } from '../../src/tokens';
import type { TokenDataset } from '../../src/tokens';
import { eightSessions } from './sessions';

describe('planBatches', () => {
  let data: TokenDataset;
  beforeAll(async () => {
    data = await eightSessions();
  });
  afterAll(() => data.close());
  const plan = (more: Partial<Parameters<typeof planBatches>[0]> = {}) =>
    planBatches({ dataset: data, split: 'train', rowLen: 160, batch: 3, seed: 5, epoch: 0, ...more });

  it('makes every token but the labels a target exactly once', () => {
    const p = plan();
    const seen = new Map<string, number>();
    let loss = 0;
    for (let i = 0; i < p.batches; i++) {
      const { tokens, targets, mask, lossTokens } = p.at(i);
      expect(tokens).toHaveLength(480);
      expect(mask.reduce((a, b) => a + b, 0)).toBe(lossTokens);
      loss += lossTokens;
      mask.forEach((m, k) => {
        if (m === 1)
          seen.set(`${tokens[k]} ${targets[k]}`, (seen.get(`${tokens[k]} ${targets[k]}`) ?? 0) + 1);
      });
    }
    const expected = new Map<string, number>();
    let total = 0;
    for (let i = 0; i < data.sequences.length; i++) {
      const t = data.tokens(i);
      total += t.length - 1;
      for (let k = 1; k < t.length; k++)
        expected.set(`${t[k - 1]} ${t[k]}`, (expected.get(`${t[k - 1]} ${t[k]}`) ?? 0) + 1);
    }
    expect([loss, p.lossTokens]).toEqual([total, total]);
    expect(seen).toEqual(expected);
  });

  it('begins every piece with its label, and with <|pkt|> where it is not the first', () => {
    const p = plan();
    let first = 0;
    let inside = 0;
    for (let i = 0; i < p.batches; i++) {
      const { tokens, starts, mask, targets } = p.at(i);
      starts.forEach((s, k) => {
        if (s === 0 || tokens[k] === 258) return;
        expect(tokens[k]).toBeGreaterThanOrEqual(260);
        if (targets[k] !== PKT) first++;
        else {
          inside++;
          expect(mask[k]).toBe(0);
        }
      });
    }
    expect(first).toBe(8);
    expect(inside).toBeGreaterThan(0);
  });

  it('depends on seed and epoch only, and starts anywhere', () => {
    const all = Array.from({ length: plan().batches }, (_, i) => plan().at(i));
    const p = plan();
    for (const i of [3, 1, p.batches - 1, 0]) expect(p.at(i)).toEqual(all[i]);
    expect(plan({ epoch: 1 }).at(0)).not.toEqual(all[0]);
    expect(plan({ seed: 6 }).at(0)).not.toEqual(all[0]);
    expect(() => p.at(p.batches)).toThrow(RangeError);
    expect(plan({ split: 'test' }).batches).toBe(0);
    expect(() => plan({ rowLen: 2 })).toThrow('rowLen must be a whole number of at least 3');
  });

  it('carries on from row to row', () => {
    const p = plan();
    let carried = 0;
    for (let i = 0; i < p.batches; i++)
      for (let b = 0; b < 3; b++) if (p.at(i).starts[b * 160] === 0) carried++;
    expect(carried).toBeGreaterThan(p.batches);
  });

  it('does not cut the sequences of a layout that keeps state', () => {
    const layout = { ...data.layout, stateful: true };
    const stateful = Object.create(data, { layout: { value: layout } }) as TokenDataset;
    const p = plan({ dataset: stateful });
    let loss = 0;
    for (let i = 0; i < p.batches; i++) {
      const { starts, tokens, targets, lossTokens } = p.at(i);
      loss += lossTokens;
      starts.forEach((s, k) => {
        if (s === 1 && tokens[k] !== PADDING) expect(targets[k]).not.toBe(PKT);
      });
    }
    expect(loss).toBe(data.meta.totals.tokens - 8);
  });

  it('works with one row of any length', () => {
    for (const rowLen of [3, 50, 100000]) {
      const p = plan({ rowLen, batch: 1 });
      let loss = 0;
      for (let i = 0; i < p.batches; i++) loss += p.at(i).lossTokens;
      expect(loss).toBe(data.meta.totals.tokens - 8);
    }
  });
});
