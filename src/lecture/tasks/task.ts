import type { Rng } from '../../util';

/** One sequence of a task and what a model is asked about it. */
export interface TaskExample {
  /** [length] */
  tokens: Int32Array;
  /** What a model should say after each token: [length]; 0 where it is not asked. */
  targets: Int32Array;
  /** 1 where it is asked: [length]. */
  mask: Float32Array;
}

/** Several, one row after the other: [B, L]. */
export interface TaskBatch extends TaskExample {
  B: number;
  L: number;
}

/** A task that makes its own data: a fresh example at every call. */
export interface SequenceTask {
  name: string;
  /** Ids that occur in tokens and targets. */
  vocab_size: number;
  /** Tokens of an example, the answers' positions included. */
  length: number;
  /** Share of right answers by guessing. */
  chance: number;
  example(rng: Rng): TaskExample;
}

/** B fresh examples. */
export function taskBatch(task: SequenceTask, B: number, rng: Rng): TaskBatch {
  const L = task.length;
  const batch: TaskBatch = {
    B,
    L,
    tokens: new Int32Array(B * L),
    targets: new Int32Array(B * L),
    mask: new Float32Array(B * L),
  };
  for (let b = 0; b < B; b++) {
    const { tokens, targets, mask } = task.example(rng);
    batch.tokens.set(tokens, b * L);
    batch.targets.set(targets, b * L);
    batch.mask.set(mask, b * L);
  }
  return batch;
}
