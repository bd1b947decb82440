import { formatIpv4, parseIpv4 } from './addresses';
import { internetChecksum } from './checksum';
import { getBits, setBits } from './fields';
import { decodeIpv4Options, describeIpv4Options, encodeIpv4Options, type Ipv4Option } from './ipv4Options';
import type { DecodeContext, Decoded, Protocol } from './protocol';
import { IpProtocol, nameIpProtocol } from './pseudoHeader';
import { keyOf } from './registry';

// RFC 791, section 3.1; the type of service as RFC 2474 and RFC 3168 divide it.
//
//   0                   1                   2                   3
//   +-------+-------+-----------+---+-------------------------------+
//  0|version|  IHL  |   DSCP    |ECN|         total length          |
//   +-------+-------+-----------+---+-----+-------------------------+
//  4|        identification         |flags|     fragment offset     |
//   +---------------+---------------+-----+-------------------------+
//  8| time to live  |   protocol    |        header checksum        |
//   +---------------+---------------+-------------------------------+
// 12|                        source address                         |
//   +---------------------------------------------------------------+
// 16|                      destination address                      |
//   +---------------------------------------------------------------+
// 20|            options, padded to a multiple of 4 ...             |
//   +---------------------------------------------------------------+

export const IPV4_FIELDS = {
  version: { bit: 0, bits: 4 },
  headerLength: { bit: 4, bits: 4 },
  dscp: { bit: 8, bits: 6 },
  ecn: { bit: 14, bits: 2 },
  totalLength: { bit: 16, bits: 16 },
  identification: { bit: 32, bits: 16 },
  flags: { bit: 48, bits: 3 },
  fragmentOffset: { bit: 51, bits: 13 },
  timeToLive: { bit: 64, bits: 8 },
  protocol: { bit: 72, bits: 8 },
  headerChecksum: { bit: 80, bits: 16 },
  source: { byte: 12, bytes: 4 },
  destination: { byte: 16, bytes: 4 },
} as const;

export const IPV4_MIN_HEADER_BYTES = 20;

/** Bits of `flags`. */
export const Ipv4Flag = { RESERVED: 4, DONT_FRAGMENT: 2, MORE_FRAGMENTS: 1 } as const;

export interface Ipv4Fields {
  version: number;
  /** In 32-bit words: 5 without options. */
  headerLength: number;
  dscp: number;
  ecn: number;
  /** Header and data, in bytes. */
  totalLength: number;
  identification: number;
  /** Bits of {@link Ipv4Flag}. */
  flags: number;
  /** In units of 8 bytes. */
  fragmentOffset: number;
  timeToLive: number;
  /** See {@link IpProtocol}. */
  protocol: number;
  headerChecksum: number;
  source: string;
  destination: string;
  options: Ipv4Option[];
}

