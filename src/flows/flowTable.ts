import type { Frame } from '../capture';
import { HeaderBatch, type Packet } from '../packets';
import { formatBytes, formatDuration, inspectable } from '../util';
import { flowKey, type Endpoint } from './fiveTuple';
import { FlowIndex, type FlowLimits } from './flowIndex';
import { flowEnds, protocolName } from './flowRecord';
import type { TcpClose, TcpPhase } from './tcpState';

/** One conversation: packets of a five-tuple in both directions, from one opening to the next. */
export interface Flow {
  /** The bidirectional five-tuple; several flows may have it one after the other. */
  readonly key: string;
  readonly protocol: 'tcp' | 'udp';
  /** The side that sent the SYN; the receiver of a SYN-ACK; else the sender of the first packet seen. */
  readonly client: Endpoint;
  readonly server: Endpoint;
  /** Indices of its frames, in the order in which they were given. */
  readonly frames: number[];
  /** For each frame: was it sent by the client? */
  readonly fromClient: boolean[];
  /** Times of the first and the last frame, microseconds since 1970. */
  readonly startMicros: number;
  readonly endMicros: number;
  /** Bytes on the wire. */
  readonly wireBytes: number;
  readonly tcp?: FlowTcp;
}

/** What was seen of a flow's connection. */
export interface FlowTcp {
  /** SYN, SYN-ACK and the client's ACK were all seen. */
  readonly handshake: boolean;
  /** FIN from both sides, or a RST. */
  readonly closed: TcpClose;
  /** For each frame. */
  readonly phases: TcpPhase[];
}

/** Bounds of a {@link FlowTable}. */
export interface FlowTableOptions extends FlowLimits {
  /** Called with each flow when it is over, in that order; else {@link FlowTable.finish} gives all. */
  onFlow?: (flow: Flow) => void;
}

/** What a flow's columns in {@link FlowIndex} do not hold. */
interface OpenFlow {
  key: string;
  client: Endpoint;
  server: Endpoint;
  frames: number[];
  fromClient: boolean[];
  phases: TcpPhase[];
}

/**
 * Sorts packets into flows while they stream by, and keeps which frames belong to each. The flows are kept in order
 * of their last packet, so that time-outs and evictions cost nothing; with `maxFlows` and `onFlow` its memory is bounded
 * by the flows under way. Counts alone come faster from {@link FlowIndex}, which this is built on.
 */
export class FlowTable {
  private readonly index: FlowIndex;
  private readonly batch = new HeaderBatch(1);
  private readonly open: (OpenFlow | undefined)[] = [];
  private readonly done: Flow[] = [];

  constructor(private readonly options: FlowTableOptions = {}) {
    this.index = new FlowIndex(options, (slot) => this.close(slot));
  }

  /** Packets without a flow: not TCP or UDP over IP, fragments without their first, unreadable headers. */
  get withoutTuple(): number {
    return this.index.withoutTuple;
  }

  /** Flows given out because they were silent too long. */
  get timedOut(): number {
    return this.index.timedOut;
  }

  /** Flows given out because there were too many. */
  get evicted(): number {
    return this.index.evicted;
  }

  /** Flows under way. */
  get size(): number {
    return this.index.size;
  }

  /**
   * Takes the next frame.
   *
   * @param index what {@link Flow.frames} lists for it.
   * @param packet the decoded frame, if it is at hand.
   */
  add(frame: Frame, index: number, packet?: Packet): void {
    const { batch } = this;
    batch.clear();
    const slot = this.index.addFrame(batch, frame, packet);
    if (slot < 0) return;
    const flow = (this.open[slot] ??= this.newFlow(slot));
    flow.frames.push(index);
    flow.fromClient.push(batch.fromClient[0] === 1);
    if (this.index.phase) flow.phases.push(this.index.phase);
  }

  /** Ends all flows, and gives those that were not handed to `onFlow`, in order of their first frame. */
  finish(): Flow[] {
    this.index.finish();
    return this.done.splice(0).sort((a, b) => a.frames[0] - b.frames[0]);
  }

  private newFlow(slot: number): OpenFlow {
    const { client, server } = flowEnds(this.index, slot);
    return {
      key: flowKey(protocolName(this.index.protocol[slot]), client, server).key,
      client,
      server,
      frames: [],
      fromClient: [],
      phases: [],
    };
  }

  private close(slot: number): void {
    const { index } = this;
    const open = this.open[slot];
    this.open[slot] = undefined;
    if (!open) return;
    const { phases, ...rest } = open;
    const tracker = index.trackers[slot];
    const flow: Flow = {
      ...rest,
      protocol: protocolName(index.protocol[slot]),
      startMicros: index.startMicros[slot],
      endMicros: index.endMicros[slot],
      wireBytes: index.wireBytes[2 * slot] + index.wireBytes[2 * slot + 1],
      ...(tracker && { tcp: { handshake: tracker.handshake, closed: tracker.closed, phases } }),
    };
    inspectable(flow, flowLine);
    if (this.options.onFlow) this.options.onFlow(flow);
    else this.done.push(flow);
  }
}

/**
 * The TCP and UDP flows of a capture, in order of their first frame. A SYN with another initial sequence number
 * opens a new flow on a tuple that is in use or was. Packets that belong to no flow are in none of them.
 */
export function splitFlows(frames: Iterable<Frame>, options: Omit<FlowTableOptions, 'onFlow'> = {}): Flow[] {
  const table = new FlowTable(options);
  let index = 0;
  for (const frame of frames) table.add(frame, index++);
  return table.finish();
}

/** A flow in consoles. */
function flowLine({ protocol, client, server, frames, wireBytes, tcp, ...times }: Flow): string {
  const seconds = formatDuration((times.endMicros - times.startMicros) / 1e6);
  const handshake = tcp && !tcp.handshake ? ', no handshake' : '';
  const closed = tcp ? (tcp.closed === 'none' ? ', not closed' : `, closed by ${tcp.closed}`) : '';
  const ends = `${client.address}:${client.port} > ${server.address}:${server.port}`;
  return `Flow ${protocol} ${ends}: ${frames.length} packets, ${formatBytes(wireBytes)} in ${seconds}${handshake}${closed}`;
}
