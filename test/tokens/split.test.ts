import { describe, expect, it } from 'vitest';
import { assignSplits } from '../../src/tokens';
import type { DatasetInput } from '../../src/tokens';

const inputs = (n: number, label = 'web'): DatasetInput[] =>
  Array.from({ length: n }, (_, i) => ({ path: `/somewhere/${label}/${i}.pcap`, label }));
const count = (splits: string[]) => {
  const of = (name: string) => splits.filter((s) => s === name).length;
  return [of('train'), of('validation'), of('test')];
};

describe('assignSplits', () => {
  it('gives about the shares, by a hash that does not depend on the other captures or on the folder', () => {
    const all = inputs(1000);
    const options = { validationShare: 0.2, testShare: 0.1, seed: 1 };
    const splits = assignSplits(all, options);
    const [train, validation, test] = count(splits);
    expect(train + validation + test).toBe(1000);
    expect(Math.abs(validation - 200)).toBeLessThan(40);
    expect(Math.abs(test - 100)).toBeLessThan(30);
    const moved = all.slice(500).map((i) => ({ ...i, path: i.path.replace('somewhere', 'else') }));
    expect(assignSplits(moved, options)).toEqual(splits.slice(500));
    expect(assignSplits(all, { ...options, seed: 2 })).not.toEqual(splits);
  });

  it('keeps one for validation and one for training from three captures on', () => {
    for (let seed = 0; seed < 50; seed++) {
      for (const n of [3, 4, 6]) {
        const [train, validation, test] = count(
          assignSplits(inputs(n), { validationShare: 0.05, testShare: 0, seed }),
        );
        expect(train >= 1 && validation >= 1 && test === 0).toBe(true);
      }
      const three = count(assignSplits(inputs(3), { validationShare: 0.1, testShare: 0.1, seed }));
      expect(three).toEqual([1, 1, 1]);
      const [train] = count(assignSplits(inputs(2), { validationShare: 0.5, testShare: 0.4, seed }));
      expect(train).toBeGreaterThanOrEqual(1);
    }
  });

  it('does as it is told', () => {
    const told = inputs(4).map((i, k) => ({ ...i, split: (['train', 'test', 'test', 'train'] as const)[k] }));
    expect(assignSplits(told, { validationShare: 0.5, testShare: 0, seed: 0 })).toEqual(
      told.map((i) => i.split),
    );
    const some = inputs(5).map((i, k) => (k < 2 ? { ...i, split: 'test' as const } : i));
    const [train, validation, test] = count(
      assignSplits(some, { validationShare: 0.01, testShare: 0, seed: 0 }),
    );
    expect([train, validation, test]).toEqual([2, 1, 2]);
  });
});
