/** Which sessions a set has. */
import type { TrafficClass } from '../classes/types';
import type { Options } from '../options';
import type { SessionId } from '../session';

/**
 * Every session of the set, classes taking turns so that a part of a run has all of them. Seeds are
 * texts of their own for each split: no test session shares a draw with a training session.
 */
export function listSessions(
  classes: TrafficClass[],
  { sessions, testSessions, seed, longShare }: Pick<Options, 'sessions' | 'testSessions' | 'seed' | 'longShare'>,
): SessionId[] {
  const list: SessionId[] = [];
  const splits = [['train', sessions], ['test', testSessions]] as const; // prettier-ignore
  for (const [split, count] of splits)
    for (let n = 1; n <= count; n++)
      for (const { name, service } of classes)
        list.push({
          id: `${name}-${split}-${String(n).padStart(3, '0')}`,
          label: name,
          split,
          seed: `${seed}/${split}/${name}/${n}`,
          long: service === 'streaming' && isLong(n, longShare),
        });
  return list;
}

/** Evenly spread: the n-th session is long when the count of long ones grows there. */
const isLong = (n: number, share: number): boolean => Math.floor(n * share) > Math.floor((n - 1) * share);
