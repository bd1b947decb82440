import { mean, quantile, standardDeviation } from '../../stats';
import {
  fiveTupleReuse,
  headerSet,
  fieldChanges,
  HEADER_FIELDS,
  identicalRows,
  membershipAudit,
  nearestNeighbours,
  pairwiseDistance,
  type FieldRow,
  type FieldChange,
  type HeaderSet,
  type MembershipAudit,
  type PositionRow,
} from '../memorisation';
import { flowTrace, type FlowTrace } from '../semantics';
import { labelsIn, reportSource, tracesOf, type SuiteInput } from '../sources';
import { framesOfTrace, type Trace } from '../traces';

/** Distances to the nearest training packet in a few numbers. */
export interface NearestStats {
  queries: number;
  mean: number;
  median: number;
  sd: number;
  min: number;
  max: number;
  /** Share of the queries at most so far away. */
  within: { '0.05': number; '0.1': number; '0.15': number; '0.2': number };
  /** Shares of the queries in 25 bins of width 0.04 from 0 to 1. */
  histogram: number[];
}

/** How near one label's packets from one source are to the real ones that generators learnt from. */
export interface MemorisationRow {
  /** Name of the source; `reference`: other real traces; `training`: each training trace beside the other ones. */
  source: string;
  /** A label; `pooled`: all of them, each label's packets as many as were compared. */
  label: string;
  /** TCP packets over IPv4, which are compared; and packets that have no such header. */
  rows: number;
  without: number;
  /** Packets whose whole header occurs in the training traces (`training`: in another one of them). */
  identical: number | null;
  identicalShare: number | null;
  nearest: NearestStats | null;
  /** By place in the trace, and by header field against the nearest neighbour. */
  byPosition: PositionRow[];
  byField: FieldRow[];
  /** Mean distance of pairs of packets, and its ratio to that of training packets. */
  pairDistance: number | null;
  diversityRatio: number | null;
  /** Five-tuples, and those that the training traces have. */
  flows: number | null;
  reusedFlows: number | null;
}

/** Suite `memorisation`. */
export interface MemorisationResult {
  /** Packets compared at most of each label: of the source, and of the training traces. */
  maxQueries: number;
  maxReference: number;
  rows: MemorisationRow[];
  /** Loss-threshold attack on training (members) and reference traces; null where no losses were to be had. */
  membership: MembershipAudit | null;
}

export interface MemorisationSuiteOptions {
  /** Defaults 400 and 10,000. */
  maxQueries?: number;
  maxReference?: number;
  /** The model's mean loss on a trace, for the membership audit; undefined: this trace has none. */
  lossOf?: (trace: Trace) => number | undefined | Promise<number | undefined>;
}

const HISTOGRAM_BINS = 25;
const POSITIONS = [0, 10, 50, 100];
/** Pairs drawn for diversity. */
const PAIRS = 20_000;

/** What was measured of one label, before it is put into numbers. */
interface Measured {
  set: HeaderSet;
  identical: number | null;
  distance: number[];
  position: number[];
  /** By field: changed, sum of differences; of `neighbours` packets. */
  fields: FieldChange[];
  pairDistance: number;
  trainingPairDistance: number;
  flows: number | null;
  reusedFlows: number | null;
}

/**
 * Copies and near copies of training packets, beside what other real traces have. Traces of role `floor` are what
 * generators learnt from. Prompt packets are not among the traces.
 */
export async function memorisationSuite(
  input: SuiteInput,
  options: MemorisationSuiteOptions = {},
): Promise<MemorisationResult | null> {
  const { maxQueries = 400, maxReference = 10_000, lossOf } = options;
  const { training, reference, sources, seed, note } = input;
  if (training.length === 0) {
    note('Memorisation was not measured: there are no real captures that a generator may have learnt from.');
    return null;
  }
  const limits = { maxQueries, maxReference, seed };
  const known = new Map(
    labelsIn(training).map((label) => [label, new TrainingSet(tracesOf(training, label), limits)]),
  );
  const result: MemorisationResult = { maxQueries, maxReference, rows: [], membership: null };
  const measure = (source: string, traces: readonly Trace[], own = false): void => {
    const all: Measured[] = [];
    for (const label of labelsIn(traces, training)) {
      const measured = (known.get(label) as TrainingSet).measure(tracesOf(traces, label), own);
      all.push(measured);
      result.rows.push(rowOf(source, label, [measured]));
    }
    if (all.length > 0) result.rows.push(rowOf(source, 'pooled', all));
  };
  reportSource(input, 'memorisation', 0, 'reference');
  measure('reference', reference);
  sources.forEach(({ name, role, traces }, i) => {
    reportSource(input, 'memorisation', i + 1, name);
    if (role === 'floor') measure('training', traces, true);
    else measure(name, traces);
  });
  if (lossOf) result.membership = await audit(input, lossOf);
  return result;
}

/** One label's training packets. */
class TrainingSet {
  private readonly set: HeaderSet;
  private readonly flows: FlowTrace[];
  private readonly spread: number;

