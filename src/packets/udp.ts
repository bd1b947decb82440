import { internetChecksum } from './checksum';
import { getBits, setBits } from './fields';
import type { Decoded, Protocol } from './protocol';
import { IpProtocol, nearestIpLayer, pseudoHeaderSum, pseudoHeaderSumOf } from './pseudoHeader';
import { keyOf } from './registry';

// RFC 768.
//
//   0                   1                   2                   3
//   +-------------------------------+-------------------------------+
//  0|          source port          |       destination port        |
//   +-------------------------------+-------------------------------+
//  4|            length             |           checksum            |
//   +-------------------------------+-------------------------------+

export const UDP_FIELDS = {
  sourcePort: { bit: 0, bits: 16 },
  destinationPort: { bit: 16, bits: 16 },
  length: { bit: 32, bits: 16 },
  checksum: { bit: 48, bits: 16 },
} as const;

export const UDP_HEADER_BYTES = 8;

export interface UdpFields {
  sourcePort: number;
  destinationPort: number;
  /** Header and data, in bytes. */
  length: number;
  /** 0: the sender made none. */
  checksum: number;
}

export const udpProtocol: Protocol<'udp', UdpFields> = {
  name: 'udp',
  under: [
    ['ipv4', IpProtocol.UDP],
    ['ipv6', IpProtocol.UDP],
  ],

  decode({ bytes, offset, end, wireEnd, complete, outer, problem }): Decoded<UdpFields> | undefined {
    if (end - offset < UDP_HEADER_BYTES) {
      problem('udp_truncated', offset, `${end - offset} of 8 header bytes`);
      return undefined;
    }
    const fields: UdpFields = {
      sourcePort: getBits(bytes, offset, UDP_FIELDS.sourcePort),
      destinationPort: getBits(bytes, offset, UDP_FIELDS.destinationPort),
      length: getBits(bytes, offset, UDP_FIELDS.length),
      checksum: getBits(bytes, offset, UDP_FIELDS.checksum),
    };
    const { sourcePort: otherwise, destinationPort: next } = fields;
    // 0 is allowed for jumbo payloads (RFC 2675).
    if (fields.length < UDP_HEADER_BYTES) {
      if (fields.length > 0)
        problem('udp_length', offset + 4, `a length of ${fields.length}; the least is 8`);
      return { fields, length: UDP_HEADER_BYTES, next, otherwise };
    }
    const ownEnd = offset + fields.length;
    // The first fragment of a datagram rightly claims more than it carries.
    const cut = !complete && ownEnd > end;
    if (ownEnd > wireEnd && !cut) {
      problem(
        'udp_beyond_packet',
        offset + 4,
        `length ${fields.length} where ${wireEnd - offset} bytes were sent`,
      );
      return { fields, length: UDP_HEADER_BYTES, next, otherwise };
    }
    if (complete && fields.checksum !== 0 && ownEnd <= end) {
      const sum = pseudoHeaderSum(bytes, nearestIpLayer(outer), IpProtocol.UDP, fields.length);
      if (sum !== undefined && internetChecksum(bytes, offset, ownEnd, sum) !== 0) {
        problem('udp_checksum_wrong', offset + 6, `checksum 0x${fields.checksum.toString(16)} is wrong`);
      }
    }
    return { fields, length: UDP_HEADER_BYTES, next, otherwise, wireEnd: Math.min(ownEnd, wireEnd) };
  },

  encode(fields, payload, { ip, inner }): Uint8Array {
    const out = new Uint8Array(UDP_HEADER_BYTES + payload.length);
    const length = fields.length ?? out.length;
    setBits(out, 0, UDP_FIELDS.sourcePort, fields.sourcePort ?? 0);
    setBits(out, 0, UDP_FIELDS.destinationPort, fields.destinationPort ?? keyOf('udp', inner?.protocol) ?? 0);
    setBits(out, 0, UDP_FIELDS.length, length);
    out.set(payload, UDP_HEADER_BYTES);
    let checksum = fields.checksum;
    if (checksum === undefined) {
      const sum = pseudoHeaderSumOf(ip, IpProtocol.UDP, length);
      // A sum of 0 is sent as all ones, for 0 says that there is none.
      checksum = sum === undefined ? 0 : internetChecksum(out, 0, out.length, sum) || 0xffff;
    }
    setBits(out, 0, UDP_FIELDS.checksum, checksum);
    return out;
  },

  describe({ sourcePort, destinationPort, length }): string {
    return `${sourcePort} > ${destinationPort}, length ${length}`;
  },
};
