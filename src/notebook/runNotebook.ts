/** Executes a notebook without Python, Jupyter or a socket: one child process a notebook. */
import { fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { NetssmError } from '../util';

/** What the parent asks of the child. */
export interface RunnerRequest {
  path: string;
  /** Where the executed copy goes; undefined: nowhere. */
  output?: string;
}

/** What the child reports. */
export type RunnerMessage =
  | { kind: 'cell'; index: number; total: number; source: string }
  | { kind: 'done'; cells: number; failure?: { cell: number; message: string }; peakBytes: number };

export interface RunNotebookOptions {
  /** The executed copy's path; the notebook's own path executes it in place. */
  output?: string;
  /** What `setup({...})` in the notebook takes as `fast`: smaller sizes, for checking that everything runs. */
  fast?: boolean;
  /** Values that override the notebook's `params({...})`, as given by `--set name=value`. */
  set?: Record<string, unknown>;
  /** Called before each cell. */
  onCell?: (cell: { index: number; total: number; source: string }) => void;
  signal?: AbortSignal;
}

/** How a run went. A failing cell is a result, not an exception. */
export interface NotebookRun {
  notebook: string;
  output?: string;
  cells: number;
  seconds: number;
  peakBytes: number;
  /** The first failing cell (counting code cells from 0) and what it wrote to stderr. */
  failure?: { cell: number; message: string };
}

/** @throws NetssmError `notebook_missing`, or `notebook_runner` when the child process dies. */
export async function runNotebook(path: string, options: RunNotebookOptions = {}): Promise<NotebookRun> {
  const notebook = resolve(path);
  if (!existsSync(notebook)) {
    throw new NetssmError('notebook_missing', `${path} does not exist`, { exitCode: 2 });
  }
  const started = Date.now();
  const env: NodeJS.ProcessEnv = { ...process.env };
  if (options.fast !== undefined) env.NETSSM_FAST = options.fast ? '1' : '0';
  if (options.set) env.NETSSM_PARAMS = JSON.stringify({ ...earlierParams(), ...options.set });
  const child = fork(join(__dirname, 'runnerProcess.js'), {
    env,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    execArgv: ['--max-old-space-size=8192'],
    signal: options.signal,
  });
  // tslab redirects a cell's streams; what still arrives here is the runtime itself, worth keeping for a crash.
  let tail = '';
  const keep = (chunk: Buffer): void => {
    tail = (tail + chunk.toString('utf8')).slice(-4000);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  child.send({ path: notebook, output: options.output && resolve(options.output) } satisfies RunnerRequest);

  return new Promise((resolvePromise, reject) => {
    let done: Extract<RunnerMessage, { kind: 'done' }> | undefined;
    let lastCell = -1;
    child.on('message', (message: RunnerMessage) => {
      if (message.kind === 'done') done = message;
      else {
        lastCell = message.index;
        options.onCell?.(message);
      }
    });
    child.on('error', (cause) => {
      const interrupted = cause.name === 'AbortError';
      const text = interrupted ? 'interrupted' : cause.message;
      reject(new NetssmError('notebook_runner', `${basename(notebook)}: ${text}`, { cause }));
    });
    child.on('exit', (code, signal) => {
      if (!done) {
        const how = signal ? `was killed by ${signal}` : `ended with code ${code}`;
        const where = lastCell >= 0 ? ` in code cell ${lastCell + 1}` : '';
        reject(
          new NetssmError(
            'notebook_runner',
            `${basename(notebook)}: the process ${how}${where}\n${tail}`.trim(),
            {
              hint: signal === 'SIGKILL' ? 'It may have run out of memory: try --fast.' : undefined,
            },
          ),
        );
        return;
      }
      resolvePromise({
        notebook,
        output: options.output && resolve(options.output),
        cells: done.cells,
        seconds: (Date.now() - started) / 1000,
        peakBytes: done.peakBytes,
        failure: done.failure,
      });
    });
  });
}

/** NETSSM_PARAMS of the caller's environment, which `set` extends. */
function earlierParams(): Record<string, unknown> {
  const text = process.env.NETSSM_PARAMS;
  return text ? (JSON.parse(text) as Record<string, unknown>) : {};
}
