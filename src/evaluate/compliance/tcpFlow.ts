import { TcpFlag } from '../../packets';
import { classifySegment, isDuplicateAck, segmentLength, type SegmentKind } from './analysis';
import type { TcpSegmentCounts } from './counts';
import type { Hit } from './hits';
import { seqDifference, seqPlus, Side, synOffer, type CheckedSegment } from './side';
import { checkAgreed } from './tcpAgreed';
import { flagText, hasConflictingFlags } from './tcpSegment';

const { SYN, FIN, RST, ACK } = TcpFlag;
/** Further off than this, and than any window seen, is no retransmission and no plausible loss. */
const FAR = 2 ** 20;
/** Segments by which two directions may be captured in the wrong order. */
const CAPTURE_REORDER = 2;
/** Segments of a flow that are its opening: the places of SYN, SYN-ACK and ACK. */
const OPENING = 3;

/** An acknowledgment of bytes that have not been seen yet. */
interface UnseenAck {
  ack: number;
  packet: number;
  segment: number;
}

/**
 * One connection, followed segment by segment as an onlooker can (RFC 9293, section 3.10.7): each segment is judged
 * by what its two sides have shown before. What was not seen is not judged: a flow that begins in the middle has no
 * initial numbers, no scale and no agreed options, and its first segment in each direction only says where it stands.
 */
export class TcpFlowCheck {
  readonly client: Side = new Side();
  readonly server: Side = new Side();
  segments = 0;
  /** Flags of all segments. */
  flagsSeen = 0;
  /** SYN, SYN-ACK, and the client's ACK of it. */
  established = false;
  lastMicros = 0;
  /** What was the last segment, for those who compare. */
  kind: SegmentKind = 'ack';

  private synMicros: number | undefined;
  private roundTripMicros = 0;
  private answered = false;
  private saidIncomplete = false;
  private readonly unseen: [UnseenAck[], UnseenAck[]] = [[], []];

  /** @param counts where segments are counted; may be changed between segments. */
  constructor(
    private readonly hit: Hit,
    public counts: TcpSegmentCounts,
  ) {}

  /** FINs of both sides, or a RST, have been sent. */
  get closed(): boolean {
    const { client, server } = this;
    return (
      client.resetSent || server.resetSent || (client.finEnd !== undefined && server.finEnd !== undefined)
    );
  }

  add(segment: CheckedSegment, fromClient: boolean): void {
    const { counts } = this;
    const own = fromClient ? this.client : this.server;
    const peer = fromClient ? this.server : this.client;
    const { flags } = segment;
    this.segments++;
    this.flagsSeen |= flags;
    counts.segments++;
    if (this.segments > OPENING) {
      if (flags & SYN) counts.synAfterOpening++;
      if (flags & FIN) counts.finAfterOpening++;
      if (flags & RST) counts.rstAfterOpening++;
    }
    if (hasConflictingFlags(flags)) counts.conflictingFlags++;
    this.kind = classifySegment(segment, own, peer, this.roundTripMicros);
    counts.kinds[this.kind]++;
    if (flags & RST) {
      counts.resets++;
      if (this.established && !this.closed) counts.resetsEstablished++;
    }
    this.countProgress(segment, own, peer);
    if (flags & SYN) this.checkSyn(segment, own, peer);
    else checkAgreed(segment, own, peer, this.kind, this.counts, this.hit);
    if (flags & RST) this.checkReset(segment, own, peer);
    else if (own.seen) this.checkSequence(segment, own, peer, fromClient);
    if (flags & ACK && !(flags & RST)) this.checkAck(segment, own, peer, fromClient);
    this.advance(segment, own, peer, fromClient);
    this.lastMicros = segment.tsMicros;
  }

  /** The connection is over: what was never sent after it was acknowledged is missing in the capture. */
  finish(): void {
    for (const list of this.unseen) for (const item of list.splice(0)) this.sayUnseen(item);
  }