export const ipv4Protocol: Protocol<'ipv4', Ipv4Fields> = {
  name: 'ipv4',
  under: [
    ['ethernet', 0x0800],
    ['link', 228],
    ['ip', 4],
    ['ppp', 0x0021],
    ['ipv4', IpProtocol.IPV4],
    ['ipv6', IpProtocol.IPV4],
  ],

  decode(context): Decoded<Ipv4Fields> | undefined {
    const { bytes, offset, end, wireEnd, problem } = context;
    if (end - offset < IPV4_MIN_HEADER_BYTES) {
      problem('ipv4_truncated', offset, `${end - offset} of at least 20 header bytes`);
      return undefined;
    }
    const version = getBits(bytes, offset, IPV4_FIELDS.version);
    if (version !== 4) {
      problem('ipv4_version', offset, `version ${version} where IPv4 was announced`);
      return undefined;
    }
    const headerLength = getBits(bytes, offset, IPV4_FIELDS.headerLength);
    const claimed = headerLength * 4;
    const headerEnd = Math.max(offset + IPV4_MIN_HEADER_BYTES, Math.min(offset + claimed, end));
    const length = headerEnd - offset;
    const { options, malformedAt } =
      length > IPV4_MIN_HEADER_BYTES ? decodeIpv4Options(bytes, offset + 20, headerEnd) : NO_OPTIONS;
    const fields: Ipv4Fields = {
      version,
      headerLength,
      dscp: getBits(bytes, offset, IPV4_FIELDS.dscp),
      ecn: getBits(bytes, offset, IPV4_FIELDS.ecn),
      totalLength: getBits(bytes, offset, IPV4_FIELDS.totalLength),
      identification: getBits(bytes, offset, IPV4_FIELDS.identification),
      flags: getBits(bytes, offset, IPV4_FIELDS.flags),
      fragmentOffset: getBits(bytes, offset, IPV4_FIELDS.fragmentOffset),
      timeToLive: getBits(bytes, offset, IPV4_FIELDS.timeToLive),
      protocol: getBits(bytes, offset, IPV4_FIELDS.protocol),
      headerChecksum: getBits(bytes, offset, IPV4_FIELDS.headerChecksum),
      source: formatIpv4(bytes, offset + IPV4_FIELDS.source.byte),
      destination: formatIpv4(bytes, offset + IPV4_FIELDS.destination.byte),
      options: options as Ipv4Option[],
    };
    if (claimed < IPV4_MIN_HEADER_BYTES) {
      problem('ipv4_header_length', offset, `a header length of ${claimed} bytes; the least is 20`);
      return { fields, length };
    }
    if (claimed > length) {
      // Cut by the capture, or a length that is wrong: either way nothing after it can be found.
      problem('ipv4_header_truncated', offset, `${length} of ${claimed} header bytes`);
      return { fields, length };
    }
    if (malformedAt !== undefined) {
      problem('ipv4_options_malformed', malformedAt, 'an option with a length that cannot be');
    }
    if (internetChecksum(bytes, offset, headerEnd) !== 0) {
      problem('ipv4_checksum_wrong', offset + 10, `header checksum ${hex(fields.headerChecksum)} is wrong`);
    }
    const fragment = fields.fragmentOffset > 0 || (fields.flags & Ipv4Flag.MORE_FRAGMENTS) !== 0;
    const ownEnd = checkTotalLength(context, fields.totalLength, length, wireEnd);
    return {
      fields,
      length,
      // Only the first fragment has the transport header.
      next: fields.fragmentOffset > 0 ? undefined : fields.protocol,
      wireEnd: ownEnd,
      whole: !fragment && ownEnd !== undefined && !isSourceRouted(fields.options),
    };
  },

  encode(fields, payload, { inner }): Uint8Array {
    const options = encodeIpv4Options(fields.options ?? []);
    const headerBytes = IPV4_MIN_HEADER_BYTES + options.length;
    const out = new Uint8Array(headerBytes + payload.length);
    const F = IPV4_FIELDS;
    setBits(out, 0, F.version, fields.version ?? 4);
    setBits(out, 0, F.headerLength, fields.headerLength ?? headerBytes / 4);
    setBits(out, 0, F.dscp, fields.dscp ?? 0);
    setBits(out, 0, F.ecn, fields.ecn ?? 0);
    setBits(out, 0, F.totalLength, fields.totalLength ?? headerBytes + payload.length);
    setBits(out, 0, F.identification, fields.identification ?? 0);
    setBits(out, 0, F.flags, fields.flags ?? 0);
    setBits(out, 0, F.fragmentOffset, fields.fragmentOffset ?? 0);
    setBits(out, 0, F.timeToLive, fields.timeToLive ?? 64);
    setBits(out, 0, F.protocol, fields.protocol ?? keyOf('ipv4', inner?.protocol) ?? 0);
    if (fields.source) out.set(parseIpv4(fields.source), F.source.byte);
    if (fields.destination) out.set(parseIpv4(fields.destination), F.destination.byte);
    out.set(options, IPV4_MIN_HEADER_BYTES);
    setBits(out, 0, F.headerChecksum, fields.headerChecksum ?? internetChecksum(out, 0, headerBytes));
    out.set(payload, headerBytes);
    return out;
  },

  describe(f): string {
    const flags = `${f.flags & 2 ? 'DF' : ''}${f.flags & 1 ? '+' : ''}` || 'none';
    const options = f.options.length > 0 ? `, options (${describeIpv4Options(f.options)})` : '';
    const place = f.fragmentOffset > 0 ? `, offset ${f.fragmentOffset * 8}` : '';
    return `${f.source} > ${f.destination}, ttl ${f.timeToLive}, id ${f.identification}, flags [${flags}]${place}, ${nameIpProtocol(f.protocol)}, length ${f.totalLength}${options}`;
  },
};

/** On the way along a source route the destination is the next stop, while checksums are made for the last one. */
function isSourceRouted(options: readonly Ipv4Option[]): boolean {
  return options.some(({ kind, data }) => (kind === 131 || kind === 137) && data[0] <= data.length);
}

const NO_OPTIONS: { options: readonly Ipv4Option[]; malformedAt?: number } = { options: [] };

/** Where the packet ends on the wire, by its own total length where that can be. */
function checkTotalLength(
  { offset, problem }: DecodeContext,
  totalLength: number,
  headerBytes: number,
  wireEnd: number,
): number | undefined {
  if (totalLength === 0) {
    // Written by hosts that leave segmentation to the network card.
    problem('ipv4_total_length_zero', offset + 2, 'a total length of 0');
    return undefined;
  }
  if (totalLength < headerBytes) {
    problem(
      'ipv4_total_length',
      offset + 2,
      `total length ${totalLength} is less than the header's ${headerBytes}`,
    );
    return undefined;
  }
  if (offset + totalLength > wireEnd) {
    const room = wireEnd - offset;
    problem('ipv4_beyond_packet', offset + 2, `total length ${totalLength} where ${room} bytes were sent`);
    return undefined;
  }
  return offset + totalLength;
}

function hex(word: number): string {
  return `0x${word.toString(16).padStart(4, '0')}`;
}
