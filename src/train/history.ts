import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parameterShapes, validateConfig } from '../model';
import { NetssmError, readJson } from '../util';
import { findCheckpoint, type CheckpointState } from './checkpoint';
import { validateTrainConfig, type TrainConfig } from './config';
import type { History, StopReason } from './fit';
import { readMetrics, type EvalMetrics, type StepMetrics } from './metrics';
import { runPaths } from './runFolder';

/** What a run folder tells about its run. */
export interface RunRecord {
  train: TrainConfig;
  /** What {@link fit} returned when the run last ended, as far as its files tell; `overhead` is not among them. */
  history: History;
  /** Hash of the data that it was trained on. */
  contentHash: string;
  engine: string;
  /** Whether {@link fit} would do nothing more with these settings: all steps, all seconds or all patience are used. */
  finished: boolean;
}

/**
 * Reads a run folder without touching it: settings, losses, how far it got.
 * @throws NetssmError `run_missing` where there is none, or it ended before its first checkpoint.
 */
export function readRun(dir: string): RunRecord {
  const paths = runPaths(dir);
  const checkpoint = findCheckpoint(paths.checkpoint);
  if (checkpoint === null || !existsSync(paths.train)) {
    throw new NetssmError('run_missing', `${dir} holds no run`, {
      hint: 'Name a folder that `fit` or `netssm train` has written.',
      exitCode: 2,
    });
  }
  const state = readJson<CheckpointState>(join(checkpoint, 'state.json'));
  const train = validateTrainConfig(readJson(paths.train), paths.train);
  const config = validateConfig(readJson(paths.config));
  const steps: StepMetrics[] = [];
  const evals: EvalMetrics[] = [];
  // What lies behind the checkpoint was lost with the process that did it, and will be done again.
  for (const line of readMetrics(paths.metrics)) {
    if (line.step > state.step) continue;
    if (line.kind === 'step') steps.push(line);
    else evals.push(line);
  }
  const { best, step, tokens, seconds } = state;
  const sinceBest = best === null ? 0 : evals.filter((e) => e.step > best.step).length;
  const stopped = stopReason(train, step, seconds, sinceBest);
  const parameters = parameterShapes(config).reduce(
    (sum, [, shape]) => sum + shape.reduce((a, b) => a * b, 1),
    0,
  );
  return {
    train,
    history: {
      run: dir,
      stopped,
      step,
      tokens,
      seconds,
      overhead: 0,
      parameters,
      steps,
      evals,
      best,
      notes: [],
    },
    contentHash: String(state.fingerprint['data.contentHash']),
    engine: state.engine,
    finished: stopped !== 'interrupt',
  };
}

function stopReason(train: TrainConfig, step: number, seconds: number, sinceBest: number): StopReason {
  if (step >= train.steps) return 'steps';
  if (train.patience !== null && sinceBest >= train.patience) return 'patience';
  // The last checkpoint may be a moment older than the end.
  return train.maxSeconds !== null && seconds >= 0.98 * train.maxSeconds - 1 ? 'time' : 'interrupt';
}
