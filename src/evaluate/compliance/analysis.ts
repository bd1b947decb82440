import { TcpFlag } from '../../packets';
import { seqDifference, seqPlus, type CheckedSegment, type Side } from './side';

/**
 * What a segment is that takes sequence numbers (data, SYN or FIN) or looks as if: `new`, or one of the legitimate ways
 * of not being new. The boundaries are Wireshark's, so that both can be compared.
 */
export type SegmentKind =
  | 'new'
  /** Begins beyond the end of what was sent: segments before it are missing here, or come later. */
  | 'gap'
  /** Sent before, or too late for reordering. */
  | 'retransmission'
  /** All of it was acknowledged before. */
  | 'spuriousRetransmission'
  /** Within 20 ms after the second repeated acknowledgment of its very number. */
  | 'fastRetransmission'
  /** Below the end of what was sent, never seen before, and soon after it: within the first round trip, or 3 ms. */
  | 'outOfOrder'
  /** At most a byte, one below the end of what was sent. */
  | 'keepAlive'
  /** One byte at the end of what was sent, into a window of 0. */
  | 'windowProbe'
  /** Takes no sequence numbers. */
  | 'ack'
  /** The capture cut the TCP header: it is followed, and not told what it is. */
  | 'headerCut';

export const SEGMENT_KINDS: readonly SegmentKind[] = [
  'new',
  'gap',
  'retransmission',
  'spuriousRetransmission',
  'fastRetransmission',
  'outOfOrder',
  'keepAlive',
  'windowProbe',
  'ack',
  'headerCut',
];

const { SYN, FIN, RST, ACK } = TcpFlag;
/** Reordering is not told from retransmission by more than this where no round trip was measured. */
const REORDER_MICROS = 3_000;
const FAST_RETRANSMISSION_MICROS = 20_000;

/** Sequence numbers that a segment takes. */
export function segmentLength({ flags, payload }: Pick<CheckedSegment, 'flags' | 'payload'>): number {
  return payload + (flags & (SYN | FIN) ? 1 : 0);
}

/**
 * Tells what the segment is, given its side before it, and the peer. `roundTripMicros` is the handshake's, from SYN to
 * the client's ACK; 0: not measured.
 */
export function classifySegment(
  segment: CheckedSegment,
  own: Side,
  peer: Side,
  roundTripMicros: number,
): SegmentKind {
  const { flags, sequenceNumber, payload, tsMicros } = segment;
  if (segment.headerCut) return 'headerCut';
  const length = segmentLength(segment);
  if (!own.seen) return length > 0 ? 'new' : 'ack';
  const ahead = seqDifference(sequenceNumber, own.next);
  if (payload === 1 && ahead === 0 && peer.ack !== undefined && peer.window === 0) return 'windowProbe';
  if (payload <= 1 && ahead === -1 && (flags & (SYN | FIN | RST)) === 0) return 'keepAlive';
  if (ahead > 0 && (flags & RST) === 0) return 'gap';
  if (length === 0) return 'ack';
  // What was acknowledged has arrived before, whether the capture shows it or not.
  if (
    payload > 0 &&
    peer.ack !== undefined &&
    seqDifference(seqPlus(sequenceNumber, payload), peer.ack) <= 0
  ) {
    return 'spuriousRetransmission';
  }
  // A probe of a closed window may have been one byte of these.
  if (ahead >= 0 || (payload > 1 && ahead === -1)) return 'new';
  const end = seqPlus(sequenceNumber, length);
  if (own.hasSent(sequenceNumber, seqPlus(sequenceNumber, payload))) return 'retransmission';
  if (
    peer.duplicateAcks >= 2 &&
    peer.ack === sequenceNumber &&
    tsMicros - peer.ackMicros < FAST_RETRANSMISSION_MICROS
  ) {
    return 'fastRetransmission';
  }
  const soon = roundTripMicros > 0 ? roundTripMicros : REORDER_MICROS;
  if (tsMicros - own.nextMicros < soon && own.next !== end) return 'outOfOrder';
  return 'retransmission';
}

/** Does the ACK say again what the side's last one said, as the receiver of reordered or later data does? */
export function isDuplicateAck(segment: CheckedSegment, own: Side): boolean {
  const { flags, payload, window, acknowledgmentNumber, sequenceNumber } = segment;
  return (
    payload === 0 &&
    (flags & (SYN | FIN | RST)) === 0 &&
    (flags & ACK) !== 0 &&
    window !== 0 &&
    window === own.window &&
    acknowledgmentNumber === own.ack &&
    sequenceNumber === own.next
  );
}
