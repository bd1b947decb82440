import { join } from 'node:path';
import type { JudgedSource, Suite, Trace } from '../evaluate';
import { loadModel } from '../generate';
import { dataTable } from './dataTable';
import type { Experiment, ExperimentJob, JobContext, ResultTable, RunContext } from './experiment';
import { figureJob, segmentFigures, type PairFigures } from './figures';
import {
  generateTwins,
  MODEL_SOURCE,
  modelLabels,
  readGenerated,
  type GeneratedLabel,
  type Twin,
} from './generated';
import { generationTable, samplingTable } from './tablesGeneration';
import { measure, MEASURE_DEFAULTS, MEASURE_FAST, type Measured, type MeasureSettings } from './measure';
import { checkSampling, SAMPLING_DEFAULTS, samplingOf, type SamplingSettings } from './samplingSettings';
import { conversations, TRACE_UNITS, type TraceUnit } from './realTraces';
import { badOptions, modelFingerprint } from './settings';
import { barsTable } from './tablesBars';
import { complianceTables } from './tablesCompliance';
import { memorisationTables } from './tablesMemorisation';
import { semanticsTables } from './tablesSemantics';
import { similarityTables } from './tablesSimilarity';
import { traceLosses } from './traceLosses';
import { Rng } from '../util';

export interface FidelitySettings extends MeasureSettings, SamplingSettings {
  /** Traces of each class, each with a test session (or flow of one) as its twin. */
  traces: number;
  /** Judge whole sessions; false: only single flows. */
  sessions: boolean;
  /** Model of single flows; null: only the multi-flow side is judged. */
  flowModel: string | null;
  /**
   * A trace ends where the model ends it, at `packets` at the latest, as the real ones do; false: also no later than its
   * twin, which leaves connections open in every trace that would have been longer.
   */
  ownLength: boolean;
  /** Never draw the end of a trace. */
  continueAfterEnd: boolean;
  /** Training sessions of each class, and test ones at most, whose loss the membership audit compares; null: all. */
  auditSessions: number | null;
}

const SUITE_JOBS: Readonly<Record<string, readonly Suite[]>> = {
  similarity: ['similarity', 'validity'],
  compliance: ['compliance'],
  semantics: ['semantics'],
};

export type FidelityResult = GeneratedLabel | Measured | PairFigures;

/** Traces from a model against held-out real ones: Tables 2 to 4, Figure 3, appendix Figures 2 to 4 and Table 2. */
export const fidelityExperiment: Experiment<FidelitySettings, FidelityResult> = {
  name: 'fidelity',
  title: 'generated traces against held-out real ones',
  description:
    'Traces with the first packet of a real test session as the prompt, raw output: similarity, semantics, sending ' +
    'patterns, compliance and memorisation by class, with floors and trivial rivals beside. With flowModel also for ' +
    'single flows.',
  reproduces: ['tab1', 'tab2', 'tab3', 'tab4', 'fig3', 'appFig2', 'appFig3', 'appFig4', 'appTab1', 'appTab2'],
  needs: { model: true },
  options: {
    ...MEASURE_DEFAULTS,
    ...SAMPLING_DEFAULTS,
    traces: 10,
    sessions: true,
    flowModel: null,
    ownLength: true,
    continueAfterEnd: false,
    auditSessions: 40,
  },
  fast: { ...MEASURE_FAST, traces: 3 },
  check(options) {
    checkSampling('fidelity', options);
    if (!options.sessions && options.flowModel === null)
      throw badOptions('fidelity', ['with sessions false there must be a flowModel']);
  },
  async plan(context) {
    const jobs: ExperimentJob[] = [];
    for (const { unit, model } of unitsOf(context)) {
      const labels = await commonLabels(context, model);
      const fingerprint = modelFingerprint(model);
      labels.forEach((label, i) =>
        jobs.push({ key: `${unit}-generate-${i}`, params: { unit, label, fingerprint } }),
      );
      for (const suite of Object.keys(SUITE_JOBS))
        jobs.push({ key: `${unit}-${suite}`, stage: 1, params: { unit, labels, fingerprint } });
      labels.forEach((label, i) =>
        jobs.push({
          key: `${unit}-memorisation-${i}`,
          stage: 1,
          params: { unit, labels: [label], fingerprint },
        }),
      );
      jobs.push({ key: `${unit}-figures`, stage: 1, params: { unit, labels, fingerprint } });
    }
    return jobs;
  },
  async run(job, context) {
    const unit = job.params.unit as TraceUnit;
    if (job.key.startsWith(`${unit}-generate-`))
      return generateLabel(job.params.label as string, unit, context);
    const labels = job.params.labels as string[];
    const judged = await readLabels(labels, unit, context);
    const kind = job.key.slice(unit.length + 1);
    if (kind === 'figures') return figureJob(await context.data(), judged, labels, unit);
    const suites = SUITE_JOBS[kind] ?? (['memorisation'] as const);
    return measure(context, {
      unit,
      labels,
      suites,
      judged: [judged],
      population: kind === 'semantics',
      ...(suites.includes('memorisation') && { memory: true, lossesOf: await lossesOf(unit, context) }),
    });
  },
  async summarise(results, context) {
    const tables: ResultTable[] = [await dataTable(context), samplingTable(context.options)];
    const notes: string[] = [];
    const figures = [];
    for (const { unit, model } of unitsOf(context)) {
      const get = <R>(key: string): R => results.get(`${unit}-${key}`)?.result as R;
      const labels = await commonLabels(context, model);
      const options = { judged: MODEL_SOURCE, prefix: unit === 'flow' ? 'flow-' : '' };
      const similarity = get<Measured>('similarity');
      const memory = labels.map((_, i) => get<Measured>(`memorisation-${i}`));
      const own = [
        barsTable(
          {
            similarity,
            compliance: get('compliance'),
            semantics: get('semantics'),
            memorisation: memory,
          },
          options,
        ),
        generationTable(
          labels.map((_, i) => get<GeneratedLabel>(`generate-${i}`)),
          options.prefix,
        ),
        ...similarityTables(similarity, options),
        ...complianceTables(get('compliance'), similarity, options),
        ...semanticsTables(get('semantics'), options),
        ...memorisationTables(memory, options),
      ];
      const title = TRACE_UNITS.find((each) => each.unit === unit)!.title;
      tables.push(...own.map((table) => ({ ...table, title: `${title}: ${table.title}` })));
      figures.push(...segmentFigures(get('figures'), options.prefix));
      for (const kind of Object.keys(SUITE_JOBS)) notes.push(...get<Measured>(kind).notes);
      const { classes } = await context.data();
      const unknown = classes.filter((label) => !labels.includes(label));
      if (unknown.length > 0) notes.push(`${model} does not know these classes: ${unknown.join(', ')}.`);
    }
    return { tables, figures, notes: [...new Set(notes)] };
  },
};

