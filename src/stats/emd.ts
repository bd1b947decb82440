import { NetssmError } from '../util';
import { checkPaired, checkedSample, type Sample } from './sample';

/**
 * Earth mover's (Wasserstein-1) distance between two samples of numbers, in their unit: the area between the two
 * cumulative distributions. Values may carry non-negative weights (counts); both sides are normalised.
 *
 * @throws NetssmError `sample_small`, `sample_invalid`, `samples_differ`, `weights_invalid`.
 */
export function earthMoversDistance(a: Sample, b: Sample, aWeights?: Sample, bWeights?: Sample): number {
  const [av, aw] = weighted(a, aWeights, 'first sample');
  const [bv, bw] = weighted(b, bWeights, 'second sample');
  let i = 0;
  let j = 0;
  let difference = 0;
  let last = Math.min(av[0], bv[0]);
  let area = 0;
  while (i < av.length || j < bv.length) {
    const x = i < av.length && (j >= bv.length || av[i] <= bv[j]) ? av[i] : bv[j];
    area += Math.abs(difference) * (x - last);
    last = x;
    while (i < av.length && av[i] === x) difference += aw[i++];
    while (j < bv.length && bv[j] === x) difference -= bw[j++];
  }
  return area;
}

/**
 * The same between two histograms over the same places, by default 0, 1, 2 ...
 *
 * @throws NetssmError as {@link earthMoversDistance}.
 */
export function earthMoversDistanceOfCounts(p: Sample, q: Sample, places?: Sample): number {
  const at = places ?? Float64Array.from({ length: p.length }, (_, i) => i);
  return earthMoversDistance(at, at, p, q);
}

/** Values in order and their normalised weights. */
function weighted(values: Sample, weights: Sample | undefined, name: string): [Float64Array, Float64Array] {
  const v = checkedSample(values, name);
  if (!weights) {
    v.sort();
    return [v, new Float64Array(v.length).fill(1 / v.length)];
  }
  checkPaired(values, weights, `values and weights of the ${name}`);
  const w = checkedSample(weights, `weights of the ${name}`);
  let total = 0;
  for (const each of w) {
    if (each < 0) throw new NetssmError('weights_invalid', `${name}: weight ${each} is negative`);
    total += each;
  }
  if (total === 0) throw new NetssmError('weights_invalid', `${name}: all weights are 0`);
  const order = Array.from(v.keys()).sort((x, y) => v[x] - v[y]);
  return [Float64Array.from(order, (k) => v[k]), Float64Array.from(order, (k) => w[k] / total)];
}
