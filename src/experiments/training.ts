import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { loadModel } from '../generate';
import { describe as describeModel, validateConfig, type MambaConfig } from '../model';
import { buildDataset, collectInputs, defaultChecksums, openDataset, type DatasetInput } from '../tokens';
import { fit, validateTrainConfig, type ModelSettings, type TrainConfig } from '../train';
import { NetssmError } from '../util';
import type { JobContext, RunContext } from './experiment';
import { packetLosses } from './traceLoss';

/** One way to train: a layout, and settings of train.json that differ from the experiment's base. */
export interface TrainingVariant {
  name: string;
  layout?: string;
  train?: Partial<TrainConfig>;
}

export interface TrainingSettings {
  classes: string[] | null;
  trainSessions: number | null;
  testSessions: number | null;
  variants: TrainingVariant[];
  /** Settings of all variants; a variant's own come on top, `model` key by key. */
  base: Partial<TrainConfig>;
  /** Multiplications and additions that each variant may train with, in units of 10^12: equal compute, not equal time. */
  teraOperations: number;
}

/** What training one variant came to. */
export interface TrainedVariant {
  variant: string;
  layout: string;
  parameters: number;
  steps: number;
  /** Tokens that the steps read, and operations in units of 10^12. */
  tokens: number;
  teraOperations: number;
  engine: string;
  validation: { step: number; lossNats: number }[];
  bestLossNats: number | null;
}

export const DEFAULT_LAYOUT_NAME = 'compact-rel';

export function layoutOf({ layout = DEFAULT_LAYOUT_NAME }: TrainingVariant): string {
  return layout;
}

/** The settings of a variant, with as many steps as the operations allow. */
export function variantConfig(
  variant: TrainingVariant,
  settings: TrainingSettings,
  seed: number,
  vocabulary: number,
): { train: TrainConfig; model: MambaConfig; operationsPerStep: number } {
  const { model: baseModel = {}, ...base } = settings.base;
  const { model: ownModel = {}, ...own } = variant.train ?? {};
  const modelSettings: ModelSettings = {
    ...baseModel,
    ...ownModel,
    // The two kinds of layer have other settings.
    ssm_cfg: ownModel.ssm_cfg?.layer ? ownModel.ssm_cfg : { ...baseModel.ssm_cfg, ...ownModel.ssm_cfg },
  };
  const draft = validateTrainConfig(
    { ...base, ...own, model: modelSettings, seed },
    `variant ${variant.name}`,
  );
  const model = validateConfig({ ...modelSettings, vocab_size: vocabulary });
  const { batchSize, contextLen, accumulate } = draft;
  const tokens = batchSize * contextLen * accumulate;
  const { trainingOperationsPerToken } = describeModel(model, {
    B: batchSize,
    L: draft.chunkLen ?? contextLen,
  });
  const operationsPerStep = trainingOperationsPerToken * tokens;
  const steps = Math.max(2, Math.floor((settings.teraOperations * 1e12) / operationsPerStep));
  const train = validateTrainConfig(
    { ...draft, steps, warmupSteps: Math.min(draft.warmupSteps, Math.floor(steps / 5)) },
    `variant ${variant.name}`,
  );
  return { train, model, operationsPerStep };
}

export function tokensFolder(context: RunContext, layout: string): string {
  return join(context.work, 'tokens', layout);
}

export function modelFolder(context: RunContext, index: number): string {
  return join(context.work, 'models', `variant-${index}`);
}

/** Tokenises the sessions that the run uses, in one layout. Test sessions stay test. */
export async function tokeniseJob(
  layout: string,
  context: JobContext<TrainingSettings>,
): Promise<{ layout: string; packets: number; tokens: number; tokensPerPacket: number }> {
  const inputs = await inputsOf(context);
  const meta = await buildDataset({
    inputs,
    out: tokensFolder(context, layout),
    layout,
    checksums: layout === 'compact' ? 'zero' : defaultChecksums(layout),
    seed: context.config.seed,
    onProgress: context.onProgress,
  });
  const { packets, tokens } = meta.totals;
  return { layout, packets, tokens, tokensPerPacket: tokens / packets };
}

