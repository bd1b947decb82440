import { inspectable, Rng } from '../../util';
import { hippoLegS } from './hippo';
import { discretise, linearSystem } from './linearSystem';
import { matrixOf } from './matrix';
import { memoryCurve } from './memory';
import { causalConvolution, convolutionKernel } from './recurrence';

/** What a check says of an answer to an exercise. */
export interface Verdict {
  right: boolean;
  /** Why, or what to think of next. */
  message: string;
}

/** In a notebook a verdict shows itself in words. */
function verdict(right: boolean, message: string): Verdict {
  return inspectable({ right, message }, (each) => `${each.right ? '✔' : '✘ not yet:'} ${each.message}`);
}

/** ★ The factor `keep` of h = keep h + (1 - keep) u with which half of a packet is forgotten 100 packets later. */
export function judgeKeep(keep: number): Verdict {
  if (!(keep > 0 && keep < 1)) {
    return verdict(
      false,
      `keep = ${keep}, but it lies between 0 and 1. What is left of a packet after one step? After two? After 100?`,
    );
  }
  const left = keep ** 100;
  const right = Math.abs(left - 0.5) < 0.005;
  return verdict(
    right,
    right
      ? `with ${keep} a packet has ${left.toFixed(3)} of its weight left after 100 more.`
      : `with ${keep} a packet has ${left.toPrecision(3)} of its weight left after 100 more, not 0.5. It should keep ${left < 0.5 ? 'more' : 'less'}.`,
  );
}

/** The function that exercise ★★ asks for. */
export type RecurrenceAnswer = (
  Abar: number[][],
  Bbar: number[],
  C: number[],
  u: number[],
) => ArrayLike<number> | undefined;

/** ★★ h_t = Abar h_{t-1} + Bbar u_t, y_t = C h_t in plain loops: must agree with the convolution. */
export function judgeRecurrence(answer: RecurrenceAnswer): Verdict {
  const rng = new Rng('exercise');
  const A = [
    [0, 1],
    [-2, -0.4],
  ];
  const { Abar, Bbar, C } = discretise(linearSystem(matrixOf(A), [0.5, 1], [1, -0.3]), 0.3);
  const rows = [0, 1].map((i) => [Abar.data[2 * i], Abar.data[2 * i + 1]]);
  const u = Array.from({ length: 40 }, () => rng.normal());
  const expected = causalConvolution(convolutionKernel({ Abar, Bbar, C, D: 0, delta: 1 }, u.length), u);
  const y = answer(rows, Array.from(Bbar), Array.from(C), [...u]);
  if (!y || y.length !== u.length) {
    return verdict(
      false,
      `40 inputs went in, ${y ? y.length : 'nothing'} came out. Return one y for each u.`,
    );
  }
  const wrong = u.findIndex((_, t) => !(Math.abs(y[t] - expected[t]) < 1e-10));
  if (wrong < 0) return verdict(true, 'your loop says what the convolution says, to ten digits.');
  const place = `y[${wrong}] is ${Number(y[wrong]).toPrecision(5)}, the convolution says ${expected[wrong].toPrecision(5)}.`;
  const hint =
    Math.abs(y[0]) < 1e-12
      ? 'The first input already counts: update h before you read y.'
      : 'Does each new h come from the *whole* old h? Writing into h while reading it mixes two times.';
  return verdict(false, `${place} ${hint}`);
}

/** What exercise ★★★ asks for: a state of 16 numbers, inputs with a correlation of 20 steps. */
export const STEP_SIZE_TASK = { stateSize: 16, correlationSteps: 20, lag: 200, share: 0.85 } as const;

/** ★★★ A step size with which HiPPO-LegS of 16 numbers still knows 85 % of the input 200 steps ago. */
export function judgeStepSize(delta: number): Verdict {
  const { stateSize, correlationSteps, lag, share } = STEP_SIZE_TASK;
  if (!(delta > 0 && Number.isFinite(delta)))
    return verdict(
      false,
      `delta = ${delta}, but a step size is above 0. With 1/delta steps the past fades by 1/e.`,
    );
  const curve = memoryCurve(discretise(hippoLegS(stateSize), delta), lag + 1, { correlationSteps });
  const known = curve[lag];
  const right = known >= share;
  const percent = (value: number): string => `${(100 * value).toFixed(0)} %`;
  return verdict(
    right,
    right
      ? `delta = ${delta}: ${percent(known)} of the input ${lag} steps ago is known, ${percent(curve[0])} of the last.`
      : `delta = ${delta}: ${percent(known)} of the input ${lag} steps ago is known; ${percent(share)} is asked for. Draw this number over delta: too large forgets, too small blurs.`,
  );
}
