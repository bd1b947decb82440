/** Flows of a capture, by bidirectional five-tuple: who, how much, whether they began and ended well. */
import { ETHERNET, transportAt, type Packet } from './pcap';

const [FIN, SYN, RST, ACK] = [1, 2, 4, 16];

export interface Flow {
  protocol: 'tcp' | 'udp';
  client: string;
  clientPort: number;
  server: string;
  serverPort: number;
  /** First packet, in seconds since the session's start. */
  start: number;
  seconds: number;
  packetsUp: number;
  packetsDown: number;
  /** Payload bytes, retransmissions included. */
  bytesUp: number;
  bytesDown: number;
  /** TCP: the first three packets (repeats apart) are SYN, SYN+ACK, ACK. */
  handshake?: boolean;
  /** TCP: how it ended: FIN from both sides, an RST, or not within the capture. */
  end?: 'fin' | 'rst' | 'open';
}

/** One packet, as far as flows are concerned. */
export interface FlowPacket {
  /** Since the session's start. */
  seconds: number;
  protocol: 'tcp' | 'udp';
  /** From the client? */
  up: boolean;
  clientPort: number;
  server: string;
  serverPort: number;
  payload: number;
  /** TCP flags; 0 for UDP. */
  flags: number;
}

interface Track extends Flow {
  /** Of the handshake: 1 SYN, 2 SYN+ACK, 3 ACK; -1: it began with something else. */
  stage: number;
  fins: number;
  rst: boolean;
  last: number;
}

/** Collects packets into flows. */
export class FlowTable {
  private readonly tracks = new Map<string, Track>();

  constructor(private readonly client: string) {}

  add({ seconds, protocol, up, clientPort, server, serverPort, payload, flags }: FlowPacket): void {
    const key = `${protocol} ${clientPort} ${server} ${serverPort}`;
    let flow = this.tracks.get(key);
    if (!flow) {
      flow = {
        protocol, client: this.client, clientPort, server, serverPort,
        start: round(seconds), seconds: 0, packetsUp: 0, packetsDown: 0, bytesUp: 0, bytesDown: 0,
        stage: 0, fins: 0, rst: false, last: 0,
      }; // prettier-ignore
      this.tracks.set(key, flow);
    }
    flow[up ? 'packetsUp' : 'packetsDown']++;
    flow[up ? 'bytesUp' : 'bytesDown'] += payload;
    flow.last = seconds;
    if (protocol === 'udp') return;
    const kind = flags & (SYN | ACK);
    if (flow.stage === 0) flow.stage = kind === SYN && up ? 1 : -1;
    else if (flow.stage === 1 && kind === (SYN | ACK) && !up) flow.stage = 2;
    else if (flow.stage === 2 && kind === ACK && up) flow.stage = 3;
    if (flags & FIN) flow.fins |= up ? 1 : 2;
    if (flags & RST) flow.rst = true;
  }

  /** In the order of their first packets. */
  flows(): Flow[] {
    return [...this.tracks.values()].map(({ stage, fins, rst, last, ...flow }) => ({
      ...flow,
      seconds: round(last - flow.start),
      ...(flow.protocol === 'tcp' && {
        handshake: stage === 3,
        end: rst ? ('rst' as const) : fins === 3 ? ('fin' as const) : ('open' as const),
      }),
    }));
  }
}

/** Flows of a capture. Packets from the client's address go up. */
export function findFlows(packets: Packet[], client: string): Flow[] {
  const table = new FlowTable(client);
  const began = packets[0]?.tsMicros ?? 0;
  for (const { bytes, tsMicros } of packets) {
    const protocol = bytes[ETHERNET + 9];
    if (protocol !== 6 && protocol !== 17) continue;
    const at = transportAt(bytes);
    const up = address(bytes, ETHERNET + 12) === client;
    const ports = [bytes.readUInt16BE(at), bytes.readUInt16BE(at + 2)];
    const headers = protocol === 6 ? (bytes[at + 12] >> 4) * 4 : 8;
    table.add({
      seconds: (tsMicros - began) / 1e6,
      protocol: protocol === 6 ? 'tcp' : 'udp',
      up,
      clientPort: ports[up ? 0 : 1],
      server: address(bytes, ETHERNET + (up ? 16 : 12)),
      serverPort: ports[up ? 1 : 0],
      payload: bytes.readUInt16BE(ETHERNET + 2) - (at - ETHERNET) - headers,
      flags: protocol === 6 ? bytes[at + 13] : 0,
    });
  }
  return table.flows();
}

const address = (bytes: Buffer, at: number): string =>
  `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;

const round = (seconds: number): number => Number(seconds.toFixed(4));
