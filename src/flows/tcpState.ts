import { TcpFlag } from '../packets';

/** What part of a connection's life a packet belongs to. */
export type TcpPhase = 'handshake' | 'data' | 'teardown';

/** How a connection ended, as far as it was seen. */
export type TcpClose = 'fin' | 'rst' | 'none';

/** The parts of a TCP header that its state needs. */
export interface TcpSegment {
  readonly flags: number;
  readonly sequenceNumber: number;
  readonly acknowledgmentNumber: number;
  /** Bytes of payload on the wire. */
  readonly length: number;
}

/**
 * Follows one connection (RFC 9293, section 3.5) as an onlooker who may have missed packets: it says what was
 * seen and refuses nothing. Complete handshake: SYN, the SYN-ACK that acknowledges it, and an ACK of that from
 * the side of the SYN.
 */
export class TcpTracker {
  /** Initial sequence numbers, where the SYN was seen. */
  clientIsn?: number;
  serverIsn?: number;
  /** SYN, SYN-ACK and the client's ACK have all been seen. */
  handshake = false;

  /** A SYN-ACK has acknowledged the client's SYN. */
  private answered = false;
  private finClient?: number;
  private finServer?: number;
  private finClientAcked = false;
  private finServerAcked = false;
  private reset = false;
  private dataSeen = false;

  /**
   * Takes the next packet.
   *
   * @param fromClient sent by the side that opened the connection.
   * @returns the phase that the packet belongs to.
   */
  add(segment: TcpSegment, fromClient: boolean): TcpPhase {
    const { flags } = segment;
    const closing = this.closing;
    if (flags & TcpFlag.RST) {
      this.reset = true;
      return 'teardown';
    }
    if (flags & TcpFlag.SYN) {
      this.addSyn(segment, fromClient);
      return 'handshake';
    }
    const wasOpen = this.handshake;
    if (flags & TcpFlag.ACK) this.addAck(segment, fromClient);
    if (flags & TcpFlag.FIN) {
      const end = (segment.sequenceNumber + segment.length + 1) >>> 0;
      if (fromClient) this.finClient ??= end;
      else this.finServer ??= end;
      return 'teardown';
    }
    if (segment.length > 0) {
      this.dataSeen = true;
      return 'data';
    }
    if (closing) return 'teardown';
    const opening = !wasOpen && this.clientIsn !== undefined && !this.dataSeen;
    return opening ? 'handshake' : 'data';
  }

  /** `fin`: both sides sent theirs. `rst`: either side reset the connection before that. */
  get closed(): TcpClose {
    if (this.finClient !== undefined && this.finServer !== undefined) return 'fin';
    return this.reset ? 'rst' : 'none';
  }

  /** Both FINs were seen and acknowledged, or a RST: only a new connection can follow. */
  get finished(): boolean {
    return this.reset || (this.finClientAcked && this.finServerAcked);
  }

  /** Would this SYN (without ACK) be another connection's, rather than a repetition of this one's? */
  isNewConnection(segment: TcpSegment, fromClient: boolean): boolean {
    if ((segment.flags & (TcpFlag.SYN | TcpFlag.ACK | TcpFlag.RST)) !== TcpFlag.SYN) return false;
    const isn = fromClient ? this.clientIsn : this.serverIsn;
    if (isn !== undefined) return segment.sequenceNumber !== isn;
    // The other side's SYN is a simultaneous open while the handshake lasts; a flow met in the middle is older.
    return fromClient || this.handshake || this.finished || this.clientIsn === undefined;
  }

  private get closing(): boolean {
    return this.reset || this.finClient !== undefined || this.finServer !== undefined;
  }

  private addSyn(segment: TcpSegment, fromClient: boolean): void {
    if (fromClient) this.clientIsn ??= segment.sequenceNumber;
    else {
      this.serverIsn ??= segment.sequenceNumber;
      const { clientIsn } = this;
      const answers = (segment.flags & TcpFlag.ACK) !== 0 && clientIsn !== undefined;
      if (answers && notBefore(segment.acknowledgmentNumber, clientIsn + 1)) this.answered = true;
    }
  }

  private addAck(segment: TcpSegment, fromClient: boolean): void {
    if (fromClient && this.answered && notBefore(segment.acknowledgmentNumber, this.serverIsn! + 1)) {
      this.handshake = true;
    }
    if (fromClient && this.finServer !== undefined) {
      this.finServerAcked ||= notBefore(segment.acknowledgmentNumber, this.finServer);
    }
    if (!fromClient && this.finClient !== undefined) {
      this.finClientAcked ||= notBefore(segment.acknowledgmentNumber, this.finClient);
    }
  }
}

/** a >= b for sequence numbers, which wrap around (RFC 9293, section 3.4). */
export function notBefore(a: number, b: number): boolean {
  return ((a - b) | 0) >= 0;
}
