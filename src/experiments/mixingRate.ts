import { join } from 'node:path';
import type { Trace, UtilityTask } from '../evaluate';
import { Rng } from '../util';
import { dataTable } from './dataTable';
import type { Experiment, ExperimentJob, JobContext, Json, RunContext } from './experiment';
import {
  generateTwins,
  MODEL_SOURCE,
  modelLabels,
  readGenerated,
  type GeneratedLabel,
  type Twin,
} from './generated';
import { MIXING_COLUMNS, MIXING_FEATURES, type MixingColumns } from './mixingItems';
import { mixingJob, type MixingResult, type MixingSide, type MixingTask } from './mixingJob';
import { MIXING_RATES } from './paperCurves';
import type { Classifier } from './paper';
import { realTraces } from './realTraces';
import { makeRival, readRival, RIVALS, type RivalCaptures } from './rivals';
import { checkSampling, SAMPLING_DEFAULTS, samplingOf, type SamplingSettings } from './samplingSettings';
import { badOptions, modelFingerprint } from './settings';
import { mixingDetails, mixingFigures, mixingTables } from './tablesMixing';
import { generationTable } from './tablesGeneration';

export interface MixingSettings extends SamplingSettings {
  classes: string[] | null;
  trainSessions: number | null;
  testSessions: number | null;
  /** Packets of each trace at most. */
  packets: number | null;
  /** Generated traces of each class: with training sessions as twins for training, with test sessions for testing. */
  traces: number;
  testTraces: number;
  /** Rates of the judged source, and of the trivial rivals beside it. */
  rates: number[];
  rivalRates: number[];
  /** Packets of each class that a rival makes for training, and as many for testing, at most. */
  rivalPackets: number;
  seeds: number;
  features: string[];
  columns: string;
  classifiers: string[];
  trees: number;
  /** Items of each class at most. */
  trainItems: number;
  testItems: number;
}

/** What jobs give: two sets of generated captures, a rival's captures, or what classifiers learnt, seed by seed. */
export type MixingJobResult = GeneratedLabel[] | RivalCaptures | { mixed: MixingResult[] };

/** Figure 2 and appendix Figure 1. */
export const mixingRateExperiment: Experiment<MixingSettings, MixingJobResult> = {
  name: 'mixing-rate',
  title: 'what synthetic traffic is worth for training',
  description:
    'A decision tree, a random forest and a support vector machine learn applications and services from real items of ' +
    'which a growing share is synthetic, and are tested on held-out real and synthetic ones; several seeds, the ' +
    'trivial rivals beside.',
  reproduces: ['fig2', 'appFig1'],
  needs: { model: true },
  options: {
    classes: null,
    trainSessions: 60,
    testSessions: 30,
    packets: 1000,
    traces: 40,
    testTraces: 15,
    ...SAMPLING_DEFAULTS,
    rates: [...MIXING_RATES],
    rivalRates: [0.5, 1],
    rivalPackets: 4000,
    seeds: 5,
    features: [...MIXING_FEATURES],
    columns: 'noports',
    classifiers: ['tree', 'forest', 'svm'],
    trees: 100,
    trainItems: 150,
    testItems: 200,
  },
  fast: {
    trainSessions: 4,
    testSessions: 3,
    packets: 150,
    traces: 4,
    testTraces: 3,
    rates: [0, 0.5, 1],
    rivalRates: [1],
    rivalPackets: 1000,
    seeds: 2,
    trees: 15,
    trainItems: 25,
    testItems: 40,
  },
  check(options) {
    checkSampling('mixing-rate', options);
    const problems = [...options.rates, ...options.rivalRates]
      .filter((rate) => !(rate >= 0 && rate <= 1))
      .map((rate) => `rate ${rate} is not from 0 to 1`);
    const among = (what: string, given: readonly string[], known: readonly string[]): void => {
      for (const name of given)
        if (!known.includes(name)) problems.push(`${what} "${name}" is none of ${known.join(', ')}`);
    };
    among('features', options.features, MIXING_FEATURES);
    among('columns', [options.columns], MIXING_COLUMNS);
    among('classifier', options.classifiers, ['tree', 'forest', 'svm']);
    if (problems.length > 0) throw badOptions('mixing-rate', problems);
  },
  async plan(context) {
    const { options, config } = context;
    const labels = await labelsOf(context);
    const fingerprint = modelFingerprint(config.model as string);
    const jobs: ExperimentJob[] = labels.map((label, i) => ({
      key: `generate-${i}`,
      params: { label, fingerprint },
    }));
    RIVALS.forEach((name, i) => jobs.push({ key: rivalKey(i), params: { name, labels } }));
    for (const features of options.features)
      [null, MODEL_SOURCE, ...RIVALS].forEach((source, i) =>
        jobs.push({
          key: `${features}-${i === 0 ? 'real' : i === 1 ? 'netssm' : rivalKey(i - 2)}`,
          stage: 1,
          params: { source, features, labels, fingerprint },
        }),
      );
    return jobs;
  },
  run(job, context) {
    if (job.key.startsWith('generate-')) return generatePair(job.params.label as string, context);
    return job.key.startsWith('rival-') ? rivalJob(job.params, context) : classify(job.params, context);
  },
  async summarise(results, context) {
    const labels = await labelsOf(context);
    const generated = labels.map((_, i) => results.get(`generate-${i}`)?.result as GeneratedLabel[]);
    const mixed = [...results.values()].flatMap(({ result }) => ('mixed' in result ? result.mixed : []));
    const { classes } = await context.data();
    const unknown = classes.filter((label) => !labels.includes(label));
    return {
      tables: [
        await dataTable(context),
        generationTable(
          generated.map(([train]) => train),
          '',
        ),
        ...mixingTables(mixed, MODEL_SOURCE),
      ],
      figures: mixingFigures(mixed, MODEL_SOURCE),
      details: mixingDetails(mixed) as Record<string, Json>,
      notes: unknown.length > 0 ? [`The model does not know these classes: ${unknown.join(', ')}.`] : [],
    };
  },
};

