import { framesOfTrace, type Trace } from '../evaluate';
import type { Frame } from '../capture';
import { isPhased, PhaseTurns, type LoadedModel } from '../generate';
import { PKT, SequenceEncoder } from '../tokens';

/** Loss of a model packet by packet. */
export interface PacketLosses {
  /** Sum over the packet's tokens, its `<|pkt|>` and its time token included, in nats; and how many they are. */
  nats: number[];
  tokens: number[];
  /** Packets that the layout cannot hold. */
  refused: number;
}

/** What a model thinks of real or generated packets: each token given all before it, from the label on. */
export function packetLosses(
  model: LoadedModel,
  label: string,
  frames: Iterable<Frame>,
  mostTokens = Infinity,
): PacketLosses {
  const { stepper, layout, vocabulary } = model;
  const encoder = new SequenceEncoder(vocabulary.labelId(label), layout, { times: vocabulary.times });
  const state = stepper.newState();
  const logits = new Float32Array(model.logitsLength);
  const losses: PacketLosses = { nats: [], tokens: [], refused: 0 };
  const turns = isPhased(stepper) ? new PhaseTurns(stepper) : undefined;
  let read = 0;
  let open: Frame | undefined;
  const take = (frame?: Frame): { nats: number; tokens: number } => {
    const ids = encoder.buffer.view();
    let nats = 0;
    for (const id of ids) {
      // Nothing predicts the label.
      if (read++ > 0) nats += negativeLogProbability(logits, id);
      turns?.read(state, id, logits, id === PKT ? (layout.endOfText ? frame : open) : undefined);
      stepper.step(state, id, logits);
    }
    open = frame;
    const tokens = ids.length;
    encoder.buffer.length = 0;
    return { nats, tokens };
  };
  take();
  for (const frame of frames) {
    if (read >= mostTokens) break;
    if (encoder.add(frame)) {
      losses.refused++;
      continue;
    }
    const { nats, tokens } = take(frame);
    losses.nats.push(nats);
    losses.tokens.push(tokens);
  }
  return losses;
}

/** Tokens of a trace that are looked at by default: its beginning, where sessions differ most. */
export const LOSS_TOKENS = 4000;

/**
 * Mean loss in nats a token of a model on the first packets of a trace, its label given: what an attacker sees who asks
 * whether the trace was trained on. Undefined where the model does not know the label, or no packet fits its layout.
 */
export function traceLoss(
  model: LoadedModel,
  trace: Trace,
  { packets = Infinity, tokens = LOSS_TOKENS }: { packets?: number; tokens?: number } = {},
): number | undefined {
  if (!model.labels.includes(trace.label)) return undefined;
  const frames = framesOfTrace(trace).slice(0, packets);
  const losses = packetLosses(model, trace.label, frames, tokens);
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  return losses.nats.length === 0 ? undefined : sum(losses.nats) / sum(losses.tokens);
}

/** -log softmax(logits)[target], in double. */
export function negativeLogProbability(logits: Float32Array, target: number): number {
  let most = -Infinity;
  for (const value of logits) if (value > most) most = value;
  let sum = 0;
  for (const value of logits) sum += Math.exp(value - most);
  return Math.log(sum) + most - logits[target];
}
