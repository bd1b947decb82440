import { NetssmError } from '../util';

/**
 * Distances between two discrete distributions over the same outcomes, given as non-negative weights (counts or
 * probabilities; they are normalised here). All are NaN where one side has no weight at all: there is nothing to
 * compare. Logarithms have an explicit base, because published numbers differ by it: a Jensen-Shannon divergence is
 * at most 1 in base 2 and at most ln 2 = 0.693 in base e.
 */
export type Distribution = ArrayLike<number>;

/** Shannon entropy; base 2 gives bits, `Math.E` nats. */
export function entropy(weights: Distribution, base: number): number {
  const total = sum(weights);
  if (total === 0) return NaN;
  let h = 0;
  for (let i = 0; i < weights.length; i++) {
    const p = weights[i] / total;
    if (p > 0) h -= p * Math.log(p);
  }
  return h / Math.log(base);
}

/** Kullback-Leibler divergence D(p || q): infinite where p has weight and q has none. Not symmetric. */
export function klDivergence(p: Distribution, q: Distribution, base: number): number {
  const [sp, sq] = totals(p, q);
  if (sp === 0 || sq === 0) return NaN;
  let d = 0;
  for (let i = 0; i < p.length; i++) {
    if (p[i] === 0) continue;
    if (q[i] === 0) return Infinity;
    d += (p[i] / sp) * Math.log(p[i] / sp / (q[i] / sq));
  }
  return Math.max(0, d / Math.log(base));
}

/** Jensen-Shannon divergence: mean KL of p and q to their midpoint (Lin, 1991). In [0, log_base 2]. */
export function jensenShannonDivergence(p: Distribution, q: Distribution, base: number): number {
  const [sp, sq] = totals(p, q);
  if (sp === 0 || sq === 0) return NaN;
  let d = 0;
  for (let i = 0; i < p.length; i++) {
    const a = p[i] / sp;
    const b = q[i] / sq;
    const m = (a + b) / 2;
    if (a > 0) d += a * Math.log(a / m);
    if (b > 0) d += b * Math.log(b / m);
  }
  return Math.max(0, d / 2 / Math.log(base));
}

/** Jensen-Shannon *distance*: the square root of the divergence, a metric (Endres and Schindelin, 2003). */
export function jensenShannonDistance(p: Distribution, q: Distribution, base: number): number {
  return Math.sqrt(jensenShannonDivergence(p, q, base));
}

/** Total variation distance: half the sum of absolute differences. In [0, 1]. */
export function totalVariation(p: Distribution, q: Distribution): number {
  const [sp, sq] = totals(p, q);
  if (sp === 0 || sq === 0) return NaN;
  let d = 0;
  for (let i = 0; i < p.length; i++) d += Math.abs(p[i] / sp - q[i] / sq);
  return d / 2;
}

/** Hellinger distance, sqrt(1 - sum sqrt(p q)). In [0, 1]. */
export function hellinger(p: Distribution, q: Distribution): number {
  const [sp, sq] = totals(p, q);
  if (sp === 0 || sq === 0) return NaN;
  // As half the squared difference of the roots, which stays exact where p and q are nearly equal.
  let d = 0;
  for (let i = 0; i < p.length; i++) d += (Math.sqrt(p[i] / sp) - Math.sqrt(q[i] / sq)) ** 2;
  return Math.sqrt(d / 2);
}

/** The three distances of NetSSM's Table 2 for one pair of distributions. */
export interface Distances {
  /** Base-2 Jensen-Shannon distance, 0 to 1. */
  jsDistance: number;
  /** Total variation distance, 0 to 1. */
  totalVariation: number;
  /** Hellinger distance, 0 to 1. */
  hellinger: number;
}

export function distances(p: Distribution, q: Distribution): Distances {
  return {
    jsDistance: jensenShannonDistance(p, q, 2),
    totalVariation: totalVariation(p, q),
    hellinger: hellinger(p, q),
  };
}

function totals(p: Distribution, q: Distribution): [number, number] {
  if (p.length !== q.length) {
    throw new NetssmError('distribution_sizes', `distributions over ${p.length} and ${q.length} outcomes`, {
      hint: 'Count both over the same outcomes, in the same order (alignCounts does that).',
    });
  }
  return [sum(p), sum(q)];
}

function sum(weights: Distribution): number {
  let total = 0;
  for (let i = 0; i < weights.length; i++) {
    if (!(weights[i] >= 0)) {
      throw new NetssmError(
        'distribution_invalid',
        `weight ${weights[i]} at ${i} is not a number of at least 0`,
      );
    }
    total += weights[i];
  }
  return total;
}
