import { ACK_CODE_SHIFT, LENGTH_CODE, SEQ, WINDOW } from './field';
import type { Field } from './field';
import { unzigzag, zigzag } from './numbers';
import { OPTION_FIELDS } from './optionFields';
import { ACK, FIN, SYN } from './packetFields';
import { MAX_QUEUE } from './state';

/** A number of four bytes follows, where a difference would be. */
const VERBATIM = 249;

/** Length codes: L = 0, the greatest L so far, u16, the last L that was not 0. */
const enum LengthCode {
  None = 0,
  Greatest = 1,
  Given = 2,
  Last = 3,
}

/** Ack codes: same as the last, everything the peer has sent, one of its unacknowledged ends, explicit. */
const enum AckCode {
  Same = 0,
  Everything = 1,
  Queue = 2,
  Given = 3,
}

const length: Field = {
  name: 'length',
  code: ({ p, own }) =>
    p.length === 0
      ? LengthCode.None
      : p.length === own.maxLength
        ? LengthCode.Greatest
        : p.length === own.lastLength
          ? LengthCode.Last
          : LengthCode.Given,
  present: (c) => (c.mask & LENGTH_CODE) === (LengthCode.Given as number),
  write: (c, out) => out.u16(c.p.length),
  read: (c, from) => {
    c.p.length = from.u16();
  },
  assume: (c, from) => {
    const code = c.mask & LENGTH_CODE;
    if (code === (LengthCode.None as number)) {
      c.p.length = 0;
      return;
    }
    c.p.length = code === (LengthCode.Greatest as number) ? c.own.maxLength : c.own.lastLength;
    if (c.p.length === 0)
      from.refuse('length_unknown', `length code ${code}: this direction has sent no payload`);
  },
  update: ({ p, own }) => {
    if (p.length === 0) return;
    own.lastLength = p.length;
    if (p.length > own.maxLength) own.maxLength = p.length;
  },
};

const seq: Field = {
  name: 'sequence number',
  predict: (c) => {
    const { p, own, peer } = c;
    c.hasExpectedSeq = true;
    if (p.flags & SYN) {
      c.hasExpectedSeq = own.hasMax;
      c.expectedSeq = own.lastSeq;
    } else if (own.hasMax) c.expectedSeq = own.max;
    else if (peer.hasAck) c.expectedSeq = peer.lastAck;
    else c.hasExpectedSeq = false;
  },
  code: (c) => (c.hasExpectedSeq && c.p.seq === c.expectedSeq ? 0 : SEQ),
  present: (c) => (c.mask & SEQ) !== 0,
  write: (c, out) => {
    const { p, own, peer } = c;
    if (p.flags & SYN || !c.hasExpectedSeq) {
      out.u8(VERBATIM);
      out.u32(p.seq);
    } else if (own.hasMax && p.seq === own.lastEnd) out.v(0);
    else if (peer.hasAck && p.seq === peer.lastAck) out.v(1);
    else out.v(2 + zigzag((p.seq - c.expectedSeq) | 0));
  },
  read: (c, from) => {
    const { p, own, peer } = c;
    if (from.peek() === VERBATIM) {
      from.u8();
      p.seq = from.u32();
      return;
    }
    const k = from.v();
    const unknown = k === 0 ? !own.hasMax : k === 1 ? !peer.hasAck : !c.hasExpectedSeq;
    if (unknown) from.refuse('seq_unknown', 'a sequence number relative to one that is not known');
    p.seq = k === 0 ? own.lastEnd : k === 1 ? peer.lastAck : (c.expectedSeq + unzigzag(k - 2)) | 0;
  },
  assume: (c, from) => {
    if (!c.hasExpectedSeq)
      from.refuse('seq_unknown', 'the expected sequence number, but none is expected of this direction');
    c.p.seq = c.expectedSeq;
  },
  update: ({ p, own, peer }) => {
    const { flags } = p;
    // Another initial number on ports in use is another connection.
    if (flags & SYN && own.hasMax && p.seq !== own.lastSeq) {
      own.resetTcp();
      if (!(flags & ACK)) peer.resetTcp();
    }
    const end = (p.seq + p.length + (flags & SYN ? 1 : 0) + (flags & FIN ? 1 : 0)) | 0;
    if (!own.hasMax || ((end - own.max) | 0) > 0) {
      own.hasMax = true;
      own.max = end;
      if (own.queue.length === MAX_QUEUE) own.queue.shift();
      own.queue.push(end);
    }
    own.lastEnd = end;
    own.lastSeq = p.seq;
  },
};

