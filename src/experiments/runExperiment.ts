import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { NetssmError, readJson, writeFileAtomic, writeJson, type OnProgress } from '../util';
import { compactJson } from './compactJson';
import { describeEnvironment, type RunEnvironment } from './environment';
import type {
  Experiment,
  ExperimentJob,
  JobResult,
  ResultFigure,
  RunConfig,
  RunContext,
  RunMetrics,
} from './experiment';
import { runContext } from './job';
import type { JobEngine, JobStatus } from './jobEngine';
import { ProcessEngine } from './processEngine';
import { findExperiment } from './registry';
import { experimentPaths, openRunFolder, readJobResult, type RunPlan } from './runFolder';
import { resolveRunConfig, runName, type SettingsRequest } from './settings';

export interface RunExperimentOptions extends SettingsRequest {
  /** Name, or an experiment of one's own; then `engine` must be one that finds it. */
  experiment: string | Experiment;
  /** Run folder; default `runs/<name>-<hash of the settings>`, so that the same call goes on with the same run. */
  out?: string;
  /** Jobs at a time; default one a core. */
  jobs?: number;
  /** Who does the jobs; default a {@link ProcessEngine}. */
  engine?: JobEngine;
  /** For env.json: the command that makes this run. */
  command?: string;
  onProgress?: OnProgress;
  /** Ends the run; finished jobs stay, and the same call goes on with the others. */
  signal?: AbortSignal;
}

/** How a call of {@link runExperiment} ended. */
export interface RunOutcome {
  folder: string;
  config: RunConfig;
  /** Null where the run was interrupted. */
  metrics: RunMetrics | null;
  /** Jobs that were finished before this call; finished in all; of all. */
  resumed: number;
  finished: number;
  total: number;
}

/**
 * Makes an experiment's run, or goes on with it: jobs whose result files are there are not done again.
 *
 * @throws NetssmError `experiment_unknown`, `experiment_options`, `run_settings_differ`, `jobs_failed` (the others are
 *   finished first), and what opening data and model throws.
 */
export async function runExperiment(options: RunExperimentOptions): Promise<RunOutcome> {
  const experiment =
    typeof options.experiment === 'string' ? findExperiment(options.experiment) : options.experiment;
  const config = resolveRunConfig(experiment, options);
  const folder = options.out ?? join('runs', runName(config));
  const context = runContext(folder, config);
  await context.data(); // unusable data is said before a folder is made
  openRunFolder(folder, config);
  const paths = experimentPaths(folder);
  const engine = options.engine ?? new ProcessEngine({ jobs: options.jobs });
  const jobs = checkedPlan(await experiment.plan(context));
  writeJson(paths.plan, { jobs } satisfies RunPlan);
  const started = Date.now();
  const env = describeEnvironment(
    options.command ?? commandOf(config, folder),
    engine instanceof ProcessEngine ? engine.jobs : 1,
    engine.threads,
  );
  const results = new Map<string, JobResult>();
  for (const job of jobs) {
    const result = readJobResult(folder, job);
    if (result) results.set(job.key, result);
  }
  const resumed = results.size;
  const outcome = (metrics: RunMetrics | null): RunOutcome => ({
    folder,
    config,
    metrics,
    resumed,
    finished: results.size,
    total: jobs.length,
  });
  // A finished run keeps the record of how it was made.
  const complete = resumed === jobs.length && existsSync(paths.env);
  if (!complete) writeJson(paths.env, env);
  const run = new StageRunner(folder, engine, results, jobs.length, options);
  for (const stage of [...new Set(jobs.map((job) => job.stage))].sort((a, b) => a - b)) {
    await run.stage(jobs.filter((job) => job.stage === stage && !results.has(job.key)));
    if (options.signal?.aborted) return outcome(null);
  }
  const ordered = new Map(jobs.map(({ key }) => [key, results.get(key) as JobResult]));
  const metrics = await summarise(experiment, ordered, context);
  writeFileAtomic(paths.metrics, compactJson(metrics));
  if (!complete) writeJson(paths.env, finishedEnvironment(paths.env, env, started, ordered));
  return outcome(metrics);
}

/** Takes a stage's jobs through the engine. */
class StageRunner {
  constructor(
    private readonly folder: string,
    private readonly engine: JobEngine,
    private readonly results: Map<string, JobResult>,
    private readonly total: number,
    private readonly options: RunExperimentOptions,
  ) {}

