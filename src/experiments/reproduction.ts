import { basename } from 'node:path';
import { formatDuration } from '../util';
import type { RunEnvironment } from './environment';
import type { ResultFigure, ResultSeries, RunConfig, RunMetrics } from './experiment';
import { readListedRun, type ListedRun } from './listRuns';
import { PAPER_ITEMS, type PaperItem } from './paper';
import { readRunMetrics } from './runFolder';
import { cellText, markdownTable } from './tables';

/** A finished run, as docs/reproduction.md shows it. */
export interface ReproducedRun {
  name: string;
  config: RunConfig;
  env: RunEnvironment | null;
  metrics: RunMetrics;
}

/** Reads the finished runs among some folders. */
export function readReproducedRuns(folders: readonly string[]): ReproducedRun[] {
  return folders
    .map(readListedRun)
    .filter((run): run is ListedRun => run?.state === 'finished')
    .map(({ folder, config, env }) => ({
      name: basename(folder),
      config,
      env,
      metrics: readRunMetrics(folder),
    }));
}

/** Points of a series up to which a figure is written as a table. */
const FEW_POINTS = 12;

/**
 * Every figure and table of the paper with what our runs have beside it, and what the runs measured besides. Made from
 * results alone: the same results, the same text.
 *
 * @param results where the results lie, as the page calls it.
 */
export function reproductionMarkdown(runs: readonly ReproducedRun[], results = 'data/results'): string {
  const parts = [
    '# The paper’s figures and tables, ours beside them',
    [
      `Made by \`node scripts/reproduction.mjs\` from the results in \`${results}\`; do not edit. NetSSM: arXiv 2503.22663v3.`,
      'Our data, models and sizes are not the paper’s: columns stand side by side to be compared in kind.',
      '[Experiments](experiments.md) says how to run them.',
    ].join('\n'),
    '## Runs',
    runsTable(runs),
    ...PAPER_ITEMS.flatMap((item) => itemSection(item.id, item.title, item.kind, runs)),
    '## Not in the paper',
    ...otherSections(runs),
  ];
  return `${parts.join('\n\n')}\n`;
}

function runsTable(runs: readonly ReproducedRun[]): string {
  if (runs.length === 0) return 'No results have been kept yet.';
  const rows = runs.map(({ name, config, env, metrics }) => {
    const { train = 0, test = 0 } = metrics.data.sessions;
    const time = env
      ? `${formatDuration(env.jobSeconds)} of jobs, ${env.jobs} x ${env.threads} threads`
      : '–';
    const sizes = `${metrics.data.classes.length} classes, ${train} + ${test} sessions`;
    return [
      name,
      `${config.experiment}${config.fast ? ' (fast)' : ''}`,
      `${config.data}: ${sizes}`,
      config.model ?? '–',
      String(config.seed),
      time,
      env ? `${env.started.slice(0, 10)}, ${env.commit ?? env.netssm}` : '–',
      env ? `\`${env.command}\`` : '–',
    ];
  });
  const head = ['run', 'experiment', 'data', 'model', 'seed', 'time', 'made', 'command'];
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const legend =
    '*data*: sessions for training + for testing that were used; *made*: the day, and the commit or version of the program that ran.';
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line), '', legend].join('\n');
}

function itemSection(
  id: PaperItem,
  title: string,
  kind: 'figure' | 'table' | 'diagram',
  runs: readonly ReproducedRun[],
): string[] {
  if (kind === 'diagram')
    return [`## ${title}`, 'A drawing, not a result: [architecture](architecture.md) has ours.'];
  const found = runs.flatMap((run) => [
    ...run.metrics.tables
      .filter(({ reproduces }) => reproduces.includes(id))
      .flatMap((table) => [`**${table.title}** (run ${run.name})`, markdownTable(table)]),
    ...run.metrics.figures
      .filter(({ reproduces }) => reproduces.includes(id))
      .flatMap((figure) => [`**${figure.title}** (run ${run.name})`, figureText(figure)]),
  ]);
  return [`## ${title}`, ...(found.length > 0 ? found : ['not run'])];
}

function otherSections(runs: readonly ReproducedRun[]): string[] {
  const found = runs.flatMap((run) =>
    run.metrics.tables
      .filter(({ reproduces }) => reproduces.length === 0)
      .flatMap((table) => [`**${table.title}** (run ${run.name})`, markdownTable(table)]),
  );
  return found.length > 0 ? found : ['not run'];
}

/** Curves of a few points as a table, panel by panel; of others what they are. */
function figureText(figure: ResultFigure): string {
  const panels = [...new Set(figure.series.map(({ panel }) => panel))];
  const few = figure.series.every(({ x }) => x.length <= FEW_POINTS);
  const notes = figure.notes.flatMap((note) => ['', note]);
  if (!few) {
    const counts = panels.map(
      (panel) => `${panel} (${figure.series.filter((series) => series.panel === panel).length})`,
    );
    return [`Curves by panel: ${counts.join('; ')}.`, ...notes].join('\n');
  }
  return [
    ...panels.flatMap((panel, i) => [
      ...(i > 0 ? [''] : []),
      `${panel}: ${figure.y} by ${figure.x}`,
      '',
      panelTable(figure.series.filter((series) => series.panel === panel)),
    ]),
    ...notes,
  ].join('\n');
}

function panelTable(series: readonly ResultSeries[]): string {
  const x = [...new Set(series.flatMap((each) => each.x))].sort((a, b) => a - b);
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [
    line(['curve', 'from', ...x.map((value) => cellText(value))]),
    `|---|---|${x.map(() => '--:').join('|')}|`,
    ...series.map((each) =>
      line([
        each.name,
        each.from === 'ours' ? 'ours' : 'the paper',
        ...x.map((value) => {
          const at = each.x.indexOf(value);
          return at < 0 ? '' : cellText(each.y[at]);
        }),
      ]),
    ),
  ].join('\n');
}
