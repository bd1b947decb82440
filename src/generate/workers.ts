import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { MambaConfig, Weights } from '../model';
import { NetssmError, projectRoot } from '../util';
import type { PacketEvent } from './generate';
import type { PromptState } from './promptState';
import type { TraceSpec } from './spec';
import { namedTrace, type GeneratedTrace } from './trace';

/** What a worker gets when it starts. */
export interface WorkerStart {
  config: MambaConfig;
  weights: Weights;
  /** Number of the native decoder's packed weights; undefined: the plain loops. */
  decoder: number | undefined;
  /** Traces that a worker draws at once. */
  together: number;
  /** Traces in all. */
  count: number;
  spec: TraceSpec;
  /** After the prompt. */
  start: PromptState<unknown>;
  /** Whether packets are wanted as they come. */
  packets: boolean;
  /** Shared: element 0 is set when all shall stop, element 1 is the next trace that nobody draws yet. */
  control: Int32Array;
}

/** Worker to main thread. */
export type FromWorker =
  | { packet: PacketEvent }
  | { index: number; tokens: number; packets: number }
  | { trace: GeneratedTrace }
  | { done: true };

/** The compiled worker: beside this file, or in dist/ when run from the sources. Undefined: not built. */
export function workerScript(): string | undefined {
  return [join(__dirname, 'worker.js'), join(projectRoot, 'dist', 'generate', 'worker.js')].find((path) =>
    existsSync(path),
  );
}

export interface WorkerRun {
  script: string;
  files: { config: MambaConfig; weights: Weights };
  decoder?: number;
  together?: number;
  spec: TraceSpec;
  start: PromptState<unknown>;
  count: number;
  jobs: number;
  onPacket?: (event: PacketEvent) => void;
  onTokens: (trace: number, tokens: number, packets: number) => void;
  signal?: AbortSignal;
}

/** Draws `count` traces in `jobs` threads; the weights are in memory once. */
export async function runInWorkers(run: WorkerRun): Promise<GeneratedTrace[]> {
  const { count, signal, decoder } = run;
  if (signal?.aborted) return [];
  const control = new Int32Array(new SharedArrayBuffer(8));
  const data: WorkerStart = {
    config: run.files.config,
    // The decoder's are packed already.
    weights: decoder === undefined ? shareWeights(run.files.weights) : {},
    decoder,
    together: run.together ?? 1,
    count,
    spec: run.spec,
    start: run.start,
    packets: run.onPacket !== undefined,
    control,
  };
  const traces: GeneratedTrace[] = [];
  const abort = () => Atomics.store(control, 0, 1);
  signal?.addEventListener('abort', abort);
  const workers = Array.from({ length: run.jobs }, () => new Worker(run.script, { workerData: data }));
  try {
    await Promise.all(
      workers.map(
        (worker) =>
          new Promise<void>((resolve, reject) => {
            worker.on('message', (message: FromWorker) => {
              if ('packet' in message) run.onPacket?.(message.packet);
              else if ('index' in message) run.onTokens(message.index, message.tokens, message.packets);
              else if ('trace' in message) traces.push(namedTrace(message.trace));
              else resolve();
            });
            worker.on('error', (cause: Error) =>
              reject(
                new NetssmError('worker_failed', `a generating thread failed: ${cause.message}`, { cause }),
              ),
            );
            worker.on('exit', (code) =>
              reject(new NetssmError('worker_failed', `a generating thread ended with code ${code}`)),
            );
          }),
      ),
    );
  } finally {
    signal?.removeEventListener('abort', abort);
    await Promise.all(workers.map((worker) => worker.removeAllListeners('exit').terminate()));
  }
  return traces.sort((a, b) => a.index - b.index);
}

function shareWeights(weights: Weights): Weights {
  return Object.fromEntries(
    Object.entries(weights).map(([name, { shape, data }]) => {
      const shared = new Float32Array(new SharedArrayBuffer(data.byteLength));
      shared.set(data);
      return [name, { shape, data: shared }];
    }),
  );
}