  async stage(jobs: readonly Required<ExperimentJob>[]): Promise<void> {
    const { engine, folder, results } = this;
    const { signal } = this.options;
    if (signal?.aborted) return;
    const open = new Map(jobs.map((job) => [engine.submit({ folder, key: job.key }), job]));
    const failures: { key: string; status: JobStatus }[] = [];
    const stop = (): void => void Promise.all([...open.keys()].map((id) => engine.cancel(id)));
    signal?.addEventListener('abort', stop);
    try {
      while (open.size > 0) {
        for (const [id, job] of open) {
          const status = engine.poll(id);
          if (status.state === 'waiting' || status.state === 'running') continue;
          open.delete(id);
          // Also of a cancelled job: it may have been quicker.
          const result = readJobResult(folder, job);
          if (result) results.set(job.key, result);
          else if (status.state === 'failed') failures.push({ key: job.key, status });
          else if (status.state === 'done')
            failures.push({ key: job.key, status: { state: 'failed', error: noResult(job.key) } });
        }
        this.report(open);
        if (open.size > 0) await engine.changed(200);
      }
    } finally {
      signal?.removeEventListener('abort', stop);
    }
    if (failures.length > 0 && !signal?.aborted) throw jobsFailed(failures, folder);
  }

  private report(open: ReadonlyMap<string, ExperimentJob>): void {
    const { engine, results, total } = this;
    let part = 0;
    const words: string[] = [];
    for (const [id, job] of open) {
      const { state, progress } = engine.poll(id);
      if (state !== 'running') continue;
      if (progress?.total) part += Math.min(1, progress.done / progress.total);
      words.push(progress?.detail ? `${job.key} (${progress.detail})` : job.key);
    }
    const done = Math.floor((results.size + part) * 100) / 100;
    this.options.onProgress?.({ done, total, unit: 'jobs', detail: words.slice(0, 3).join(', ') });
  }
}

function noResult(key: string): JobStatus['error'] {
  return { code: 'job_died', message: `${key} ended without a result` };
}

function jobsFailed(failures: readonly { key: string; status: JobStatus }[], folder: string): NetssmError {
  const named = failures
    .slice(0, 3)
    .map(({ key, status }) => `${key}: ${status.error?.message ?? 'unknown'}`);
  const more = failures.length > 3 ? ` (and ${failures.length - 3} more)` : '';
  const s = failures.length === 1 ? '' : 's';
  const hint = failures.find(({ status }) => status.error?.hint)?.status.error?.hint;
  return new NetssmError(
    'jobs_failed',
    `${failures.length} job${s} of ${folder} failed: ${named.join('; ')}${more}`,
    { hint: hint ?? 'Repeat the command: finished jobs are kept.', context: { failures } },
  );
}

function checkedPlan(jobs: readonly ExperimentJob[]): Required<ExperimentJob>[] {
  const keys = new Set<string>();
  for (const { key } of jobs) {
    if (!/^[\w.-]+$/.test(key) || keys.has(key))
      throw new NetssmError('plan_invalid', `job key "${key}" is no file name, or there twice`);
    keys.add(key);
  }
  return jobs.map(({ key, stage = 0, params }) => ({ key, stage, params }));
}

async function summarise(
  experiment: Experiment,
  results: ReadonlyMap<string, JobResult>,
  context: RunContext,
): Promise<RunMetrics> {
  const data = await context.data();
  const {
    tables = [],
    figures = [],
    details = {},
    notes = [],
  } = await experiment.summarise(results, context);
  const sessions: Record<string, number> = {};
  for (const { split } of data.sessions) sessions[split] = (sessions[split] ?? 0) + 1;
  return {
    format: 'netssm-metrics',
    version: 1,
    experiment: experiment.name,
    data: { name: data.name, classes: data.classes, sessions },
    tables,
    figures: figures.map(roundedFigure),
    details,
    notes: [...data.notes, ...notes],
  };
}

/** Four digits are more than a figure shows. */
function roundedFigure(figure: ResultFigure): ResultFigure {
  const rounded = (values: readonly (number | null)[]): (number | null)[] =>
    values.map((value) => (value === null || !Number.isFinite(value) ? null : Number(value.toPrecision(4))));
  const series = figure.series.map((each) => ({
    ...each,
    x: rounded(each.x) as number[],
    y: rounded(each.y),
    ...(each.low && { low: rounded(each.low) }),
    ...(each.high && { high: rounded(each.high) }),
  }));
  return { ...figure, series };
}

/** The environment of the run's first call, with the time of all jobs. */
function finishedEnvironment(
  path: string,
  env: RunEnvironment,
  started: number,
  results: ReadonlyMap<string, JobResult>,
): RunEnvironment {
  const seconds = [...results.values()].reduce((sum, result) => sum + result.seconds, 0);
  return {
    ...readJson<RunEnvironment>(path),
    ...env,
    finished: new Date().toISOString(),
    wallSeconds: Math.round((Date.now() - started) / 1000),
    jobSeconds: Math.round(seconds),
  };
}

/** The command line that makes the run. Settings that differ from the experiment's are in config.json. */
function commandOf(config: RunConfig, folder: string): string {
  const parts = ['netssm experiment', config.experiment];
  if (config.fast) parts.push('--fast');
  parts.push('--data', config.data);
  if (config.model !== null) parts.push('--model', config.model);
  parts.push('--seed', String(config.seed), '--out', folder);
  return parts.join(' ');
}
