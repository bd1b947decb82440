import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { modelFolder, phasesBelow } from '../generate';
import { NetssmError } from '../util';
import { dataFingerprint, dataFolder, defaultData } from './data';
import type { Experiment, ExperimentOptions, RunConfig } from './experiment';

export interface SettingsRequest {
  seed?: number;
  fast?: boolean;
  /** Packed set or folder; default the packed set of the project, or its bundled captures. */
  data?: string;
  /** Model or run folder; default `demo`. */
  model?: string;
  /** Settings that differ from the experiment's. */
  options?: object;
}

/**
 * Everything that decides a run, complete and checked.
 *
 * @throws NetssmError `experiment_options` naming every problem at once, `model_missing`, `data_missing`.
 */
export function resolveRunConfig(experiment: Experiment, request: SettingsRequest): RunConfig {
  const { seed = 1, fast = false, data = defaultData(), model = 'demo' } = request;
  const given = request.options ?? {};
  const options = { ...experiment.options, ...(fast ? experiment.fast : {}), ...given };
  checkOptions(experiment, given);
  experiment.check?.(options);
  if (data !== 'testbed' && !existsSync(dataFolder(data)))
    throw new NetssmError('data_missing', `${data} does not exist`, {
      hint: 'Name testbed, bundled, a packed set (docs/testbed.md), or a folder whose subfolders are labels.',
      exitCode: 2,
    });
  return {
    format: 'netssm-run',
    version: 1,
    experiment: experiment.name,
    seed,
    fast,
    data,
    dataFingerprint: dataFingerprint(data),
    model: experiment.needs.model ? model : null,
    modelFingerprint: experiment.needs.model ? modelFingerprint(model) : null,
    options,
  };
}

/** Name for the folder of a run: the same settings, the same folder. */
export function runName(config: RunConfig): string {
  const hash = createHash('sha256').update(JSON.stringify(config)).digest('hex').slice(0, 8);
  return `${config.experiment}${config.fast ? '-fast' : ''}-${hash}`;
}

function checkOptions(experiment: Experiment, given: object): void {
  const known = experiment.options as Record<string, unknown>;
  const problems = Object.entries(given).flatMap(([key, value]) => {
    if (!Object.hasOwn(known, key)) return [`unknown setting "${key}"`];
    const [want, got] = [kindOf(known[key]), kindOf(value)];
    // null stands for "all", and says nothing of what else there may be.
    if (want === got || want === 'null' || got === 'null') return [];
    return [`${key} must be a ${want}, not ${JSON.stringify(value)}`];
  });
  if (problems.length > 0) throw badOptions(experiment.name, problems, Object.keys(known));
}

export function badOptions(experiment: string, problems: string[], known?: string[]): NetssmError {
  return new NetssmError('experiment_options', `${experiment}: ${problems.join('; ')}`, {
    ...(known && { hint: `Settings: ${known.join(', ')}.` }),
    exitCode: 2,
  });
}

/** Whole numbers of at least `least`. */
export function checkCounts(experiment: string, options: ExperimentOptions, least = 1): void {
  const problems = Object.entries(options).flatMap(([key, value]) =>
    typeof value === 'number' && !(Number.isFinite(value) && value >= least)
      ? [`${key} must be at least ${least}, not ${value}`]
      : [],
  );
  if (problems.length > 0) throw badOptions(experiment, problems);
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'list' : typeof value;
}

/** A hash of a model folder's weights; of models by phase, of all three. @throws NetssmError `model_missing`. */
export function modelFingerprint(model: string): string {
  const dir = modelFolder(model);
  const phases = phasesBelow(dir);
  if (phases) {
    const all = Object.values(phases).map(modelFingerprint).join();
    return createHash('sha256').update(all).digest('hex').slice(0, 16);
  }
  const weights = join(dir, 'model.safetensors');
  if (!existsSync(weights)) {
    throw new NetssmError('model_missing', `there is no model in ${dir}`, {
      hint: 'Name a run folder of `netssm train`, a model folder, or a shipped model: demo, testbed.',
      exitCode: 2,
    });
  }
  return createHash('sha256').update(readFileSync(weights)).digest('hex').slice(0, 16);
}
