/** Every statistic against SciPy, NumPy and scikit-learn (scripts/golden/stats.py). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  accuracy,
  andersonDarling,
  autocorrelation,
  balancedAccuracy,
  betaIncomplete,
  confusionMatrix,
  dynamicTimeWarping,
  earthMoversDistance,
  earthMoversDistanceOfCounts,
  ecdf,
  entropy,
  gaussianKde,
  hellinger,
  intervalOfReplicates,
  jensenShannonDistance,
  jensenShannonDivergence,
  klDivergence,
  kolmogorovSmirnov,
  logGamma,
  normalCdf,
  normalQuantile,
  pearson,
  quantiles,
  QUANTILE_METHODS,
  rocAuc,
  spearman,
  totalVariation,
} from '../../src/stats';

const golden = JSON.parse(readFileSync(join(__dirname, '..', 'golden', 'stats.json'), 'utf8'));
const S = golden.samples as Record<string, number[]>;

/** Within 1e-6 of the reference: relative above 1, absolute below. */
function near(actual: number, expected: number): void {
  expect(Math.abs(actual - expected)).toBeLessThanOrEqual(1e-6 * Math.max(1, Math.abs(expected)));
}
const nearAll = (actual: ArrayLike<number>, expected: number[]): void => {
  expect(actual.length).toBe(expected.length);
  expected.forEach((value, i) => near(actual[i], value));
};

describe('divergences equal SciPy', () => {
  it.each(golden.divergences as any[])('$p to $q', (g) => {
    near(jensenShannonDistance(g.p, g.q, 2), g.jsDistance2);
    near(jensenShannonDivergence(g.p, g.q, 2), g.jsDistance2 ** 2);
    near(jensenShannonDistance(g.p, g.q, Math.E), g.jsDistanceE);
    near(entropy(g.p, 2), g.entropyBits);
    near(totalVariation(g.p, g.q), g.totalVariation);
    near(hellinger(g.p, g.q), g.hellinger);
    near(earthMoversDistanceOfCounts(g.p, g.q), g.emd);
    if (g.klNats === null) expect(klDivergence(g.p, g.q, 2)).toBe(Infinity);
    else {
      near(klDivergence(g.p, g.q, Math.E), g.klNats);
      near(klDivergence(g.p, g.q, 2), g.klBits);
    }
  });
});

describe('two-sample tests equal SciPy', () => {
  it.each(golden.twoSamples as any[])('$a against $b', (g) => {
    const [a, b] = [S[g.a], S[g.b]];
    const ks = kolmogorovSmirnov(a, b);
    expect(ks.method).toBe('exact');
    nearAll([ks.statistic, ks.pValue, ks.location, ks.sign], g.ks);
    // The p values of far samples are tiny: these must agree relatively, too.
    expect(Math.abs(ks.pValue / g.ks[1] - 1)).toBeLessThan(1e-6);
    const ad = andersonDarling(a, b);
    nearAll([ad.statistic, ad.pValue], g.ad);
    nearAll(ad.criticalValues, g.adCritical);
    near(earthMoversDistance(a, b), g.emd);
    near(dynamicTimeWarping(a, b), g.dtw);
    near(dynamicTimeWarping(a, b, { window: 5 }), g.dtwWindow5);
    near(dynamicTimeWarping(a, b, { cost: 'squared' }), g.dtwSquared);
  });
  it('Anderson-Darling of three samples', () => {
    const ad = andersonDarling(S.normal, S.shifted, S.close);
    nearAll([ad.statistic, ad.pValue], golden.threeSamples);
  });
  it('p values are clipped where the table ends, and say so', () => {
    expect(andersonDarling(S.normal, S.far)).toMatchObject({ pValue: 0.001, clipped: 'low' });
    expect(andersonDarling(S.normal, S.normal)).toMatchObject({ pValue: 0.25, clipped: 'high' });
  });
  it.each(golden.largeKs as any[])('Kolmogorov-Smirnov of $n and $m values', ({ n, m, shift, ...g }) => {
    const a = Float64Array.from({ length: n }, (_, i) => (i + 0.5) / n);
    const b = Float64Array.from({ length: m }, (_, i) => ((i + 0.5) / m) * (1 - shift) + shift);
    const ks = kolmogorovSmirnov(a, b);
    expect(ks.method).toBe('asymptotic');
    near(ks.statistic, g.statistic);
    near(ks.pValue, g.pValue);
  });
  it("weighted earth mover's distance", () => {
    const g = golden.weightedEmd;
    near(earthMoversDistance(g.a, g.b, g.wa, g.wb), g.emd);
  });
});

