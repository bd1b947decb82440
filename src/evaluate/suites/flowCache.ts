import { flowTrace, type FlowTrace } from '../semantics';
import type { TracePair } from '../sources';
import { framesOfTrace, type Trace } from '../traces';

/** The flows of traces, which are asked for again and again. */
export class FlowCache {
  private readonly traces = new Map<Trace, FlowTrace>();

  get(trace: Trace): FlowTrace {
    let flows = this.traces.get(trace);
    if (!flows) {
      const promptPackets = trace.prompt?.length ?? 0;
      flows = flowTrace(framesOfTrace(trace, { withPrompt: true }), { promptPackets });
      this.traces.set(trace, flows);
    }
    return flows;
  }
}

/** A pair of traces cut to as many packets. */
export interface CutPair {
  label: string;
  twins: boolean;
  real: FlowTrace;
  other: FlowTrace;
}

/** Both sides with as many packets: a longer session has more of everything. */
export function cutPair({ real, other, twins, skip }: TracePair, cache: FlowCache): CutPair {
  const [a, b] = [cache.get(real), cache.get(other)];
  const prompt = other.prompt?.length ?? 0;
  const n = Math.min(real.packets.length - skip, other.packets.length);
  const offset = real.prompt?.length ?? 0;
  return {
    label: other.label,
    twins,
    real: between(a, offset + skip, offset + skip + n),
    other: between(b, prompt, prompt + n),
  };
}

function between(trace: FlowTrace, from: number, to: number): FlowTrace {
  return { ...trace, packets: trace.packets.filter(({ index }) => index >= from && index < to) };
}
