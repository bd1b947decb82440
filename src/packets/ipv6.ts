import { formatIpv6, parseIpv6 } from './addresses';
import { getBits, setBits } from './fields';
import type { Decoded, Protocol } from './protocol';
import { IpProtocol, nameIpProtocol } from './pseudoHeader';
import { keyOf } from './registry';

// RFC 8200, section 3. Extension headers are protocols of their own in the table, under the number that announces
// them (ipv6Extensions.ts).
//
//   0                   1                   2                   3
//   +-------+---------------+---------------------------------------+
//  0|version| traffic class |              flow label               |
//   +-------+---------------+-------+---------------+---------------+
//  4|        payload length         |  next header  |   hop limit   |
//   +-------------------------------+---------------+---------------+
//  8|                                                               |
//   +                                                               +
// 12|                                                               |
//   +                        source address                         +
// 16|                                                               |
//   +                                                               +
// 20|                                                               |
//   +---------------------------------------------------------------+
// 24|                                                               |
//   +                                                               +
// 28|                                                               |
//   +                      destination address                      +
// 32|                                                               |
//   +                                                               +
// 36|                                                               |
//   +---------------------------------------------------------------+

export const IPV6_FIELDS = {
  version: { bit: 0, bits: 4 },
  trafficClass: { bit: 4, bits: 8 },
  flowLabel: { bit: 12, bits: 20 },
  payloadLength: { bit: 32, bits: 16 },
  nextHeader: { bit: 48, bits: 8 },
  hopLimit: { bit: 56, bits: 8 },
  source: { byte: 8, bytes: 16 },
  destination: { byte: 24, bytes: 16 },
} as const;

export const IPV6_HEADER_BYTES = 40;

export interface Ipv6Fields {
  version: number;
  trafficClass: number;
  flowLabel: number;
  /** Everything after this header, extension headers included, in bytes. */
  payloadLength: number;
  nextHeader: number;
  hopLimit: number;
  source: string;
  destination: string;
}

export const ipv6Protocol: Protocol<'ipv6', Ipv6Fields> = {
  name: 'ipv6',
  under: [
    ['ethernet', 0x86dd],
    ['link', 229],
    ['ip', 6],
    ['ppp', 0x0057],
    ['ipv4', IpProtocol.IPV6],
    ['ipv6', IpProtocol.IPV6],
  ],

  decode({ bytes, offset, end, wireEnd, problem }): Decoded<Ipv6Fields> | undefined {
    if (end - offset < IPV6_HEADER_BYTES) {
      problem('ipv6_truncated', offset, `${end - offset} of 40 header bytes`);
      return undefined;
    }
    const version = getBits(bytes, offset, IPV6_FIELDS.version);
    if (version !== 6) {
      problem('ipv6_version', offset, `version ${version} where IPv6 was announced`);
      return undefined;
    }
    const fields: Ipv6Fields = {
      version,
      trafficClass: getBits(bytes, offset, IPV6_FIELDS.trafficClass),
      flowLabel: getBits(bytes, offset, IPV6_FIELDS.flowLabel),
      payloadLength: getBits(bytes, offset, IPV6_FIELDS.payloadLength),
      nextHeader: getBits(bytes, offset, IPV6_FIELDS.nextHeader),
      hopLimit: getBits(bytes, offset, IPV6_FIELDS.hopLimit),
      source: formatIpv6(bytes, offset + IPV6_FIELDS.source.byte),
      destination: formatIpv6(bytes, offset + IPV6_FIELDS.destination.byte),
    };
    const next = fields.nextHeader;
    // 0 announces a jumbo payload in an option (RFC 2675), or segmentation left to the network card.
    if (fields.payloadLength === 0) return { fields, length: IPV6_HEADER_BYTES, next, whole: false };
    const ownEnd = offset + IPV6_HEADER_BYTES + fields.payloadLength;
    if (ownEnd > wireEnd) {
      const room = wireEnd - offset - IPV6_HEADER_BYTES;
      problem(
        'ipv6_beyond_packet',
        offset + 4,
        `payload length ${fields.payloadLength} where ${room} bytes were sent`,
      );
      return { fields, length: IPV6_HEADER_BYTES, next, whole: false };
    }
    return { fields, length: IPV6_HEADER_BYTES, next, wireEnd: ownEnd, whole: true };
  },

  encode(fields, payload, { inner }): Uint8Array {
    const out = new Uint8Array(IPV6_HEADER_BYTES + payload.length);
    const F = IPV6_FIELDS;
    setBits(out, 0, F.version, fields.version ?? 6);
    setBits(out, 0, F.trafficClass, fields.trafficClass ?? 0);
    setBits(out, 0, F.flowLabel, fields.flowLabel ?? 0);
    setBits(out, 0, F.payloadLength, fields.payloadLength ?? payload.length);
    // 59: nothing follows.
    setBits(out, 0, F.nextHeader, fields.nextHeader ?? keyOf('ipv6', inner?.protocol) ?? 59);
    setBits(out, 0, F.hopLimit, fields.hopLimit ?? 64);
    if (fields.source) out.set(parseIpv6(fields.source), F.source.byte);
    if (fields.destination) out.set(parseIpv6(fields.destination), F.destination.byte);
    out.set(payload, IPV6_HEADER_BYTES);
    return out;
  },

  describe(f): string {
    return `${f.source} > ${f.destination}, hlim ${f.hopLimit}, next ${nameIpProtocol(f.nextHeader)}, payload length ${f.payloadLength}`;
  },
};
