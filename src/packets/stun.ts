import { fromHex, toHex } from './bytes';
import { getBits, readFields, writeFields } from './fields';
import type { Decoded, Protocol } from './protocol';

// RFC 8489, section 5. Recognised by its magic cookie on any port; attributes are payload.
//
//   0                   1                   2                   3
//   +---+---------------------------+-------------------------------+
//  0|0 0|       message type        |      length after byte 20     |
//   +---+---------------------------+-------------------------------+
//  4|                  magic cookie 0x2112a442                      |
//   +---------------------------------------------------------------+
//  8|                  transaction id, 12 bytes
//   +---------------------------------------------------------------+

export const STUN_FIELDS = {
  messageType: { bit: 0, bits: 16 },
  length: { bit: 16, bits: 16 },
  magicCookie: { bit: 32, bits: 32 },
} as const;

const STUN_HEADER_BYTES = 20;
const MAGIC_COOKIE = 0x2112a442;

export interface StunFields {
  /** 1 binding request, 0x101 its success response ... */
  messageType: number;
  /** Of the attributes, in bytes. */
  length: number;
  magicCookie: number;
  /** In hexadecimal. */
  transactionId: string;
}

export const stunProtocol: Protocol<'stun', StunFields> = {
  name: 'stun',
  under: [],
  recognisedIn: ['udp'],

  accepts(bytes, offset, end): boolean {
    if (bytes[offset] >= 0x40 || end - offset < STUN_HEADER_BYTES) return false;
    if (getBits(bytes, offset, STUN_FIELDS.magicCookie) !== MAGIC_COOKIE) return false;
    return (bytes[offset + 3] & 3) === 0;
  },

  decode({ bytes, offset }): Decoded<StunFields> {
    const transactionId = toHex(bytes, offset + 8, offset + STUN_HEADER_BYTES);
    return {
      fields: { ...readFields(bytes, offset, STUN_FIELDS), transactionId },
      length: STUN_HEADER_BYTES,
    };
  },

  encode(fields, payload): Uint8Array {
    const { transactionId = '', ...numbers } = fields;
    const out = new Uint8Array(STUN_HEADER_BYTES + payload.length);
    const usual = { messageType: 1, length: payload.length, magicCookie: MAGIC_COOKIE };
    writeFields(out, 0, STUN_FIELDS, numbers, usual);
    out.set(fromHex(transactionId).subarray(0, 12), 8);
    out.set(payload, STUN_HEADER_BYTES);
    return out;
  },

  describe({ messageType }): string {
    // The class is two bits within the number (RFC 8489, figure 3).
    const kind = CLASSES[((messageType >> 4) & 1) | ((messageType >> 7) & 2)];
    const method = (messageType & 0x0f) | ((messageType & 0xe0) >> 1) | ((messageType & 0x3e00) >> 2);
    return `STUN ${METHODS[method] ?? `method ${method}`} ${kind}`;
  },
};

const CLASSES = ['request', 'indication', 'success response', 'error response'];
const METHODS: Record<number, string> = {
  1: 'binding',
  3: 'allocate',
  4: 'refresh',
  6: 'send',
  7: 'data',
  8: 'create permission',
  9: 'channel bind',
};