  private checkSyn(segment: CheckedSegment, own: Side, peer: Side): void {
    const { hit } = this;
    const { sequenceNumber: seq, acknowledgmentNumber: ack, flags, payload } = segment;
    const again = own.syn !== undefined && own.syn.isn !== seq;
    if (this.established && !this.closed && (again || own.syn === undefined)) {
      hit('tcp-syn-established', () => `${flagText(flags)} ${seq} in an open connection`);
      this.counts.synEstablished++;
    } else if (again) {
      hit('tcp-isn-changed', () => `${flagText(flags)} ${seq} after ${own.syn!.isn}`);
    }
    if (flags & ACK && peer.syn) {
      const first = seqPlus(peer.syn.isn, 1);
      const beyond = seqDifference(ack, first);
      if (beyond < 0 || beyond > peer.syn.payload) {
        hit('tcp-syn-ack-number', () => `acknowledges ${ack} where the SYN makes it ${first}`);
      }
    }
    if (payload > 0 && !segment.options.some(({ kind }) => kind === 'fastOpen')) {
      hit('tcp-syn-data', () => `${payload} bytes in ${flagText(flags)}`);
    }
  }

  private checkReset(segment: CheckedSegment, own: Side, peer: Side): void {
    // A side that has sent nothing answers a SYN with RST, number 0.
    if (!own.seen) return;
    const { sequenceNumber: seq } = segment;
    const low = peer.maxAck ?? own.first;
    const below = seqDifference(seq, low);
    const beyond = seqDifference(seq, own.next);
    // In answer to a late segment, RST takes the number which that one acknowledged.
    const answers = peer.ack === seq || seq === own.first;
    if (!answers && (below < -own.maxWindow || beyond > Math.max(peer.maxWindow, FAR / 16))) {
      this.hit(
        'tcp-rst-sequence',
        () => `RST with ${seq}; the side is at ${own.next}, acknowledged up to ${low}`,
      );
    }
  }

  private checkSequence(segment: CheckedSegment, own: Side, peer: Side, fromClient: boolean): void {
    const { hit, kind } = this;
    const { sequenceNumber: seq, flags, payload } = segment;
    const ahead = seqDifference(seq, own.next);
    const far = Math.max(FAR, own.maxWindow, peer.maxWindow);
    if (Math.abs(ahead) > far && !(flags & SYN)) {
      hit('tcp-seq-outside', () => `sequence number ${seq}, ${ahead} from the end of what was sent`);
      return;
    }
    if (own.syn && !(flags & SYN) && kind !== 'keepAlive' && seqDifference(seq, own.syn.isn) <= 0) {
      hit('tcp-seq-before-isn', () => `sequence number ${seq}; the SYN's was ${own.syn!.isn}`);
    }
    if (kind === 'gap') hit('tcp-seq-gap', () => `${ahead} bytes before this segment are missing`);
    const end = seqPlus(seq, segmentLength(segment));
    if (own.finEnd !== undefined) {
      const beyond = seqDifference(seqPlus(seq, payload), seqPlus(own.finEnd, -1));
      if (payload > 0 && beyond > 0) {
        hit('tcp-data-after-fin', () => `${beyond} bytes beyond the FIN`);
        if (seqDifference(seq, own.finEnd) <= 0 && payload === 1) return;
      }
      if (flags & FIN && end !== own.finEnd)
        hit('tcp-fin-moved', () => `FIN ends at ${end}, not ${own.finEnd}`);
    }
    if (own.resetSent && (flags & SYN || seqDifference(end, own.next) > 0)) {
      hit('tcp-after-reset', () => `${flagText(flags)} of ${payload} bytes after RST`);
    }
    this.checkWindow(segment, own, peer);
    this.resolveUnseen(segment, own, fromClient);
    if (payload > 0 && !this.established && this.client.syn && !this.saidIncomplete && !(flags & SYN)) {
      this.saidIncomplete = true;
      if (!this.completes(segment, fromClient)) {
        hit('tcp-handshake-incomplete', () => 'data, and the handshake was not complete');
      }
    }
  }

  private checkWindow(segment: CheckedSegment, own: Side, peer: Side): void {
    if (this.kind !== 'new' || segment.flags & SYN || segment.payload === 0) return;
    if (!own.syn || !peer.syn?.complete || !own.syn.complete || peer.hole || peer.rightEdge === undefined)
      return;
    const beyond = seqDifference(seqPlus(segment.sequenceNumber, segment.payload), peer.rightEdge);
    if (beyond > 1) {
      this.hit('tcp-window-exceeded', () => `${beyond} bytes beyond what the peer's window allows`);
    }
  }

