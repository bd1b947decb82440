import { existsSync } from 'node:fs';
import { loadModel, type LoadedModel } from '../generate';
import { openDataset } from '../tokens';
import {
  assertSameSettings,
  findCheckpoint,
  fixedSettings,
  readRun,
  runPaths,
  validateTrainConfig,
  type History,
} from '../train';
import { formatDuration, inspectable, NetssmError } from '../util';
import { showBundle } from './display';
import { fit, type LiveFitOptions } from './fit';

/** What {@link loadOrTrain} takes; the run folder comes first. */
export type LoadOrTrainOptions = Omit<LiveFitOptions, 'run' | 'resume'>;

/** A trained model and how it came to be one. */
export interface TrainedRun {
  model: LoadedModel;
  history: History;
  /** `loaded`: nothing had to be done. `resumed`: the rest was. `trained`: everything was. */
  how: 'loaded' | 'resumed' | 'trained';
}

/**
 * The model of a run: loaded where the folder holds a finished run with these settings and this data, resumed where it
 * holds the beginning of one, else trained. A notebook that is run twice trains once.
 *
 * A run with other settings or other data is an error that names the differences; with `overwrite` it is replaced.
 * @throws NetssmError `run_settings_differ`, and what {@link fit} and `loadModel` throw.
 * @example
 * const { model, history } = await loadOrTrain('runs/a', { data, engine, config: { steps: 500 } });
 */
export async function loadOrTrain(run: string, options: LoadOrTrainOptions): Promise<TrainedRun> {
  const engine = options.engine.name === 'native' ? 'auto' : 'loops';
  const load = (): Promise<LoadedModel> => loadModel(run, { engine });
  const train = async (how: TrainedRun['how'], more: Partial<LiveFitOptions>): Promise<TrainedRun> => {
    const history = await fit({ ...options, overwrite: false, ...more, run });
    return named({ model: await load(), history, how });
  };
  if (findCheckpoint(runPaths(run).checkpoint) === null) return train('trained', {});
  const { train: before, contentHash, finished, history } = readRun(run);
  const wanted = validateTrainConfig(given(options.config));
  try {
    const dataset = openDataset(options.data);
    dataset.close();
    const data = dataset.meta.contentHash;
    assertSameSettings(
      { ...fixedSettings(before), contentHash },
      { ...fixedSettings(wanted), contentHash: data },
      run,
    );
  } catch (error) {
    if (!(error instanceof NetssmError && error.code === 'run_settings_differ')) throw error;
    if (options.overwrite) return train('trained', { overwrite: true });
    throw new NetssmError(error.code, error.message.replace('cannot resume', 'there is another run in'), {
      hint: 'Give the run another folder, or `overwrite: true` to replace it.',
      exitCode: 2,
    });
  }
  const sameEnd = wanted.maxSeconds === before.maxSeconds && wanted.patience === before.patience;
  const done = history.step >= wanted.steps || (finished && sameEnd && wanted.steps === before.steps);
  if (!done || !existsSync(runPaths(run).weights)) return train('resumed', { resume: true });
  const effort = `${history.step.toLocaleString('en')} updates in ${formatDuration(history.seconds)}`;
  showBundle({ 'text/plain': `${run}: loaded (${effort}); delete the folder to train again` });
  return named({ model: await load(), history, how: 'loaded' });
}

/** In consoles: `TrainedRun loaded: runs/a, 500 updates`. */
function named(trained: TrainedRun): TrainedRun {
  return inspectable(
    trained,
    ({ how, model, history }) =>
      `TrainedRun ${how}: ${model.name}, ${history.step.toLocaleString('en')} updates`,
  );
}

function given(config: LiveFitOptions['config'] = {}): Record<string, unknown> {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
}
