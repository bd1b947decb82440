import type { Flow, Session, TcpPhase } from '../flows';
import { decodeFrame, findTransport, payloadLength, TcpFlag } from '../packets';

/** One packet of a TCP connection, with numbers counted from the connection's beginning. */
export interface ConnectionPacket {
  /** Index among the session's frames. */
  readonly frame: number;
  /** Seconds since the connection's first packet. */
  readonly seconds: number;
  readonly fromClient: boolean;
  /** Bits of `TcpFlag`. */
  readonly flags: number;
  /** Relative to the first sequence number seen of this side: 0 is the SYN, 1 the first byte of data. */
  readonly sequenceNumber: number;
  /** Relative to the other side's first sequence number; undefined without ACK flag. */
  readonly acknowledgmentNumber: number | undefined;
  /** Bytes of payload on the wire. */
  readonly length: number;
  /** Data that ends no later than data of the same side before it: sent again, or late. */
  readonly retransmission: boolean;
  readonly phase: TcpPhase;
  readonly windowBytes: number;
}

/**
 * The packets of one TCP flow of a session, ready for pictures. Numbers that wrap around go on counting.
 * An empty list for UDP.
 */
export function connectionPackets(session: Pick<Session, 'frames'>, flow: Flow): ConnectionPacket[] {
  if (!flow.tcp) return [];
  const { phases } = flow.tcp;
  /** First sequence number and highest end, client's and server's. */
  const sides = [{}, {}] as { first?: number; end?: number }[];
  return flow.frames.flatMap((index, i): ConnectionPacket[] => {
    const frame = session.frames[index];
    const packet = decodeFrame(frame);
    const tcp = findTransport(packet);
    if (tcp?.protocol !== 'tcp') return [];
    const fromClient = flow.fromClient[i];
    const own = sides[fromClient ? 0 : 1];
    const peer = sides[fromClient ? 1 : 0];
    const { flags, sequenceNumber, acknowledgmentNumber, window } = tcp.fields;
    const length = payloadLength(packet);
    const isSyn = (flags & TcpFlag.SYN) !== 0;
    // Without a SYN the first number seen counts as 1, as after one.
    own.first ??= isSyn ? sequenceNumber : sequenceNumber - 1;
    const relative = (sequenceNumber - own.first) | 0;
    const end = relative + length + (isSyn ? 1 : 0) + (flags & TcpFlag.FIN ? 1 : 0);
    const retransmission = end > relative && own.end !== undefined && end <= own.end;
    own.end = Math.max(own.end ?? end, end);
    const hasAck = (flags & TcpFlag.ACK) !== 0;
    if (hasAck) peer.first ??= acknowledgmentNumber - 1;
    return [
      {
        frame: index,
        seconds: (frame.tsMicros - flow.startMicros) / 1e6,
        fromClient,
        flags,
        sequenceNumber: relative,
        acknowledgmentNumber: hasAck ? (acknowledgmentNumber - peer.first!) | 0 : undefined,
        length,
        retransmission,
        phase: phases[i],
        windowBytes: window,
      },
    ];
  });
}