  /** Bytes that are sent after they were acknowledged, or passed over. */
  private resolveUnseen(
    { sequenceNumber: seq, payload, packet }: CheckedSegment,
    own: Side,
    fromClient: boolean,
  ): void {
    const list = this.unseen[fromClient ? 1 : 0];
    if (list.length === 0 || payload === 0) return;
    for (let i = list.length - 1; i >= 0; i--) {
      const item = list[i];
      if (seqDifference(seq, item.ack) >= 0) {
        list.splice(i, 1);
        this.sayUnseen(item);
      } else if (seq === own.next) {
        list.splice(i, 1);
        if (this.segments - item.segment <= CAPTURE_REORDER) this.sayUnseen(item);
        else {
          this.hit(
            'tcp-ack-unsent',
            () => `acknowledges ${item.ack}; packet ${packet} sends these bytes only later`,
            item.packet,
          );
        }
      }
    }
  }

  private sayUnseen({ ack, packet }: UnseenAck): void {
    this.hit('tcp-ack-unseen', () => `acknowledges ${ack}, which the capture does not show`, packet);
  }

  private checkAck(segment: CheckedSegment, own: Side, peer: Side, fromClient: boolean): void {
    if (!peer.seen) return;
    const { acknowledgmentNumber: ack } = segment;
    const ahead = seqDifference(ack, peer.next);
    const far = Math.max(FAR, own.maxWindow, peer.maxWindow);
    if (ahead > far) {
      this.hit('tcp-ack-unsent', () => `acknowledges ${ack}, ${ahead} bytes beyond what the peer has sent`);
    } else if (ahead > 0) {
      const list = this.unseen[fromClient ? 0 : 1];
      if (!list.some((item) => item.ack === ack)) {
        list.push({ ack, packet: segment.packet, segment: this.segments });
        if (list.length > 16) this.sayUnseen(list.shift()!);
      }
    } else {
      const back = own.maxAck === undefined ? 0 : seqDifference(own.maxAck, ack);
      const beforeFirst =
        peer.syn !== undefined && !(segment.flags & SYN) && seqDifference(ack, peer.syn.isn) <= 0;
      if (back > own.maxWindow || beforeFirst) {
        this.hit('tcp-ack-old', () =>
          beforeFirst
            ? `acknowledges ${ack}; the peer began at ${peer.syn!.isn}`
            : `acknowledges ${ack}, ${back} back`,
        );
      }
    }
  }

  /** The numbers of Table 4 and of the continuity measures. */
  private countProgress(
    { sequenceNumber, acknowledgmentNumber, flags }: CheckedSegment,
    own: Side,
    peer: Side,
  ): void {
    const { counts } = this;
    if (own.seen) {
      counts.seqChecked++;
      if (sequenceNumber === own.lastEnd) counts.seqContinuous++;
      const ahead = seqDifference(sequenceNumber, own.lastStart);
      if (ahead >= 0) counts.seqProgress++;
      if (ahead > 0) counts.seqAdvances++;
    }
    if (!(flags & ACK)) return;
    if (peer.seen) {
      counts.ackChecked++;
      if (acknowledgmentNumber === peer.lastEnd) counts.ackContinuous++;
    }
    if (own.ack !== undefined) {
      counts.ackRepeatable++;
      const ahead = seqDifference(acknowledgmentNumber, own.ack);
      if (ahead >= 0) counts.ackProgress++;
      if (ahead > 0) counts.ackAdvances++;
    }
  }

  /** Does this very segment complete the handshake? */
  private completes({ flags, acknowledgmentNumber }: CheckedSegment, fromClient: boolean): boolean {
    return (
      this.answered &&
      fromClient &&
      (flags & ACK) !== 0 &&
      seqDifference(acknowledgmentNumber, seqPlus(this.server.syn!.isn, 1)) >= 0
    );
  }

