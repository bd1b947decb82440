import { readFields, writeFields } from './fields';
import type { Decoded, Protocol } from './protocol';

// 3GPP TS 29.281, section 5.1: user packets of mobile networks in UDP.
//
//   0                   1                   2                   3
//   +-----+-+-+-+-+-+---------------+-------------------------------+
//  0| ver |T|r|E|S|N| message type  |      length after byte 8      |
//   +-----+-+-+-+-+-+---------------+-------------------------------+
//  4|                  tunnel endpoint identifier                   |
//   +-------------------------------+---------------+---------------+
//  8| sequence number (E, S or N)   |  N-PDU number |next extension |
//   +-------------------------------+---------------+---------------+
// 12|  extension headers ...

export const GTPU_FIELDS = {
  version: { bit: 0, bits: 3 },
  protocolType: { bit: 3, bits: 1 },
  reserved: { bit: 4, bits: 1 },
  extensionPresent: { bit: 5, bits: 1 },
  sequencePresent: { bit: 6, bits: 1 },
  npduPresent: { bit: 7, bits: 1 },
  messageType: { bit: 8, bits: 8 },
  length: { bit: 16, bits: 16 },
  tunnelEndpointIdentifier: { bit: 32, bits: 32 },
} as const;

export const GTPU_OPTIONAL_FIELDS = {
  sequenceNumber: { bit: 64, bits: 16 },
  npduNumber: { bit: 80, bits: 8 },
  nextExtension: { bit: 88, bits: 8 },
} as const;

const GTPU_FIXED_BYTES = 8;
const GTPU_OPTIONAL_BYTES = 12;
const USER_PACKET = 255;

export interface GtpuFields {
  version: number;
  /** 1: GTP, 0: GTP'. */
  protocolType: number;
  reserved: number;
  extensionPresent: number;
  sequencePresent: number;
  npduPresent: number;
  /** 255: a user's packet. */
  messageType: number;
  /** Of everything after the first eight bytes. */
  length: number;
  tunnelEndpointIdentifier: number;
  /** These three are there when any of the three flags is set. */
  sequenceNumber?: number;
  npduNumber?: number;
  nextExtension?: number;
  /** Extension headers, as they are. */
  extensions: Uint8Array;
}

export const gtpuProtocol: Protocol<'gtpu', GtpuFields> = {
  name: 'gtpu',
  under: [['udp', 2152]],

  accepts(bytes, offset, end): boolean {
    // Version 1, and all of the header there.
    return bytes[offset] >> 4 === 3 && headerLength(bytes, offset, end) !== undefined;
  },

  decode({ bytes, offset, end, wireEnd, problem }): Decoded<GtpuFields> | undefined {
    const headerBytes = headerLength(bytes, offset, end);
    if (headerBytes === undefined) return undefined;
    const fields: GtpuFields = {
      ...readFields(bytes, offset, GTPU_FIELDS),
      ...(headerBytes > GTPU_FIXED_BYTES ? readFields(bytes, offset, GTPU_OPTIONAL_FIELDS) : {}),
      extensions: bytes.subarray(offset + Math.min(GTPU_OPTIONAL_BYTES, headerBytes), offset + headerBytes),
    };
    const inside = offset + headerBytes;
    const ownEnd = offset + GTPU_FIXED_BYTES + fields.length;
    const version = inside < end && fields.messageType === USER_PACKET ? bytes[inside] >> 4 : undefined;
    const result = { fields, length: headerBytes, next: version, nextOf: 'ip' };
    if (ownEnd > wireEnd || ownEnd < inside) {
      const room = wireEnd - offset - GTPU_FIXED_BYTES;
      problem('gtpu_length', offset + 2, `length ${fields.length} where ${room} bytes were sent`);
      return result;
    }
    return { ...result, wireEnd: ownEnd };
  },

  encode(fields, payload): Uint8Array {
    const { sequenceNumber, npduNumber, nextExtension, extensions = new Uint8Array(0), ...numbers } = fields;
    const usual = {
      version: 1,
      protocolType: 1,
      extensionPresent: nextExtension ? 1 : 0,
      sequencePresent: sequenceNumber === undefined ? 0 : 1,
      npduPresent: npduNumber ? 1 : 0,
      messageType: USER_PACKET,
    };
    const head = new Uint8Array(GTPU_OPTIONAL_BYTES);
    writeFields(head, 0, GTPU_FIELDS, numbers, usual);
    writeFields(head, 0, GTPU_OPTIONAL_FIELDS, { sequenceNumber, npduNumber, nextExtension });
    const fixedBytes = head[0] & 7 ? GTPU_OPTIONAL_BYTES : GTPU_FIXED_BYTES;
    const out = new Uint8Array(fixedBytes + extensions.length + payload.length);
    out.set(head.subarray(0, fixedBytes));
    out.set(extensions, fixedBytes);
    out.set(payload, fixedBytes + extensions.length);
    const length = numbers.length ?? out.length - GTPU_FIXED_BYTES;
    out[2] = (length >>> 8) & 255;
    out[3] = length & 255;
    return out;
  },

  describe({ messageType, tunnelEndpointIdentifier: teid }): string {
    const what = messageType === USER_PACKET ? 'user packet' : `message ${messageType}`;
    return `GTP-U ${what}, teid 0x${teid.toString(16)}`;
  },
};

/** Length of the header with its extension headers; undefined where it is not all there. */
function headerLength(bytes: Uint8Array, offset: number, end: number): number | undefined {
  const here = end - offset;
  if (here < GTPU_FIXED_BYTES) return undefined;
  if ((bytes[offset] & 7) === 0) return GTPU_FIXED_BYTES;
  let length = GTPU_OPTIONAL_BYTES;
  if (here < length) return undefined;
  // The type of the next extension header is the last byte of each; its length counts words, all of it.
  const chained = (bytes[offset] & 4) !== 0;
  for (let next = chained ? bytes[offset + 11] : 0; next !== 0; next = bytes[offset + length - 1]) {
    const words = here > length ? bytes[offset + length] : 0;
    if (words === 0 || here < length + 4 * words) return undefined;
    length += 4 * words;
  }
  return length;
}
