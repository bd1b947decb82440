import type { Tensor3D } from '@tensorflow/tfjs';
import { Rng } from '../../util';
import { tensorsOfBatch } from './tensors';
import type { SequenceNet } from '../nets';
import { taskBatch, type SequenceTask } from './task';

/** How well a net answers fresh examples. */
export interface TaskScore {
  /** Share of right answers. */
  accuracy: number;
  /** Mean nats an answer. */
  lossNats: number;
  /** Share of right answers by their order in the example: the first, the second ... */
  byAnswer: number[];
  examples: number;
}

/** Options of {@link evaluateTask}. */
export interface EvaluateTaskOptions {
  /** Default 64. */
  examples?: number;
  /** Rows at a time. Default 32. */
  batchSize?: number;
  /** Default 1. These examples never occur in training, whatever its seed. */
  seed?: number;
}

/** Scores of a net on fresh examples of a task; the same examples for the same seed. */
export function evaluateTask(
  net: SequenceNet,
  task: SequenceTask,
  { examples = 64, batchSize = 32, seed = 1 }: EvaluateTaskOptions = {},
): TaskScore {
  const { tf } = net;
  const rng = new Rng(seed).split('evaluation');
  const right: number[] = [];
  const asked: number[] = [];
  let nats = 0;
  for (let done = 0; done < examples; done += batchSize) {
    const batch = taskBatch(task, Math.min(batchSize, examples - done), rng);
    const logits = tf.tidy(() => {
      const { tokens } = tensorsOfBatch(tf, batch);
      return (net.forward(tokens) as Tensor3D).dataSync() as Float32Array;
    });
    const V = logits.length / batch.mask.length;
    for (let b = 0; b < batch.B; b++) {
      let answer = 0;
      for (let i = b * batch.L; i < (b + 1) * batch.L; i++) {
        if (batch.mask[i] === 0) continue;
        const { best, loss } = judge(logits.subarray(i * V, (i + 1) * V), batch.targets[i]);
        nats += loss;
        asked[answer] = (asked[answer] ?? 0) + 1;
        right[answer] = (right[answer] ?? 0) + Number(best === batch.targets[i]);
        answer++;
      }
    }
  }
  const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
  return {
    accuracy: sum(right) / sum(asked),
    lossNats: nats / sum(asked),
    byAnswer: right.map((n, i) => n / asked[i]),
    examples,
  };
}

function judge(scores: Float32Array, target: number): { best: number; loss: number } {
  let best = 0;
  for (let v = 1; v < scores.length; v++) if (scores[v] > scores[best]) best = v;
  let total = 0;
  for (const score of scores) total += Math.exp(score - scores[best]);
  return { best, loss: Math.log(total) + scores[best] - scores[target] };
}
