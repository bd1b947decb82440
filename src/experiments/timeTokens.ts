import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { traceOfFrames, type Trace } from '../evaluate';
import { readCapture, type Frame } from '../capture';
import {
  buildDataset,
  DATASET_FILES,
  drawGap,
  drawGapOfBin,
  loadTiming,
  loadVocabulary,
  TIME_EDGES_MICROS,
  timeBinOf,
  type LabelTiming,
} from '../tokens';
import { fit, TRAIN_PRESETS, validateTrainConfig, type TrainConfig } from '../train';
import { NetssmError, Rng } from '../util';
import type { Cell, Experiment, ExperimentJob, JobContext, ResultTable, RunContext } from './experiment';
import { gapDistance, gapSamples, LAGS, meanAutocorrelation, type GapDistance } from './gaps';
import { generateTwins, MODEL_SOURCE, readGenerated, type GeneratedLabel, type Twin } from './generated';
import { checkSampling, SAMPLING_DEFAULTS, samplingOf, type SamplingSettings } from './samplingSettings';
import { column } from './tables';
import { inputsOf } from './training';

export interface TimesSettings extends SamplingSettings {
  classes: string[] | null;
  trainSessions: number | null;
  testSessions: number | null;
  /** Settings of the training run. */
  train: Partial<TrainConfig>;
  /** Traces of each class, each as long as its twin (a test session) and `packets` allow. */
  traces: number;
  packets: number;
  /** A gap above this ends a burst. */
  burstMillis: number;
}

/** Where gaps come from; the packets of the first two are the same. */
const SOURCES = {
  tokens: 'time tokens',
  resample: 'resampled gaps',
  binned: 'real, drawn again within bins',
  floor: 'real (training sessions)',
} as const;
type Source = keyof typeof SOURCES;

/** One source's gaps beside those of the test sessions; `scope` is a class, `all`, `client` or `server`. */
export interface GapRow extends GapDistance {
  source: Source;
  scope: string;
}

export interface BurstRow {
  source: Source | 'test';
  scope: string;
  autocorrelation: (number | null)[];
  /** Mean packets of a burst, share of the packets in bursts of two and more, and distances of both measures of bursts. */
  packets: number | null;
  share: number | null;
  sizeKs: number | null;
  secondsKs: number | null;
}

export interface TimesJudged {
  rows: GapRow[];
  bursts: BurstRow[];
}

type TimesResult = TimesJudged | TrainedTimes | GeneratedLabel | { tokens: number; packets: number };

interface TrainedTimes {
  parameters: number;
  steps: number;
  bestLossNats: number | null;
}

const demo = TRAIN_PRESETS.demo;

/** Do time tokens give better inter-arrivals than drawing them one by one from the real ones? */
export const timesExperiment: Experiment<TimesSettings, TimesResult> = {
  name: 'times',
  title: 'time tokens and resampled inter-arrivals',
  description:
    'Trains a model with a time token before every packet, generates from the first packet of test sessions, and compares ' +
    'inter-arrivals with real ones: those that the tokens tell, and for the same packets those drawn from real ones.',
  reproduces: [],
  needs: { model: false },
  options: {
    classes: null,
    trainSessions: null,
    testSessions: 10,
    train: {
      ...demo,
      model: { d_model: 128, n_layer: 4, ssm_cfg: { d_state: 64, headdim: 32 }, label_every_packet: true },
      evenLabels: true,
      steps: 1500,
      evalEvery: 250,
      evalTokens: 40_000,
    },
    traces: 4,
    packets: 300,
    ...SAMPLING_DEFAULTS,
    burstMillis: 10,
  },
  fast: {
    trainSessions: 4,
    testSessions: 2,
    traces: 1,
    packets: 40,
    train: {
      ...demo,
      // Enough for packets that decode, no more.
      model: { d_model: 64, n_layer: 2, ssm_cfg: { d_state: 32, headdim: 32 }, label_every_packet: true },
      contextLen: 512,
      chunkLen: 512,
      shortestPiece: 64,
      steps: 250,
      warmupSteps: 20,
      evalEvery: 125,
      evalTokens: 4000,
      checkpointEvery: 125,
    },
  },
  check(options) {
    checkSampling('times', options);
    validateTrainConfig(options.train, 'times: train');
  },
  async plan(context): Promise<ExperimentJob[]> {
    const { classes } = await context.data();
    return [
      { key: 'tokens', params: {} },
      { key: 'train', stage: 1, params: {} },
      ...classes.map((label, i) => ({ key: `generate-${i}`, stage: 2, params: { label } })),
      { key: 'judge', stage: 3, params: { labels: classes } },
    ];
  },
  run(job, context) {
    if (job.key === 'tokens') return tokenise(context);
    if (job.key === 'train') return train(context);
    return job.key === 'judge' ? judge(context) : generate(job.params.label as string, context);
  },
  async summarise(results, context) {
    const of = <T>(key: string): T => results.get(key)?.result as T;
    const { classes } = await context.data();
    const generated = classes.map((_, i) => of<GeneratedLabel>(`generate-${i}`));
    const judged = of<TimesJudged>('judge');
    const { steps, parameters, bestLossNats } = of<TrainedTimes>('train');
    const packets = generated.reduce((sum, set) => sum + set.packets, 0);
    return {
      tables: [distanceTable(judged), orderTable(judged, context.options)],
      notes: [
        `${parameters.toLocaleString('en')} parameters, ${steps} updates, validation loss ${bestLossNats?.toFixed(3) ?? '(none)'} nats; ` +
          `${packets.toLocaleString('en')} packets generated behind a prompt of one.`,
      ],
    };
  },
};