  constructor(
    traces: readonly Trace[],
    private readonly limits: { maxQueries: number; maxReference: number; seed: number },
  ) {
    this.set = headerSet(traces.map((trace) => framesOfTrace(trace)));
    this.flows = traces.map((trace) => flowTrace(framesOfTrace(trace)));
    this.spread = pairwiseDistance(this.set, { pairs: PAIRS, seed: limits.seed }).mean;
  }

  /** @param own the traces are the training ones: each is held against the others. */
  measure(traces: readonly Trace[], own: boolean): Measured {
    const set = own ? this.set : headerSet(traces.map((trace) => framesOfTrace(trace)));
    const nearest = nearestNeighbours(set, this.set, { ...this.limits, otherCaptures: own });
    const found = [...nearest.distance.keys()].filter((i) => nearest.neighbour[i] >= 0);
    const reuse = own
      ? null
      : fiveTupleReuse(
          traces.map((trace) => flowTrace(framesOfTrace(trace))),
          this.flows,
        );
    const pairs = found.map((i): [number, number] => [nearest.query[i], nearest.neighbour[i]]);
    return {
      set,
      identical: own ? null : identicalRows(set, this.set).identical,
      distance: found.map((i) => nearest.distance[i]),
      position: found.map((i) => set.position[nearest.query[i]]),
      fields: fieldChanges(set, this.set, pairs),
      pairDistance: own ? this.spread : pairwiseDistance(set, { pairs: PAIRS, seed: this.limits.seed }).mean,
      trainingPairDistance: this.spread,
      flows: reuse?.flows ?? null,
      reusedFlows: reuse?.reused ?? null,
    };
  }
}

/** The numbers of a label, or of several as one. */
function rowOf(source: string, label: string, all: readonly Measured[]): MemorisationRow {
  const sum = (of: (measured: Measured) => number | null): number | null =>
    all.every((measured) => of(measured) === null)
      ? null
      : all.reduce((total, measured) => total + (of(measured) ?? 0), 0);
  const finite = (of: (measured: Measured) => number): number | null => {
    const values = all.map(of).filter((value) => Number.isFinite(value));
    return values.length === 0 ? null : mean(values);
  };
  const rows = sum(({ set }) => set.rows) ?? 0;
  const identical = sum((measured) => measured.identical);
  const distance = all.flatMap((measured) => measured.distance);
  return {
    source,
    label,
    rows,
    without: sum(({ set }) => set.without) ?? 0,
    identical,
    identicalShare: identical === null || rows === 0 ? null : identical / rows,
    nearest: nearestStats(distance),
    byPosition: positionRows(
      distance,
      all.flatMap((measured) => measured.position),
    ),
    byField: HEADER_FIELDS.map(({ name, number }, k) => {
      const n = distance.length;
      const changed = sum(({ fields }) => fields[k].changed) ?? 0;
      const change = sum(({ fields }) => fields[k].change) ?? 0;
      return {
        field: name,
        changed: n === 0 ? null : changed / n,
        meanChange: n === 0 || !number ? null : change / n,
      };
    }),
    pairDistance: finite((measured) => measured.pairDistance),
    diversityRatio: finite((measured) => measured.pairDistance / measured.trainingPairDistance),
    flows: sum((measured) => measured.flows),
    reusedFlows: sum((measured) => measured.reusedFlows),
  };
}

function nearestStats(distance: readonly number[]): NearestStats | null {
  if (distance.length === 0) return null;
  const sorted = Float64Array.from(distance).sort();
  const share = (limit: number): number => distance.filter((d) => d <= limit).length / distance.length;
  const histogram = new Array<number>(HISTOGRAM_BINS).fill(0);
  for (const d of distance)
    histogram[Math.min(HISTOGRAM_BINS - 1, Math.floor(d * HISTOGRAM_BINS))] += 1 / distance.length;
  return {
    queries: distance.length,
    mean: mean(sorted),
    median: quantile(sorted, 0.5),
    sd: standardDeviation(sorted),
    min: sorted[0],
    max: sorted[sorted.length - 1],
    within: { '0.05': share(0.05), '0.1': share(0.1), '0.15': share(0.15), '0.2': share(0.2) },
    histogram: histogram.map((value) => Number(value.toFixed(5))),
  };
}

function positionRows(distance: readonly number[], position: readonly number[]): PositionRow[] {
  return POSITIONS.map((from, k) => {
    const to = POSITIONS[k + 1] ?? null;
    const values = distance.filter((_, i) => position[i] >= from && (to === null || position[i] < to));
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

async function audit(
  { training, reference, seed, note }: SuiteInput,
  lossOf: NonNullable<MemorisationSuiteOptions['lossOf']>,
): Promise<MembershipAudit | null> {
  const losses = async (traces: readonly Trace[]): Promise<number[]> => {
    const values: number[] = [];
    for (const trace of traces) {
      const loss = await lossOf(trace);
      if (loss !== undefined) values.push(loss);
    }
    return values;
  };
  const [members, others] = [await losses(training), await losses(reference)];
  if (members.length < 2 || others.length < 2) {
    note(
      `No membership audit: losses of ${members.length} training and ${others.length} other captures; two of each are needed.`,
    );
    return null;
  }
  return membershipAudit(members, others, { seed });
}
