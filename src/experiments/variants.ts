import { join } from 'node:path';
import { TRAIN_PRESETS } from '../train';
import { Rng } from '../util';
import type { Experiment, ExperimentJob, JobContext } from './experiment';
import { generateTwins, MODEL_SOURCE, readGenerated, type GeneratedLabel, type Twin } from './generated';
import { measure, MEASURE_DEFAULTS, MEASURE_FAST, type MeasureSettings } from './measure';
import { checkSampling, SAMPLING_DEFAULTS, samplingOf, type SamplingSettings } from './samplingSettings';
import { badOptions } from './settings';
import {
  trainingTable,
  validationFigure,
  variantGenerationTable,
  type JudgedVariant,
} from './tablesVariants';
import {
  heldOutBits,
  layoutOf,
  modelFolder,
  tokeniseJob,
  trainJob,
  variantConfig,
  type TrainedVariant,
  type TrainingSettings,
  type TrainingVariant,
} from './training';

export interface VariantSettings extends TrainingSettings, MeasureSettings, SamplingSettings {
  /** Traces of each class that each variant generates, of `packets` packets at most. */
  traces: number;
  /** Packets of each test session on which the loss is measured. */
  lossPackets: number;
}

export type VariantResult = { tokensPerPacket: number } | TrainedVariant | JudgedVariant;

const demo = TRAIN_PRESETS.demo;

/** As data/models/testbed was trained first (configs/testbed/1-pieces.json), smaller. */
const BASE: TrainingSettings['base'] = {
  ...demo,
  model: { d_model: 128, n_layer: 4, ssm_cfg: { d_state: 64, headdim: 32 }, label_every_packet: true },
  freshAddresses: 0.5,
  batchSize: 1,
  contextLen: 2048,
  chunkLen: 2048,
  precision: 'bf16',
  evalEvery: 250,
  evalTokens: 40_000,
};

/** Layouts at equal compute: what the paper's bytes cost, and what differences buy. */
const LAYOUT_VARIANTS: TrainingVariant[] = [
  { name: 'compact-rel', layout: 'compact-rel' },
  { name: 'compact', layout: 'compact' },
  {
    name: 'paper-94',
    layout: 'paper-94',
    train: { mode: 'stream', renumber: false, freshAddresses: 0, shortestPiece: null },
  },
];

/** One choice changed at a time. */
const ABLATION_VARIANTS: TrainingVariant[] = [
  { name: 'base' },
  { name: 'Mamba-1', train: { model: { ssm_cfg: { layer: 'Mamba1', d_state: 16 } } } },
  { name: 'half as wide', train: { model: { d_model: 64 } } },
  { name: 'twice as wide', train: { model: { d_model: 256 } } },
  { name: 'twice as deep', train: { model: { n_layer: 8 } } },
  { name: 'rows of 512', train: { contextLen: 512, chunkLen: 512, batchSize: 4, shortestPiece: 128 } },
  { name: 'rows of 8,192', train: { contextLen: 8192, shortestPiece: 2048 } },
  { name: 'openings 0.8', train: { openings: 0.8 } },
  { name: 'heads weigh 4', train: { headWeight: 4 } },
  { name: 'no renumbering', train: { renumber: false, freshAddresses: 0 } },
  { name: 'label once', train: { model: { label_every_packet: false } } },
  { name: 'float32', train: { precision: 'float32' } },
];

const TINY: Partial<VariantSettings> = {
  ...MEASURE_FAST,
  base: {
    ...BASE,
    model: { d_model: 32, n_layer: 1, ssm_cfg: { d_state: 16, headdim: 16 } },
    batchSize: 2,
    contextLen: 256,
    chunkLen: 256,
    shortestPiece: 64,
    warmupSteps: 5,
    evalEvery: 20,
    evalTokens: 3000,
    checkpointEvery: 20,
  },
  packets: 40,
  traces: 1,
  trainSessions: 4,
  testSessions: 2,
  rivalPackets: 100,
  teraOperations: 0.02,
  lossPackets: 30,
};

export const layoutsExperiment = trainingExperiment({
  name: 'layouts',
  title: 'layouts at equal compute',
  description:
    'Trains a model in each layout with as many operations, and judges what it predicts and generates: bits a packet of ' +
    'held-out sessions, decode rate, distances, connections.',
  variants: LAYOUT_VARIANTS,
});

