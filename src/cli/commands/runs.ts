import type { ListedRun, RunComparison } from '../../experiments';
import { formatDuration, formatNumber } from '../../util';
import { newCommand, runAction, type Register } from '../command';
import type { Io } from '../io';
import { printMetrics } from './experiment';

/** `netssm runs list`, `netssm runs show`, `netssm runs compare`. */
export const registerRuns: Register = (program, finish) => {
  const runs = program
    .command('runs')
    .description('what experiments were run, and how their results differ')
    .action(() => {
      runs.outputHelp();
      finish(2);
    });
  newCommand(runs, 'list', 'runs of experiments, oldest first', [
    'netssm runs list',
    'netssm runs list data/results   # the results that come with the project',
  ])
    .argument('[dir]', 'folder of run folders', 'runs')
    .action((dir: string, options: { json?: boolean }) => runAction(options, finish, (io) => list(dir, io)));
  newCommand(runs, 'show', 'the tables of a finished run', ['netssm runs show runs/floors-1a2b3c4d'])
    .argument('<run>', 'run folder')
    .action((run: string, options: { json?: boolean }) => runAction(options, finish, (io) => show(run, io)));
  newCommand(runs, 'compare', 'two finished runs, number by number', [
    'netssm runs compare runs/fidelity-a runs/fidelity-b',
  ])
    .argument('<a>', 'run folder')
    .argument('<b>', 'run folder')
    .option('--all', 'numbers that are equal, too')
    .action((a: string, b: string, options: { json?: boolean; all?: boolean }) =>
      runAction(options, finish, (io) => compare(a, b, options.all === true, io)),
    );
};

async function list(dir: string, io: Io): Promise<void> {
  const { listRuns } = await import('../../experiments/index.js');
  const runs = listRuns(dir);
  if (runs.length === 0) {
    io.note(`No runs in ${dir}. Start one with: netssm experiment floors --fast`);
  } else {
    const { textTable } = await import('../../notebook/index.js');
    io.print(
      textTable(['run', 'experiment', 'seed', 'data', 'model', 'jobs', 'started', 'took'], runs.map(row), [
        'left',
        'left',
        'right',
        'left',
        'left',
        'right',
        'left',
        'right',
      ]),
    );
  }
  io.result(runs);
}

function row({ folder, config, env, state, finished, total }: ListedRun): string[] {
  const jobs = total === null ? state : state === 'finished' ? String(total) : `${finished} of ${total}`;
  return [
    folder,
    `${config.experiment}${config.fast ? ' (fast)' : ''}`,
    String(config.seed),
    config.data,
    config.model ?? '–',
    jobs,
    env ? env.started.slice(0, 16).replace('T', ' ') : '–',
    env?.finished ? formatDuration(env.wallSeconds) : '–',
  ];
}

async function show(run: string, io: Io): Promise<void> {
  const { readRunMetrics } = await import('../../experiments/index.js');
  const metrics = readRunMetrics(run);
  await printMetrics(metrics, io);
  io.result(metrics);
}

async function compare(a: string, b: string, all: boolean, io: Io): Promise<void> {
  const { cellText, compareRuns, readRunConfig, readRunMetrics } = await import('../../experiments/index.js');
  const comparison: RunComparison = compareRuns(readRunMetrics(a), readRunMetrics(b));
  const configs = [readRunConfig(a), readRunConfig(b)];
  for (const key of [
    'experiment',
    'seed',
    'fast',
    'data',
    'dataFingerprint',
    'model',
    'modelFingerprint',
  ] as const)
    if (configs[0][key] !== configs[1][key])
      io.note(`${key}: ${String(configs[0][key])} and ${String(configs[1][key])}`);
  const shown = comparison.rows.filter((each) => all || each.a !== each.b);
  if (shown.length > 0) {
    const { textTable } = await import('../../notebook/index.js');
    const cells = shown.map(({ table, row: name, column, a: x, b: y, difference }) => [
      table,
      name,
      column,
      cellText(x, { digits: 4 }),
      cellText(y, { digits: 4 }),
      difference === null ? '–' : `${difference > 0 ? '+' : ''}${formatNumber(difference, 3)}`,
    ]);
    const sides = ['left', 'left', 'left', 'right', 'right', 'right'];
    io.print(textTable(['table', 'row', 'column', 'a', 'b', 'b - a'], cells, sides));
  }
  io.print(`${comparison.rows.length} numbers in both, ${comparison.equal} of them equal.`);
  for (const [name, only] of [
    [a, comparison.onlyA],
    [b, comparison.onlyB],
  ] as const)
    if (only.length > 0)
      io.note(`Only in ${name}: ${only.slice(0, 10).join('; ')}${only.length > 10 ? ' ...' : ''}`);
  io.result({ a, b, ...comparison });
}
