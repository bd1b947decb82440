import { statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { NetssmError, type OnProgress } from '../util';
import { emptyInspection, inspectCapture, type InspectedCapture, type InspectOptions } from './inspect';

/** Below this size of all files together, starting threads takes longer than reading. */
const WORTH_THREADS_BYTES = 16e6;

export interface InspectManyOptions extends Omit<InspectOptions, 'onPackets'> {
  /** Files read at once, each in a thread; by default as many as there are cores, and one for little data. */
  jobs?: number;
  onProgress?: OnProgress;
  /** Called with the error of each file that cannot be read, when it is met. */
  onError?: (file: string, error: NetssmError) => void;
}

/** What a thread is asked, and what it answers. */
export interface InspectTask {
  id: number;
  file: string;
  options: InspectOptions;
}
export type InspectAnswer =
  | { id: number; packets: number }
  | { id: number; row: InspectedCapture }
  | { id: number; error: { code: string; message: string; hint?: string; exitCode: 1 | 2 } };

/**
 * {@link inspectCapture} of many files, several at once. The rows come in the order of the files; one that cannot be
 * read has an `error` and no packets.
 */
export async function inspectCaptures(
  files: readonly string[],
  options: InspectManyOptions = {},
): Promise<InspectedCapture[]> {
  const { jobs, onProgress, onError, ...each } = options;
  const rows: InspectedCapture[] = [];
  const counts = new Array<number>(files.length).fill(0);
  let ended = 0;
  const report = (i: number, packets: number): void => {
    counts[i] = packets;
    onProgress?.({
      done: counts.reduce((sum, n) => sum + n, 0),
      unit: 'packets',
      detail: `${ended} of ${files.length} files`,
    });
  };
  const finish = (i: number, row: InspectedCapture): void => {
    rows[i] = row;
    ended++;
    report(i, Math.max(counts[i], row.packets));
  };
  const failed = (i: number, error: NetssmError): void => {
    onError?.(files[i], error);
    finish(i, { ...emptyInspection(files[i]), error: { code: error.code, message: error.message } });
  };
  const here = async (i: number): Promise<void> => {
    try {
      finish(i, await inspectCapture(files[i], { ...each, onPackets: (n) => report(i, n) }));
    } catch (error) {
      if (!(error instanceof NetssmError)) throw error;
      failed(i, error);
    }
  };
  const threads = threadCount(files, jobs);
  // Standard input belongs to this thread.
  const elsewhere = threads > 1 ? files.map((_, i) => i).filter((i) => files[i] !== '-') : [];
  const inThreads = new Set(elsewhere);
  const pool = runInThreads(elsewhere, files, each, Math.min(threads, elsewhere.length), {
    packets: report,
    row: finish,
    error: failed,
  });
  for (let i = 0; i < files.length; i++) if (!inThreads.has(i)) await here(i);
  await pool;
  return rows;
}

function threadCount(files: readonly string[], jobs: number | undefined): number {
  // Sources run without a build have no file that a thread could start from.
  if (files.length < 2 || !__filename.endsWith('.js')) return 1;
  if (jobs !== undefined) return jobs;
  const bytes = files.reduce((sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0), 0);
  return bytes < WORTH_THREADS_BYTES ? 1 : availableParallelism();
}

interface Receiver {
  packets(i: number, n: number): void;
  row(i: number, row: InspectedCapture): void;
  error(i: number, error: NetssmError): void;
}

/** Each thread takes the next file when it is done with one; the largest come first. */
async function runInThreads(
  indices: readonly number[],
  files: readonly string[],
  options: InspectOptions,
  threads: number,
  to: Receiver,
): Promise<void> {
  const size = (i: number): number => statSync(files[i], { throwIfNoEntry: false })?.size ?? 0;
  const waiting = [...indices].sort((a, b) => size(b) - size(a));
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(require.resolve('./inspectWorker.js'));
      const next = (): void => {
        const id = waiting.shift();
        if (id === undefined) void worker.terminate();
        else worker.postMessage({ id, file: files[id], options } satisfies InspectTask);
      };
      worker.on('message', (answer: InspectAnswer) => {
        if ('packets' in answer) return to.packets(answer.id, answer.packets);
        if ('row' in answer) to.row(answer.id, answer.row);
        else {
          const { code, message, hint, exitCode } = answer.error;
          to.error(answer.id, new NetssmError(code, message, { hint, exitCode }));
        }
        next();
      });
      worker.on('error', reject);
      worker.on('exit', () => resolve());
      next();
    });
  await Promise.all(Array.from({ length: threads }, one));
}
