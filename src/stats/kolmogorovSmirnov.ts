import { badOption, sortedSample, type Sample } from './sample';

export interface KolmogorovSmirnov {
  /** Largest distance between the two empirical distribution functions, 0 to 1. */
  statistic: number;
  /** Two-sided: probability of a distance at least as large where both samples come from one continuous distribution. */
  pValue: number;
  /** A value at which the distance is taken (the smallest such). */
  location: number;
  /** 1 where the first sample's distribution function is the higher one there, else -1. */
  sign: 1 | -1;
  method: 'exact' | 'asymptotic';
}

export interface KolmogorovSmirnovOptions {
  /** `auto`: exact up to 10,000 values a sample, as SciPy. */
  method?: 'auto' | 'exact' | 'asymptotic';
}

const EXACT_UP_TO = 10_000;

/**
 * Two-sample Kolmogorov-Smirnov test, as `scipy.stats.ks_2samp`. Ties make the p value conservative.
 *
 * @throws NetssmError `sample_small`, `sample_invalid`, `option_invalid`.
 */
export function kolmogorovSmirnov(
  first: Sample,
  second: Sample,
  options: KolmogorovSmirnovOptions = {},
): KolmogorovSmirnov {
  const { method = 'auto' } = options;
  if (!['auto', 'exact', 'asymptotic'].includes(method))
    throw badOption('method', method, 'one of auto, exact, asymptotic');
  const a = sortedSample(first, 'first sample');
  const b = sortedSample(second, 'second sample');
  const [m, n] = [a.length, b.length];
  // |F_a - F_b| as the whole number |i n - j m|, free of rounding.
  let best = 0;
  let location = Math.min(a[0], b[0]);
  let sign: 1 | -1 = 1;
  for (let i = 0, j = 0; i < m && j < n;) {
    const x = Math.min(a[i], b[j]);
    while (i < m && a[i] === x) i++;
    while (j < n && b[j] === x) j++;
    const d = i * n - j * m;
    if (Math.abs(d) > best) {
      best = Math.abs(d);
      location = x;
      sign = d > 0 ? 1 : -1;
    }
  }
  const statistic = best / (m * n);
  const exact = method === 'exact' || (method === 'auto' && Math.max(m, n) <= EXACT_UP_TO);
  const pValue = exact ? exactTail(m, n, best) : limitTail(Math.round((m * n) / (m + n)), statistic);
  return { statistic, pValue, location, sign, method: exact ? 'exact' : 'asymptotic' };
}

/**
 * Share of the lattice paths from (0, 0) to (m, n) that reach |i n - j m| >= reach somewhere (Hodges, 1958), by
 * the probability that a path drawn at random to (i, j) has done so. All terms are positive: small p stay exact.
 */
function exactTail(m: number, n: number, reach: number): number {
  if (reach === 0) return 1;
  const row = new Float64Array(n + 1);
  for (let j = 0; j <= n; j++) row[j] = j * m >= reach ? 1 : 0;
  for (let i = 1; i <= m; i++) {
    if (i * n >= reach) row[0] = 1;
    for (let j = 1; j <= n; j++) {
      row[j] = Math.abs(i * n - j * m) >= reach ? 1 : (i * row[j] + j * row[j - 1]) / (i + j);
    }
  }
  return Math.min(1, row[n]);
}

/**
 * P(D_n >= d) of one sample of n, by the expansion of Pelz and Good (1976) to order n^(-3/2): better than 1e-9 for
 * the sizes at which it is used. (SciPy's "asymp" is the same distribution, with the same rounding of n.)
 */
function limitTail(n: number, d: number): number {
  const z = Math.sqrt(n) * d;
  if (z === 0) return 1;
  // Below this the distribution function is under 1e-16, above that over 1 - 1e-15.
  if (z < 0.18) return 1;
  if (z > 4.2) return 2 * Math.exp(-2 * z * z);
  const [z2, z4, z6] = [z ** 2, z ** 4, z ** 6];
  const pi2 = Math.PI ** 2;
  const [s0, s1, s2, s3] = [0, 0, 0, 0].map(() => ({ half: 0, whole: 0 }));
  for (let k = 0; k < 40; k++) {
    const h = pi2 * (k + 0.5) ** 2;
    const e = 2 * Math.exp(-h / (2 * z2));
    s0.half += e;
    s1.half += (h - z2) * e;
    s2.half += (6 * z6 + 2 * z4 + (2 * z4 - 5 * z2) * h + (1 - 2 * z2) * h * h) * e;
    s3.half +=
      ((5 - 30 * z2) * h ** 3 +
        (-60 * z2 + 212 * z4) * h * h +
        (135 * z4 - 96 * z6) * h -
        30 * z6 -
        90 * z ** 8) *
      e;
    const w = pi2 * k * k;
    const f = 2 * Math.exp(-w / (2 * z2));
    s2.whole += w * f;
    s3.whole += (3 * w * z2 - w * w) * f;
  }
  const root = Math.sqrt(Math.PI / 2);
  const k0 = (root / z) * s0.half;
  const k1 = (root / (6 * z4)) * s1.half;
  const k2 = (root / (72 * z ** 7)) * s2.half - (root / (36 * z ** 3)) * s2.whole;
  const k3 = (root / (6480 * z ** 10)) * s3.half + (root / (2160 * z6)) * s3.whole;
  const below = k0 + k1 / Math.sqrt(n) + k2 / n + k3 / n ** 1.5;
  return Math.min(1, Math.max(0, 1 - below));
}
