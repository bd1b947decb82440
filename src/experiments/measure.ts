import {
  evaluateSources,
  type Evaluation,
  type JudgedSource,
  type MemorisationSuiteOptions,
  type Suite,
  type Trace,
  type UtilityOptions,
} from '../evaluate';
import { trivialBaselines } from '../generators';
import { openExperimentData, type ExperimentData } from './data';
import type { JobContext } from './experiment';
import { comparePopulations, populationOf, type PopulationComparison } from './population';
import { realTraces, type TraceUnit } from './realTraces';
import { compareTiming, timingSamples, type TimingRow } from './timing';

/** Settings of everything that measures traces. */
export interface MeasureSettings {
  /** Only these classes; null: all. */
  classes: string[] | null;
  /** Sessions of each class at most. */
  trainSessions: number | null;
  testSessions: number | null;
  /** Packets of each trace at most, on all sides; null: all. */
  packets: number | null;
  /** Flows of each class at most, where single flows are judged. */
  flows: number;
  /** Packets that each trivial rival makes of a class at most. */
  rivalPackets: number;
  /** For memorisation: training sessions of each class and packets of each at most, all of which are looked through. */
  memorySessions: number | null;
  memoryPackets: number | null;
  /** Packets of a class whose nearest training packet is looked for, and training packets among which. */
  maxQueries: number;
  maxReference: number;
  /** Forests of the utility tests: trees, seeds, items of a class. */
  trees: number;
  seeds: number;
  items: number;
}

export const MEASURE_DEFAULTS: MeasureSettings = {
  classes: null,
  trainSessions: 40,
  testSessions: 30,
  packets: 1000,
  flows: 150,
  rivalPackets: 4000,
  memorySessions: null,
  memoryPackets: 5000,
  maxQueries: 1000,
  maxReference: 20_000,
  trees: 100,
  seeds: 5,
  items: 400,
};

/** Small enough for a minute on bundled captures. */
export const MEASURE_FAST: Partial<MeasureSettings> = {
  trainSessions: 4,
  testSessions: 3,
  packets: 300,
  flows: 12,
  rivalPackets: 600,
  memorySessions: 6,
  memoryPackets: 300,
  maxQueries: 100,
  maxReference: 1500,
  trees: 15,
  seeds: 2,
  items: 40,
};

/** One source's flow population beside the reference's; `label` is a class, or `all`. */
export interface PopulationRow {
  source: string;
  label: string;
  comparison: PopulationComparison;
}

/** An {@link Evaluation} without what depends on the clock, and without figures, with populations. */
export type Measured = Omit<Evaluation, 'date' | 'figures' | 'provenance'> & {
  populations: PopulationRow[];
  timing: TimingRow[];
};

export interface MeasureRequest {
  unit: TraceUnit;
  labels: readonly string[];
  suites: readonly Suite[];
  /** Judged traces; none: real ones and rivals only. */
  judged?: readonly JudgedSource[];
  /** A model's losses on some traces, for the membership audit; undefined: not looked at. */
  lossesOf?: (traces: readonly Trace[]) => (number | undefined)[];
  population?: boolean;
  /** Training sessions and their packets as the settings for memorisation say. */
  memory?: boolean;
}

/** Measures judged traces, training traces (the floor) and the trivial rivals against test traces. */
export async function measure(
  context: JobContext<MeasureSettings>,
  request: MeasureRequest,
): Promise<Measured> {
  const { options, config, onProgress, threads } = context;
  const { unit, labels, memory = false } = request;
  // A model that has learnt nothing makes no packet, and then there is nothing to judge.
  const judged = (request.judged ?? []).filter(({ traces }) => traces.some((t) => t.packets.length > 0));
  const data = await context.data();
  const wanted = { unit, labels, packets: options.packets, flows: options.flows, onProgress };
  const reference = await realTraces(data, { ...wanted, split: 'test' });
  const known = memory ? withTrainingSessions(context, labels) : data;
  const floor = await realTraces(known, {
    ...wanted,
    split: 'train',
    ...(memory && { packets: options.memoryPackets, flows: Infinity }),
  });
  const baselines = trivialBaselines();
  const lossOf = request.lossesOf && lossTable(request.lossesOf, [floor, reference]);
  const evaluation = await evaluateSources({
    reference,
    floor,
    floorKind: 'given traces',
    sources: judged,
    baselines,
    baselinePackets: options.rivalPackets,
    suites: request.suites,
    seed: config.seed,
    memorisation: {
      maxQueries: options.maxQueries,
      maxReference: options.maxReference,
      ...(lossOf && { lossOf }),
    },
    utility: utilityOptions(options, threads),
    onProgress,
  });
  const { date: _date, figures: _figures, provenance: _provenance, ...rest } = evaluation;
  const compared = [{ name: 'real', traces: floor }, ...judged];
  return {
    ...rest,
    populations: request.population ? populationRows(labels, reference, compared) : [],
    timing: request.population ? timingRows(labels, reference, compared) : [],
  };
}

/** The same data with as many training sessions as memorisation asks for. */
function withTrainingSessions(
  { config, options }: JobContext<MeasureSettings>,
  labels: readonly string[],
): ExperimentData {
  const { testSessions, memorySessions } = options;
  const selection = { classes: [...labels], trainSessions: memorySessions, testSessions };
  return openExperimentData(config.data, selection, config.seed);
}

function utilityOptions(options: MeasureSettings, threads: number): UtilityOptions {
  const { trees, seeds, items } = options;
  return { trees, seeds, trainItems: items, testItems: items, jobs: threads };
}

/** Members and non-members are asked for each by themselves, all of a side at once. */
function lossTable(
  lossesOf: NonNullable<MeasureRequest['lossesOf']>,
  sides: readonly (readonly Trace[])[],
): MemorisationSuiteOptions['lossOf'] {
  const table = new Map<Trace, number | undefined>();
  for (const traces of sides) lossesOf(traces).forEach((loss, i) => table.set(traces[i], loss));
  return (trace) => table.get(trace);
}

interface Compared {
  name: string;
  traces: readonly Trace[];
}

function populationRows(
  labels: readonly string[],
  reference: readonly Trace[],
  sources: readonly Compared[],
): PopulationRow[] {
  return byLabel(labels, reference, sources, (real, other) => {
    const comparison = comparePopulations(populationOf(real), populationOf(other));
    return comparison && { comparison };
  });
}

function timingRows(
  labels: readonly string[],
  reference: readonly Trace[],
  sources: readonly Compared[],
): TimingRow[] {
  return byLabel(labels, reference, sources, (real, other) =>
    compareTiming(timingSamples(real), timingSamples(other)),
  );
}

/** What a comparison finds, for every class and for `all` of them together. */
function byLabel<T>(
  labels: readonly string[],
  reference: readonly Trace[],
  sources: readonly Compared[],
  compare: (real: readonly Trace[], other: readonly Trace[]) => T | null,
): (T & { source: string; label: string })[] {
  return [...labels, 'all'].flatMap((label) => {
    const of = (traces: readonly Trace[]): Trace[] =>
      traces.filter((trace) => (label === 'all' ? labels.includes(trace.label) : trace.label === label));
    const real = of(reference);
    return sources.flatMap(({ name, traces }) => {
      const found = compare(real, of(traces));
      return found ? [{ source: name, label, ...found }] : [];
    });
  });
}
