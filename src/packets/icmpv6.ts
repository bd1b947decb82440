import { formatIpv6, parseIpv6 } from './addresses';
import { internetChecksum } from './checksum';
import { readFields, setBits, writeFields, type BitFields } from './fields';
import type { Decoded, Protocol } from './protocol';
import { IpProtocol, nearestIpLayer, pseudoHeaderSum, pseudoHeaderSumOf } from './pseudoHeader';

// RFC 4443; neighbour discovery RFC 4861, multicast listeners RFC 2710 and RFC 3810. What follows the first word
// depends on the type. Options of neighbour discovery, and the packet that an error message quotes, are payload.
//
//   0                   1                   2                   3
//   +---------------+---------------+-------------------------------+
//  0|     type      |     code      |           checksum            |
//   +---------------+---------------+-------------------------------+
//  4|  identifier and sequence number (echo), MTU, pointer, flags ...
//   +---------------------------------------------------------------+
//  8|  addresses (neighbour discovery, multicast listeners), times (router advertisement)
//   +---------------------------------------------------------------+

export const ICMPV6_FIELDS = {
  type: { bit: 0, bits: 8 },
  code: { bit: 8, bits: 8 },
  checksum: { bit: 16, bits: 16 },
} as const;

/** What follows the first word: numbers, and addresses from byte 8 on. */
interface Body {
  readonly ranges: BitFields;
  readonly addresses: readonly ('target' | 'destination' | 'multicastAddress')[];
  readonly length: number;
}

const word = { bit: 32, bits: 32 } as const;
const REST: Body = { ranges: { restOfHeader: word }, addresses: [], length: 8 };
const ECHO: Body = {
  ranges: { identifier: { bit: 32, bits: 16 }, sequenceNumber: { bit: 48, bits: 16 } },
  addresses: [],
  length: 8,
};
const LISTENER: Body = {
  ranges: { maximumResponseDelay: { bit: 32, bits: 16 }, reserved: { bit: 48, bits: 16 } },
  addresses: ['multicastAddress'],
  length: 24,
};
const BODIES: Record<number, Body> = {
  2: { ranges: { mtu: word }, addresses: [], length: 8 },
  4: { ranges: { pointer: word }, addresses: [], length: 8 },
  128: ECHO,
  129: ECHO,
  130: LISTENER,
  131: LISTENER,
  132: LISTENER,
  133: { ranges: { reserved: word }, addresses: [], length: 8 },
  134: {
    ranges: {
      hopLimit: { bit: 32, bits: 8 },
      flags: { bit: 40, bits: 8 },
      routerLifetime: { bit: 48, bits: 16 },
      reachableTime: { bit: 64, bits: 32 },
      retransTimer: { bit: 96, bits: 32 },
    },
    addresses: [],
    length: 16,
  },
  135: { ranges: { reserved: word }, addresses: ['target'], length: 24 },
  136: {
    ranges: { flags: { bit: 32, bits: 3 }, reserved: { bit: 35, bits: 29 } },
    addresses: ['target'],
    length: 24,
  },
  137: { ranges: { reserved: word }, addresses: ['target', 'destination'], length: 40 },
  143: {
    ranges: { reserved: { bit: 32, bits: 16 }, recordCount: { bit: 48, bits: 16 } },
    addresses: [],
    length: 8,
  },
};

export interface Icmpv6Fields {
  type: number;
  code: number;
  checksum: number;
  /** Echo (128, 129). */
  identifier?: number;
  sequenceNumber?: number;
  /** Packet too big (2). */
  mtu?: number;
  /** Parameter problem (4): the byte that is wrong. */
  pointer?: number;
  /** Router advertisement (134): 0x80 managed addresses, 0x40 other configuration. Neighbour advertisement (136): 4 router, 2 solicited, 1 override. */
  flags?: number;
  /** Router advertisement (134): seconds. */
  routerLifetime?: number;
  hopLimit?: number;
  /** Router advertisement (134): milliseconds. */
  reachableTime?: number;
  retransTimer?: number;
  /** Neighbour solicitation, advertisement, redirect (135 to 137): whom it is about. */
  target?: string;
  /** Redirect (137). */
  destination?: string;
  /** Multicast listener query, report, done (130 to 132); milliseconds. */
  maximumResponseDelay?: number;
  multicastAddress?: string;
  /** Version 2 report (143): address records in the payload. */
  recordCount?: number;
  reserved?: number;
  /** The second word of all other types. */
  restOfHeader?: number;
}

