import { describe, expect, it } from 'vitest';
import {
  andersonDarling,
  autocorrelation,
  balancedAccuracy,
  bootstrapInterval,
  dynamicTimeWarping,
  earthMoversDistance,
  ecdf,
  gaussianKde,
  intervalOfReplicates,
  kolmogorovSmirnov,
  mean,
  pearson,
  quantiles,
  rocAuc,
  spearman,
  variance,
} from '../../src/stats';
import { Rng } from '../../src/util';

describe('samples that cannot be judged are named', () => {
  const code = (run: () => unknown): string => {
    try {
      run();
    } catch (error) {
      return (error as { code: string }).code;
    }
    return 'none';
  };
  it.each([
    ['KS of nothing', () => kolmogorovSmirnov([], [1]), 'sample_small'],
    ['KS with NaN', () => kolmogorovSmirnov([1, NaN], [1]), 'sample_invalid'],
    ['KS by another method', () => kolmogorovSmirnov([1], [1], { method: 'x' as 'exact' }), 'option_invalid'],
    ['AD of one sample', () => andersonDarling([1, 2]), 'samples_few'],
    ['AD of one value', () => andersonDarling([3, 3], [3, 3]), 'samples_constant'],
    ['AD of three values', () => andersonDarling([1, 2], [3]), 'sample_small'],
    ['EMD with weights of another length', () => earthMoversDistance([1], [1], [1, 2]), 'samples_differ'],
    ['EMD without weight', () => earthMoversDistance([1], [1], [0]), 'weights_invalid'],
    ['EMD with a negative weight', () => earthMoversDistance([1, 2], [1], [1, -1]), 'weights_invalid'],
    ['correlation of other lengths', () => pearson([1, 2], [1]), 'samples_differ'],
    ['correlation of one pair', () => spearman([1], [1]), 'sample_small'],
    ['density of one value', () => gaussianKde([2, 2, 2]), 'samples_constant'],
    ['density without width', () => gaussianKde([1, 2], { bandwidth: 0 }), 'option_invalid'],
    ['quantile of 2', () => quantiles([1], [2]), 'option_invalid'],
    ['quantile by another name', () => quantiles([1], [0.5], 'best' as 'linear'), 'option_invalid'],
    ['warping of nothing', () => dynamicTimeWarping([], [1]), 'sample_small'],
    ['warping in a negative window', () => dynamicTimeWarping([1], [1], { window: -1 }), 'option_invalid'],
    ['bootstrap of one item', () => bootstrapInterval([1], () => 0), 'sample_small'],
    ['bootstrap of no number', () => bootstrapInterval([1, 2], () => NaN), 'statistic_invalid'],
    ['BCa without jackknife', () => intervalOfReplicates(1, [1, 2]), 'option_invalid'],
    ['AUC of one kind', () => rocAuc([true, true], [1, 2]), 'classes_few'],
    ['accuracy of nothing', () => balancedAccuracy([], []), 'sample_small'],
  ])('%s', (_, run, expected) => expect(code(run)).toBe(expected));
});

