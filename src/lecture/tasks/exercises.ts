import { inspectable, Rng } from '../../util';
import type { Verdict } from '../linear';
import type { SequenceNet } from '../nets';
import { evaluateTask } from './evaluateTask';
import { inductionTask } from './recall';

/** In a notebook a verdict shows itself in words. */
function verdict(right: boolean, message: string): Verdict {
  return inspectable({ right, message }, (each) => `${each.right ? '✔' : '✘ not yet:'} ${each.message}`);
}

const percent = (share: number): string => `${(100 * share).toPrecision(3)} %`;

/**
 * ★ Step sizes of a selective state with A = -1: at noise, so small that 256 of them leave 99 % of the state; at data, so
 * large that one token replaces 90 % of it.
 */
export function judgeSelectiveSteps({ noise, data }: { noise: number; data: number }): Verdict {
  if (!(noise > 0 && data > 0 && Number.isFinite(noise + data)))
    return verdict(false, `step sizes are above 0, not ${noise} and ${data}: softplus sees to that.`);
  const left = Math.exp(-256 * noise);
  const replaced = 1 - Math.exp(-data);
  const [keeps, writes] = [left >= 0.99, replaced >= 0.9];
  const hint = !keeps
    ? 'Each noise token keeps exp(-noise) of it: what must that be to the power of 256?'
    : 'One data token keeps exp(-data) of the old state: what may that be at most?';
  return verdict(
    keeps && writes,
    `256 noise tokens leave ${percent(left)} of the state, one data token replaces ${percent(replaced)} of it. ${
      keeps && writes ? `A factor of ${(data / noise).toFixed(0)} between the two.` : hint
    }`,
  );
}

/** A step of a recurrence, h -> a h + b. */
export type ScanStep = readonly [a: number, b: number];

/** ★★ What a parallel scan combines: two steps, the first and the one after it, as one. */
export function judgeCombine(combine: (first: ScanStep, second: ScanStep) => ScanStep | undefined): Verdict {
  const rng = new Rng('exercise');
  const draw = (): ScanStep => [0.5 + 0.5 * rng.uniform(), rng.normal()];
  const close = (x: number, y: number) => Math.abs(x - y) < 1e-9;
  const [first, second, third] = [draw(), draw(), draw()];
  const both = combine(first, second);
  if (!both || both.length !== 2 || !both.every(Number.isFinite))
    return verdict(false, 'give a pair [a, b] back: the one step that does what both did.');
  if (!close(both[0], first[0] * second[0]))
    return verdict(
      false,
      `the decays ${first[0].toFixed(3)} and ${second[0].toFixed(3)} became ${both[0].toFixed(3)}: what is left of a state that both scale?`,
    );
  if (!close(both[1], second[0] * first[1] + second[1]))
    return verdict(
      false,
      close(both[1], first[0] * second[1] + first[1])
        ? 'right, but for the order: which of the two happens first?'
        : `b became ${both[1].toFixed(3)}. Write a2 (a1 h + b1) + b2 out: what stands without h?`,
    );
  const left = combine(both, third);
  const right = combine(first, combine(second, third) as ScanStep);
  const associative = !!left && !!right && close(left[0], right[0]) && close(left[1], right[1]);
  return verdict(
    associative,
    associative
      ? 'and it is associative: brackets may be set anywhere, so halves can be computed at the same time.'
      : 'two steps are right, three are not: do not change what comes in.',
  );
}

/** What exercise ★★★ asks for. */
export const INDUCTION_TASK = { length: 256, symbols: 15, accuracy: 0.95 } as const;

/** ★★★ A net that has learned induction heads: 95 % at the length it was trained on; and what it does at four times that. */
export function judgeInduction(net: SequenceNet, examples = 64): Verdict {
  const { length, symbols, accuracy } = INDUCTION_TASK;
  const score = (times: number) =>
    evaluateTask(net, inductionTask({ length: times * length, symbols }), {
      examples,
      batchSize: 16,
      seed: 7,
    }).accuracy;
  const own = score(1);
  if (own < accuracy)
    return verdict(
      false,
      `${percent(own)} of ${examples} answers are right, ${percent(accuracy)} is asked for (guessing: ${percent(1 / symbols)}). ${
        own < 0.2
          ? 'It has found nothing yet: shorter sequences show it the trick much sooner, then train on with longer ones.'
          : 'It is on its way: more updates, or a lower learning rate at the end.'
      }`,
    );
  return verdict(
    true,
    `${percent(own)} at ${length} tokens, and ${percent(score(4))} at four times as many, never trained.`,
  );
}