  /** Takes the segment into the sides' state. */
  private advance(segment: CheckedSegment, own: Side, peer: Side, fromClient: boolean): void {
    const { flags, sequenceNumber: seq, acknowledgmentNumber: ack, tsMicros } = segment;
    const length = segment.payload + (flags & SYN ? 1 : 0) + (flags & FIN ? 1 : 0);
    const end = seqPlus(seq, length);
    own.lastStart = seq;
    own.lastEnd = end;
    if (flags & SYN) {
      if (!own.syn || !this.established) own.syn = synOffer(segment);
      if (fromClient && !(flags & ACK)) this.synMicros ??= tsMicros;
      else if (!fromClient && this.client.syn) {
        this.answered ||= flags & ACK ? seqDifference(ack, this.client.syn.isn) > 0 : false;
      }
    } else if (!this.established && !(flags & RST) && this.completes(segment, fromClient)) {
      this.established = true;
      if (this.synMicros !== undefined) this.roundTripMicros = tsMicros - this.synMicros;
    }
    if (flags & RST) {
      // One that answers a segment of an older connection leaves this one as it is (RFC 9293, section 3.10.7.3).
      if (!own.seen || Math.abs(seqDifference(seq, own.next)) <= Math.max(FAR, peer.maxWindow)) {
        own.resetSent = true;
      }
      return;
    }
    this.advanceSequence(segment, own, peer, end, length);
    if (flags & FIN) own.finEnd ??= end;
    if (flags & ACK) this.advanceAck(segment, own, peer);
    const option = segment.options.find((each) => each.kind === 'timestamps');
    if (option && (own.timestamp === undefined || seqDifference(option.value, own.timestamp) > 0)) {
      own.timestamp = option.value;
    }
  }

  private advanceSequence(segment: CheckedSegment, own: Side, peer: Side, end: number, length: number): void {
    const { flags, sequenceNumber: seq, tsMicros } = segment;
    if (!own.seen || (flags & SYN && Math.abs(seqDifference(seq, own.next)) > FAR)) {
      own.seen = true;
      own.first = seq;
      own.next = end;
      own.nextMicros = tsMicros;
    } else {
      const far = Math.max(FAR, own.maxWindow, peer.maxWindow);
      if (Math.abs(seqDifference(seq, own.next)) > far) {
        const goesOn = own.strayEnd === seq;
        own.strayEnd = end;
        if (!goesOn) return;
        // The second in a row: the capture has lost what lies between.
        own.next = end;
        own.nextMicros = tsMicros;
        own.hole = true;
      } else if (seqDifference(end, own.next) > 0) {
        if (this.kind === 'gap') own.hole = true;
        own.next = end;
        own.nextMicros = tsMicros;
      }
    }
    if (length > 0) own.sent(seq, end);
  }

  private advanceAck(segment: CheckedSegment, own: Side, peer: Side): void {
    const { acknowledgmentNumber: ack, window, flags, tsMicros } = segment;
    if (isDuplicateAck(segment, own)) {
      own.duplicateAcks++;
      this.counts.duplicateAcks++;
    } else if (ack !== own.ack) own.duplicateAcks = 0;
    if (window === 0 && !(flags & (SYN | FIN | RST))) this.counts.zeroWindows++;
    own.ack = ack;
    own.ackMicros = tsMicros;
    own.window = window;
    // The window of a SYN is never scaled; without the peer's option no window is.
    const scaled = !(flags & SYN) && own.syn?.scale !== undefined && peer.syn?.scale !== undefined;
    // Of a connection met in the middle the scale is not known, and the largest is allowed for.
    const unknown = !own.syn?.complete || !peer.syn?.complete;
    const bytes = scaled
      ? window * 2 ** own.syn!.scale!
      : unknown && !(flags & SYN)
        ? window * 2 ** 14
        : window;
    own.maxWindow = Math.max(own.maxWindow, bytes);
    if (seqDifference(ack, peer.next) <= Math.max(FAR, own.maxWindow)) {
      if (own.maxAck === undefined || seqDifference(ack, own.maxAck) > 0) own.maxAck = ack;
      const edge = seqPlus(ack, bytes);
      if (own.rightEdge === undefined || seqDifference(edge, own.rightEdge) > 0) own.rightEdge = edge;
    }
    peer.acknowledged(ack);
    if (peer.finEnd !== undefined && seqDifference(ack, peer.finEnd) >= 0) peer.finAcknowledged = true;
  }
}