/** What is judged: sessions by the model, unless they are left out, and single flows where there is a model of them. */
function unitsOf({ config, options }: RunContext<FidelitySettings>): { unit: TraceUnit; model: string }[] {
  return [
    ...(options.sessions ? [{ unit: 'session' as const, model: config.model as string }] : []),
    ...(options.flowModel === null ? [] : [{ unit: 'flow' as const, model: options.flowModel }]),
  ];
}

function modelOf(context: RunContext<FidelitySettings>, unit: TraceUnit): string {
  return unitsOf(context).find((each) => each.unit === unit)!.model;
}

/** Classes of the data that the model knows. @throws NetssmError `labels_disjoint`. */
async function commonLabels(context: RunContext, model: string): Promise<string[]> {
  const { classes, name } = await context.data();
  const known = await modelLabels(model);
  const common = classes.filter((label) => known.includes(label));
  if (common.length === 0)
    throw badOptions(context.config.experiment, [
      `${model} knows none of the classes of ${name}: it knows ${known.join(', ')}, and there are ${classes.join(', ')}`,
    ]);
  return common;
}

function folderOf(context: RunContext, unit: TraceUnit, label: string): string {
  return join(context.work, 'generated', unit, label);
}

async function generateLabel(
  label: string,
  unit: TraceUnit,
  context: JobContext<FidelitySettings>,
): Promise<GeneratedLabel> {
  const { options, config } = context;
  const model = modelOf(context, unit);
  return generateTwins({
    model,
    label,
    twins: await twinsOf(label, unit, context),
    packets: options.packets ?? Infinity,
    sampling: samplingOf(options),
    tries: options.tries,
    ownLength: options.ownLength,
    continueAfterEnd: options.continueAfterEnd,
    seed: config.seed,
    dir: folderOf(context, unit, label),
    threads: context.threads,
    onProgress: context.onProgress,
    signal: context.signal,
  });
}

/** Test sessions of a class, or TCP flows of them, drawn with the seed. */
async function twinsOf(
  label: string,
  unit: TraceUnit,
  context: JobContext<FidelitySettings>,
): Promise<Twin[]> {
  const { options, config } = context;
  const { sessions } = await context.data();
  const rng = new Rng(config.seed).split(`twins/${unit}/${label}`);
  const own = rng.shuffle(sessions.filter((s) => s.label === label && s.split === 'test'));
  const twins: Twin[] = [];
  for (const session of own) {
    if (twins.length >= options.traces) break;
    const frames = await session.frames();
    if (unit === 'session') twins.push({ path: session.id, frames });
    else {
      const most = Math.ceil(options.traces / own.length);
      const flows = rng.shuffle(conversations(frames)).slice(0, most);
      twins.push(...flows.map(({ flow, index }) => ({ path: `${session.id}#${index}`, frames: flow })));
    }
  }
  return twins.slice(0, options.traces);
}

async function readLabels(
  labels: readonly string[],
  unit: TraceUnit,
  context: JobContext<FidelitySettings>,
): Promise<JudgedSource> {
  const known = await commonLabels(context, modelOf(context, unit));
  const parts: JudgedSource[] = [];
  for (const label of labels) {
    const set = context.result<GeneratedLabel>(`${unit}-generate-${known.indexOf(label)}`);
    parts.push(await readGenerated(folderOf(context, unit, label), [set], MODEL_SOURCE));
  }
  return {
    ...parts[0],
    traces: parts.flatMap(({ traces }) => traces),
    refused: Object.assign({}, ...parts.map(({ refused }) => refused)) as JudgedSource['refused'],
  };
}

/** Members and non-members are cut to one length: later packets have a lower loss, and would tell them apart. */
async function lossesOf(
  unit: TraceUnit,
  context: JobContext<FidelitySettings>,
): Promise<(traces: readonly Trace[]) => (number | undefined)[]> {
  const { packets, memoryPackets, auditSessions } = context.options;
  const model = await loadModel(modelOf(context, unit));
  const most = Math.min(packets ?? Infinity, memoryPackets ?? Infinity);
  return (traces) => {
    const chosen = new Rng(context.config.seed)
      .split('audit')
      .shuffle(traces.map((_, i) => i))
      .slice(0, auditSessions ?? undefined);
    const losses = new Array<number | undefined>(traces.length).fill(undefined);
    const found = traceLosses(
      model,
      chosen.map((i) => traces[i]),
      { packets: most },
    );
    chosen.forEach((i, k) => (losses[i] = found[k]));
    return losses;
  };
}
