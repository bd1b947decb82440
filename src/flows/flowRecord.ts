import { formatIpv4, formatIpv6 } from '../packets';
import { flowKey, type Endpoint } from './fiveTuple';
import type { FlowIndex } from './flowIndex';
import type { TcpClose } from './tcpState';

/** What was counted of one flow. `ToServer`: sent by the client. */
export interface FlowRecord {
  /** Number of the flow, in order of opening. */
  readonly id: number;
  /** The bidirectional five-tuple, as `Flow.key`. */
  readonly key: string;
  readonly protocol: 'tcp' | 'udp';
  /** The side that sent the SYN; the receiver of a SYN-ACK; else the sender of the first packet seen. */
  readonly client: Endpoint;
  readonly server: Endpoint;
  readonly startMicros: number;
  readonly durationSeconds: number;
  readonly packetsToServer: number;
  readonly packetsToClient: number;
  /** On the wire, link headers included. */
  readonly bytesToServer: number;
  readonly bytesToClient: number;
  readonly payloadBytesToServer: number;
  readonly payloadBytesToClient: number;
  /** Bits of `TcpFlag` that were seen; 0 for UDP. */
  readonly flagsToServer: number;
  readonly flagsToClient: number;
  /** SYN, SYN-ACK and the client's ACK were all seen; false for UDP. */
  readonly handshake: boolean;
  readonly closed: TcpClose;
  /** Segments with data that ended no later than data seen before: sent again, or late. */
  readonly retransmissions: number;
}

/** The record of the flow in a slot of the index. */
export function flowRecord(index: FlowIndex, slot: number): FlowRecord {
  const { client, server } = flowEnds(index, slot);
  const protocol = protocolName(index.protocol[slot]);
  const down = 2 * slot;
  const up = down + 1;
  const tracker = index.trackers[slot];
  return {
    id: index.ids[slot],
    key: flowKey(protocol, client, server).key,
    protocol,
    client,
    server,
    startMicros: index.startMicros[slot],
    durationSeconds: (index.endMicros[slot] - index.startMicros[slot]) / 1e6,
    packetsToServer: index.packets[up],
    packetsToClient: index.packets[down],
    bytesToServer: index.wireBytes[up],
    bytesToClient: index.wireBytes[down],
    payloadBytesToServer: index.payloadBytes[up],
    payloadBytesToClient: index.payloadBytes[down],
    flagsToServer: index.flagsSeen[up],
    flagsToClient: index.flagsSeen[down],
    handshake: tracker?.handshake ?? false,
    closed: tracker?.closed ?? 'none',
    retransmissions: index.retransmissions[up] + index.retransmissions[down],
  };
}

/** The two ends of the flow in a slot. */
export function flowEnds(index: FlowIndex, slot: number): { client: Endpoint; server: Endpoint } {
  const version = index.ipVersion[slot];
  return {
    client: { address: addressText(index.clientAddress, slot, version), port: index.clientPort[slot] },
    server: { address: addressText(index.serverAddress, slot, version), port: index.serverPort[slot] },
  };
}

/** The `i`-th address of a column of four words each (`HeaderBatch.source`) as text; empty without IP. */
export function addressText(words: Uint32Array, i: number, ipVersion: number): string {
  if (ipVersion === 0) return '';
  for (let w = 0; w < 4; w++) {
    const word = words[4 * i + w];
    scratch[4 * w] = word >>> 24;
    scratch[4 * w + 1] = (word >>> 16) & 255;
    scratch[4 * w + 2] = (word >>> 8) & 255;
    scratch[4 * w + 3] = word & 255;
  }
  return ipVersion === 4 ? formatIpv4(scratch, 0) : formatIpv6(scratch, 0);
}

/** `tcp` or `udp`. */
export function protocolName(number: number): 'tcp' | 'udp' {
  return number === 6 ? 'tcp' : 'udp';
}

const scratch = new Uint8Array(16);
