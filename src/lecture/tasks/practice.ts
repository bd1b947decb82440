import { selectiveCopyingTask, type CopyingSettings } from './recall';
import type { SequenceTask } from './task';

/** When {@link growingCopying} is done with growing, as shares of the training. */
export interface GrowingOptions {
  /** All tokens are asked for from here on. Default 0.35. */
  allTokens?: number;
  /** Until here there is as much noise as data. Default 0.75. */
  littleNoise?: number;
  /** From here on sequences are as long as they get. Default 0.9. */
  fullLength?: number;
}

/**
 * Practice for selective copying that begins small, as `practice` of `trainTask` takes it: two tokens to copy at first and
 * then more, among as many of noise; then all of them, among more and more noise up to the full length. A model finds
 * the trick with few tokens, in a hundredth of the time, and perfects it with many.
 */
export function growingCopying(
  settings: CopyingSettings,
  { allTokens = 0.35, littleNoise = 0.75, fullLength = 0.9 }: GrowingOptions = {},
): (share: number) => SequenceTask {
  const { length, tokensToCopy: all } = settings;
  const made = new Map<string, SequenceTask>();
  const sized = (tokensToCopy: number, steps: number): SequenceTask => {
    const size = { ...settings, tokensToCopy, length: Math.min(length, steps) };
    const key = `${size.length},${tokensToCopy}`;
    const task = made.get(key) ?? selectiveCopyingTask(size);
    made.set(key, task);
    return task;
  };
  return (share) => {
    if (share < littleNoise) {
      const tokens = Math.min(all, Math.max(2, Math.ceil((all * share) / allTokens)));
      return sized(tokens, 2 * tokens);
    }
    const grown = Math.min(1, (share - littleNoise) / Math.max(1e-9, fullLength - littleNoise));
    return sized(all, Math.round(2 * all + (length - 2 * all) * grown ** 2));
  };
}
