import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { loadSafetensors, saveSafetensors, type Weights } from '../model';
import type { TimeTokens } from '../tokens';
import { NetssmError, readJson, writeJson } from '../util';

/** The numbers of a checkpoint that are not tensors: checkpoint/state.json. */
export interface CheckpointState {
  format: 1;
  /** Updates done. */
  step: number;
  /** Where the data stands: see `BatchPosition` of the batches. */
  position: unknown;
  /** State words of the run's random number generator. */
  rng: number[];
  /** Bytes of metrics.jsonl that belong to the steps up to here. */
  metricsOffset: number;
  /** Predicted tokens so far. */
  tokens: number;
  /** Seconds of training so far, over all calls. */
  seconds: number;
  /** Best evaluation so far: the one whose weights model.safetensors holds. */
  best: { step: number; lossNats: number } | null;
  /** Labels of the model, in the order of their ids. */
  labels: string[];
  /** The model's time tokens, where it has some. */
  times?: TimeTokens;
  /** What must be the same when the run continues: settings, data, shapes. */
  fingerprint: Record<string, unknown>;
  /** Tokens whose activations were held at once: a run goes on with them, for sums of other chunks round differently. */
  chunkLen?: number;
  /** Engine that wrote it; another one continues, but not bit for bit. */
  engine: string;
}

/** A checkpoint: everything that the next step depends on. */
export interface Checkpoint {
  state: CheckpointState;
  parameters: Weights;
  m: Record<string, Float32Array>;
  v: Record<string, Float32Array>;
  /** Recurrent states carried from row to row, by name (`0.conv`, `0.ssm`, `1.conv` ...). */
  carried: Weights;
}

/**
 * Writes the folder so that a crash at any moment leaves a complete checkpoint: into `<dir>.new`, synced, then the
 * old one is moved aside, the new one takes its place, and the old one is removed. `readCheckpoint` finds either.
 */
export function writeCheckpoint(dir: string, checkpoint: Checkpoint): void {
  const fresh = `${dir}.new`;
  const old = `${dir}.old`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  const tensors: Weights = {};
  for (const [name, weight] of Object.entries(checkpoint.parameters)) {
    tensors[`parameters/${name}`] = weight;
    tensors[`m/${name}`] = { shape: weight.shape, data: checkpoint.m[name] };
    tensors[`v/${name}`] = { shape: weight.shape, data: checkpoint.v[name] };
  }
  for (const [name, state] of Object.entries(checkpoint.carried)) tensors[`carried/${name}`] = state;
  saveSafetensors(join(fresh, 'tensors.safetensors'), tensors);
  writeJson(join(fresh, 'state.json'), checkpoint.state); // last: a folder with it is complete
  syncPath(fresh);
  rmSync(old, { recursive: true, force: true });
  if (existsSync(dir)) renameSync(dir, old);
  renameSync(fresh, dir);
  syncPath(dirname(dir));
  rmSync(old, { recursive: true, force: true });
}

/** The folder that holds the newest complete checkpoint, or null. A crash may have left it under its second name. */
export function findCheckpoint(dir: string): string | null {
  for (const candidate of [dir, `${dir}.old`])
    if (existsSync(join(candidate, 'state.json'))) return candidate;
  return null;
}

/** @throws NetssmError `checkpoint_missing` / `checkpoint_format` / `checkpoint_incomplete`. */
export function readCheckpoint(dir: string): Checkpoint {
  const found = findCheckpoint(dir);
  if (found === null) {
    throw new NetssmError('checkpoint_missing', `no checkpoint in ${dir}`, {
      hint: `Train without resume, or name a run folder that has a ${basename(dir)}/ folder.`,
      exitCode: 2,
    });
  }
  const state = readJson<CheckpointState>(join(found, 'state.json'));
  if (state.format !== 1) {
    throw new NetssmError(
      'checkpoint_format',
      `${found} has checkpoint format ${String(state.format)}, not 1`,
      {
        hint: 'It was written by another version of netssm.',
      },
    );
  }
  const tensors = loadSafetensors(join(found, 'tensors.safetensors')).weights;
  const checkpoint: Checkpoint = { state, parameters: {}, m: {}, v: {}, carried: {} };
  for (const [key, weight] of Object.entries(tensors)) {
    const at = key.indexOf('/');
    const name = key.slice(at + 1);
    const group = key.slice(0, at);
    if (group === 'parameters') checkpoint.parameters[name] = weight;
    else if (group === 'carried') checkpoint.carried[name] = weight;
    else if (group === 'm' || group === 'v') checkpoint[group][name] = weight.data;
  }
  for (const name of Object.keys(checkpoint.parameters)) {
    if (!checkpoint.m[name] || !checkpoint.v[name]) {
      throw new NetssmError('checkpoint_incomplete', `${found}: no optimiser state for ${name}`);
    }
  }
  return checkpoint;
}

function syncPath(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } catch (error) {
    // Windows cannot sync a folder (EPERM); the rename itself is journalled there.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
  } finally {
    closeSync(fd);
  }
}
