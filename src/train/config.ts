import { DEFAULT_CONFIG, DEFAULT_SSM, type MambaConfig } from '../model';
import { PRECISIONS, type Precision } from '../tensor';
import { PHASES, type Phase } from '../tokens';
import { NetssmError, readJson } from '../util';
import { SCHEDULES, type Schedule, type ScheduleName } from './schedule';

/**
 * `stream`: whole sequences, longer than a row ones continue in the next step with the recurrent state carried over.
 * `packed`: rows filled with pieces of sessions, each from the empty state: see pieces.ts.
 */
export type BatchMode = 'stream' | 'packed';

export const BATCH_MODES: readonly BatchMode[] = ['stream', 'packed'];

/** When chunks of a row are computed again on the way back. */
export type Recompute = 'auto' | 'always' | 'never';

export const RECOMPUTE: readonly Recompute[] = ['auto', 'always', 'never'];

/** Model hyper-parameters as a train config gives them: any of config.json's keys except the vocabulary's size. */
export type ModelSettings = Partial<Omit<MambaConfig, 'ssm_cfg' | 'vocab_size'>> & {
  ssm_cfg?: Partial<MambaConfig['ssm_cfg']>;
};

/** Everything that decides a training run except the data and the engine; train.json of a run folder. */
export interface TrainConfig {
  /** What differs from {@link DEFAULT_CONFIG}; ignored keys do not exist. Not used with `init`. */
  model: ModelSettings;
  mode: BatchMode;
  /** Draw initial sequence numbers, client ports, timestamps and the like anew in every piece: see renumber.ts. */
  renumber: boolean;
  /** With `renumber`: share of the pieces whose addresses and MACs are drawn anew, too. */
  freshAddresses: number;
  /** `packed`: share of the pieces that begin where their session begins. */
  openings: number;
  /** `packed`: share of the pieces that end where their session ends. */
  endings: number;
  /**
   * `packed`: how many times the first two tokens of a packet count for the loss, and `<|endoftext|>` (in `compact-rel`: whose
   * packet it is, and its TCP flags). The loss that a step reports is weighted so, too; evaluations are not.
   */
  headWeight: number;
  /** `packed`: every label as often, however many and long its sessions are; false: as often as its packets are. */
  evenLabels: boolean;
  /**
   * `packed`, single flows: only this phase of them carries loss (see tokens/phases.ts). null: all. Given without `mode`, the
   * mode is `packed`.
   */
  phase: Phase | null;
  /** `packed`: shortest piece in tokens; lengths are drawn from here to contextLen. null: pieces as long as a row. */
  shortestPiece: number | null;
  /** Rows a step (B). */
  batchSize: number;
  /** Tokens a row (L); the gradient is exact over a row. */
  contextLen: number;
  /**
   * Whether rows are differentiated in one piece (the tape in memory) or in chunks, all but the last of which are computed
   * twice: see memory.ts. Changes memory and time, never results. `auto`: in one piece while that fits the budget.
   */
  recompute: Recompute;
  /** Most tokens whose activations are held at once; null: as many as `recompute` finds right. */
  chunkLen: number | null;
  /** What the process should stay within, in units of 1e9 bytes; null: half of the machine's memory. */
  memoryBudgetGB: number | null;
  /** Of the operands of products with weights in training; weights, sums and evaluation are float32 always. */
  precision: Precision;
  /** Batches whose gradients are added up before one update. */
  accumulate: number;
  /** Updates in all. */
  steps: number;
  /** Stop after this many seconds of training (this call's wall clock); null: no limit. */
  maxSeconds: number | null;
  lr: number;
  schedule: ScheduleName;
  warmupSteps: number;
  /** Updates until the lowest learning rate; null: `steps`. */
  decaySteps: number | null;
  /** Lowest learning rate as a share of `lr`. */
  minLrShare: number;
  beta1: number;
  beta2: number;
  eps: number;
  weightDecay: number;
  /** Largest global gradient norm. */
  clipNorm: number;
  /** Updates between evaluations on the validation split, and once at the end; 0: never. */
  evalEvery: number;
  /** Most validation tokens an evaluation looks at; null: all. */
  evalTokens: number | null;
  /**
   * Early stopping: the run ends after this many evaluations in a row that were not better than the best one, whose
   * weights model.safetensors holds. null: never. May change when a run is resumed.
   */
  patience: number | null;
  /** Updates between checkpoints, and one at the end. */
  checkpointEvery: number;
  seed: number;
  /** A model folder to start from (fine-tuning), or null. */
  init: string | null;
}