const ack: Field = {
  name: 'acknowledgement number',
  code: ({ p, own, peer }) => {
    let code = AckCode.Given;
    if (!(p.flags & ACK)) code = p.ack === 0 ? AckCode.Same : AckCode.Given;
    else if (own.hasAck && p.ack === own.lastAck) code = AckCode.Same;
    else if (peer.hasMax && p.ack === peer.max) code = AckCode.Everything;
    else if (!(p.flags & SYN) && peer.queue.includes(p.ack)) code = AckCode.Queue;
    return code << ACK_CODE_SHIFT;
  },
  present: (c) => ((c.mask >> ACK_CODE_SHIFT) & 3) >= (AckCode.Queue as number),
  write: (c, out) => {
    const { p, own } = c;
    if (((c.mask >> ACK_CODE_SHIFT) & 3) === (AckCode.Queue as number)) out.u8(c.peer.queue.indexOf(p.ack));
    else if (!(p.flags & ACK) || !own.hasAck) {
      out.u8(VERBATIM);
      out.u32(p.ack);
    } else out.z((p.ack - own.lastAck) | 0);
  },
  read: (c, from) => {
    const { p, own, peer } = c;
    if (((c.mask >> ACK_CODE_SHIFT) & 3) === (AckCode.Queue as number)) {
      const index = from.u8();
      if (index < peer.queue.length) p.ack = peer.queue[index];
      else
        from.refuse('ack_queue', `entry ${index} of the peer's ${peer.queue.length} unacknowledged segments`);
    } else if (from.peek() === VERBATIM) {
      from.u8();
      p.ack = from.u32();
    } else {
      if (!own.hasAck)
        from.refuse('ack_unknown', 'a difference to an acknowledgement that is not known', from.at);
      p.ack = (own.lastAck + from.z()) | 0;
    }
  },
  assume: (c, from) => {
    const { p, own, peer } = c;
    if (((c.mask >> ACK_CODE_SHIFT) & 3) === (AckCode.Everything as number)) {
      if (!peer.hasMax)
        from.refuse('ack_unknown', 'everything is acknowledged, but the peer has sent nothing');
      p.ack = peer.max;
    } else if (!(p.flags & ACK)) {
      p.ack = 0;
    } else {
      if (!own.hasAck) from.refuse('ack_unknown', 'the same acknowledgement as before, but there is none');
      p.ack = own.lastAck;
    }
  },
  update: ({ p, own, peer }) => {
    if (!(p.flags & ACK)) return;
    own.hasAck = true;
    own.lastAck = p.ack;
    const { queue } = peer;
    let kept = 0;
    for (let i = 0; i < queue.length; i++) if (((queue[i] - p.ack) | 0) > 0) queue[kept++] = queue[i];
    if (kept < queue.length) queue.length = kept;
  },
};

const window: Field = {
  name: 'window',
  code: ({ p, own }) => (p.window === own.window ? 0 : WINDOW),
  present: (c) => (c.mask & WINDOW) !== 0,
  write: (c, out) => out.u16(c.p.window),
  read: (c, from) => {
    c.p.window = from.u16();
  },
  assume: (c) => {
    c.p.window = c.own.window;
  },
  update: ({ p, own }) => {
    own.window = p.window;
  },
};

export const TCP_FIELDS: readonly Field[] = [length, seq, ack, window, ...OPTION_FIELDS];
