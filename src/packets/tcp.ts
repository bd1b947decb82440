import { internetChecksum } from './checksum';
import { getBits, setBits } from './fields';
import type { Decoded, Protocol } from './protocol';
import { IpProtocol, nearestIpLayer, pseudoHeaderSum, pseudoHeaderSumOf } from './pseudoHeader';
import { decodeTcpOptions, describeTcpOptions, encodeTcpOptions, type TcpOption } from './tcpOptions';

// RFC 9293, section 3.1.
//
//   0                   1                   2                   3
//   +-------------------------------+-------------------------------+
//  0|          source port          |       destination port        |
//   +-------------------------------+-------------------------------+
//  4|                        sequence number                        |
//   +---------------------------------------------------------------+
//  8|                     acknowledgment number                     |
//   +-------+-------+---------------+-------------------------------+
// 12| offset| rsrvd |CEUAPRSF flags |            window             |
//   +-------+-------+---------------+-------------------------------+
// 16|           checksum            |        urgent pointer         |
//   +-------------------------------+-------------------------------+
// 20|            options, padded to a multiple of 4 ...             |
//   +---------------------------------------------------------------+

export const TCP_FIELDS = {
  sourcePort: { bit: 0, bits: 16 },
  destinationPort: { bit: 16, bits: 16 },
  sequenceNumber: { bit: 32, bits: 32 },
  acknowledgmentNumber: { bit: 64, bits: 32 },
  dataOffset: { bit: 96, bits: 4 },
  reserved: { bit: 100, bits: 4 },
  flags: { bit: 104, bits: 8 },
  window: { bit: 112, bits: 16 },
  checksum: { bit: 128, bits: 16 },
  urgentPointer: { bit: 144, bits: 16 },
} as const;

export const TCP_MIN_HEADER_BYTES = 20;

/** Bits of `flags`. */
export const TcpFlag = {
  FIN: 0x01,
  SYN: 0x02,
  RST: 0x04,
  PSH: 0x08,
  ACK: 0x10,
  URG: 0x20,
  ECE: 0x40,
  CWR: 0x80,
} as const;

export interface TcpFields {
  sourcePort: number;
  destinationPort: number;
  sequenceNumber: number;
  acknowledgmentNumber: number;
  /** Header length in 32-bit words: 5 without options. */
  dataOffset: number;
  /** Four bits; the lowest is AE of accurate ECN (RFC 9768). */
  reserved: number;
  /** Bits of {@link TcpFlag}. */
  flags: number;
  /** As sent, not scaled. */
  window: number;
  checksum: number;
  urgentPointer: number;
  options: TcpOption[];
}

