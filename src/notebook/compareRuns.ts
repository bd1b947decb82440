/** Training runs beside each other. */
import { basename } from 'node:path';
import { readRun, type RunRecord } from '../train';
import { runOverlay, type RunAxis } from '../viz';
import { table } from './display';
import { figure, type FigureOptions } from './figure';

/** One run in a comparison. */
export interface ComparedRun {
  run: string;
  parameters: number;
  updates: number;
  tokens: number;
  seconds: number;
  /** Best validation loss in nats a token, and the update it was measured at; null: never. */
  validation: number | null;
  at: number | null;
  /** Mean training loss of the last twentieth of the updates. */
  training: number | null;
  ended: string;
  /** Settings in which the runs differ. */
  [setting: string]: string | number | null;
}

/** Reads runs and puts them in rows: sizes, effort, losses, and every setting in which they differ. */
export function runRows(folders: readonly string[]): ComparedRun[] {
  const records = folders.map((folder) => readRun(folder));
  const settings = records.map((record) => flat(record.train));
  const differing = [...new Set(settings.flatMap((each) => Object.keys(each)))].filter(
    (key) => new Set(settings.map((each) => each[key])).size > 1,
  );
  return records.map((record, i) => ({
    ...rowOf(folders[i], record),
    ...Object.fromEntries(differing.map((key) => [key, settings[i][key] ?? ''])),
  }));
}

function rowOf(folder: string, { history }: RunRecord): ComparedRun {
  const { best, parameters, step, steps, tokens, seconds, stopped } = history;
  const recent = steps.slice(-Math.max(1, Math.round(steps.length / 20)));
  return {
    run: basename(folder),
    parameters,
    updates: step,
    tokens,
    seconds: Math.round(seconds * 10) / 10,
    validation: best?.lossNats ?? null,
    at: best?.step ?? null,
    training: recent.length > 0 ? recent.reduce((sum, s) => sum + s.lossNats, 0) / recent.length : null,
    ended: stopped,
  };
}

/** Nested settings as `model.d_model`; values as text. */
function flat(value: object, prefix = ''): Record<string, string> {
  return Object.assign(
    {},
    ...Object.entries(value).map(([key, inner]) =>
      typeof inner === 'object' && inner !== null
        ? flat(inner as object, `${prefix}${key}.`)
        : {
            [`${prefix}${key}`]:
              typeof inner === 'number' ? String(Number(inner.toPrecision(12))) : String(inner),
          },
    ),
  ) as Record<string, string>;
}

/** What {@link compareRuns} takes besides the folders. */
export interface CompareRunsOptions extends FigureOptions {
  /** Name of the figure's files. Default `runs`. */
  id?: string;
  /** What the losses are drawn against. Default: tokens seen. */
  axis?: RunAxis;
}

/**
 * Shows runs as a table (effort, losses, and the settings in which they differ) and their losses over each other.
 * Runs under way can be compared, too: what they have written so far counts.
 * @throws NetssmError `run_missing` for a folder without a run.
 */
export function compareRuns(folders: readonly string[], options: CompareRunsOptions = {}): ComparedRun[] {
  const { id = 'runs', axis = 'tokens', ...rest } = options;
  const rows = runRows(folders);
  table(rows);
  const runs = folders.map((folder) => ({ name: basename(folder), history: readRun(folder).history }));
  figure(id, runOverlay(runs, axis), rest);
  return rows;
}
