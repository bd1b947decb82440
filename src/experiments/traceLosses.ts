import { framesOfTrace, type Trace } from '../evaluate';
import type { LoadedModel } from '../generate';
import { SequenceEncoder } from '../tokens';
import { LOSS_TOKENS, negativeLogProbability, traceLoss } from './traceLoss';

/** Sequences that go through the model together: twice as fast a token as one by one. */
const TOGETHER = 32;

/**
 * {@link traceLoss} of many traces at once: mean loss in nats a token on the first packets of each, its label given.
 * Undefined where the model does not know the label, or no packet fits its layout. Equal to `traceLoss` but for rounding.
 */
export function traceLosses(
  model: LoadedModel,
  traces: readonly Trace[],
  options: { packets?: number; tokens?: number } = {},
): (number | undefined)[] {
  const { stepper } = model;
  if (!stepper.stepMany) return traces.map((trace) => traceLoss(model, trace, options));
  const sequences = traces.map((trace) => tokensOf(model, trace, options));
  const losses = new Array<number | undefined>(traces.length).fill(undefined);
  // Sequences of one length leave the lanes together.
  const order = [...sequences.keys()]
    .filter((i) => sequences[i].length > 1)
    .sort((a, b) => sequences[b].length - sequences[a].length);
  for (let at = 0; at < order.length; at += TOGETHER) {
    let lanes = order.slice(at, at + TOGETHER).map((i) => ({
      i,
      tokens: sequences[i],
      state: stepper.newState(),
      logits: new Float32Array(model.logitsLength),
      nats: 0,
    }));
    for (let k = 0; lanes.length > 0; k++) {
      // Nothing predicts the label.
      if (k > 0) for (const lane of lanes) lane.nats += negativeLogProbability(lane.logits, lane.tokens[k]);
      const [ended, going] = [true, false].map((end) =>
        lanes.filter(({ tokens }) => (tokens.length === k + 1) === end),
      );
      for (const { i, nats, tokens } of ended) losses[i] = nats / (tokens.length - 1);
      lanes = going;
      if (lanes.length > 0)
        stepper.stepMany(
          lanes.map(({ state }) => state),
          lanes.map(({ tokens }) => tokens[k]),
          lanes.map(({ logits }) => logits),
        );
    }
  }
  return losses;
}

/** The tokens of a trace's first packets, the label first; whole packets, and no further one from `tokens` on. */
function tokensOf(
  { labels, vocabulary, layout }: LoadedModel,
  trace: Trace,
  { packets = Infinity, tokens = LOSS_TOKENS }: { packets?: number; tokens?: number },
): Uint16Array {
  if (!labels.includes(trace.label)) return new Uint16Array(0);
  const encoder = new SequenceEncoder(vocabulary.labelId(trace.label), layout, { times: vocabulary.times });
  for (const frame of framesOfTrace(trace).slice(0, packets)) {
    if (encoder.buffer.length >= tokens) break;
    encoder.add(frame);
  }
  return Uint16Array.from(encoder.buffer.view());
}
