/** The thread of forestPool.ts: grows trees until there are none left. */
import { parentPort, workerData } from 'node:worker_threads';
import { growNext, type ForestTask } from './forestPool';
import { TreeGrower } from './growTree';

const task = workerData as ForestTask;
const grower = new TreeGrower(task.data, task.options);
for (let answer = growNext(task, grower); answer; answer = growNext(task, grower)) {
  const { feature, threshold, left, right, leaves, importances } = answer.tree;
  const moved = [feature, threshold, left, right, leaves, importances].map((a) => a.buffer as ArrayBuffer);
  parentPort!.postMessage(answer, moved);
}