async function labelsOf(context: RunContext<MixingSettings>): Promise<string[]> {
  const { classes, name } = await context.data();
  const known = await modelLabels(context.config.model as string);
  const common = classes.filter((label) => known.includes(label));
  if (common.length < 2)
    throw badOptions('mixing-rate', [
      `a classifier needs two classes of ${name} that the model knows; it knows ${known.join(', ')}`,
    ]);
  return common;
}

const SPLITS = ['train', 'test'] as const;

function folderOf(context: RunContext, split: string, label: string): string {
  return join(context.work, 'generated', split, label);
}

/** Traces for training and for testing; prompts are first packets of sessions of the same split. */
async function generatePair(label: string, context: JobContext<MixingSettings>): Promise<GeneratedLabel[]> {
  const { options, config } = context;
  const { sessions } = await context.data();
  const sets: GeneratedLabel[] = [];
  for (const split of SPLITS) {
    const rng = new Rng(config.seed).split(`mixing/twins/${split}/${label}`);
    const own = rng.shuffle(sessions.filter((s) => s.label === label && s.split === split));
    const twins: Twin[] = [];
    const most = split === 'train' ? options.traces : options.testTraces;
    for (const session of own.slice(0, most))
      twins.push({ path: session.id, frames: await session.frames() });
    sets.push(
      await generateTwins({
        model: config.model as string,
        label,
        twins,
        packets: options.packets ?? Infinity,
        sampling: samplingOf(options),
        tries: options.tries,
        seed: new Rng(config.seed).split(split).uint32(),
        dir: folderOf(context, split, label),
        threads: context.threads,
        onProgress: context.onProgress,
        signal: context.signal,
      }),
    );
  }
  return sets;
}

function rivalKey(i: number): string {
  return `rival-${i}`;
}

function rivalFolder(context: RunContext, i: number): string {
  return join(context.work, 'rivals', String(i));
}

async function realSide(labels: readonly string[], context: JobContext<MixingSettings>): Promise<MixingSide> {
  const { options, onProgress } = context;
  const data = await context.data();
  const wanted = { unit: 'session' as const, labels, packets: options.packets, onProgress };
  const train = await realTraces(data, { ...wanted, split: 'train' });
  return { train, test: await realTraces(data, { ...wanted, split: 'test' }) };
}

async function rivalJob(
  params: ExperimentJob['params'],
  context: JobContext<MixingSettings>,
): Promise<RivalCaptures> {
  const { options, config } = context;
  const { name, labels } = params as { name: string; labels: string[] };
  const request = {
    name,
    real: await realSide(labels, context),
    packets: options.rivalPackets,
    seed: config.seed,
  };
  return makeRival(request, rivalFolder(context, RIVALS.indexOf(name)));
}

async function classify(
  params: ExperimentJob['params'],
  context: JobContext<MixingSettings>,
): Promise<{ mixed: MixingResult[] }> {
  const { options, config, threads, onProgress, signal } = context;
  const { source, features, labels } = params as {
    source: string | null;
    features: UtilityTask;
    labels: string[];
  };
  const data = await context.data();
  const real = await realSide(labels, context);
  const needed = source === null ? [MODEL_SOURCE, ...RIVALS] : [...new Set([MODEL_SOURCE, source])];
  const synthetic: Record<string, MixingSide> = {};
  for (const name of needed) {
    const i = RIVALS.indexOf(name);
    synthetic[name] =
      i < 0
        ? await modelSide(labels, context)
        : await readRival(context.result<RivalCaptures>(rivalKey(i)), rivalFolder(context, i));
  }
  const services: Record<string, string> = {};
  for (const { label, service } of data.sessions) if (service !== null) services[label] = service;
  const several = new Set(labels.map((label) => services[label])).size > 1;
  const complete = labels.every((label) => services[label] !== undefined);
  const tasks: MixingTask[] = complete && several ? ['app', 'service'] : ['app'];
  const mixed = await mixingJob({
    source,
    real,
    synthetic,
    judged: MODEL_SOURCE,
    features,
    columns: options.columns as MixingColumns,
    labels,
    services,
    tasks,
    classifiers: (options.classifiers as Classifier[]).filter(
      (name) => name !== 'svm' || features !== 'flow',
    ),
    // Rate 0 is the same for all: it is done once, with real items alone.
    rates:
      source === null
        ? [0]
        : (source === MODEL_SOURCE ? options.rates : options.rivalRates).filter((r) => r > 0),
    trainItems: options.trainItems,
    testItems: options.testItems,
    trees: options.trees,
    seed: config.seed,
    seeds: options.seeds,
    threads,
    onProgress,
    signal,
  });
  return { mixed };
}

async function modelSide(
  labels: readonly string[],
  context: JobContext<MixingSettings>,
): Promise<MixingSide> {
  const known = await labelsOf(context);
  const sides: Trace[][] = [];
  for (const [k, split] of SPLITS.entries()) {
    const traces: Trace[] = [];
    for (const label of labels) {
      const sets = context.result<GeneratedLabel[]>(`generate-${known.indexOf(label)}`);
      const { traces: own } = await readGenerated(folderOf(context, split, label), [sets[k]], MODEL_SOURCE);
      traces.push(...own);
    }
    sides.push(traces);
  }
  return { train: sides[0], test: sides[1] };
}
