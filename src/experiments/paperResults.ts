import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../util';
import type { Cell, ResultFigure, ResultSeries, ResultTable } from './experiment';
import { RESULTS_DIR } from './listRuns';
import { PAPER_ITEMS, type PaperItem } from './paper';
import { readReproducedRuns, type ReproducedRun } from './reproduction';

/** A table or figure of a run, and the run. */
export interface FoundTable {
  run: ReproducedRun;
  table: ResultTable;
}
export interface FoundFigure {
  run: ReproducedRun;
  figure: ResultFigure;
}

/** Which experiment stands beside each item. Table 1, the data, is in all of them. */
const MAKERS: Readonly<Partial<Record<PaperItem, string>>> = {
  fig2: 'mixing-rate',
  appFig1: 'mixing-rate',
  ...Object.fromEntries(
    ['fig3', 'tab2', 'tab3', 'tab4', 'appFig2', 'appFig3', 'appFig4', 'appTab1', 'appTab2'].map((id) => [
      id,
      'fidelity',
    ]),
  ),
};

/** What makes an item; null for the drawing of the pipeline, which nothing has to make. */
export function commandFor(item: PaperItem): string | null {
  if (item === 'fig1') return null;
  const maker = MAKERS[item];
  return maker === undefined
    ? 'netssm experiment floors --data testbed'
    : `netssm experiment ${maker} --data testbed --model testbed`;
}

/**
 * The finished runs that are kept (`data/results`, or another such folder) and further run folders; unfinished ones and
 * other folders are passed over. Full runs come before fast ones, the testbed's before those of other data, later ones
 * before earlier ones: the first that has a thing is the one to show.
 */
export function readKeptRuns(folders: readonly string[] = [], results = RESULTS_DIR): ReproducedRun[] {
  const kept = statSync(results, { throwIfNoEntry: false })?.isDirectory()
    ? readdirSync(results)
        .sort()
        .map((name) => join(results, name))
    : [];
  const rank = ({ config }: ReproducedRun): number =>
    (config.fast ? 2 : 0) + (config.data === 'testbed' ? 0 : 1);
  const when = ({ env }: ReproducedRun): number => (env ? Date.parse(env.started) : 0);
  const sorted = (runs: ReproducedRun[]): ReproducedRun[] =>
    runs.sort((a, b) => rank(a) - rank(b) || when(b) - when(a));
  // Runs that were named go before those that happen to be kept.
  const named = folders.map((folder) => (existsSync(folder) ? folder : join(projectRoot, folder)));
  return [named, kept].flatMap((list) => sorted(readReproducedRuns(list)));
}

/** What runs are, a row each. */
export function runRecords(runs: readonly ReproducedRun[]): Record<string, Cell>[] {
  return runs.map(({ name, config, env, metrics }) => ({
    run: name,
    experiment: `${config.experiment}${config.fast ? ' (fast)' : ''}`,
    data: config.data,
    classes: metrics.data.classes.length,
    'training sessions': metrics.data.sessions.train ?? null,
    'test sessions': metrics.data.sessions.test ?? null,
    model: config.model,
    seed: config.seed,
    minutes: env && Math.round(env.jobSeconds / 6) / 10,
    made: env?.started.slice(0, 10) ?? null,
  }));
}

/** The paper's items: which run stands beside each, or which command makes one. */
export function itemRecords(runs: readonly ReproducedRun[]): Record<string, Cell>[] {
  return PAPER_ITEMS.map(({ id, title, kind }) => {
    const run = runs.find(
      ({ metrics, config }) =>
        (MAKERS[id] === undefined || MAKERS[id] === config.experiment) &&
        [...metrics.tables, ...metrics.figures].some(({ reproduces }) => reproduces.includes(id)),
    );
    return {
      item: title,
      'stands beside': run?.name ?? (kind === 'diagram' ? 'a drawing' : 'not run yet'),
      'made by': run?.env?.command ?? commandFor(id),
    };
  });
}

/** The table of an id in the first run that has one; `experiment`: among the runs of one only. */
export function findTable(
  runs: readonly ReproducedRun[],
  id: string,
  experiment?: string,
): FoundTable | undefined {
  for (const run of runs) {
    if (experiment !== undefined && run.config.experiment !== experiment) continue;
    const table = run.metrics.tables.find((each) => each.id === id);
    if (table) return { run, table };
  }
  return undefined;
}

/** The figure of an id in the first run that has one. */
export function findFigure(runs: readonly ReproducedRun[], id: string): FoundFigure | undefined {
  for (const run of runs) {
    const figure = run.metrics.figures.find((each) => each.id === id);
    if (figure) return { run, figure };
  }
  return undefined;
}

/** Where a table or figure comes from in a sentence, or which command makes what is missing. */
export function originOf(found: FoundTable | FoundFigure | undefined, item: PaperItem): string {
  if (!found) {
    const command = commandFor(item);
    return command === null ? '' : `Ours has not been run yet: ${command} makes it.`;
  }
  const { name, config, metrics, env } = found.run;
  const { train = 0, test = 0 } = metrics.data.sessions;
  const model = config.model === null ? '' : `, model ${config.model}`;
  const fast = config.fast ? 'a fast run (small samples)' : 'run';
  const day = env ? `, ${env.started.slice(0, 10)}` : '';
  return `Ours: ${fast} ${name}: ${config.data}, ${metrics.data.classes.length} classes, ${train} + ${test} sessions${model}, seed ${config.seed}${day}.`;
}

/** Rows of a table as records, for `table` of netssm/notebook; two columns of one title are told apart by the one before. */
export function tableRecords(
  { columns, rows }: ResultTable,
  options: { columns?: readonly string[]; where?: (row: Record<string, Cell>) => boolean } = {},
): Record<string, Cell>[] {
  const titles = columns.map(({ title }, i) =>
    columns.findIndex((each) => each.title === title) === i ? title : `${columns[i - 1].title}: ${title}`,
  );
  const { where = () => true } = options;
  const wanted = options.columns ?? titles;
  return rows
    .map((row) => Object.fromEntries(row.map((cell, i) => [titles[i], cell])))
    .filter(where)
    .map((record) => Object.fromEntries(wanted.map((title) => [title, record[title] ?? null])));
}

/** A figure's points as records: what `figure` of netssm/notebook saves as CSV. */
export function figureRecords({ series }: Pick<ResultFigure, 'series'>): Record<string, Cell>[] {
  return series.flatMap(({ panel, name, from, x, y, low, high }: ResultSeries) =>
    x.map((value, i) => ({
      panel,
      curve: name,
      from,
      x: value,
      y: y[i],
      low: low?.[i] ?? null,
      high: high?.[i] ?? null,
    })),
  );
}