export const icmpv6Protocol: Protocol<'icmpv6', Icmpv6Fields> = {
  name: 'icmpv6',
  under: [['ipv6', IpProtocol.ICMPV6]],

  decode({ bytes, offset, end, complete, outer, problem }): Decoded<Icmpv6Fields> | undefined {
    const here = end - offset;
    const body = here > 0 ? (BODIES[bytes[offset]] ?? REST) : REST;
    if (here < body.length) {
      problem('icmpv6_truncated', offset, `${here} of ${body.length} header bytes`);
      return undefined;
    }
    const fields: Icmpv6Fields = {
      ...readFields(bytes, offset, ICMPV6_FIELDS),
      ...readFields(bytes, offset, body.ranges),
    };
    body.addresses.forEach((name, i) => (fields[name] = formatIpv6(bytes, offset + 8 + 16 * i)));
    if (complete) {
      const sum = pseudoHeaderSum(bytes, nearestIpLayer(outer), IpProtocol.ICMPV6, here);
      if (sum !== undefined && internetChecksum(bytes, offset, end, sum) !== 0) {
        problem('icmpv6_checksum_wrong', offset + 2, `checksum 0x${fields.checksum.toString(16)} is wrong`);
      }
    }
    return { fields, length: body.length };
  },

  encode(fields, payload, { ip }): Uint8Array {
    const { type = 128, code } = fields;
    const body = BODIES[type] ?? REST;
    const out = new Uint8Array(body.length + payload.length);
    writeFields(out, 0, ICMPV6_FIELDS, { type, code, checksum: 0 });
    writeFields(out, 0, body.ranges, fields as Record<string, number>);
    body.addresses.forEach((name, i) => out.set(parseIpv6(fields[name] ?? '::'), 8 + 16 * i));
    out.set(payload, body.length);
    const sum = pseudoHeaderSumOf(ip, IpProtocol.ICMPV6, out.length);
    const computed = sum === undefined ? 0 : internetChecksum(out, 0, out.length, sum);
    setBits(out, 0, ICMPV6_FIELDS.checksum, fields.checksum ?? computed);
    return out;
  },

  describe(f): string {
    const name = TYPES[f.type] ?? `type ${f.type}, code ${f.code}`;
    if (f.type === 128 || f.type === 129) return `ICMP6 ${name}, id ${f.identifier}, seq ${f.sequenceNumber}`;
    if (f.type === 135) return `ICMP6 ${name}, who has ${f.target}`;
    if (f.type === 136) return `ICMP6 ${name}, target is ${f.target}`;
    if (f.type === 137) return `ICMP6 ${name}, ${f.destination} to ${f.target}`;
    if (f.type === 1 && UNREACHABLE[f.code]) return `ICMP6 ${name} (${UNREACHABLE[f.code]})`;
    if (f.mtu !== undefined) return `ICMP6 ${name}, mtu ${f.mtu}`;
    if (f.multicastAddress !== undefined) return `ICMP6 ${name} ${f.multicastAddress}`;
    if (f.recordCount !== undefined) return `ICMP6 ${name}, ${f.recordCount} group records`;
    return `ICMP6 ${name}`;
  },
};

const TYPES: Record<number, string> = {
  1: 'destination unreachable',
  2: 'packet too big',
  3: 'time exceeded',
  4: 'parameter problem',
  128: 'echo request',
  129: 'echo reply',
  130: 'multicast listener query',
  131: 'multicast listener report',
  132: 'multicast listener done',
  133: 'router solicitation',
  134: 'router advertisement',
  135: 'neighbor solicitation',
  136: 'neighbor advertisement',
  137: 'redirect',
  143: 'multicast listener report v2',
};

const UNREACHABLE = [
  'no route',
  'administratively prohibited',
  'beyond scope of source address',
  'address unreachable',
  'port unreachable',
  'source address failed policy',
  'reject route',
];
