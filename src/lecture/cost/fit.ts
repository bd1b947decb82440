import { studentTwoSided } from '../../stats';
import { NetssmError } from '../../util';
import type { CostRow } from './measure';

/** cost = factor length^exponent, fitted to measurements. */
export interface ExponentFit {
  exponent: number;
  /** Interval of the exponent; both NaN with two points, which leave nothing to judge by. */
  low: number;
  high: number;
  /** E.g. 0.95. */
  confidence: number;
  /** Cost at length 1, by the fit. */
  factor: number;
  /** Share of the variance of log cost that the fit explains. */
  r2: number;
  points: number;
}

/**
 * The straight line through (log length, log cost) by least squares: its slope is the exponent of the power law. The
 * interval is Student's for a slope; it takes the deviations from the line for independent noise, so fit lengths at which
 * the law holds already: short ones measure what calls cost.
 *
 * @throws NetssmError `fit_points` for fewer than two lengths, unequal numbers, or numbers that have no logarithm.
 * @example
 * fitExponent([100, 1000], [0.02, 2]).exponent; // 2: ten times longer, a hundred times the cost
 */
export function fitExponent(
  lengths: readonly number[],
  costs: readonly number[],
  confidence = 0.95,
): ExponentFit {
  const n = lengths.length;
  const positive = [...lengths, ...costs].every((value) => value > 0 && Number.isFinite(value));
  if (n < 2 || costs.length !== n || !positive || new Set(lengths).size < 2) {
    throw new NetssmError(
      'fit_points',
      `an exponent needs two different lengths and a cost above 0 for each; there are ${n} lengths and ${costs.length} costs`,
      { exitCode: 2 },
    );
  }
  const x = lengths.map(Math.log);
  const y = costs.map(Math.log);
  const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / n;
  const [mx, my] = [mean(x), mean(y)];
  const sum = (f: (i: number) => number) => x.reduce((total, _, i) => total + f(i), 0);
  const sxx = sum((i) => (x[i] - mx) ** 2);
  const exponent = sum((i) => (x[i] - mx) * (y[i] - my)) / sxx;
  const intercept = my - exponent * mx;
  const residual = sum((i) => (y[i] - intercept - exponent * x[i]) ** 2);
  const total = sum((i) => (y[i] - my) ** 2);
  const half = n > 2 ? studentQuantile(confidence, n - 2) * Math.sqrt(residual / (n - 2) / sxx) : NaN;
  return {
    exponent,
    low: exponent - half,
    high: exponent + half,
    confidence,
    factor: Math.exp(intercept),
    r2: total > 0 ? 1 - residual / total : 1,
    points: n,
  };
}

/** What the fit says of a length. */
export function costAt({ factor, exponent }: ExponentFit, length: number): number {
  return factor * length ** exponent;
}

/** The length that a cost pays for, by the fit. */
export function lengthFor({ factor, exponent }: ExponentFit, cost: number): number {
  return (cost / factor) ** (1 / exponent);
}

/** t with P(|T| <= t) = confidence. */
function studentQuantile(confidence: number, df: number): number {
  let [low, high] = [0, 1];
  while (studentTwoSided(high, df) > 1 - confidence) high *= 2;
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (studentTwoSided(middle, df) > 1 - confidence) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** Costs at lengths, ascending. */
export interface CostCurve {
  lengths: readonly number[];
  costs: readonly number[];
}

/** From which length on one curve is above the other. */
export interface Crossing {
  length: number;
  /**
   * `between`: two measured lengths. `beyond`: the longest one, where the fits of the longer half meet. `below`: the
   * shortest one; there the first curve is above the second already, and no crossing was seen.
   */
  where: 'between' | 'beyond' | 'below';
}

/**
 * From which length on `a` costs more than `b`: the last place where it overtakes, interpolated between measurements on
 * logarithmic axes. Undefined where it costs less at every length and grows no faster: never.
 */
export function crossing(a: CostCurve, b: CostCurve): Crossing | undefined {
  const lengths = a.lengths.filter((length) => b.lengths.includes(length)).sort((x, y) => x - y);
  const cost = (curve: CostCurve, length: number) => curve.costs[curve.lengths.indexOf(length)];
  const gaps = lengths.map((length) => Math.log(cost(a, length) / cost(b, length)));
  if (gaps.length === 0) return undefined;
  if (gaps[gaps.length - 1] <= 0) return meeting(a, b, lengths[lengths.length - 1]);
  for (let i = gaps.length - 1; i > 0; i--) {
    if (gaps[i - 1] > 0) continue;
    const share = -gaps[i - 1] / (gaps[i] - gaps[i - 1]);
    const [from, to] = [Math.log(lengths[i - 1]), Math.log(lengths[i])];
    return { length: Math.exp(from + share * (to - from)), where: 'between' };
  }
  return { length: lengths[0], where: 'below' };
}

/** A crossing in words. */
export function crossingText(found: Crossing | undefined): string {
  if (!found) return 'never';
  const length = `${Math.round(found.length).toLocaleString('en')} tokens`;
  if (found.where === 'below') return `below ${length}: dearer at every length measured`;
  return found.where === 'between' ? `at ${length}` : `at ${length}, by the fits`;
}

function meeting(a: CostCurve, b: CostCurve, beyond: number): Crossing | undefined {
  const [p, q] = [a, b].map(({ lengths, costs }) => {
    const from = Math.min(lengths.length - 2, lengths.length >> 1);
    return from < 0 ? undefined : fitExponent(lengths.slice(from), costs.slice(from));
  });
  if (!p || !q || p.exponent <= q.exponent) return undefined;
  const length = (q.factor / p.factor) ** (1 / (p.exponent - q.exponent));
  return Number.isFinite(length) ? { length: Math.max(beyond, length), where: 'beyond' } : undefined;
}

/** Columns of measured rows. */
export type CostColumn = 'seconds' | 'fastest' | 'bytes';

/**
 * {@link fitExponent} of measured rows from a length on. By default of the fastest repetitions: what else a machine does
 * only ever adds to a time.
 */
export function fitRows(
  rows: readonly CostRow[],
  { from = 0, what = 'fastest' as CostColumn } = {},
): ExponentFit {
  const { lengths, costs } = curveOf(
    rows.filter((row) => row.length >= from),
    what,
  );
  return fitExponent(lengths, costs);
}

/** A column of measured rows, as {@link fitExponent} and {@link crossing} take it. */
export function curveOf(rows: readonly CostRow[], what: CostColumn = 'fastest'): CostCurve {
  return { lengths: rows.map((row) => row.length), costs: rows.map((row) => row[what]) };
}
