import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { NetssmError, projectRoot } from '../../util';
import type { TreeData } from './drawItems';
import { TreeGrower } from './growTree';
import type { TreeArrays } from './tree';
import type { ResolvedTreeOptions } from './treeOptions';

/** What a thread gets when it starts. */
export interface ForestTask {
  data: TreeData;
  options: ResolvedTreeOptions;
  seed: string;
  bootstrap: boolean;
  trees: number;
  /** Shared: element 0 is the next tree to grow, element 1 is set when all shall stop. */
  control: Int32Array;
}

/** What it answers, tree by tree. */
export interface ForestAnswer {
  index: number;
  tree: TreeArrays;
}

/** Takes trees from the common counter until there are none left. */
export function growNext(task: ForestTask, grower: TreeGrower): ForestAnswer | undefined {
  if (Atomics.load(task.control, 1) !== 0) return undefined;
  const index = Atomics.add(task.control, 0, 1);
  if (index >= task.trees) return undefined;
  return { index, tree: grower.grow(`${task.seed}/tree ${index}`, task.bootstrap) };
}

/** The compiled thread: beside this file, or in dist/ when run from the sources. Undefined: not built. */
function workerScript(): string | undefined {
  const places = [
    join(__dirname, 'forestWorker.js'),
    join(projectRoot, 'dist', 'stats', 'learn', 'forestWorker.js'),
  ];
  return places.find((path) => existsSync(path));
}

export interface GrowOptions {
  jobs: number;
  onTree: (done: number) => void;
  signal?: AbortSignal;
}

/**
 * Grows the trees in this thread and `jobs - 1` others. Which thread grows a tree does not matter to it: each has its
 * own seed.
 *
 * @throws NetssmError `aborted`, `worker_failed`.
 */
export async function growForest(
  task: Omit<ForestTask, 'control'>,
  { jobs, onTree, signal }: GrowOptions,
): Promise<TreeArrays[]> {
  const control = new Int32Array(new SharedArrayBuffer(8));
  const whole: ForestTask = { ...task, control };
  const trees: TreeArrays[] = new Array<TreeArrays>(task.trees);
  let done = 0;
  const take = ({ index, tree }: ForestAnswer): void => {
    trees[index] = tree;
    onTree(++done);
  };
  const stop = (): void => void Atomics.store(control, 1, 1);
  signal?.addEventListener('abort', stop);
  if (signal?.aborted) stop();
  const script = jobs > 1 ? workerScript() : undefined;
  const workers = script
    ? Array.from({ length: Math.min(jobs, task.trees) - 1 }, () => new Worker(script, { workerData: whole }))
    : [];
  const ended = workers.map((worker) => endOf(worker, take));
  // A thread that fails must not leave its promise unwatched while this one is busy.
  const all = Promise.allSettled(ended);
  try {
    const grower = new TreeGrower(task.data, task.options);
    for (;;) {
      const answer = growNext(whole, grower);
      if (!answer) break;
      take(answer);
      // Messages, progress and the abort signal get their turn.
      await new Promise((resolve) => setImmediate(resolve));
    }
    await all;
    await Promise.all(ended);
  } finally {
    stop();
    signal?.removeEventListener('abort', stop);
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  if (signal?.aborted)
    throw new NetssmError('aborted', `stopped after ${done} of ${task.trees} trees`, { context: { done } });
  return trees;
}

function endOf(worker: Worker, take: (answer: ForestAnswer) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.on('message', take);
    worker.on('error', (cause) =>
      reject(new NetssmError('worker_failed', `a thread of the forest failed: ${cause.message}`, { cause })),
    );
    worker.on('exit', (code) =>
      code === 0
        ? resolve()
        : reject(new NetssmError('worker_failed', `a thread of the forest ended with code ${code}`)),
    );
  });
}
