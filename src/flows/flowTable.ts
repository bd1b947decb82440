import type { Frame } from '../capture';
import { decodeFrame, findTransport, payloadLength, TcpFlag, type Packet, type TcpFields } from '../packets';
import { fiveTuple, sameEndpoint, type Endpoint, type FiveTuple } from './fiveTuple';
import { TcpTracker, type TcpClose, type TcpPhase, type TcpSegment } from './tcpState';

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
export interface FlowTableOptions {
  /** A flow that is silent for so long is over. None by default. */
  idleTimeoutSeconds?: number;
  /** Flows held at once; beyond it the one silent for longest is given out early. Unbounded by default. */
  maxFlows?: number;
  /** Called with each flow when it is over, in that order; else {@link FlowTable.finish} gives all. */
  onFlow?: (flow: Flow) => void;
}

/** A flow under construction. */
interface OpenFlow {
  key: string;
  protocol: 'tcp' | 'udp';
  client: Endpoint;
  server: Endpoint;
  frames: number[];
  fromClient: boolean[];
  startMicros: number;
  endMicros: number;
  wireBytes: number;
  tracker?: TcpTracker;
  phases: TcpPhase[];
}

/**
 * Sorts packets into flows while they stream by. The flows are kept in order of their last packet, so that time-outs
 * and evictions cost nothing; with `maxFlows` and `onFlow` its memory is bounded by the flows under way.
 */
export class FlowTable {
  /** Packets without a five-tuple: not TCP or UDP over IP, later fragments, unreadable headers. */
  withoutTuple = 0;
  /** Flows given out because they were silent too long, and because there were too many. */
  timedOut = 0;
  evicted = 0;

  /** A Map keeps insertion order: a flow is put back at the end with every packet. */
  private readonly open = new Map<string, OpenFlow>();
  private readonly done: Flow[] = [];

  constructor(private readonly options: FlowTableOptions = {}) {}

  /** Flows under way. */
  get size(): number {
    return this.open.size;
  }

  /**
   * Takes the next frame.
   *
   * @param index what {@link Flow.frames} lists for it.
   * @param packet the decoded frame, if it is at hand.
   */
  add(frame: Frame, index: number, packet: Packet = decodeFrame(frame)): void {
    const tuple = fiveTuple(packet);
    if (!tuple) {
      this.withoutTuple++;
      return;
    }
    this.expire(frame.tsMicros);
    const tcp = tuple.protocol === 'tcp' ? segmentOf(packet) : undefined;
    let flow = this.open.get(tuple.key);
    if (flow) this.open.delete(tuple.key);
    if (flow?.tracker && tcp && flow.tracker.isNewConnection(tcp, sameEndpoint(tuple.source, flow.client))) {
      this.close(flow);
      flow = undefined;
    }
    flow ??= newFlow(tuple, frame, tcp);
    this.open.set(tuple.key, flow);
    const fromClient = sameEndpoint(tuple.source, flow.client);
    flow.frames.push(index);
    flow.fromClient.push(fromClient);
    flow.endMicros = frame.tsMicros;
    flow.wireBytes += frame.wireLen;
    if (flow.tracker && tcp) flow.phases.push(flow.tracker.add(tcp, fromClient));
    this.evict();
  }

  /** Ends all flows, and gives those that were not handed to `onFlow`, in order of their first frame. */
  finish(): Flow[] {
    for (const flow of this.open.values()) this.close(flow);
    this.open.clear();
    return this.done.splice(0).sort((a, b) => a.frames[0] - b.frames[0]);
  }

  private expire(nowMicros: number): void {
    const { idleTimeoutSeconds } = this.options;
    if (idleTimeoutSeconds === undefined) return;
    for (const [key, flow] of this.open) {
      if (nowMicros - flow.endMicros <= idleTimeoutSeconds * 1e6) return;
      this.open.delete(key);
      this.timedOut++;
      this.close(flow);
    }
  }

  private evict(): void {
    const { maxFlows } = this.options;
    if (maxFlows === undefined || this.open.size <= maxFlows) return;
    for (const [key, flow] of this.open) {
      this.open.delete(key);
      this.evicted++;
      this.close(flow);
      return;
    }
  }

  private close(open: OpenFlow): void {
    const { tracker, phases, ...rest } = open;
    const tcp = tracker && { handshake: tracker.handshake, closed: tracker.closed, phases };
    const flow: Flow = tcp ? { ...rest, tcp } : rest;
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

function newFlow(tuple: FiveTuple, frame: Frame, tcp: TcpSegment | undefined): OpenFlow {
  const { source, destination } = tuple;
  const answers = tcp !== undefined && (tcp.flags & SYN_ACK) === SYN_ACK;
  return {
    key: tuple.key,
    protocol: tuple.protocol,
    client: answers ? destination : source,
    server: answers ? source : destination,
    frames: [],
    fromClient: [],
    startMicros: frame.tsMicros,
    endMicros: frame.tsMicros,
    wireBytes: 0,
    tracker: tcp && new TcpTracker(),
    phases: [],
  };
}

const SYN_ACK = TcpFlag.SYN | TcpFlag.ACK;

function segmentOf(packet: Packet): TcpSegment {
  const { flags, sequenceNumber, acknowledgmentNumber } = findTransport(packet)!.fields as TcpFields;
  return { flags, sequenceNumber, acknowledgmentNumber, length: payloadLength(packet) };
}
