import { EtherType } from './ethernet';
import { readFields, writeFields } from './fields';
import type { Decoded, Protocol } from './protocol';

// RFC 2516, section 4. A session carries PPP; the tags of discovery are payload.
//
//   0                   1                   2                   3
//   +-------+-------+---------------+-------------------------------+
//  0|version| type  |     code      |            session            |
//   +-------+-------+---------------+-------------------------------+
//  4|            length             |
//   +-------------------------------+

export const PPPOE_FIELDS = {
  version: { bit: 0, bits: 4 },
  type: { bit: 4, bits: 4 },
  code: { bit: 8, bits: 8 },
  sessionId: { bit: 16, bits: 16 },
  length: { bit: 32, bits: 16 },
} as const;

const PPPOE_HEADER_BYTES = 6;

export interface PppoeFields {
  version: number;
  type: number;
  /** 0 session, 9 PADI, 7 PADO, 0x19 PADR, 0x65 PADS, 0xa7 PADT. */
  code: number;
  sessionId: number;
  /** Of what follows, in bytes. */
  length: number;
}

export const pppoeProtocol: Protocol<'pppoe', PppoeFields> = {
  name: 'pppoe',
  under: [
    ['ethernet', EtherType.PPPOE_SESSION],
    ['ethernet', EtherType.PPPOE_DISCOVERY],
    ['link', 51],
  ],

  decode({ bytes, offset, end, wireEnd, problem }): Decoded<PppoeFields> | undefined {
    if (end - offset < PPPOE_HEADER_BYTES) {
      problem('pppoe_truncated', offset, `${end - offset} of 6 header bytes`);
      return undefined;
    }
    const fields = readFields(bytes, offset, PPPOE_FIELDS);
    const length = PPPOE_HEADER_BYTES;
    const next = fields.code === 0 && fields.length > 0 ? 0 : undefined;
    const ownEnd = offset + length + fields.length;
    if (ownEnd > wireEnd) {
      const room = wireEnd - offset - length;
      problem('pppoe_beyond_packet', offset + 4, `length ${fields.length} where ${room} bytes were sent`);
      return { fields, length, next, whole: false };
    }
    return { fields, length, next, wireEnd: ownEnd };
  },

  encode(fields, payload): Uint8Array {
    const out = new Uint8Array(PPPOE_HEADER_BYTES + payload.length);
    writeFields(out, 0, PPPOE_FIELDS, fields, { version: 1, type: 1, length: payload.length });
    out.set(payload, PPPOE_HEADER_BYTES);
    return out;
  },

  describe({ code, sessionId }): string {
    return `PPPoE ${CODES[code] ?? `code 0x${code.toString(16)}`}, session 0x${sessionId.toString(16)}`;
  },
};

const CODES: Record<number, string> = {
  0: 'session',
  7: 'PADO',
  9: 'PADI',
  0x19: 'PADR',
  0x65: 'PADS',
  0xa7: 'PADT',
};