const tokensDir = (context: RunContext): string => join(context.work, 'tokens');
const modelDir = (context: RunContext): string => join(context.work, 'model');
const capturesDir = (context: RunContext, label: string): string => join(context.work, 'generated', label);

async function tokenise(context: JobContext<TimesSettings>): Promise<{ tokens: number; packets: number }> {
  const { totals } = await buildDataset({
    inputs: await inputsOf(context),
    out: tokensDir(context),
    timeTokens: true,
    seed: context.config.seed,
    onProgress: context.onProgress,
  });
  return { tokens: totals.tokens, packets: totals.packets };
}

async function train(context: JobContext<TimesSettings>): Promise<TrainedTimes> {
  const { useEngine } = await import('../tensor/index.js');
  const run = modelDir(context);
  const history = await fit({
    run,
    data: tokensDir(context),
    engine: await useEngine(),
    config: { ...context.options.train, seed: context.config.seed },
    resume: existsSync(join(run, 'checkpoint', 'state.json')),
    overwrite: true,
    onProgress: context.onProgress,
    signal: context.signal,
  });
  if (history.stopped === 'interrupt')
    throw new NetssmError('aborted', `training was stopped at step ${history.step}`);
  return {
    parameters: history.parameters,
    steps: history.step,
    bestLossNats: history.best?.lossNats ?? null,
  };
}

/** The twins of a class: the same for all sources. */
async function twinsOf(label: string, context: RunContext<TimesSettings>): Promise<Twin[]> {
  const { sessions } = await context.data();
  const rng = new Rng(context.config.seed).split(`times/twins/${label}`);
  const own = rng.shuffle(sessions.filter((s) => s.label === label && s.split === 'test'));
  return Promise.all(
    own
      .slice(0, context.options.traces)
      .map(async ({ id, frames }) => ({ path: id, frames: await frames() })),
  );
}

async function generate(label: string, context: JobContext<TimesSettings>): Promise<GeneratedLabel> {
  const { options, config, threads, signal, onProgress } = context;
  return generateTwins({
    model: modelDir(context),
    label,
    twins: await twinsOf(label, context),
    packets: options.packets,
    sampling: samplingOf(options),
    tries: options.tries,
    seed: config.seed,
    dir: capturesDir(context, label),
    threads,
    onProgress,
    signal,
  });
}

async function judge(context: JobContext<TimesSettings>): Promise<TimesJudged> {
  const { options, config } = context;
  const { classes, sessions } = await context.data();
  const { labels: timing } = loadTiming(join(modelDir(context), DATASET_FILES.timing));
  const times = loadVocabulary(join(modelDir(context), DATASET_FILES.tokenizer)).times ?? {
    first: 0,
    edgesMicros: TIME_EDGES_MICROS,
  };
  const traces: Record<Source | 'test', Trace[]> = {
    test: [],
    tokens: [],
    resample: [],
    binned: [],
    floor: [],
  };
  for (const [i, label] of classes.entries()) {
    const gaps = timing[label] as LabelTiming | undefined;
    const rng = new Rng(config.seed).split(`times/judge/${label}`);
    const made = context.result<GeneratedLabel>(`generate-${i}`);
    const dir = capturesDir(context, label);
    traces.tokens.push(...(await readGenerated(dir, [made], MODEL_SOURCE)).traces);
    for (const { file, twin, promptPackets } of made.files) {
      const { frames } = await readCapture(join(dir, file));
      const again = withGaps(frames, () => drawGap(gaps, rng));
      traces.resample.push(traceOfFrames(label, again, file, { promptPackets, twin }));
    }
    const first = (frames: readonly Frame[]): readonly Frame[] => frames.slice(0, options.packets);
    const add = (to: Trace[], frames: readonly Frame[], path: string): void => {
      // Their first packets are left out like the prompts of generated ones.
      to.push(traceOfFrames(label, frames, path, { promptPackets: 1 }));
    };
    for (const { path, frames } of await twinsOf(label, context)) {
      add(traces.test, first(frames), path);
      const again = withGaps(first(frames), (gap) => drawGapOfBin(times, timeBinOf(times, gap), gaps, rng));
      add(traces.binned, again, path);
    }
    const training = rng.shuffle(sessions.filter((s) => s.label === label && s.split === 'train'));
    for (const session of training.slice(0, options.traces))
      add(traces.floor, first(await session.frames()), session.id);
  }
  return compare(classes, traces, options.burstMillis * 1000);
}