export const ablationExperiment = trainingExperiment({
  name: 'ablation',
  title: 'what each choice buys',
  description:
    'Trains variants of one setting (Mamba-1, size, length of rows, session openings, weights of the loss, renumbering, the label, precision) with as many ' +
    'operations, and judges them as the layouts.',
  variants: ABLATION_VARIANTS,
  fastVariants: ABLATION_VARIANTS.slice(0, 3).map((variant) =>
    variant.name === 'half as wide' ? { ...variant, train: { model: { d_model: 16 } } } : variant,
  ),
});

function trainingExperiment(about: {
  name: string;
  title: string;
  description: string;
  variants: TrainingVariant[];
  fastVariants?: TrainingVariant[];
}): Experiment<VariantSettings, VariantResult> {
  const { name, title, description, variants, fastVariants } = about;
  return {
    name,
    title,
    description,
    reproduces: [],
    needs: { model: false },
    options: {
      ...MEASURE_DEFAULTS,
      variants,
      base: BASE,
      teraOperations: 20,
      traces: 5,
      packets: 300,
      ...SAMPLING_DEFAULTS,
      lossPackets: 300,
    },
    fast: { ...TINY, ...(fastVariants && { variants: fastVariants }) },
    check(options) {
      const counts = { ...options, teraOperations: 1 };
      checkSampling(name, counts);
      if (!(options.teraOperations > 0)) throw badOptions(name, ['teraOperations must be above 0']);
      const names = options.variants.map((variant) => variant.name);
      if (names.length === 0 || new Set(names).size < names.length || names.some((each) => !each))
        throw badOptions(name, ['variants: at least one is needed, each with a name of its own']);
      // Unusable settings are said before anything is trained.
      for (const variant of options.variants) variantConfig(variant, options, 1, 270);
    },
    plan({ options }) {
      const layouts = [...new Set(options.variants.map(layoutOf))];
      const jobs: ExperimentJob[] = layouts.map((layout) => ({
        key: `tokens-${layout}`,
        params: { layout },
      }));
      options.variants.forEach((variant, index) => {
        jobs.push({ key: `train-${index}`, stage: 1, params: { variant: variant.name, index } });
        jobs.push({ key: `judge-${index}`, stage: 2, params: { variant: variant.name, index } });
      });
      return Promise.resolve(jobs);
    },
    run(job, context) {
      if (job.key.startsWith('tokens-')) return tokeniseJob(job.params.layout as string, context);
      const index = job.params.index as number;
      const variant = context.options.variants[index];
      return job.key.startsWith('train-')
        ? trainJob(variant, index, context)
        : judgeJob(variant, index, context);
    },
    summarise(results, { options }) {
      const trained = options.variants.map((_, i) => results.get(`train-${i}`)?.result as TrainedVariant);
      const judged = options.variants.map((_, i) => results.get(`judge-${i}`)?.result as JudgedVariant);
      return Promise.resolve({
        tables: [trainingTable(name, trained, judged), variantGenerationTable(name, judged)],
        figures: [validationFigure(name, trained)],
        notes: [...new Set(judged.flatMap(({ measured }) => measured.notes))],
      });
    },
  };
}

async function judgeJob(
  variant: TrainingVariant,
  index: number,
  context: JobContext<VariantSettings>,
): Promise<JudgedVariant> {
  const { options, config, threads, signal, onProgress } = context;
  const { classes, sessions } = await context.data();
  const model = modelFolder(context, index);
  const generated: GeneratedLabel[] = [];
  const dir = (label: string): string => join(context.work, 'generated', `variant-${index}`, label);
  const traces = [];
  for (const label of classes) {
    // The same twins for all variants.
    const rng = new Rng(config.seed).split(`variants/twins/${label}`);
    const own = rng.shuffle(sessions.filter((s) => s.label === label && s.split === 'test'));
    const twins: Twin[] = [];
    for (const session of own.slice(0, options.traces))
      twins.push({ path: session.id, frames: await session.frames() });
    const set = await generateTwins({
      model,
      label,
      twins,
      packets: options.packets ?? Infinity,
      ownLength: true,
      sampling: samplingOf(options),
      tries: options.tries,
      seed: config.seed,
      dir: dir(label),
      threads,
      onProgress,
      signal,
    });
    generated.push(set);
    traces.push(...(await readGenerated(dir(label), [set], MODEL_SOURCE)).traces);
  }
  const measured = await measure(context, {
    unit: 'session',
    labels: classes,
    suites: ['similarity', 'validity', 'compliance'],
    judged: [{ name: MODEL_SOURCE, traces }],
  });
  return {
    variant: variant.name,
    heldOut: await heldOutBits(model, context, options.lossPackets),
    generated,
    measured,
  };
}
