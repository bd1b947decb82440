import { flowTrace, framesOfTrace, type Trace } from '../evaluate';
import { earthMoversDistance, kolmogorovSmirnov, mean } from '../stats';

/** How many flows traces have, and what they are: by trace, so that two sides can be compared. */
export interface Population {
  traces: number;
  /** By trace: packets, share of TCP among TCP and UDP, flows, mean packets of a flow. */
  packets: number[];
  tcpShare: number[];
  flows: number[];
  packetsPerFlow: number[];
  /** Packets of each flow, of all traces. */
  flowSizes: number[];
}

/** Counts the flows of traces; a five-tuple that a SYN opens anew is another flow. Prompt packets are not counted. */
export function populationOf(traces: readonly Trace[]): Population {
  const population: Population = {
    traces: 0,
    packets: [],
    tcpShare: [],
    flows: [],
    packetsPerFlow: [],
    flowSizes: [],
  };
  for (const trace of traces) {
    const promptPackets = trace.prompt?.length ?? 0;
    const { packets, flows } = flowTrace(framesOfTrace(trace, { withPrompt: true }), { promptPackets });
    if (packets.length === 0) continue;
    const sizes = new Map<number, number>();
    let tcp = 0;
    for (const { flow } of packets) {
      sizes.set(flow, (sizes.get(flow) ?? 0) + 1);
      if (flows[flow].protocol === 'tcp') tcp++;
    }
    population.traces++;
    population.packets.push(packets.length);
    population.tcpShare.push(tcp / packets.length);
    population.flows.push(sizes.size);
    population.packetsPerFlow.push(packets.length / sizes.size);
    population.flowSizes.push(...sizes.values());
  }
  return population;
}

/** Two sides' populations. Changes are of per-trace means, relative to the real side; null where it has nothing. */
export interface PopulationComparison {
  traces: { real: number; other: number };
  packets: { real: number; other: number; change: number | null };
  /** Change of the TCP share in percentage points, and relative, as a share. */
  tcpShare: { real: number; other: number; points: number; change: number | null };
  packetsPerFlow: { real: number; other: number; change: number | null; ks: number; emd: number };
  flows: { real: number; other: number; change: number | null; ks: number };
}

/** Null where a side has no trace with a flow. */
export function comparePopulations(real: Population, other: Population): PopulationComparison | null {
  if (real.traces === 0 || other.traces === 0) return null;
  const means = (key: 'packets' | 'tcpShare' | 'flows' | 'packetsPerFlow') => {
    const [a, b] = [mean(real[key]), mean(other[key])];
    return { real: a, other: b, change: a === 0 ? null : (b - a) / a };
  };
  const tcp = means('tcpShare');
  return {
    traces: { real: real.traces, other: other.traces },
    packets: means('packets'),
    tcpShare: { ...tcp, points: 100 * (tcp.other - tcp.real) },
    packetsPerFlow: {
      ...means('packetsPerFlow'),
      ks: kolmogorovSmirnov(real.flowSizes, other.flowSizes).statistic,
      emd: earthMoversDistance(real.flowSizes, other.flowSizes),
    },
    flows: { ...means('flows'), ks: kolmogorovSmirnov(real.flows, other.flows).statistic },
  };
}
