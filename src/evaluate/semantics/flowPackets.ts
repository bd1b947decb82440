import { openCapture, type Frame } from '../../capture';
import { addressText, FlowIndex } from '../../flows';
import { decodeFrame, findLayer, HeaderBatch, TcpFlag } from '../../packets';
import { readDnsAddresses } from './dnsAnswers';

const { SYN } = TcpFlag;

/** One packet of a flow, as sessions are made of. */
export interface FlowPacket {
  /** Index in {@link FlowTrace.flows}. */
  flow: number;
  /**
   * From the client: uplink. The client is who sends the SYN or gets the SYN-ACK; of a flow that begins without one, the
   * side with the larger port, and with equal ports the sender of the first packet.
   */
  up: boolean;
  tsMicros: number;
  /** Bytes on the wire, link header included. */
  wireLen: number;
  /** Transport payload by the IP length, captured or not. */
  payload: number;
  /** Index in the capture of all packets, from 0. */
  index: number;
}

/** A flow's ends. */
export interface FlowEnds {
  /** `tcp 10.0.0.2:40000 > 192.0.2.1:443`, from client to server. */
  name: string;
  protocol: 'tcp' | 'udp';
  client: string;
  clientPort: number;
  server: string;
  serverPort: number;
}

/** The TCP and UDP packets of a capture with who sent them. */
export interface FlowTrace {
  packets: FlowPacket[];
  flows: FlowEnds[];
  /** All packets, those without a flow included. */
  totalPackets: number;
  /** Time of the first packet of any kind; NaN without packets. */
  startMicros: number;
  /** Names that DNS answers of the capture gave for an address. */
  names: Map<string, Set<string>>;
}

export interface FlowTraceOptions {
  /** Packets read at most. */
  maxPackets?: number;
  /** Packets at the start that were a prompt: they are left out, but tell who is the client. */
  promptPackets?: number;
}

/** Reads who sent what to whom. A five-tuple that is opened anew by a SYN is another flow. */
export function flowTrace(frames: Iterable<Frame>, options: FlowTraceOptions = {}): FlowTrace {
  const builder = new TraceBuilder(options);
  for (const frame of frames) if (!builder.add(frame)) break;
  return builder.trace;
}

/** {@link flowTrace} of a capture file. @throws NetssmError as `openCapture`. */
export async function readFlowTrace(
  source: string | Uint8Array,
  options: FlowTraceOptions = {},
): Promise<FlowTrace> {
  const builder = new TraceBuilder(options);
  const reader = await openCapture(source);
  try {
    for await (const frame of reader) if (!builder.add(frame)) break;
  } finally {
    await reader.close();
  }
  return builder.trace;
}

class TraceBuilder {
  readonly trace: FlowTrace = { packets: [], flows: [], totalPackets: 0, startMicros: NaN, names: new Map() };
  private readonly batch = new HeaderBatch(1);
  private readonly index = new FlowIndex();
  private readonly swapped: boolean[] = [];

  constructor(private readonly options: FlowTraceOptions) {}

  /** False: enough packets have been read. */
  add(frame: Frame): boolean {
    const { trace, batch, index } = this;
    const { maxPackets = Infinity, promptPackets = 0 } = this.options;
    if (trace.totalPackets >= maxPackets) return false;
    const place = trace.totalPackets++;
    if (place === 0) trace.startMicros = frame.tsMicros;
    batch.clear();
    const slot = index.addFrame(batch, frame);
    if (slot < 0) return true;
    const flow = batch.flow[0];
    if (flow === trace.flows.length) {
      // Without a SYN the sender of the first packet need not be the client: servers have the smaller ports.
      const swapped = (batch.tcpFlags[0] & SYN) === 0 && index.clientPort[slot] < index.serverPort[slot];
      trace.flows.push(flowEnds(index, slot, swapped));
      this.swapped.push(swapped);
    }
    const up = (batch.fromClient[0] === 1) !== this.swapped[flow];
    if (!up && trace.flows[flow].serverPort === 53) this.addNames(frame);
    if (place < promptPackets) return true;
    trace.packets.push({
      flow,
      up,
      tsMicros: frame.tsMicros,
      wireLen: frame.wireLen,
      payload: batch.payloadLength[0],
      index: place,
    });
    return true;
  }

  private addNames(frame: Frame): void {
    const packet = decodeFrame(frame);
    const dns = findLayer(packet, 'dns');
    if (!dns || dns.fields.response !== 1) return;
    const { names } = this.trace;
    for (const { name, address } of readDnsAddresses(packet.bytes, dns)) {
      const known = names.get(address);
      if (known) known.add(name);
      else names.set(address, new Set([name]));
    }
  }
}

function flowEnds(index: FlowIndex, slot: number, swapped: boolean): FlowEnds {
  const version = index.ipVersion[slot];
  const ends = [
    { address: addressText(index.clientAddress, slot, version), port: index.clientPort[slot] },
    { address: addressText(index.serverAddress, slot, version), port: index.serverPort[slot] },
  ];
  const [client, server] = swapped ? [ends[1], ends[0]] : ends;
  const protocol = index.protocol[slot] === 6 ? 'tcp' : 'udp';
  const text = ({ address, port }: (typeof ends)[number]): string =>
    version === 6 ? `[${address}]:${port}` : `${address}:${port}`;
  return {
    name: `${protocol} ${text(client)} > ${text(server)}`,
    protocol,
    client: client.address,
    clientPort: client.port,
    server: server.address,
    serverPort: server.port,
  };
}
