import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot, readJson } from '../util';
import type { RunEnvironment } from './environment';
import type { RunConfig } from './experiment';
import { experimentPaths, readJobResult, readPlan } from './runFolder';

/** Results that come with the project: config.json, env.json and metrics.json of finished runs. */
export const RESULTS_DIR: string = join(projectRoot, 'data', 'results');

/** One run that is there. */
export interface ListedRun {
  folder: string;
  config: RunConfig;
  env: RunEnvironment | null;
  state: 'finished' | 'unfinished';
  /** Jobs; null where only the results were kept. */
  finished: number | null;
  total: number | null;
}

/** The runs of experiments below a folder, oldest first. A folder that is not there holds none. */
export function listRuns(root: string): ListedRun[] {
  if (!existsSync(root)) return [];
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => readListedRun(join(root, entry.name)))
    .filter((run) => run !== undefined)
    .sort((a, b) => {
      const [x, y] = [a, b].map((run) => run.env?.started ?? '');
      return x < y ? -1 : x > y ? 1 : a.folder < b.folder ? -1 : 1;
    });
}

/** Undefined where the folder holds something else. */
export function readListedRun(folder: string): ListedRun | undefined {
  const paths = experimentPaths(folder);
  if (!existsSync(paths.config)) return undefined;
  const config = readJson<Partial<RunConfig>>(paths.config);
  if (config.format !== 'netssm-run') return undefined;
  const jobs = existsSync(paths.plan) ? readPlan(folder).jobs : null;
  return {
    folder,
    config: config as RunConfig,
    env: existsSync(paths.env) ? readJson<RunEnvironment>(paths.env) : null,
    state: existsSync(paths.metrics) ? 'finished' : 'unfinished',
    finished: jobs && jobs.filter((job) => readJobResult(folder, job) !== undefined).length,
    total: jobs && jobs.length,
  };
}
