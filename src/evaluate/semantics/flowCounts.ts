import type { FlowTrace } from './flowPackets';

/** Flows of a generated trace beside those it could have seen. */
export interface FlowNovelty {
  /** Flows of the trace: bidirectional five-tuples. */
  flows: number;
  /** ... that the known traces have too. */
  known: number;
  /** ... that they have not: invented ones. */
  invented: number;
  /** Share of the trace's packets that belong to invented flows; 0 without packets. */
  inventedPackets: number;
  /** Invented flows with an address of which no known trace knows anything, on either end. */
  newAddresses: number;
  /** Flows of the known traces. */
  knownFlows: number;
}

/**
 * Counts invented five-tuples (the paper's "hallucinated flows"). For five-tuples of the training captures the same
 * number says how much was copied.
 */
export function flowNovelty(trace: FlowTrace, known: readonly FlowTrace[]): FlowNovelty {
  const tuples = new Set<string>();
  const addresses = new Set<string>();
  for (const { flows } of known) {
    for (const flow of flows) {
      tuples.add(tupleOf(flow));
      addresses.add(flow.client);
      addresses.add(flow.server);
    }
  }
  const own = new Map<string, boolean>();
  const invented = trace.flows.map((flow) => !tuples.has(tupleOf(flow)));
  const counted = new Set<number>();
  let inventedPackets = 0;
  for (const { flow } of trace.packets) {
    counted.add(flow);
    if (invented[flow]) inventedPackets++;
  }
  const strangers = new Set<string>();
  for (const i of counted) {
    const flow = trace.flows[i];
    own.set(tupleOf(flow), invented[i]);
    if (!addresses.has(flow.client) || !addresses.has(flow.server)) strangers.add(tupleOf(flow));
  }
  const flows = own.size;
  const inventions = [...own.values()].filter(Boolean).length;
  return {
    flows,
    known: flows - inventions,
    invented: inventions,
    inventedPackets: trace.packets.length === 0 ? 0 : inventedPackets / trace.packets.length,
    newAddresses: strangers.size,
    knownFlows: tuples.size,
  };
}

/** The same for both directions. */
function tupleOf({ protocol, client, clientPort, server, serverPort }: FlowTrace['flows'][number]): string {
  const ends = [`${client} ${clientPort}`, `${server} ${serverPort}`].sort();
  return `${protocol} ${ends.join(' ')}`;
}
