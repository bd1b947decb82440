import { readFields, setBits, writeFields } from './fields';
import type { Decoded, Protocol } from './protocol';
import { IpProtocol } from './pseudoHeader';

// RFC 9260, section 3.1: the common header; chunks are payload.
//
//   0                   1                   2                   3
//   +-------------------------------+-------------------------------+
//  0|          source port          |       destination port        |
//   +-------------------------------+-------------------------------+
//  4|                       verification tag                        |
//   +---------------------------------------------------------------+
//  8|         checksum (CRC32c; Adler-32 in RFC 2960)               |
//   +---------------------------------------------------------------+

export const SCTP_FIELDS = {
  sourcePort: { bit: 0, bits: 16 },
  destinationPort: { bit: 16, bits: 16 },
  verificationTag: { bit: 32, bits: 32 },
  checksum: { bit: 64, bits: 32 },
} as const;

export const SCTP_HEADER_BYTES = 12;

export interface SctpFields {
  sourcePort: number;
  destinationPort: number;
  verificationTag: number;
  /** As the four bytes stand, first byte highest. */
  checksum: number;
}

export const sctpProtocol: Protocol<'sctp', SctpFields> = {
  name: 'sctp',
  under: [
    ['ipv4', IpProtocol.SCTP],
    ['ipv6', IpProtocol.SCTP],
    ['link', 248],
  ],

  decode({ bytes, offset, end, complete, problem }): Decoded<SctpFields> | undefined {
    if (end - offset < SCTP_HEADER_BYTES) {
      problem('sctp_truncated', offset, `${end - offset} of 12 header bytes`);
      return undefined;
    }
    const fields = readFields(bytes, offset, SCTP_FIELDS);
    if (complete && !isRight(fields.checksum, bytes, offset, end)) {
      problem('sctp_checksum_wrong', offset + 8, `checksum 0x${fields.checksum.toString(16)} is wrong`);
    }
    return { fields, length: SCTP_HEADER_BYTES };
  },

  encode(fields, payload): Uint8Array {
    const out = new Uint8Array(SCTP_HEADER_BYTES + payload.length);
    writeFields(out, 0, SCTP_FIELDS, { ...fields, checksum: 0 });
    out.set(payload, SCTP_HEADER_BYTES);
    setBits(out, 0, SCTP_FIELDS.checksum, fields.checksum ?? sctpChecksum(out, 0, out.length));
    return out;
  },

  describe({ sourcePort, destinationPort, verificationTag }): string {
    return `SCTP ${sourcePort} > ${destinationPort}, tag 0x${verificationTag.toString(16)}`;
  },
};

/** CRC32c, or the Adler-32 of RFC 2960 that came before it (RFC 3309). */
function isRight(checksum: number, bytes: Uint8Array, start: number, end: number): boolean {
  return sctpChecksum(bytes, start, end) === checksum || adler32(bytes, start, end) === checksum;
}

/** RFC 1950, section 9, with the checksum's own four bytes as zeros. */
function adler32(bytes: Uint8Array, start: number, end: number): number {
  let a = 1;
  let b = 0;
  for (let i = start; i < end; i++) {
    if (i < start + 8 || i >= start + 12) a = (a + bytes[i]) % 65521;
    b = (b + a) % 65521;
  }
  return b * 65536 + a;
}

/** CRC32c (RFC 9260, appendix A) with the checksum's own four bytes as zeros, its bytes in the order of the header. */
function sctpChecksum(bytes: Uint8Array, start: number, end: number): number {
  let crc = 0xffffffff;
  for (let i = start; i < end; i++) {
    const byte = i >= start + 8 && i < start + 12 ? 0 : bytes[i];
    crc = CRC32C[(crc ^ byte) & 255] ^ (crc >>> 8);
  }
  crc = ~crc;
  return ((crc << 24) | ((crc & 0xff00) << 8) | ((crc >>> 8) & 0xff00) | (crc >>> 24)) >>> 0;
}

/** The reflected polynomial 0x1edc6f41, byte by byte. */
const CRC32C = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});