export const tcpProtocol: Protocol<'tcp', TcpFields> = {
  name: 'tcp',
  under: [
    ['ipv4', IpProtocol.TCP],
    ['ipv6', IpProtocol.TCP],
  ],

  decode({ bytes, offset, end, wireEnd, complete, outer, problem }): Decoded<TcpFields> | undefined {
    if (end - offset < TCP_MIN_HEADER_BYTES) {
      problem('tcp_truncated', offset, `${end - offset} of at least 20 header bytes`);
      return undefined;
    }
    const F = TCP_FIELDS;
    const dataOffset = getBits(bytes, offset, F.dataOffset);
    const claimed = dataOffset * 4;
    const headerEnd = Math.max(offset + TCP_MIN_HEADER_BYTES, Math.min(offset + claimed, end));
    const length = headerEnd - offset;
    const { options, malformedAt } =
      length > TCP_MIN_HEADER_BYTES ? decodeTcpOptions(bytes, offset + 20, headerEnd) : { options: [] };
    const fields: TcpFields = {
      sourcePort: getBits(bytes, offset, F.sourcePort),
      destinationPort: getBits(bytes, offset, F.destinationPort),
      sequenceNumber: getBits(bytes, offset, F.sequenceNumber),
      acknowledgmentNumber: getBits(bytes, offset, F.acknowledgmentNumber),
      dataOffset,
      reserved: getBits(bytes, offset, F.reserved),
      flags: getBits(bytes, offset, F.flags),
      window: getBits(bytes, offset, F.window),
      checksum: getBits(bytes, offset, F.checksum),
      urgentPointer: getBits(bytes, offset, F.urgentPointer),
      options,
    };
    if (claimed < TCP_MIN_HEADER_BYTES) {
      problem('tcp_data_offset', offset + 12, `a header length of ${claimed} bytes; the least is 20`);
    } else if (offset + claimed > wireEnd) {
      problem(
        'tcp_beyond_packet',
        offset + 12,
        `a header of ${claimed} bytes where ${wireEnd - offset} were sent`,
      );
    } else if (claimed > length) {
      problem('tcp_options_truncated', headerEnd, `${length} of ${claimed} header bytes were captured`);
    } else if (malformedAt !== undefined) {
      problem('tcp_options_malformed', malformedAt, 'an option with a length that is not its own');
    }
    if (complete) {
      const sum = pseudoHeaderSum(bytes, nearestIpLayer(outer), IpProtocol.TCP, end - offset);
      if (sum !== undefined && internetChecksum(bytes, offset, end, sum) !== 0) {
        problem('tcp_checksum_wrong', offset + 16, `checksum 0x${fields.checksum.toString(16)} is wrong`);
      }
    }
    // What follows is found only behind a header that is all there.
    if (claimed !== length) return { fields, length };
    return { fields, length, next: fields.destinationPort, otherwise: fields.sourcePort };
  },

  encode(fields, payload, { ip }): Uint8Array {
    const options = encodeTcpOptions(fields.options ?? []);
    const headerBytes = TCP_MIN_HEADER_BYTES + options.length;
    const out = new Uint8Array(headerBytes + payload.length);
    const F = TCP_FIELDS;
    setBits(out, 0, F.sourcePort, fields.sourcePort ?? 0);
    setBits(out, 0, F.destinationPort, fields.destinationPort ?? 0);
    setBits(out, 0, F.sequenceNumber, fields.sequenceNumber ?? 0);
    setBits(out, 0, F.acknowledgmentNumber, fields.acknowledgmentNumber ?? 0);
    setBits(out, 0, F.dataOffset, fields.dataOffset ?? headerBytes / 4);
    setBits(out, 0, F.reserved, fields.reserved ?? 0);
    setBits(out, 0, F.flags, fields.flags ?? 0);
    setBits(out, 0, F.window, fields.window ?? 65535);
    setBits(out, 0, F.urgentPointer, fields.urgentPointer ?? 0);
    out.set(options, TCP_MIN_HEADER_BYTES);
    out.set(payload, headerBytes);
    let checksum = fields.checksum;
    if (checksum === undefined) {
      const sum = pseudoHeaderSumOf(ip, IpProtocol.TCP, out.length);
      checksum = sum === undefined ? 0 : internetChecksum(out, 0, out.length, sum);
    }
    setBits(out, 0, F.checksum, checksum);
    return out;
  },

  describe(f): string {
    const options = f.options.length > 0 ? `, options [${describeTcpOptions(f.options)}]` : '';
    return `${f.sourcePort} > ${f.destinationPort}, flags [${formatTcpFlags(f.flags)}], seq ${f.sequenceNumber}, ack ${f.acknowledgmentNumber}, win ${f.window}${options}`;
  },
};

/** `S.`, `P.`, `F.`, `.`: the letters of tcpdump, in its order. */
export function formatTcpFlags(flags: number): string {
  let text = '';
  for (const [bit, letter] of FLAG_LETTERS) if (flags & bit) text += letter;
  return text || 'none';
}

const FLAG_LETTERS: readonly (readonly [number, string])[] = [
  [TcpFlag.FIN, 'F'],
  [TcpFlag.SYN, 'S'],
  [TcpFlag.RST, 'R'],
  [TcpFlag.PSH, 'P'],
  [TcpFlag.ACK, '.'],
  [TcpFlag.URG, 'U'],
  [TcpFlag.ECE, 'E'],
  [TcpFlag.CWR, 'W'],
];