/** The captures of the run's sessions. @throws NetssmError `sessions_missing`. */
export async function inputsOf(context: RunContext): Promise<DatasetInput[]> {
  const { sessions, path, classes } = await context.data();
  const splits = new Map(sessions.map(({ id, split }) => [id, split]));
  const all = collectInputs(path, { classes });
  const inputs = all.flatMap((input): DatasetInput[] => {
    const split = splits.get(input.name ?? relativeId(path, input.path));
    // Of the training sessions some are for validation, by hash.
    return split === undefined ? [] : [{ ...input, split: split === 'test' ? 'test' : undefined }];
  });
  if (inputs.length === 0)
    throw new NetssmError('sessions_missing', `none of the sessions of ${path} is a capture of its own`, {
      hint: 'Training needs two captures a class.',
    });
  return inputs;
}

function relativeId(root: string, file: string): string {
  return file
    .slice(root.length)
    .replace(/^[\\/]+/, '')
    .replaceAll('\\', '/');
}

/** Trains one variant; a job that was stopped goes on from its checkpoint. */
export async function trainJob(
  variant: TrainingVariant,
  index: number,
  context: JobContext<TrainingSettings>,
): Promise<TrainedVariant> {
  const { useEngine } = await import('../tensor/index.js');
  const layout = layoutOf(variant);
  const data = tokensFolder(context, layout);
  const dataset = openDataset(data);
  const vocabulary = dataset.vocabulary.size;
  dataset.close();
  const { train, operationsPerStep } = variantConfig(
    variant,
    context.options,
    context.config.seed,
    vocabulary,
  );
  const run = modelFolder(context, index);
  const engine = await useEngine();
  const history = await fit({
    run,
    data,
    engine,
    config: train,
    resume: existsSync(join(run, 'checkpoint', 'state.json')),
    overwrite: true,
    onProgress: context.onProgress,
    signal: context.signal,
  });
  if (history.stopped === 'interrupt')
    throw new NetssmError('aborted', `${variant.name} was stopped at step ${history.step}`);
  return {
    variant: variant.name,
    layout,
    parameters: history.parameters,
    steps: history.step,
    tokens: history.step * train.batchSize * train.contextLen * train.accumulate,
    teraOperations: (history.step * operationsPerStep) / 1e12,
    engine: engine.name,
    validation: history.evals.map(({ step, lossNats }) => ({ step, lossNats })),
    bestLossNats: history.best?.lossNats ?? null,
  };
}

/** Bits a packet of held-out real sessions: the one loss that different layouts can be compared by. */
export interface HeldOutBits {
  bitsPerPacket: number;
  lossNats: number;
  tokensPerPacket: number;
  packets: number;
  refused: number;
}

export async function heldOutBits(
  model: string,
  context: JobContext<TrainingSettings>,
  packetsPerSession: number,
): Promise<HeldOutBits> {
  const loaded = await loadModel(model);
  const { sessions } = await context.data();
  const sum = { nats: 0, tokens: 0, packets: 0, refused: 0 };
  for (const session of sessions) {
    if (session.split !== 'test' || !loaded.labels.includes(session.label)) continue;
    if (context.signal.aborted) throw new NetssmError('aborted', 'stopped');
    const frames = (await session.frames()).slice(0, packetsPerSession);
    const { nats, tokens, refused } = packetLosses(loaded, session.label, frames);
    for (const value of nats) sum.nats += value;
    for (const value of tokens) sum.tokens += value;
    sum.packets += nats.length;
    sum.refused += refused;
  }
  return {
    bitsPerPacket: sum.nats / Math.LN2 / sum.packets,
    lossNats: sum.nats / sum.tokens,
    tokensPerPacket: sum.tokens / sum.packets,
    packets: sum.packets,
    refused: sum.refused,
  };
}
