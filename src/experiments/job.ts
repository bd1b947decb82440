import { join } from 'node:path';
import { NetssmError, type OnProgress } from '../util';
import { openExperimentData, type DataSelection, type ExperimentData } from './data';
import type { Experiment, ExperimentJob, JobContext, JobResult, RunConfig, RunContext } from './experiment';
import { experimentPaths, readJobResult, readPlan, readRunConfig, writeJobResult } from './runFolder';

/** Context of a run: what plan and summarise get. Data is opened once. */
export function runContext(folder: string, config: RunConfig): RunContext {
  let data: Promise<ExperimentData> | undefined;
  return {
    config,
    options: config.options,
    folder,
    work: experimentPaths(folder).work,
    data: () =>
      (data ??= Promise.resolve().then(() =>
        openExperimentData(config.data, selectionOf(config.options), config.seed),
      )),
  };
}

/** Settings that all experiments share, where an experiment has them. */
function selectionOf(options: object): DataSelection {
  const { classes = null, trainSessions = null, testSessions = null } = options as Partial<DataSelection>;
  return { classes, trainSessions, testSessions };
}

export interface JobHooks {
  threads: number;
  signal: AbortSignal;
  onProgress: OnProgress;
}

/**
 * Does one job of a run and writes its result file: what a job's process does. Any machine that sees the folder can.
 *
 * @throws NetssmError `job_unknown`, and whatever the job throws.
 */
export async function runJob(
  find: (name: string) => Experiment,
  folder: string,
  key: string,
  hooks: JobHooks,
): Promise<JobResult> {
  const config = readRunConfig(folder);
  const { jobs } = readPlan(folder);
  const job = jobs.find((each) => each.key === key);
  if (!job)
    throw new NetssmError('job_unknown', `${join(folder, 'plan.json')} has no job "${key}"`, {
      hint: `It has ${jobs.length}: ${jobs
        .slice(0, 5)
        .map((each) => each.key)
        .join(', ')} ...`,
      exitCode: 2,
    });
  const before = readJobResult(folder, job);
  if (before) return before;
  const context: JobContext = {
    ...runContext(folder, config),
    ...hooks,
    result: <R>(name: string): R => earlierResult(folder, jobs, job, name).result as R,
  };
  const started = Date.now();
  const result = await find(config.experiment).run(job, context);
  if (hooks.signal.aborted) throw new NetssmError('aborted', `${key} was stopped`);
  const done = { key, params: job.params, result, seconds: (Date.now() - started) / 1000 };
  writeJobResult(folder, done);
  return done;
}

function earlierResult(
  folder: string,
  jobs: readonly Required<ExperimentJob>[],
  own: Required<ExperimentJob>,
  key: string,
): JobResult {
  const job = jobs.find((each) => each.key === key && each.stage < own.stage);
  const result = job && readJobResult(folder, job);
  if (!result)
    throw new NetssmError('job_missing', `${own.key} needs the result of ${key}, which is not there`);
  return result;
}
