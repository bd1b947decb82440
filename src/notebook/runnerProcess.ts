/**
 * The child process of {@link runNotebook}: executes one notebook's cells with tslab's own handler, in order, in the
 * notebook's folder. Talks to its parent over IPC; never prints.
 */
import { dirname } from 'node:path';
import { cellSource, readNotebook, writeNotebook, type Cell, type Output } from './ipynb';
import type { RunnerMessage, RunnerRequest } from './runNotebook';
import { loadTslab, type DisplayData } from './tslab';

/** Collects a cell's outputs as Jupyter would: streams joined, updates in place wherever their id was shown. */
class OutputCollector {
  private readonly byDisplayId = new Map<string, Output[]>();
  private cell: Output[] = [];

  start(cell: Cell): void {
    this.cell = cell.outputs = [];
  }

  readonly stream = (name: 'stdout' | 'stderr', text: string): void => {
    const last = this.cell[this.cell.length - 1];
    if (last?.output_type === 'stream' && last.name === name) last.text = `${last.text as string}${text}`;
    else this.cell.push({ output_type: 'stream', name, text });
  };

  readonly display = (shown: DisplayData, update?: boolean): void => {
    const id = shown.transient.display_id;
    const output: Output = { output_type: 'display_data', data: shown.data, metadata: shown.metadata };
    const earlier = id === undefined ? undefined : this.byDisplayId.get(id);
    if (update && earlier) {
      for (const each of earlier) Object.assign(each, output);
      return;
    }
    if (update) return; // an update of something that was never shown is dropped, as Jupyter does
    this.cell.push(output);
    if (id !== undefined) this.byDisplayId.set(id, [...(earlier ?? []), output]);
  };
}

function send(message: RunnerMessage): Promise<void> {
  return new Promise((resolve) => {
    if (!process.send) return resolve();
    process.send(message, () => resolve());
  });
}

/** A stack trace ends where the reader's code ends: frames of Node, of tslab and of this runner say nothing. */
function withoutKernelFrames(text: string): string {
  const ours = /^\s+at .*(\(?node:|[\\/]tslab[\\/]dist[\\/]|runnerProcess\.js)/;
  return text
    .split('\n')
    .filter((line) => !ours.test(line))
    .join('\n')
    .trim();
}

async function run(request: RunnerRequest): Promise<void> {
  const notebook = readNotebook(request.path);
  process.chdir(dirname(request.path));
  const handler = loadTslab().createHandler();
  const collector = new OutputCollector();
  const code = notebook.cells.filter((cell) => cell.cell_type === 'code' && cellSource(cell).trim() !== '');
  let failure: { cell: number; message: string } | undefined;
  for (const [index, cell] of code.entries()) {
    await send({ kind: 'cell', index, total: code.length, source: cellSource(cell) });
    collector.start(cell);
    const reply = await handler.handleExecute(
      { code: cellSource(cell) },
      collector.stream,
      collector.display,
    );
    cell.execution_count = reply.execution_count ?? null;
    if (reply.status === 'ok') continue;
    const stderr = (cell.outputs ?? []).map((o) =>
      o.output_type === 'stream' && o.name === 'stderr' ? String(o.text) : '',
    );
    const message = withoutKernelFrames(stderr.join('')) || 'the cell failed without a message';
    // Front ends and nbconvert look for an error output; tslab itself only writes to stderr.
    cell.outputs?.push({
      output_type: 'error',
      ename: 'Error',
      evalue: message.split('\n')[0],
      traceback: [message],
    });
    failure = { cell: index, message };
    break;
  }
  if (request.output) writeNotebook(request.output, notebook);
  await send({
    kind: 'done',
    cells: code.length,
    failure,
    // kilobytes on every platform that Node supports
    peakBytes: process.resourceUsage().maxRSS * 1024,
  });
  handler.close();
  // A notebook may leave timers or sockets open; everything it wanted to do between cells is done.
  process.exit(failure ? 1 : 0);
}

process.once('message', (request) => {
  run(request as RunnerRequest).catch(async (error: Error) => {
    await send({
      kind: 'done',
      cells: 0,
      failure: { cell: -1, message: String(error.stack ?? error) },
      peakBytes: 0,
    });
    process.exit(1);
  });
});