describe('correlation equals SciPy', () => {
  it.each(golden.correlations as any[])('$a with $b', (g) => {
    const [a, b] = [S[g.a].slice(0, g.n), S[g.b].slice(0, g.n)];
    const [p, s] = [pearson(a, b), spearman(a, b)];
    nearAll([p.r, p.pValue], g.pearson);
    nearAll([s.r, s.pValue], g.spearman);
  });
  it.each(Object.keys(golden.autocorrelation))('autocorrelation of %s', (name) => {
    nearAll(autocorrelation(S[name], 12), golden.autocorrelation[name]);
  });
});

describe('densities and quantiles equal SciPy and NumPy', () => {
  it.each(golden.kde as any[])('density of $sample, $rule', (g) => {
    const kde = gaussianKde(S[g.sample], { bandwidth: g.rule });
    near(kde.factor, g.factor);
    near(kde.bandwidth, g.bandwidth);
    nearAll(kde.evaluate(golden.points), g.density);
  });
  it.each(Object.keys(golden.ecdf))('distribution function of %s', (name) => {
    nearAll(golden.points.map(ecdf(S[name]).evaluate), golden.ecdf[name]);
  });
  it.each(QUANTILE_METHODS)('quantiles, %s', (method) => {
    for (const [name, expected] of Object.entries(golden.quantiles[method] as Record<string, number[]>))
      nearAll(quantiles(S[name], golden.shares, method), expected);
  });
});

describe('bootstrap intervals equal SciPy on the same replicates', () => {
  it.each(golden.bootstrap as any[])('$method of the $statistic', (g) => {
    const interval = intervalOfReplicates(g.estimate, g.replicates, {
      method: g.method,
      jackknife: g.jackknife,
    });
    nearAll([interval.low, interval.high, interval.standardError], [g.low, g.high, g.standardError]);
  });
});

describe('classification equals scikit-learn', () => {
  const g = golden.classification;
  it('balanced accuracy, confusion, area under the curve', () => {
    near(balancedAccuracy(g.truth, g.predicted), g.balanced);
    expect(confusionMatrix(g.truth, g.predicted)).toEqual({ classes: [0, 1, 2, 3], counts: g.confusion });
    near(
      rocAuc(
        g.truth.map((t: number) => t >= 2),
        g.scores,
      ),
      g.auc,
    );
    const right = g.truth.filter((t: number, i: number) => t === g.predicted[i]).length;
    expect(accuracy(g.truth, g.predicted)).toBe(right / 80);
  });
});

describe('special functions equal SciPy', () => {
  it('to 1e-12', () => {
    const exact = (actual: number, expected: number): void =>
      expect(Math.abs(actual - expected)).toBeLessThanOrEqual(1e-12 * Math.max(1, Math.abs(expected)));
    for (const [z, p] of golden.special.normalCdf) exact(normalCdf(z), p);
    for (const [p, z] of golden.special.normalQuantile) exact(normalQuantile(p), z);
    for (const [x, a, b, v] of golden.special.betaIncomplete) exact(betaIncomplete(x, a, b), v);
    for (const [x, v] of golden.special.logGamma) exact(logGamma(x), v);
    expect(Math.abs(normalCdf(-8) / golden.special.normalCdf[0][1] - 1)).toBeLessThan(1e-11);
  });
});
