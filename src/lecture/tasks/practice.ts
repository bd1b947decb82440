import { Rng } from '../../util';
import { selectiveCopyingTask, type CopyingSettings } from './recall';
import type { SequenceTask } from './task';

/** When {@link growingCopying} is done with growing, as shares of the training. */
export interface GrowingOptions {
  /** All tokens are asked for from here on. Default 0.25. */
  allTokens?: number;
  /** From here on every sequence has the full length. Default 0.8. */
  fullLength?: number;
}

/**
 * Practice for selective copying that begins small, as `practice` of `trainTask` takes it: two tokens to copy at first,
 * then more, up to all of them; each update among another amount of noise, from as much as there is data to the full
 * length, little noise more often than much. A model finds the trick with few tokens, in a fraction of the time, and meets
 * long waits from the beginning.
 */
export function growingCopying(
  settings: CopyingSettings,
  { allTokens = 0.25, fullLength = 0.8 }: GrowingOptions = {},
): (share: number) => SequenceTask {
  const { length, tokensToCopy: all } = settings;
  return (share) => {
    const tokens = Math.min(all, Math.max(2, Math.ceil((all * share) / allTokens)));
    const shortest = Math.min(length, 2 * tokens);
    const drawn = share < fullLength ? new Rng(`practice ${share}`).uniform() ** 4 : 1;
    const steps = Math.round(shortest * (length / shortest) ** drawn);
    return selectiveCopyingTask({ ...settings, tokensToCopy: tokens, length: steps });
  };
}
