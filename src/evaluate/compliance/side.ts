import type { TcpOption } from '../../packets';

/** a - b for sequence numbers, which wrap around (RFC 9293, section 3.4): from -2^31 to 2^31 - 1. */
export function seqDifference(a: number, b: number): number {
  return (a - b) | 0;
}

export function seqPlus(a: number, b: number): number {
  return (a + b) >>> 0;
}

/** One TCP segment with what its checks need. */
export interface CheckedSegment {
  /** Number of the packet in the capture, from 1. */
  packet: number;
  tsMicros: number;
  flags: number;
  reserved: number;
  sequenceNumber: number;
  acknowledgmentNumber: number;
  /** As sent, not scaled. */
  window: number;
  /** Bytes of payload on the wire. */
  payload: number;
  /** The capture holds only part of the header. */
  headerCut: boolean;
  options: readonly TcpOption[];
  /** False: the capture cut the options, or they cannot be read to the end. */
  optionsComplete: boolean;
}

/** What a SYN offered. */
export interface SynOffer {
  isn: number;
  payload: number;
  flags: number;
  reserved: number;
  mss: number | undefined;
  scale: number | undefined;
  sackPermitted: boolean;
  timestamps: boolean;
  /** False: options of this SYN may be missing here. */
  complete: boolean;
}

/** A stretch of sequence numbers [from, to). */
type Range = [from: number, to: number];

/** Ranges that are remembered of what is not acknowledged; older ones are forgotten. */
const MAX_RANGES = 1024;

/** One direction of a connection: what its sender has shown. */
export class Side {
  seen = false;
  /** First sequence number seen. */
  first = 0;
  /** One past the highest sequence number sent, and when it was sent. */
  next = 0;
  nextMicros = 0;
  /** Where the segment sent last began and ended. */
  lastStart = 0;
  lastEnd = 0;
  syn: SynOffer | undefined;
  /** Where the FIN ends. */
  finEnd: number | undefined;
  finAcknowledged = false;
  resetSent = false;
  /** A segment is missing, so that what the side has seen and sent is not all known. */
  hole = false;
  /** Acknowledgment number and unscaled window sent last, and when. */
  ack: number | undefined;
  ackMicros = 0;
  window = 0;
  duplicateAcks = 0;
  /** Highest acknowledgment, and highest acknowledgment + window: what the peer may send up to. */
  maxAck: number | undefined;
  rightEdge: number | undefined;
  /** Largest window offered, in bytes. */
  maxWindow = 65_535;
  /** Highest timestamp value sent. */
  timestamp: number | undefined;
  /** The last segment was a keep-alive. */
  keptAlive = false;
  /** End of a segment far off; a second one that goes on there shows that the capture lost much. */
  strayEnd: number | undefined;
  /** What was sent and not acknowledged, in order of sending. */
  private readonly ranges: Range[] = [];

  /** Is all of [from, to) inside one segment sent before and not yet acknowledged? */
  hasSent(from: number, to: number): boolean {
    for (const [start, end] of this.ranges) {
      if (seqDifference(from, start) >= 0 && seqDifference(to, end) <= 0) return true;
    }
    return false;
  }

  sent(from: number, to: number): void {
    if (this.ranges.length === MAX_RANGES) this.ranges.shift();
    this.ranges.push([from, to]);
  }

  /** Forgets what the peer has acknowledged. */
  acknowledged(ack: number): void {
    const { ranges } = this;
    // In order as a rule, so that what is over stands in front.
    let over = 0;
    while (over < ranges.length && seqDifference(ranges[over][1], ack) <= 0) over++;
    if (over > 0) ranges.splice(0, over);
  }
}

/** What the SYN's options say. */
export function synOffer(segment: CheckedSegment): SynOffer {
  const offer: SynOffer = {
    isn: segment.sequenceNumber,
    payload: segment.payload,
    flags: segment.flags,
    reserved: segment.reserved,
    mss: undefined,
    scale: undefined,
    sackPermitted: false,
    timestamps: false,
    complete: segment.optionsComplete,
  };
  for (const option of segment.options) {
    if (option.kind === 'mss') offer.mss = option.value;
    else if (option.kind === 'windowScale') offer.scale = Math.min(14, option.shift);
    else if (option.kind === 'sackPermitted') offer.sackPermitted = true;
    else if (option.kind === 'timestamps') offer.timestamps = true;
  }
  return offer;
}
