import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { NetssmError, readJson, writeJson } from '../util';
import type { ExperimentJob, JobResult, RunConfig, RunMetrics } from './experiment';

/** Files of a run folder. */
export interface RunPaths {
  config: string;
  env: string;
  plan: string;
  metrics: string;
  /** One file a finished job. */
  jobs: string;
  /** Captures, models: what jobs make for later stages. */
  work: string;
}

export function experimentPaths(folder: string): RunPaths {
  return {
    config: join(folder, 'config.json'),
    env: join(folder, 'env.json'),
    plan: join(folder, 'plan.json'),
    metrics: join(folder, 'metrics.json'),
    jobs: join(folder, 'jobs'),
    work: join(folder, 'work'),
  };
}

/** plan.json: all jobs of the run. */
export interface RunPlan {
  jobs: Required<ExperimentJob>[];
}

/** config.json of a run folder. @throws NetssmError `run_missing`, `run_foreign`. */
export function readRunConfig(folder: string): RunConfig {
  const { config } = experimentPaths(folder);
  if (!existsSync(config)) {
    throw new NetssmError('run_missing', `${folder} holds no run of an experiment`, {
      hint: '`netssm runs list` shows those that there are.',
      exitCode: 2,
    });
  }
  const read = readJson<Partial<RunConfig>>(config);
  if (read.format !== 'netssm-run') {
    throw new NetssmError('run_foreign', `${config} was not written by an experiment`, {
      hint: 'Give another folder with --out.',
      exitCode: 2,
    });
  }
  return read as RunConfig;
}

/**
 * Makes a run's folder, or takes the one that is there where it is of the same run.
 *
 * @returns whether there was one.
 * @throws NetssmError `run_settings_differ` naming what differs, `run_foreign`.
 */
export function openRunFolder(folder: string, config: RunConfig): boolean {
  const paths = experimentPaths(folder);
  if (existsSync(paths.config)) {
    const before = readRunConfig(folder);
    const differing = differences(before, config);
    if (differing.length > 0) {
      throw new NetssmError(
        'run_settings_differ',
        `${folder} holds another run: ${differing.slice(0, 4).join('; ')}`,
        { hint: 'Give another folder with --out, or remove this one.', exitCode: 2 },
      );
    }
    return true;
  }
  if (existsSync(folder) && readdirSync(folder).length > 0) {
    throw new NetssmError('run_foreign', `${folder} is not empty and holds no run`, {
      hint: 'Give another folder with --out.',
      exitCode: 2,
    });
  }
  mkdirSync(paths.jobs, { recursive: true });
  writeJson(paths.config, config);
  return false;
}

/** `seed: 1 there, 2 now`, for every setting that differs. */
function differences(before: RunConfig, now: RunConfig): string[] {
  const flat = (config: RunConfig): Map<string, string> => {
    const { options, ...rest } = config;
    const entries = [...Object.entries(rest), ...Object.entries(options)];
    return new Map(entries.map(([key, value]) => [key, JSON.stringify(value) ?? 'undefined']));
  };
  const [a, b] = [flat(before), flat(now)];
  return [...new Set([...a.keys(), ...b.keys()])]
    .filter((key) => a.get(key) !== b.get(key))
    .map((key) => `${key} is ${a.get(key) ?? 'not set'} there and ${b.get(key) ?? 'not set'} now`);
}

export function jobFile(folder: string, key: string): string {
  return join(experimentPaths(folder).jobs, `${key}.json`);
}

/** A job's result where it is finished; undefined where it is not, or was of other params. */
export function readJobResult(folder: string, job: ExperimentJob): JobResult | undefined {
  const path = jobFile(folder, job.key);
  if (!existsSync(path)) return undefined;
  const read = readJson<JobResult>(path);
  return JSON.stringify(read.params) === JSON.stringify(job.params) ? read : undefined;
}

/** Atomic: a reader sees a whole result or none. */
export function writeJobResult(folder: string, result: JobResult): void {
  writeJson(jobFile(folder, result.key), result);
}

export function readPlan(folder: string): RunPlan {
  const { plan } = experimentPaths(folder);
  if (!existsSync(plan))
    throw new NetssmError('run_missing', `${folder} has no plan.json`, {
      hint: 'Start the run with `netssm experiment`.',
      exitCode: 2,
    });
  return readJson<RunPlan>(plan);
}

/** metrics.json of a finished run. @throws NetssmError `run_unfinished`. */
export function readRunMetrics(folder: string): RunMetrics {
  const { metrics } = experimentPaths(folder);
  readRunConfig(folder);
  if (!existsSync(metrics)) {
    throw new NetssmError('run_unfinished', `${folder} has no metrics.json yet`, {
      hint: 'Repeat the command of its env.json: finished jobs are kept.',
    });
  }
  return readJson<RunMetrics>(metrics);
}
