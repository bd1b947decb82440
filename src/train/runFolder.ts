import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Engine } from '../tensor';
import type { ChecksumOption, Phase } from '../tokens';
import { NetssmError, projectRoot, readJson } from '../util';
import { findCheckpoint } from './checkpoint';
import type { TrainConfig } from './config';

/** The files of a run folder. The folder is also a model folder: config.json, model.safetensors, netssm.json ... */
export interface RunPaths {
  dir: string;
  /** Model hyper-parameters, as the reference writes them. */
  config: string;
  /** {@link TrainConfig}. */
  train: string;
  /** Versions, engine and platform. */
  env: string;
  metrics: string;
  /** Copied from the data set. */
  tokenizer: string;
  timing: string;
  /** What generation needs to know: {@link ModelCard}. */
  card: string;
  weights: string;
  checkpoint: string;
}

export function runPaths(dir: string): RunPaths {
  return {
    dir,
    config: join(dir, 'config.json'),
    train: join(dir, 'train.json'),
    env: join(dir, 'env.json'),
    metrics: join(dir, 'metrics.jsonl'),
    tokenizer: join(dir, 'tokenizer.json'),
    timing: join(dir, 'timing.json'),
    card: join(dir, 'netssm.json'),
    weights: join(dir, 'model.safetensors'),
    checkpoint: join(dir, 'checkpoint'),
  };
}

/** netssm.json of a model folder: what the weights are, on what they were trained and how well they do. */
export interface ModelCard {
  labels: string[];
  layout: string;
  checksums: ChecksumOption;
  /** Of a model fine-tuned for one phase of flows. */
  phase?: Phase;
  /** The training data in words and its hash. */
  trainedOn: { contentHash: string; sequences: number; tokens: number; unit: string };
  /** Mean training loss of the last (at most 100) updates before these weights, in nats a predicted token. */
  lossNats: number | null;
  /** Held-out loss of these weights; null where none was measured. Validation in a run, test in the shipped model. */
  heldOutLossNats: number | null;
  /** Tokens that it was measured on, and the loss of each label, where somebody noted them. */
  heldOutTokens?: number;
  heldOutPerLabel?: Record<string, number>;
  /** Losses of simpler models on the same data, where somebody measured them. */
  baselines: { name: string; lossNats: number; role?: string; description?: string }[];
  /** Updates behind these weights. */
  steps: number;
  seed: number;
  parameters: number;
  engine: string;
  /** Version of netssm. */
  version: string;
}

/** env.json: under what a run was made. No host or user names. */
export interface RunEnvironment {
  netssm: string;
  node: string;
  tfjs: string;
  engine: string;
  gflops: number;
  platform: string;
  cpu: string;
  cores: number;
  memoryBytes: number;
  startedAt: string;
}

export function describeEnvironment(engine: Engine): RunEnvironment {
  return {
    netssm: packageVersion(),
    node: process.versions.node,
    tfjs: engine.tf.version_core,
    engine: engine.name,
    gflops: engine.gflops,
    platform: `${process.platform} ${process.arch}`,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    startedAt: new Date().toISOString(),
  };
}

export function packageVersion(): string {
  return readJson<{ version: string }>(join(projectRoot, 'package.json')).version;
}

/**
 * Decides what a call finds in its run folder.
 * @throws NetssmError `run_exists` for a new run where a checkpoint is, `run_missing` for a resumed one without a folder.
 */
export function openRun(
  dir: string,
  resume: boolean,
  overwrite: boolean,
): { paths: RunPaths; resumes: boolean } {
  const paths = runPaths(dir);
  const checkpoint = findCheckpoint(paths.checkpoint);
  if (resume) {
    if (!existsSync(dir)) {
      throw new NetssmError('run_missing', `there is no run in ${dir} to resume`, {
        hint: 'Train without resume, or name an existing run folder.',
        exitCode: 2,
      });
    }
    return { paths, resumes: checkpoint !== null };
  }
  if (checkpoint !== null) {
    if (!overwrite) {
      throw new NetssmError('run_exists', `${dir} already holds a run`, {
        hint: 'Resume it, or give another run folder.',
        exitCode: 2,
      });
    }
    clearRun(paths);
  } else if (existsSync(dir) && readdirSync(dir).length > 0 && !existsSync(paths.train)) {
    throw new NetssmError('run_folder_in_use', `${dir} is not empty and is not a run folder`, {
      hint: 'Give a new folder for the run.',
      exitCode: 2,
    });
  }
  mkdirSync(dir, { recursive: true });
  return { paths, resumes: false };
}

/** Removes a run's own files and nothing else. */
function clearRun(paths: RunPaths): void {
  const { dir, checkpoint, ...files } = paths;
  for (const end of ['', '.old', '.new']) rmSync(`${checkpoint}${end}`, { recursive: true, force: true });
  for (const path of Object.values(files)) rmSync(path, { force: true });
  rmSync(join(dir, 'meta.json'), { force: true });
}

/** Copies the data set's small files into the run, so that the run folder is complete on its own. */
export function copyDatasetFiles(dataDir: string, paths: RunPaths): void {
  for (const name of ['tokenizer.json', 'timing.json', 'meta.json'])
    if (existsSync(join(dataDir, name))) copyFileSync(join(dataDir, name), join(paths.dir, name));
}

/** @throws NetssmError `run_settings_differ` naming each difference. */
export function assertSameSettings(
  before: Record<string, unknown>,
  now: Record<string, unknown>,
  dir: string,
): void {
  const differences: string[] = [];
  for (const key of new Set([...Object.keys(before), ...Object.keys(now)])) {
    const [a, b] = [JSON.stringify(before[key]), JSON.stringify(now[key])];
    if (a !== b) differences.push(`${key} was ${a}, is ${b}`);
  }
  if (differences.length > 0) {
    throw new NetssmError('run_settings_differ', `cannot resume ${dir}: ${differences.join('; ')}`, {
      hint: 'Only steps, maxSeconds, patience and memoryBudgetGB may change. For other settings start a new run, with init for its weights.',
      exitCode: 2,
    });
  }
}

/** The settings that must not change when a run continues: all but when it ends and what memory it may take. */
export function fixedSettings(train: TrainConfig): Partial<TrainConfig> {
  const {
    steps: _steps,
    maxSeconds: _maxSeconds,
    patience: _patience,
    memoryBudgetGB: _memoryBudgetGB,
    ...settings
  } = train;
  return settings;
}

/** {@link fixedSettings}, and the data they were used on. */
export function fingerprint(
  train: TrainConfig,
  data: { contentHash: string; layout: string; checksums: string; labels: readonly string[] },
): Record<string, unknown> {
  const { contentHash, layout, checksums, labels } = data;
  return {
    ...fixedSettings(train),
    'data.contentHash': contentHash,
    'data.layout': layout,
    'data.checksums': checksums,
    'data.labels': labels,
  };
}
