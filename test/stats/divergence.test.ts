import { describe, expect, it } from 'vitest';
import {
  distances,
  entropy,
  hellinger,
  jensenShannonDistance,
  jensenShannonDivergence,
  klDivergence,
  totalVariation,
} from '../../src/stats';

describe('entropy', () => {
  it('of a fair coin is 1 bit, ln 2 nats', () => {
    expect(entropy([5, 5], 2)).toBeCloseTo(1, 12);
    expect(entropy([0.5, 0.5], Math.E)).toBeCloseTo(Math.LN2, 12);
  });
  it('of (1/2, 1/4, 1/8, 1/8) is 1.75 bits; of a certain outcome 0', () => {
    expect(entropy([4, 2, 1, 1], 2)).toBeCloseTo(1.75, 12);
    expect(entropy([7, 0], 2)).toBe(0);
  });
  it('is NaN of nothing', () => expect(entropy([0, 0], 2)).toBeNaN());
});

describe('divergences, by hand', () => {
  // p = (1/2, 1/2), q = (3/4, 1/4)
  const p = [2, 2];
  const q = [3, 1];
  it('KL(p||q) = 1/2 log2(2/3) + 1/2 log2(2) = 0.20752', () => {
    expect(klDivergence(p, q, 2)).toBeCloseTo(0.5 * Math.log2(2 / 3) + 0.5, 12);
    expect(klDivergence(p, q, 2)).toBeCloseTo(0.20751875, 7);
  });
  it('KL(q||p) = 3/4 log2(3/2) - 1/4 = 0.18872', () =>
    expect(klDivergence(q, p, 2)).toBeCloseTo(0.18872188, 7));
  it('KL is infinite where q misses an outcome of p', () =>
    expect(klDivergence([1, 1], [1, 0], 2)).toBe(Infinity));
  it('JS of disjoint distributions is 1 in base 2, ln 2 in base e', () => {
    expect(jensenShannonDivergence([1, 0], [0, 1], 2)).toBeCloseTo(1, 12);
    expect(jensenShannonDivergence([1, 0], [0, 1], Math.E)).toBeCloseTo(Math.LN2, 12);
    expect(jensenShannonDistance([1, 0], [0, 1], Math.E)).toBeCloseTo(0.8325546, 7);
  });
  it('JS of p and q: H(5/8, 3/8) - (1 + H(3/4, 1/4)) / 2 = 0.048795', () => {
    const h = (x: number) => -x * Math.log2(x) - (1 - x) * Math.log2(1 - x);
    expect(jensenShannonDivergence(p, q, 2)).toBeCloseTo(h(5 / 8) - (1 + h(1 / 4)) / 2, 12);
    expect(jensenShannonDivergence(p, q, 2)).toBeCloseTo(0.0487949, 6);
  });
  it('total variation of p and q is 1/4, Hellinger sqrt(1 - (sqrt(3/8) + sqrt(1/8)))', () => {
    expect(totalVariation(p, q)).toBeCloseTo(0.25, 12);
    expect(hellinger(p, q)).toBeCloseTo(Math.sqrt(1 - Math.sqrt(3 / 8) - Math.sqrt(1 / 8)), 12);
  });
  it('are 0 for equal distributions given as different totals', () => {
    expect(distances([1, 2, 3], [10, 20, 30])).toEqual({ jsDistance: 0, totalVariation: 0, hellinger: 0 });
  });
  it('are NaN when one side is empty', () => {
    expect(Object.values(distances([0, 0], [1, 0])).every(Number.isNaN)).toBe(true);
  });
  it('name what is unusable', () => {
    expect(() => totalVariation([1], [1, 2])).toThrow('over 1 and 2 outcomes');
    expect(() => entropy([1, -1], 2)).toThrow('weight -1 at 1');
  });
});
