import { mean, quantile, standardDeviation } from '../../stats';
import { fieldChanges } from './fieldChanges';
import { HEADER_FIELDS, type HeaderSet } from './headerSet';
import { identicalRows, type IdenticalRows } from './identical';
import {
  nearestNeighbours,
  pairwiseDistance,
  type HammingUnit,
  type Nearest,
  type NearestOptions,
} from './nearest';

/** Distances to the nearest row in a few numbers. */
export interface NearestSummary {
  unit: HammingUnit;
  /** Rows compared and those there were, on both sides: fewer where they were drawn. */
  queries: number;
  ofQueries: number;
  reference: number;
  ofReference: number;
  mean: number | null;
  median: number | null;
  sd: number | null;
  min: number | null;
  max: number | null;
  /** Share of the queries at most so far away. */
  within: { '0.05': number; '0.1': number; '0.15': number; '0.2': number } | null;
}

/** Queries by their packet's place in the capture. */
export interface PositionRow {
  /** Packets [from, to); null: to the end. */
  from: number;
  to: number | null;
  n: number;
  mean: number | null;
  sd: number | null;
}

/** One header field of the queries and of their nearest neighbours. */
export interface FieldRow {
  field: string;
  /** Share of the queries in which it is another. */
  changed: number | null;
  /** Mean size of the difference, for fields that are numbers. */
  meanChange: number | null;
}

/** How near packets are to those that a model was trained on. */
export interface MemorisationReport {
  unit: HammingUnit;
  seed: number | string;
  /** Packets without a row (not TCP over IPv4, headers cut): judged, trained on, other real ones. */
  without: { generated: number; training: number; reference: number | null };
  masked: boolean;
  /** Generated rows that occur in training captures; the same of other real captures. */
  identical: IdenticalRows;
  identicalReference: IdenticalRows | null;
  /** Generated to training; the reference: other real captures to training, and training captures to each other. */
  nearest: NearestSummary;
  nearestReference: NearestSummary | null;
  nearestWithin: NearestSummary;
  byPosition: PositionRow[];
  byField: FieldRow[];
  /** Mean distance of pairs. `ratio`: generated / training. */
  diversity: { generated: number | null; training: number | null; ratio: number | null; pairs: number };
}

export interface MemorisationOptions extends Omit<NearestOptions, 'otherCaptures'> {
  /** Limits of the position groups; default the paper's 0, 10, 50, 100. */
  positions?: readonly number[];
  /** Pairs drawn for diversity; default 100,000. */
  pairs?: number;
}

/**
 * Table 2 of the paper's appendix, with what real captures score beside it. Prompt packets must not be among the
 * generated ones: they are copies by construction.
 *
 * @param reference real captures that nothing was trained on.
 */
export function memorisation(
  generated: HeaderSet,
  training: HeaderSet,
  reference?: HeaderSet,
  options: MemorisationOptions = {},
): MemorisationReport {
  const { unit = 'nibble', seed = 0, pairs, positions = [0, 10, 50, 100] } = options;
  const own = nearestNeighbours(generated, training, options);
  const others = reference && nearestNeighbours(reference, training, options);
  const within = nearestNeighbours(training, training, { ...options, otherCaptures: true });
  const spread = [generated, training].map((set) => pairwiseDistance(set, { unit, seed, pairs }));
  const [a, b] = spread.map(({ mean: value }) => (Number.isNaN(value) ? null : value));
  return {
    unit,
    seed,
    without: {
      generated: generated.without,
      training: training.without,
      reference: reference?.without ?? null,
    },
    masked: generated.masked,
    identical: identicalRows(generated, training),
    identicalReference: reference ? identicalRows(reference, training) : null,
    nearest: summariseNearest(own),
    nearestReference: others ? summariseNearest(others) : null,
    nearestWithin: summariseNearest(within),
    byPosition: positionRows(own, generated, positions),
    byField: fieldRows(own, generated, training),
    diversity: { generated: a, training: b, ratio: a === null || !b ? null : a / b, pairs: spread[0].pairs },
  };
}

/** A {@link Nearest} in a few numbers; null where no query had a neighbour. */
export function summariseNearest(nearest: Nearest): NearestSummary {
  const { unit, queries, ofQueries, reference, ofReference } = nearest;
  const sizes = { unit, queries, ofQueries, reference, ofReference };
  const sorted = nearest.distance.filter((d) => !Number.isNaN(d)).sort();
  if (sorted.length === 0)
    return { ...sizes, mean: null, median: null, sd: null, min: null, max: null, within: null };
  const share = (limit: number): number => sorted.filter((d) => d <= limit).length / sorted.length;
  return {
    ...sizes,
    mean: mean(sorted),
    median: quantile(sorted, 0.5),
    sd: standardDeviation(sorted),
    min: sorted[0],
    max: sorted[sorted.length - 1],
    within: { '0.05': share(0.05), '0.1': share(0.1), '0.15': share(0.15), '0.2': share(0.2) },
  };
}

function positionRows(nearest: Nearest, set: HeaderSet, limits: readonly number[]): PositionRow[] {
  return limits.map((from, k) => {
    const to = limits[k + 1] ?? null;
    const values = [...nearest.distance].filter((d, i) => {
      const position = set.position[nearest.query[i]];
      return !Number.isNaN(d) && position >= from && (to === null || position < to);
    });
    const empty = values.length === 0;
    return {
      from,
      to,
      n: values.length,
      mean: empty ? null : mean(values),
      sd: empty ? null : standardDeviation(values),
    };
  });
}

function fieldRows(nearest: Nearest, set: HeaderSet, training: HeaderSet): FieldRow[] {
  const pairs = [...nearest.query]
    .map((row, i): [number, number] => [row, nearest.neighbour[i]])
    .filter(([, row]) => row >= 0);
  const n = pairs.length;
  const changes = fieldChanges(set, training, pairs);
  return HEADER_FIELDS.map(({ name, number }, i) => ({
    field: name,
    changed: n === 0 ? null : changes[i].changed / n,
    meanChange: n === 0 || !number ? null : changes[i].change / n,
  }));
}
