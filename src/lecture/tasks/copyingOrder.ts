import type { Weights } from '../../model';
import type { FullNetConfig, SequenceNet } from '../nets';
import { growingCopying, type GrowingOptions } from './practice';
import { selectiveCopyingTask, type CopyingSettings } from './recall';
import { trainTask, type TaskEvaluation, type TaskHistory, type TrainTaskOptions } from './trainTask';

/** A training on selective copying as plain data, which another process can be given. */
export interface CopyingOrder {
  settings: CopyingSettings;
  /** How the practice grows; undefined: the task itself from the beginning. */
  growing?: GrowingOptions;
  options: Omit<TrainTaskOptions, 'practice' | 'onUpdate' | 'signal'>;
}

/** What a training's process is sent. */
export type ToTraining = (CopyingOrder & { config: FullNetConfig; weights: Weights }) | { stop: true };

/** What it sends. */
export type FromTraining =
  | { evaluation: TaskEvaluation }
  | { history: TaskHistory; weights: Weights }
  | { failed: { code: string; text: string; hint?: string } };

/** The training that an order describes, here and now. */
export function trainOnCopying(
  net: SequenceNet,
  { settings, growing, options }: CopyingOrder,
  live: Pick<TrainTaskOptions, 'onUpdate' | 'signal'>,
): Promise<TaskHistory> {
  const practice = growing && growingCopying(settings, growing);
  return trainTask(net, selectiveCopyingTask(settings), { ...options, ...live, practice });
}
