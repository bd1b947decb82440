import { InvalidArgumentError } from 'commander';
import type { Experiment, ResultTable, RunMetrics } from '../../experiments';
import { formatDuration, NetssmError, readJson } from '../../util';
import { newCommand, runAction, type Register } from '../command';
import { interruptible, type Io } from '../io';
import { positiveWhole, wholeNumber } from '../options';

interface ExperimentCommandOptions {
  list?: boolean;
  fast?: boolean;
  data?: string;
  model?: string;
  out?: string;
  jobs?: number;
  seed?: number;
  config?: string;
  set?: Record<string, unknown>;
  json?: boolean;
}

/** `netssm experiment`. */
export const registerExperiment: Register = (program, finish) => {
  newCommand(program, 'experiment', "run one of the paper's experiments, or go on with it", [
    'netssm experiment --list',
    'netssm experiment floors --fast',
    'netssm experiment mixing-rate --data testbed --model runs/best --out runs/mixing --jobs 2',
    'netssm experiment fidelity --set traces=20 --set "classes=[\\"web\\",\\"dash\\"]"',
  ])
    .argument('[name]', 'which experiment')
    .option('--list', 'say what there is, with its settings')
    .option('--fast', 'the same shape, small enough for a few minutes')
    .option(
      '--data <dir>',
      'testbed, bundled, a packed set, or a folder whose subfolders are labels (default: testbed where it is there, else bundled)',
    )
    .option('--model <dir>', 'model or run folder (default: demo)')
    .option('--out <dir>', 'run folder (default: runs/<name>-<hash of the settings>)')
    .option('--jobs <n>', 'jobs at a time, which share the cores (default: one a core)', positiveWhole)
    .option('--seed <n>', 'decides everything that is drawn (default: 1)', wholeNumber)
    .option('--config <file>', 'JSON file with settings')
    .option('--set <key=value>', 'one setting; may be given more than once', setting)
    .action((name: string | undefined, options: ExperimentCommandOptions) =>
      runAction(options, finish, (io) =>
        options.list === true
          ? listExperiments(io)
          : interruptible((signal) => experiment(name, options, io, signal)),
      ),
    );
};

/** `key=value`; the value is JSON, or text where it is none. */
function setting(text: string, earlier: Record<string, unknown> = {}): Record<string, unknown> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('Expected key=value.');
  const value = text.slice(at + 1);
  try {
    return { ...earlier, [text.slice(0, at)]: JSON.parse(value) as unknown };
  } catch {
    return { ...earlier, [text.slice(0, at)]: value };
  }
}

async function listExperiments(io: Io): Promise<void> {
  const { EXPERIMENTS, PAPER_ITEMS } = await import('../../experiments/index.js');
  const title = (id: string): string => PAPER_ITEMS.find((item) => item.id === id)?.title.split(':')[0] ?? id;
  for (const { name, title: what, description, reproduces, needs, options } of EXPERIMENTS) {
    io.print(`${name}: ${what}`);
    io.print(`  ${description}`);
    if (reproduces.length > 0) io.print(`  beside: ${reproduces.map(title).join(', ')}`);
    if (needs.model) io.print('  needs a model (--model)');
    io.print(`  settings: ${JSON.stringify(options)}`);
    io.print();
  }
  io.print('Settings are changed with --set key=value or --config FILE; --fast makes them small.');
  io.result(
    EXPERIMENTS.map(({ name, title: what, description, reproduces, needs, options, fast }) => ({
      name,
      title: what,
      description,
      reproduces,
      needs,
      options,
      fast,
    })),
  );
}

async function experiment(
  name: string | undefined,
  options: ExperimentCommandOptions,
  io: Io,
  signal: AbortSignal,
): Promise<number> {
  const { EXPERIMENTS, runExperiment } = await import('../../experiments/index.js');
  if (name === undefined) {
    throw new NetssmError('experiment_missing', 'no experiment named', {
      hint: `One of ${EXPERIMENTS.map((each: Experiment) => each.name).join(', ')}; --list says more.`,
      exitCode: 2,
    });
  }
  const given = options.config === undefined ? {} : readSettings(options.config);
  const progress = io.progress(name);
  const started = Date.now();
  const outcome = await runExperiment({
    experiment: name,
    fast: options.fast,
    data: options.data,
    model: options.model,
    out: options.out,
    jobs: options.jobs,
    seed: options.seed,
    options: { ...given, ...options.set },
    command: commandLine(name, options),
    onProgress: progress.report,
    signal,
  });
  const { folder, metrics, finished, total, resumed } = outcome;
  if (!metrics) {
    io.note(`Interrupted: ${finished} of ${total} jobs are finished and kept. The same command goes on.`);
    io.result({ ...outcome, interrupted: true });
    return 1;
  }
  const before = resumed > 0 ? `, ${resumed} of them from before` : '';
  io.note(`${name}: ${total} jobs${before}, ${formatDuration((Date.now() - started) / 1000)}`);
  await printMetrics(metrics, io);
  io.print(`Run: ${folder} (config.json, metrics.json, env.json)`);
  io.result(outcome);
  return 0;
}

/** The tables of a run, one below the other. */
export async function printMetrics(metrics: RunMetrics, io: Io): Promise<void> {
  const { tableText } = await import('../../experiments/index.js');
  const { textTable } = await import('../../notebook/index.js');
  for (const table of metrics.tables as ResultTable[]) {
    const { title, head, rows, align } = tableText(table);
    io.print(title);
    io.print(textTable(head, rows, align));
    for (const note of table.notes) io.print(`  ${note}`);
    io.print();
  }
  for (const note of metrics.notes) io.note(`note: ${note}`);
}

function readSettings(path: string): Record<string, unknown> {
  const value = readJson<unknown>(path);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new NetssmError('experiment_options', `${path}: must hold an object of settings`, { exitCode: 2 });
  return value as Record<string, unknown>;
}

/** As it was typed, for env.json. */
function commandLine(name: string, options: ExperimentCommandOptions): string {
  const parts = ['netssm', 'experiment', name];
  if (options.fast) parts.push('--fast');
  for (const key of ['data', 'model', 'out', 'jobs', 'seed', 'config'] as const)
    if (options[key] !== undefined) parts.push(`--${key}`, quoted(String(options[key])));
  for (const [key, value] of Object.entries(options.set ?? {}))
    parts.push('--set', quoted(`${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`));
  return parts.join(' ');
}

function quoted(text: string): string {
  return /^[\w./:=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
