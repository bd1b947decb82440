import { basename, join, resolve } from 'node:path';
import type { NotebookRun } from '../../notebook';
import { formatBytes, formatDuration, NetssmError, type ProgressUpdate } from '../../util';
import { newCommand, runAction, type Register } from '../command';
import { interruptible, type Io } from '../io';
import { collect } from '../options';

interface RunNotebookOptions {
  fast?: boolean;
  out?: string;
  inPlace?: boolean;
  set?: string[];
  json?: boolean;
}

/** `netssm run-notebook`. */
export const registerRunNotebook: Register = (program, finish) => {
  newCommand(program, 'run-notebook', 'execute notebooks top to bottom, without Python', [
    'netssm run-notebook --fast notebooks/00_quickstart.ipynb',
    'netssm run-notebook --set seed=7 --set steps=50 --out out/run notebooks/*.ipynb',
    'netssm run-notebook --in-place mine.ipynb',
  ])
    .argument('<notebooks...>', '.ipynb files')
    .option('--fast', 'small sizes: checks that everything runs, in seconds')
    .option('--out <dir>', 'folder for the executed copies', 'out/notebooks')
    .option('--in-place', 'write the outputs into the notebooks themselves')
    .option('--set <name=value>', "override one of the notebook's parameters (repeatable)", collect)
    .action((notebooks: string[], options: RunNotebookOptions) =>
      runAction(options, finish, (io) => interruptible((signal) => runAll(notebooks, options, io, signal))),
    );
};

async function runAll(
  notebooks: string[],
  options: RunNotebookOptions,
  io: Io,
  signal: AbortSignal,
): Promise<number> {
  const { runNotebook, parseSetting } = await import('../../notebook/index.js');
  const set = options.set && Object.fromEntries(options.set.map(parseSetting));
  const outputs = notebooks.map((path) =>
    options.inPlace ? path : join(options.out ?? 'out/notebooks', basename(path)),
  );
  if (new Set(outputs.map((path) => resolve(path))).size < outputs.length) {
    throw new NetssmError('output_clash', 'two notebooks of the same name would be written to one file', {
      hint: 'Run them one by one with different --out folders, or use --in-place.',
      exitCode: 2,
    });
  }
  const runs = [];
  for (const [i, path] of notebooks.entries()) {
    const run = await withCellProgress(io, basename(path), (onCell) =>
      runNotebook(path, { output: outputs[i], fast: options.fast, set, signal, onCell }),
    );
    runs.push(run);
    const cost = `${formatDuration(run.seconds)}, peak memory ${formatBytes(run.peakBytes)}`;
    if (run.failure) {
      io.note(`${path}: code cell ${run.failure.cell + 1} of ${run.cells} failed after ${cost}:`);
      io.note(run.failure.message);
      if (run.output) io.note(`The outputs up to there are in ${run.output}`);
      break;
    }
    io.print(`${path}: ${run.cells} cells in ${cost} -> ${run.output}`);
  }
  const seconds = runs.reduce((sum, run) => sum + run.seconds, 0);
  const peakBytes = Math.max(...runs.map((run) => run.peakBytes));
  if (runs.length > 1)
    io.print(`${runs.length} notebooks in ${formatDuration(seconds)}, at most ${formatBytes(peakBytes)}`);
  io.result({ runs, seconds, peakBytes });
  return runs.some((run) => run.failure) ? 1 : 0;
}

/** A bar that moves with the cells, and shows the time passing within one. */
async function withCellProgress(
  io: Io,
  title: string,
  work: (onCell: (cell: { index: number; total: number; source: string }) => void) => Promise<NotebookRun>,
): Promise<NotebookRun> {
  const progress = io.progress(title);
  let update: ProgressUpdate | undefined;
  const timer = setInterval(() => update && progress.report(update), 1000);
  try {
    const run = await work((cell) => {
      const detail = cell.source.split('\n', 1)[0].slice(0, 60);
      update = { done: cell.index, total: cell.total, unit: 'cells', detail };
      progress.report(update);
    });
    if (!run.failure) progress.report({ done: run.cells, total: run.cells, unit: 'cells' });
    progress.finish(run.failure ? 'FAILED' : undefined);
    return run;
  } finally {
    clearInterval(timer);
  }
}