/** The paper's optimiser settings (lr 5e-4, clip 1.0, PyTorch's betas; section 5.1.1) at a size for a laptop. */
export const DEFAULT_TRAIN: TrainConfig = {
  model: {},
  mode: 'stream',
  renumber: false,
  freshAddresses: 0,
  openings: 0.5,
  endings: 0,
  headWeight: 1,
  evenLabels: false,
  phase: null,
  shortestPiece: null,
  batchSize: 8,
  contextLen: 256,
  recompute: 'auto',
  chunkLen: null,
  memoryBudgetGB: null,
  precision: 'float32',
  accumulate: 1,
  steps: 1000,
  maxSeconds: null,
  lr: 5e-4,
  schedule: 'linear',
  warmupSteps: 0,
  decaySteps: null,
  minLrShare: 0,
  beta1: 0.9,
  beta2: 0.999,
  eps: 1e-8,
  weightDecay: 0,
  clipNorm: 1,
  evalEvery: 250,
  evalTokens: 50_000,
  patience: null,
  checkpointEvery: 100,
  seed: 1,
  init: null,
};

/** Ready-made settings; configs/tiny.json and configs/demo.json hold the same. */
export const TRAIN_PRESETS: Readonly<Record<'tiny' | 'demo', Partial<TrainConfig>>> = {
  tiny: {
    model: { d_model: 64, n_layer: 2, ssm_cfg: { d_state: 32, headdim: 32 } },
    batchSize: 8,
    contextLen: 256,
    chunkLen: 256,
    steps: 200,
    lr: 3e-3,
    schedule: 'cosine',
    warmupSteps: 10,
    minLrShare: 0.1,
    evalEvery: 100,
    evalTokens: 20_000,
    checkpointEvery: 50,
  },
  demo: {
    model: { d_model: 128, n_layer: 4, ssm_cfg: { d_state: 128, headdim: 32 }, label_every_packet: true },
    mode: 'packed',
    renumber: true,
    freshAddresses: 0.3,
    openings: 0.5,
    evenLabels: true,
    shortestPiece: 128,
    batchSize: 2,
    contextLen: 1024,
    chunkLen: 1024,
    steps: 2000,
    lr: 2e-3,
    schedule: 'cosine',
    warmupSteps: 150,
    minLrShare: 0.02,
    beta2: 0.99,
    weightDecay: 0.02,
    evalEvery: 250,
    evalTokens: 60_000,
    checkpointEvery: 250,
  },
};

/** A config from a JSON file (the keys of {@link TrainConfig}, all optional). */
export function loadTrainConfig(path: string): TrainConfig {
  return validateTrainConfig(readJson(path), path);
}

/** Fills in defaults and checks everything. @throws NetssmError `train_config_invalid` naming every problem at once. */
export function validateTrainConfig(value: unknown, where = 'train config'): TrainConfig {
  const problems: string[] = [];
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new NetssmError('train_config_invalid', `${where}: must be an object`, { exitCode: 2 });
  }
  const known = Object.keys(DEFAULT_TRAIN);
  for (const key of Object.keys(value)) if (!known.includes(key)) problems.push(`unknown key "${key}"`);
  const given = Object.entries(value).filter(([key, v]) => known.includes(key) && v !== undefined);
  const config = { ...DEFAULT_TRAIN, ...(Object.fromEntries(given) as Partial<TrainConfig>) };
  if (config.phase !== null && !given.some(([key]) => key === 'mode')) config.mode = 'packed';
  checkNumbers(config, problems);
  if (config.phase !== null && !PHASES.includes(config.phase))
    problems.push(`phase must be ${PHASES.join(', ')} or null, not ${JSON.stringify(config.phase)}`);
  if (config.phase !== null && config.mode === 'stream')
    problems.push('phase needs mode "packed": in a stream a flow goes on from row to row');
  const oneOf = (key: 'mode' | 'schedule' | 'recompute' | 'precision', options: readonly string[]) => {
    if (!options.includes(config[key]))
      problems.push(`${key} must be one of ${options.join(', ')}, not ${JSON.stringify(config[key])}`);
  };
  oneOf('mode', BATCH_MODES);
  oneOf('schedule', SCHEDULES);
  oneOf('recompute', RECOMPUTE);
  oneOf('precision', PRECISIONS);
  if (typeof config.renumber !== 'boolean')
    problems.push(`renumber must be true or false, not ${JSON.stringify(config.renumber)}`);
  if (config.renumber === true && config.mode === 'stream')
    problems.push('renumber needs mode "packed": in a stream a session goes on from row to row');
  if (config.openings <= 1 && config.endings <= 1 && config.openings + config.endings > 1)
    problems.push(`openings (${config.openings}) and endings (${config.endings}) must not exceed 1 together`);
  if (config.headWeight !== 1 && config.mode === 'stream') problems.push('headWeight needs mode "packed"');
  if (config.freshAddresses > 0 && config.renumber !== true)
    problems.push(`freshAddresses (${config.freshAddresses}) needs renumber`);
  if (config.init !== null && typeof config.init !== 'string') problems.push('init must be a folder or null');
  checkModel(config.model, problems);
  if (config.chunkLen !== null && config.chunkLen > config.contextLen)
    problems.push(`chunkLen (${config.chunkLen}) must not exceed contextLen (${config.contextLen})`);
  if (config.recompute === 'never' && config.chunkLen !== null && config.chunkLen < config.contextLen)
    problems.push(`recompute "never" and chunkLen (${config.chunkLen}) contradict each other`);
  if (config.shortestPiece !== null && config.shortestPiece > config.contextLen)
    problems.push(
      `shortestPiece (${config.shortestPiece}) must not exceed contextLen (${config.contextLen})`,
    );
  if (problems.length > 0) {
    throw new NetssmError('train_config_invalid', `${where}: ${problems.join('; ')}`, {
      hint: `Keys: ${known.join(', ')}.`,
      exitCode: 2,
    });
  }
  return config;
}

