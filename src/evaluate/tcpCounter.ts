/** One TCP segment as the counters need it. */
export interface TcpSegment {
  up: boolean;
  seq: number;
  ack: number;
  flags: number;
  /** Payload bytes by the IP header; undefined where that length cannot be. */
  payload: number | undefined;
}

/** Counts over the TCP flows of one or more traces. */
export interface TcpCounts {
  /** Connections: five-tuples, and a new one where a SYN with another sequence number reopens a five-tuple. */
  flows: number;
  /** Connections in which a SYN without ACK was seen. */
  withSyn: number;
  /** ... and was answered by a SYN-ACK that acknowledges it. */
  withSynAck: number;
  /** ... and that by an ACK: the complete three-way handshake. */
  handshakes: number;
  /** Connections closed by FIN from both sides, and by RST. */
  closedByFin: number;
  closedByRst: number;
  /** Segments whose direction had sent one before, without SYN and RST. */
  seqChecked: number;
  /** ... whose sequence number is exactly the one after what was sent. */
  seqExpected: number;
  /** ... or lies below, by at most 2^20: a repeat, a keep-alive, or out of order. */
  seqRepeated: number;
  /** Segments with ACK whose peer has sent something, without RST. */
  ackChecked: number;
  /** ... that acknowledge nothing that the peer has not sent, and nothing before its first number. */
  ackValid: number;
}

export const NO_TCP: TcpCounts = {
  flows: 0,
  withSyn: 0,
  withSynAck: 0,
  handshakes: 0,
  closedByFin: 0,
  closedByRst: 0,
  seqChecked: 0,
  seqExpected: 0,
  seqRepeated: 0,
  ackChecked: 0,
  ackValid: 0,
};

const FIN = 1;
const SYN = 2;
const RST = 4;
const ACK = 16;

interface Direction {
  first: number;
  /** One past the highest sequence number sent. */
  next: number;
  fin: boolean;
}

/** One five-tuple, followed segment by segment. Sequence numbers are compared modulo 2^32 (RFC 9293, section 3.4). */
export class TcpCounter {
  private up: Direction | undefined;
  private down: Direction | undefined;
  private syn: number | undefined;
  private synAck: number | undefined;
  private established = false;
  private closed = false;

  constructor(private readonly counts: TcpCounts) {
    counts.flows++;
  }

  add(segment: TcpSegment): void {
    const { up, seq, ack, flags } = segment;
    if (flags & SYN && !(flags & ACK)) this.openAt(up, seq);
    const own = up ? this.up : this.down;
    const peer = up ? this.down : this.up;
    const { counts } = this;
    if (own && !(flags & (SYN | RST))) {
      counts.seqChecked++;
      const ahead = difference(seq, own.next);
      if (ahead === 0) counts.seqExpected++;
      else if (ahead < 0 && ahead >= -(2 ** 20)) counts.seqRepeated++;
    }
    if (peer && flags & ACK && !(flags & RST)) {
      counts.ackChecked++;
      if (difference(ack, peer.next) <= 0 && difference(ack, peer.first) >= 0) counts.ackValid++;
    }
    this.handshake(segment);
    this.advance(segment, own);
    if (this.closed) return;
    if (flags & RST) {
      counts.closedByRst++;
      this.closed = true;
    } else if (this.up?.fin && this.down?.fin) {
      counts.closedByFin++;
      this.closed = true;
    }
  }

  /** A SYN with a new number on a five-tuple that was in use is another connection. */
  private openAt(up: boolean, seq: number): void {
    if (this.syn !== undefined && this.syn !== seq) {
      this.counts.flows++;
      this.up = this.down = this.synAck = undefined;
      this.established = this.closed = false;
    } else if (this.syn === seq) return;
    this.syn = seq;
    this.counts.withSyn++;
    // What was seen before the SYN belongs to another connection.
    if (up) this.up = undefined;
    else this.down = undefined;
  }

  private handshake({ seq, ack, flags }: TcpSegment): void {
    if (this.syn === undefined || this.established) return;
    if (flags & SYN && flags & ACK) {
      if (this.synAck === undefined && difference(ack, this.syn) === 1) {
        this.counts.withSynAck++;
        this.synAck = seq;
      }
    } else if (this.synAck !== undefined && flags & ACK && !(flags & RST)) {
      if (difference(ack, this.synAck) === 1 && difference(seq, this.syn) === 1) {
        this.counts.handshakes++;
        this.established = true;
      }
    }
  }

  private advance({ up, seq, flags, payload }: TcpSegment, own: Direction | undefined): void {
    if (flags & RST) return;
    const length = (payload ?? 0) + (flags & SYN ? 1 : 0) + (flags & FIN ? 1 : 0);
    const end = (seq + length) >>> 0;
    const fin = (flags & FIN) !== 0;
    if (!own) {
      const direction = { first: seq, next: end, fin };
      if (up) this.up = direction;
      else this.down = direction;
      return;
    }
    const ahead = difference(end, own.next);
    // Far jumps are followed as well: judging all that comes after them by the old number would count one error often.
    if (ahead > 0 || ahead < -(2 ** 20)) own.next = end;
    own.fin ||= fin;
  }
}

/** a - b modulo 2^32, as a signed number. */
function difference(a: number, b: number): number {
  return (a - b) | 0;
}
