/** How the learning rate moves after the warm-up. */
export type ScheduleName = 'constant' | 'linear' | 'cosine';

export const SCHEDULES: readonly ScheduleName[] = ['constant', 'linear', 'cosine'];

/** A learning-rate schedule: a pure function of the step, so that a resumed run needs no state of it. */
export interface Schedule {
  name: ScheduleName;
  /** Highest learning rate. */
  lr: number;
  /** The first `warmupSteps` updates rise linearly: lr/(warmupSteps+1), 2 lr/(warmupSteps+1) ... */
  warmupSteps: number;
  /** Updates until the lowest rate is reached, warm-up included. */
  decaySteps: number;
  /** The lowest rate as a share of `lr`, kept after `decaySteps`. */
  minShare: number;
}

/**
 * The learning rate of update `step`, counted from 0. `linear` with no warm-up and `minShare` 0 is the default of
 * the Hugging Face trainer, which the reference uses; `cosine` is Loshchilov and Hutter (2017) without restarts.
 */
export function learningRate(schedule: Schedule, step: number): number {
  const { name, lr, warmupSteps, decaySteps, minShare } = schedule;
  if (step < warmupSteps) return (lr * (step + 1)) / (warmupSteps + 1);
  if (name === 'constant') return lr;
  const span = Math.max(1, decaySteps - warmupSteps);
  const done = Math.min(1, (step - warmupSteps) / span);
  const share = name === 'linear' ? 1 - done : 0.5 * (1 + Math.cos(Math.PI * done));
  return lr * (minShare + (1 - minShare) * share);
}
