import { flowNovelty, type FlowTrace } from '../semantics';

/** Five-tuples of generated traces that the training traces have. */
export interface FiveTupleReuse {
  /** Five-tuples of each generated trace, added up. */
  flows: number;
  reused: number;
  /** reused / flows; null without flows. */
  share: number | null;
}

/** Exact reuse of bidirectional five-tuples (both addresses, both ports, protocol), trace by trace. */
export function fiveTupleReuse(
  generated: readonly FlowTrace[],
  training: readonly FlowTrace[],
): FiveTupleReuse {
  let [flows, reused] = [0, 0];
  for (const trace of generated) {
    const novelty = flowNovelty(trace, training);
    flows += novelty.flows;
    reused += novelty.known;
  }
  return { flows, reused, share: flows === 0 ? null : reused / flows };
}
