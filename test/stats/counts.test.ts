import { describe, expect, it } from 'vitest';
import {
  addCounts,
  alignCounts,
  countDistances,
  countValues,
  finiteMean,
  logBin,
  mean,
  normalise,
  quantile,
  totalCount,
} from '../../src/stats';

describe('counts', () => {
  it('counts values and leaves out undefined', () => {
    expect(countValues([80, 443, undefined, 80])).toEqual(
      new Map([
        [80, 2],
        [443, 1],
      ]),
    );
  });
  it('aligns over the union of the values', () => {
    const [p, q] = alignCounts(new Map([['a', 1]]), new Map([['b', 3]]));
    expect([...p]).toEqual([1, 0]);
    expect([...q]).toEqual([0, 3]);
  });
  it('gives the distances of half-overlapping counts', () => {
    const d = countDistances(countValues([1, 2]), countValues([2, 3]));
    expect(d.totalVariation).toBeCloseTo(0.5, 12);
    expect(d.hellinger).toBeCloseTo(Math.sqrt(0.5), 12);
    expect(d.jsDistance).toBeCloseTo(Math.sqrt(0.5), 12);
  });
  it('normalises and adds', () => {
    const half = normalise(countValues([1, 1, 2, 2]), 0.5);
    expect([...half.values()]).toEqual([0.25, 0.25]);
    expect(totalCount(addCounts([half, half]))).toBeCloseTo(1, 12);
    expect(totalCount(normalise(new Map()))).toBe(0);
  });
  it('bins: single values below 64, then eight a power of two', () => {
    expect([0, -3, 1, 63, 64, 71, 72, 127, 128, 143, 144, 1500, 65535].map(logBin)).toEqual([
      0, 0, 1, 63, 64, 64, 72, 120, 128, 128, 144, 1408, 61440,
    ]);
  });
});

describe('describe', () => {
  it('mean, and mean of the finite values', () => {
    expect(mean([1, 2, 6])).toBe(3);
    expect(finiteMean([1, NaN, 3])).toBe(2);
    expect(finiteMean([])).toBeNaN();
  });
  it('quantiles interpolate linearly', () => {
    expect([0, 0.25, 0.5, 1].map((q) => quantile([1, 2, 3, 10], q))).toEqual([1, 1.75, 2.5, 10]);
    expect(quantile([], 0.5)).toBeNaN();
  });
});
