import { fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { withInterrupt } from '../../train';
import { NetssmError, projectRoot } from '../../util';
import type { SequenceNet } from '../nets';
import { trainOnCopying, type CopyingOrder, type FromTraining, type ToTraining } from './copyingOrder';
import type { GrowingOptions } from './practice';
import type { CopyingSettings } from './recall';
import type { TaskEvaluation, TaskHistory, TrainTaskOptions } from './trainTask';

/** Options of {@link trainCopying}: those of `trainTask`, but for what it practises with. */
export interface TrainCopyingOptions extends Omit<TrainTaskOptions, 'practice' | 'onUpdate'> {
  /** How the practice grows, see `growingCopying`; false: the task itself from the beginning. Default: it grows. */
  growing?: GrowingOptions | false;
  /**
   * Nets at a time. Default: as many as there are nets and cores (NETSSM_THREADS overrides those). With more than one
   * each has a process of its own and its share of the cores; with one they are trained here, one after the other.
   */
  jobs?: number;
  /** After each evaluation. Those of different nets come as they come. */
  onEvaluation?: (name: string, evaluation: TaskEvaluation) => void;
}

/** The compiled program of a training: beside this file, or in dist/ when run from the sources. Undefined: not built. */
export function trainingProgram(): string | undefined {
  const own = [__dirname, join(projectRoot, 'dist', 'lecture', 'tasks')];
  return own.map((folder) => join(folder, 'trainingProcess.js')).find((path) => existsSync(path));
}

/**
 * Trains several nets on selective copying, each as `trainTask` would with `growingCopying`, and as many at the same time
 * as there are cores: a small net hardly uses a second one, a second net does. Which of them runs where changes no number.
 *
 * Ctrl-C (a notebook's interrupt button) ends all after their current updates; nets and histories are then as they are.
 * @throws NetssmError `training_died` for a process that ended by itself; and what `trainTask` throws.
 * @example
 * const settings = { length: 256, symbols: 16, tokensToCopy: 16 };
 * const histories = await trainCopying({ mamba, lti }, settings, { steps: 500, batchSize: 32 });
 */
export function trainCopying(
  nets: Readonly<Record<string, SequenceNet>>,
  settings: CopyingSettings,
  { growing, jobs, onEvaluation, signal: outer, ...options }: TrainCopyingOptions,
): Promise<Record<string, TaskHistory>> {
  const names = Object.keys(nets);
  const cores = Number(process.env.NETSSM_THREADS) || availableParallelism();
  const program = trainingProgram();
  const together = program ? Math.max(1, Math.min(jobs ?? cores, names.length)) : 1;
  const order: CopyingOrder = { settings, growing: growing === false ? undefined : (growing ?? {}), options };
  return withInterrupt(outer, async (signal) => {
    const histories: Record<string, TaskHistory> = {};
    // What is left to train; an error of one net ends the others.
    const waiting = [...names];
    const failure = new AbortController();
    const both = AbortSignal.any([signal, failure.signal]);
    const worker = async () => {
      for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
        const told = (evaluation: TaskEvaluation) => onEvaluation?.(name as string, evaluation);
        const net = nets[name];
        histories[name] =
          together > 1
            ? await inProcess(program as string, net, order, { cores: cores / together, told, signal: both })
            : await trainOnCopying(net, order, {
                signal: both,
                onUpdate: ({ evaluation }) => {
                  if (evaluation) told(evaluation);
                },
              });
      }
    };
    const ended = await Promise.allSettled(
      Array.from({ length: together }, () =>
        worker().catch((error: unknown) => {
          waiting.length = 0;
          failure.abort();
          throw error;
        }),
      ),
    );
    for (const result of ended) if (result.status === 'rejected') throw result.reason;
    return Object.fromEntries(
      names.filter((name) => name in histories).map((name) => [name, histories[name]]),
    );
  });
}

/** One training in a process of its own; the net gets the weights that come back. */
function inProcess(
  program: string,
  net: SequenceNet,
  order: CopyingOrder,
  { cores, told, signal }: { cores: number; told: (evaluation: TaskEvaluation) => void; signal: AbortSignal },
): Promise<TaskHistory> {
  const child = fork(program, {
    env: {
      ...process.env,
      NETSSM_ENGINE: net.tf.getBackend(),
      NETSSM_THREADS: String(Math.max(1, Math.floor(cores))),
    },
    execArgv: [],
    serialization: 'advanced', // weights as they are
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  const send = (message: ToTraining) => {
    if (child.connected) child.send(message, () => {});
  };
  const stop = () => send({ stop: true });
  signal.addEventListener('abort', stop);
  let words = '';
  child.stderr?.on('data', (text) => (words = (words + String(text)).slice(-2000)));
  return new Promise<TaskHistory>((resolve, reject) => {
    child.on('message', (message: FromTraining) => {
      if ('evaluation' in message) return told(message.evaluation);
      if ('failed' in message) {
        const { code, text, hint } = message.failed;
        return reject(new NetssmError(code, text, { hint }));
      }
      for (const [name, { data }] of Object.entries(message.weights)) net.weights[name].data.set(data);
      net.refresh();
      resolve(message.history);
    });
    child.on('error', reject);
    child.on('close', (code, by) => {
      const last = words.trim().split('\n').slice(-3).join(' ');
      const how = by === null ? `with code ${code}` : `by ${by}`;
      reject(
        new NetssmError(
          'training_died',
          `the process that trained ${net.config.mixer} ended ${how}${last ? `: ${last}` : ''}`,
          {
            hint: 'jobs: 1 trains one net after the other, in this process.',
          },
        ),
      );
    });
    send({ ...order, config: net.config, weights: net.weights });
    if (signal.aborted) stop();
  }).finally(() => signal.removeEventListener('abort', stop));
}
