import type { Context } from './context';
import { PAYLOAD_ABSENT, PAYLOAD_CHANGES, PAYLOAD_VERBATIM, UDP_LENGTH } from './field';
import type { Field } from './field';
import { UDP_PAYLOAD } from './packetFields';
import type { Direction } from './state';

const length: Field = {
  name: 'length',
  code: ({ p, own }) => (own.payload && p.length === own.lastLength ? 0 : UDP_LENGTH),
  present: (c) => (c.mask & UDP_LENGTH) !== 0,
  write: (c, out) => out.u16(c.p.length),
  read: (c, from) => {
    c.p.length = from.u16();
  },
  assume: ({ p, own }, from) => {
    if (!own.payload)
      from.refuse('length_unknown', 'the same length as before, but this direction has sent nothing');
    p.length = own.lastLength;
  },
  update: ({ p, own }) => {
    own.lastLength = p.length;
  },
};

/** Whose payload bytes a packet's are compared with: its own direction's, else the peer's. */
function reference({ own, peer }: Context): Direction | undefined {
  return own.payload ? own : peer.payload ? peer : undefined;
}

function sameAsReference(c: Context, ref: Direction): boolean {
  const { p } = c;
  if (ref.payloadLength !== p.payloadLength) return false;
  for (let i = 0; i < p.payloadLength; i++) if (p.payload[i] !== ref.payload![i]) return false;
  return true;
}

/** A byte of the reference, which goes on with zeros. */
const referenceByte = (ref: Direction, i: number) => (i < ref.payloadLength ? ref.payload![i] : 0);

const payload: Field = {
  name: 'payload bytes',
  code: (c) => {
    if (c.p.payloadLength === 0 && c.p.length > 0) return PAYLOAD_ABSENT;
    const ref = reference(c);
    if (!ref) return PAYLOAD_VERBATIM;
    return sameAsReference(c, ref) ? 0 : PAYLOAD_CHANGES;
  },
  present: (c) => {
    const how = c.mask & PAYLOAD_ABSENT;
    return how === PAYLOAD_CHANGES || how === PAYLOAD_VERBATIM;
  },
  write: (c, out) => {
    const { p } = c;
    const n = p.payloadLength;
    if (c.mask & PAYLOAD_VERBATIM) {
      out.bytes(p.payload, 0, n);
      return;
    }
    const ref = reference(c)!;
    let differs = 0;
    for (let i = 0; i < n; i++) if (p.payload[i] !== referenceByte(ref, i)) differs |= 1 << i;
    for (let i = 0; i < n; i += 8) out.u8((differs >> i) & 255);
    for (let i = 0; i < n; i++) if (differs & (1 << i)) out.u8((p.payload[i] - referenceByte(ref, i)) & 255);
  },
  read: (c, from) => {
    const { p } = c;
    const n = Math.min(UDP_PAYLOAD, p.length);
    p.payloadLength = n;
    if (c.mask & PAYLOAD_VERBATIM) {
      for (let i = 0; i < n; i++) p.payload[i] = from.u8();
      return;
    }
    const ref = reference(c);
    if (!ref) {
      from.refuse('payload_reference', 'differences to payload bytes that are not known', from.at);
      return;
    }
    let differs = 0;
    for (let i = 0; i < n; i += 8) differs |= from.u8() << i;
    if (differs >> n !== 0) from.refuse('payload_mask', `a difference beyond the ${n} bytes of payload`);
    for (let i = 0; i < n; i++) {
      const step = differs & (1 << i) ? from.u8() : 0;
      p.payload[i] = (referenceByte(ref, i) + step) & 255;
    }
  },
  assume: (c, from) => {
    const { p } = c;
    if ((c.mask & PAYLOAD_ABSENT) === PAYLOAD_ABSENT) {
      if (p.length === 0)
        from.refuse('payload_absent', 'payload that was not captured, but the packet has none');
      p.payloadLength = 0;
      return;
    }
    const n = Math.min(UDP_PAYLOAD, p.length);
    const ref = reference(c);
    if (!ref || ref.payloadLength !== n) {
      from.refuse(
        'payload_reference',
        ref
          ? `the same payload bytes as before, but those are ${ref.payloadLength} instead of ${n}`
          : 'the same payload bytes as before, but there are none',
      );
      return;
    }
    p.payloadLength = n;
    for (let i = 0; i < n; i++) p.payload[i] = ref.payload![i];
  },
  update: ({ p, own }) => {
    own.payload ??= new Uint8Array(UDP_PAYLOAD);
    own.payloadLength = p.payloadLength;
    for (let i = 0; i < p.payloadLength; i++) own.payload[i] = p.payload[i];
  },
};

export const UDP_FIELDS: readonly Field[] = [length, payload];