describe('by hand', () => {
  it('Kolmogorov-Smirnov of separate samples of 3: D = 1, p = 2 / C(6, 3)', () => {
    const ks = kolmogorovSmirnov([1, 2, 3], [4, 5, 6]);
    expect([ks.statistic, ks.pValue, ks.location, ks.sign]).toEqual([1, expect.closeTo(0.1, 14), 3, 1]);
    expect(kolmogorovSmirnov([1, 2], [1, 2])).toMatchObject({ statistic: 0, pValue: 1 });
  });
  it("earth mover's distance is symmetric, and a shift moves all of it", () => {
    const a = [0, 1, 5];
    expect(earthMoversDistance(a, [4, 5, 9])).toBeCloseTo(4, 12);
    expect(earthMoversDistance([0], a)).toBeCloseTo(2, 12);
    expect(earthMoversDistance(a, [0])).toBeCloseTo(2, 12);
    expect(earthMoversDistance([7], [7])).toBe(0);
  });
  it('correlation: perfect, none, constant, huge', () => {
    expect(pearson([1, 2, 3], [2, 4, 6])).toEqual({
      r: expect.closeTo(1, 14),
      pValue: expect.closeTo(0, 6),
      n: 3,
    });
    expect(pearson([1, 2], [5, 3])).toEqual({ r: expect.closeTo(-1, 14), pValue: 1, n: 2 });
    expect(pearson([1, 1, 1], [1, 2, 3])).toEqual({ r: NaN, pValue: NaN, n: 3 });
    expect(pearson([0.1, 0.1, 0.1], [1, 2, 4]).r).toBeNaN();
    expect(pearson([1e300, 2e300, 3e300], [1e-300, 2e-300, 4e-300]).r).toBeCloseTo(0.98198, 5);
    expect(spearman([1, 10, 100], [2, 3, 4]).r).toBeCloseTo(1, 14);
  });
  it('autocorrelation of an alternating series: -(n - 1) / n at lag 1', () => {
    expect([...autocorrelation([1, -1, 1, -1], 2)].map((v) => Number(v.toFixed(12)))).toEqual([
      1, -0.75, 0.5,
    ]);
    expect([...autocorrelation([2, 2, 2], 1)]).toEqual([NaN, NaN]);
  });
  it('warping undoes a delay; a window of 0 is the plain sum', () => {
    const a = [0, 0, 1, 5, 1, 0];
    const b = [0, 1, 5, 1, 0, 0];
    expect(dynamicTimeWarping(a, b)).toBe(0);
    expect(dynamicTimeWarping(a, b, { window: 0 })).toBe(0 + 1 + 4 + 4 + 1 + 0);
    expect(dynamicTimeWarping([1], [1, 2, 4])).toBe(4);
  });
  it('distribution function: steps at the values', () => {
    const { values, shares, evaluate } = ecdf([3, 1, 3, 2]);
    expect([...values]).toEqual([1, 2, 3]);
    expect([...shares]).toEqual([0.25, 0.5, 1]);
    expect([0.9, 1, 2.5, 3, 9].map(evaluate)).toEqual([0, 0.25, 0.5, 1, 1]);
  });
  it('a density integrates to 1', () => {
    const kde = gaussianKde([1, 2, 4, 4.5]);
    const points = Array.from({ length: 4001 }, (_, i) => -20 + i * 0.01);
    expect(kde.evaluate(points).reduce((a, b) => a + b, 0) * 0.01).toBeCloseTo(1, 6);
  });
  it('variance far from zero keeps its digits', () => {
    expect(variance([1e9 + 1, 1e9 + 2, 1e9 + 3], 1)).toBe(1);
  });
});

describe('bootstrap', () => {
  const rng = new Rng(8);
  const values = Array.from({ length: 60 }, () => 10 + 2 * rng.normal());
  it('same seed, same interval; it holds the estimate, and is about 4 standard errors wide', () => {
    const one = bootstrapInterval(values, mean, { seed: 3, resamples: 1000 });
    expect(bootstrapInterval(values, mean, { seed: 3, resamples: 1000 })).toEqual(one);
    expect(bootstrapInterval(values, mean, { seed: 4, resamples: 1000 }).low).not.toBe(one.low);
    expect(one.low).toBeLessThan(one.estimate);
    expect(one.high).toBeGreaterThan(one.estimate);
    expect((one.high - one.low) / one.standardError).toBeGreaterThan(3.6);
    expect((one.high - one.low) / one.standardError).toBeLessThan(4.2);
    expect(one.standardError).toBeCloseTo(Math.sqrt(variance(values) / 60), 1);
  });
  it('covers the true mean about as often as it says', () => {
    let covered = 0;
    for (let i = 0; i < 100; i++) {
      const sample = Array.from({ length: 40 }, () => rng.normal());
      const { low, high } = bootstrapInterval(sample, mean, { seed: i, resamples: 300, confidence: 0.9 });
      if (low <= 0 && 0 <= high) covered++;
    }
    expect(covered).toBeGreaterThanOrEqual(80);
    expect(covered).toBeLessThanOrEqual(97);
  });
});
