import { locateHeaders } from '../packets/locate';
import { flowOfBytes } from './flowOracle';

/** Who is who in a packet's flow. */
export interface PacketRole {
  /** Flow of the trace, counted from 0 in order of appearance. */
  flow: number;
  /** Client to server. */
  up: boolean;
  clientPort: number;
  serverPort: number;
}

const SYN = 0x02;
const ACK = 0x10;

/**
 * Tells client from server, packet by packet through one trace. The client of a flow is the sender of a SYN without
 * ACK, or the receiver of a SYN with ACK, by the flow's first packet; else the side with the larger port; with equal
 * ports the sender of the first packet.
 */
export class RoleTracker {
  private readonly flows = new Map<string, { index: number; clientDirection: 0 | 1 }>();

  /** Undefined where the packet has no five-tuple. */
  role(bytes: Uint8Array, linkType: number): PacketRole | undefined {
    const flow = flowOfBytes(bytes, linkType);
    const at = locateHeaders(bytes, linkType);
    if (!flow || !at.ok) return undefined;
    const source = (bytes[at.ipEnd] << 8) | bytes[at.ipEnd + 1];
    const destination = (bytes[at.ipEnd + 2] << 8) | bytes[at.ipEnd + 3];
    let known = this.flows.get(flow.key);
    if (!known) {
      const flags = at.transport === 'tcp' && bytes.length > at.ipEnd + 13 ? bytes[at.ipEnd + 13] : 0;
      let fromClient = source >= destination;
      if (flags & SYN) fromClient = (flags & ACK) === 0;
      const other = flow.direction === 0 ? 1 : 0;
      known = { index: this.flows.size, clientDirection: fromClient ? flow.direction : other };
      this.flows.set(flow.key, known);
    }
    const up = flow.direction === known.clientDirection;
    return {
      flow: known.index,
      up,
      clientPort: up ? source : destination,
      serverPort: up ? destination : source,
    };
  }
}
