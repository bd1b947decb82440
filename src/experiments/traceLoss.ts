import { framesOfTrace, type Trace } from '../evaluate';
import type { LoadedModel } from '../generate';
import { encodeSession } from '../tokens';

/** Tokens of a trace that are looked at by default: its beginning, where sessions differ most. */
export const LOSS_TOKENS = 4000;

/**
 * Mean loss in nats a token of a model on the first tokens of a trace, its label given: what an attacker sees who asks
 * whether the trace was trained on. Undefined where the model does not know the label, or no packet fits its layout.
 */
export function traceLoss(model: LoadedModel, trace: Trace, tokens = LOSS_TOKENS): number | undefined {
  if (!model.labels.includes(trace.label)) return undefined;
  const session = encodeSession(framesOfTrace(trace), trace.label, model.vocabulary, model.layout);
  if (session.packets === 0) return undefined;
  const ids = session.tokens.subarray(0, tokens + 1);
  const { stepper } = model;
  const state = stepper.newState();
  const logits = new Float32Array(model.logitsLength);
  let sum = 0;
  for (let i = 0; i + 1 < ids.length; i++) {
    stepper.step(state, ids[i], logits);
    sum += negativeLogProbability(logits, ids[i + 1]);
  }
  return sum / (ids.length - 1);
}

/** -log softmax(logits)[target], in double. */
function negativeLogProbability(logits: Float32Array, target: number): number {
  let most = -Infinity;
  for (const value of logits) if (value > most) most = value;
  let sum = 0;
  for (const value of logits) sum += Math.exp(value - most);
  return Math.log(sum) + most - logits[target];
}