/** The same packets at other times; `next` gets the gap that there was. */
function withGaps(frames: readonly Frame[], next: (gapMicros: number) => number): Frame[] {
  let at = frames[0]?.tsMicros ?? 0;
  return frames.map((frame, i) => {
    if (i > 0) at += next(Math.max(0, frame.tsMicros - frames[i - 1].tsMicros));
    return { ...frame, tsMicros: at, tsNanos: 0 };
  });
}

/** Distances of all gaps, of each side's and of each class's, and how gaps follow one another. */
function compare(
  classes: readonly string[],
  traces: Record<Source | 'test', readonly Trace[]>,
  burstMicros: number,
): TimesJudged {
  const rows: GapRow[] = [];
  const bursts: BurstRow[] = [];
  for (const scope of ['all', ...classes]) {
    const of = (source: Source | 'test') =>
      gapSamples(
        traces[source].filter(({ label }) => scope === 'all' || label === scope),
        burstMicros,
      );
    const real = of('test');
    for (const source of ['test', ...Object.keys(SOURCES)] as (Source | 'test')[]) {
      const samples = source === 'test' ? real : of(source);
      const { burstPackets, burstLogSeconds } = samples;
      const packets = burstPackets.reduce((a, b) => a + b, 0);
      const inBursts = burstPackets.filter((n) => n > 1).reduce((a, b) => a + b, 0);
      bursts.push({
        source,
        scope,
        autocorrelation: meanAutocorrelation(samples),
        packets: burstPackets.length === 0 ? null : packets / burstPackets.length,
        share: packets === 0 ? null : inBursts / packets,
        sizeKs: gapDistance(real.burstPackets, burstPackets)?.ks ?? null,
        secondsKs: gapDistance(real.burstLogSeconds, burstLogSeconds)?.ks ?? null,
      });
      if (source === 'test') continue;
      const sides = scope === 'all' ? (['all', 'client', 'server'] as const) : (['all'] as const);
      for (const side of sides) {
        const distance = gapDistance(real[side], samples[side]);
        if (distance) rows.push({ source, scope: side === 'all' ? scope : side, ...distance });
      }
    }
  }
  return { rows, bursts };
}

function distanceTable({ rows }: TimesJudged): ResultTable {
  const scopes = [...new Set(rows.map(({ scope }) => scope))];
  const sources = Object.keys(SOURCES) as Source[];
  const cell = (scope: string, source: Source, key: 'ks' | 'decades'): Cell =>
    rows.find((row) => row.scope === scope && row.source === source)?.[key] ?? null;
  return {
    id: 'times-distances',
    title: 'Inter-arrivals beside those of test sessions',
    reproduces: [],
    columns: [
      column.name('gaps'),
      ...sources.map((source) => column.ours(`K-S, ${SOURCES[source]}`)),
      ...sources.map((source) => column.ours(`decades, ${SOURCES[source]}`)),
    ],
    rows: scopes.map((scope): Cell[] => [
      scope,
      ...sources.map((source) => cell(scope, source, 'ks')),
      ...sources.map((source) => cell(scope, source, 'decades')),
    ]),
    notes: [
      'Kolmogorov-Smirnov distance, and mean difference of the quantiles in decades, of the gaps (at least 1 µs); client and ' +
        'server: gaps before a packet of that side. The first two sources have the same packets; the third is the test sessions ' +
        'themselves, each gap replaced by a real one of its bin: what the bins cost.',
    ],
  };
}

function orderTable({ bursts }: TimesJudged, { burstMillis }: TimesSettings): ResultTable {
  return {
    id: 'times-order',
    title: 'How gaps follow one another',
    reproduces: [],
    columns: [
      column.name('sessions'),
      column.name('gaps'),
      ...LAGS.map((lag) => column.ours(`autocorrelation, lag ${lag}`)),
      column.ours('packets a burst'),
      column.ours('% of packets in bursts'),
      column.ours('K-S of burst sizes'),
      column.ours('K-S of burst seconds'),
    ],
    rows: bursts.map(({ source, scope, autocorrelation, packets, share, sizeKs, secondsKs }): Cell[] => [
      scope,
      source === 'test' ? 'real (test sessions)' : SOURCES[source],
      ...autocorrelation,
      packets,
      share === null ? null : 100 * share,
      source === 'test' ? null : sizeKs,
      source === 'test' ? null : secondsKs,
    ]),
    notes: [
      `Autocorrelation of the logarithms of the gaps, mean over traces. A burst: packets at most ${burstMillis} ms after the one ` +
        'before; sizes in packets, seconds of bursts of two and more.',
    ],
  };
}