function checkNumbers(config: TrainConfig, problems: string[]): void {
  const check = (key: keyof TrainConfig, ok: (n: number) => boolean, what: string, orNull = false) => {
    const n = config[key];
    if (orNull && n === null) return;
    if (typeof n !== 'number' || !Number.isFinite(n) || !ok(n))
      problems.push(`${key} must be ${what}${orNull ? ' or null' : ''}, not ${JSON.stringify(n)}`);
  };
  const atLeast1 = (n: number) => Number.isInteger(n) && n >= 1;
  const atLeast0 = (n: number) => Number.isInteger(n) && n >= 0;
  const share = (n: number) => n >= 0 && n < 1;
  for (const key of ['batchSize', 'contextLen', 'accumulate', 'steps', 'checkpointEvery'] as const)
    check(key, atLeast1, 'a whole number of at least 1');
  for (const key of ['warmupSteps', 'evalEvery', 'seed'] as const)
    check(key, atLeast0, 'a whole number of at least 0');
  for (const key of ['chunkLen', 'decaySteps', 'evalTokens', 'patience', 'shortestPiece'] as const)
    check(key, atLeast1, 'a whole number of at least 1', true);
  if (config.patience !== null && config.evalEvery === 0)
    problems.push('patience needs evalEvery above 0: it counts evaluations');
  for (const key of ['maxSeconds', 'memoryBudgetGB'] as const) check(key, (n) => n > 0, 'above 0', true);
  for (const key of ['lr', 'eps', 'clipNorm', 'headWeight'] as const) check(key, (n) => n > 0, 'above 0');
  for (const key of ['beta1', 'beta2'] as const) check(key, share, 'in [0, 1)');
  for (const key of ['minLrShare', 'freshAddresses', 'openings', 'endings'] as const)
    check(key, (n) => n >= 0 && n <= 1, 'in [0, 1]');
  check('weightDecay', (n) => n >= 0, 'at least 0');
}

function checkModel(model: unknown, problems: string[]): void {
  if (typeof model !== 'object' || model === null || Array.isArray(model)) {
    problems.push('model must be an object');
    return;
  }
  const known = [...Object.keys(DEFAULT_CONFIG), 'label_every_packet'].filter((key) => key !== 'vocab_size');
  for (const key of Object.keys(model)) {
    if (key === 'vocab_size') problems.push('model.vocab_size comes from the data set and cannot be set');
    else if (!known.includes(key)) problems.push(`unknown key "model.${key}"`);
  }
  const ssm = (model as ModelSettings).ssm_cfg ?? {};
  const settings = DEFAULT_SSM[ssm.layer ?? 'Mamba2'] ?? DEFAULT_SSM.Mamba2;
  for (const key of Object.keys(ssm))
    if (!Object.hasOwn(settings, key)) problems.push(`unknown key "model.ssm_cfg.${key}"`);
}

/** The learning-rate schedule of a config. */
export function scheduleOf(config: TrainConfig): Schedule {
  return {
    name: config.schedule,
    lr: config.lr,
    warmupSteps: config.warmupSteps,
    decaySteps: config.decaySteps ?? config.steps,
    minShare: config.minLrShare,
  };
}
