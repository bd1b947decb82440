import { formatIpv4, parseIpv4 } from './addresses';
import { internetChecksum } from './checksum';
import { readFields, setBits, writeFields, type BitFields } from './fields';
import type { Decoded, Protocol } from './protocol';
import { IpProtocol } from './pseudoHeader';

// RFC 792. What the second word holds depends on the type. The packet that an error message quotes is payload: its
// addresses and ports are not this packet's.
//
//   0                   1                   2                   3
//   +---------------+---------------+-------------------------------+
//  0|     type      |     code      |           checksum            |
//   +---------------+---------------+-------------------------------+
//  4|  identifier and sequence number (echo), next-hop MTU (RFC 1191), gateway, pointer ...
//   +---------------------------------------------------------------+

export const ICMP_FIELDS = {
  type: { bit: 0, bits: 8 },
  code: { bit: 8, bits: 8 },
  checksum: { bit: 16, bits: 16 },
} as const;

/** The second word, by what it holds. */
export const ICMP_REST_FIELDS = {
  echo: { identifier: { bit: 32, bits: 16 }, sequenceNumber: { bit: 48, bits: 16 } },
  tooBig: { unused: { bit: 32, bits: 16 }, nextHopMtu: { bit: 48, bits: 16 } },
  parameter: { pointer: { bit: 32, bits: 8 }, unused: { bit: 40, bits: 24 } },
  other: { restOfHeader: { bit: 32, bits: 32 } },
} as const;

export const ICMP_HEADER_BYTES = 8;

export interface IcmpFields {
  type: number;
  code: number;
  checksum: number;
  /** Echo, timestamp and address mask messages. */
  identifier?: number;
  sequenceNumber?: number;
  /** Fragmentation needed (type 3, code 4). */
  nextHopMtu?: number;
  /** Redirect (type 5). */
  gateway?: string;
  /** Parameter problem (type 12): the byte that is wrong. */
  pointer?: number;
  /** What is beside `nextHopMtu` and `pointer`. */
  unused?: number;
  /** The second word of all other types. */
  restOfHeader?: number;
}

const ECHO_TYPES = new Set([0, 8, 13, 14, 15, 16, 17, 18]);
const REDIRECT = 5;

function restFields(type: number, code: number): BitFields | undefined {
  if (ECHO_TYPES.has(type)) return ICMP_REST_FIELDS.echo;
  if (type === 3 && code === 4) return ICMP_REST_FIELDS.tooBig;
  if (type === 12) return ICMP_REST_FIELDS.parameter;
  return type === REDIRECT ? undefined : ICMP_REST_FIELDS.other;
}

export const icmpProtocol: Protocol<'icmp', IcmpFields> = {
  name: 'icmp',
  under: [['ipv4', IpProtocol.ICMP]],

  decode({ bytes, offset, end, complete, problem }): Decoded<IcmpFields> | undefined {
    if (end - offset < ICMP_HEADER_BYTES) {
      problem('icmp_truncated', offset, `${end - offset} of 8 header bytes`);
      return undefined;
    }
    const start = readFields(bytes, offset, ICMP_FIELDS);
    const rest = restFields(start.type, start.code);
    const fields: IcmpFields = rest
      ? { ...start, ...readFields(bytes, offset, rest) }
      : { ...start, gateway: formatIpv4(bytes, offset + 4) };
    if (complete && internetChecksum(bytes, offset, end) !== 0) {
      problem('icmp_checksum_wrong', offset + 2, `checksum 0x${start.checksum.toString(16)} is wrong`);
    }
    return { fields, length: ICMP_HEADER_BYTES };
  },

  encode(fields, payload): Uint8Array {
    const out = new Uint8Array(ICMP_HEADER_BYTES + payload.length);
    const { type = 8, code = 0, gateway, ...numbers } = fields;
    writeFields(out, 0, ICMP_FIELDS, { type, code, checksum: 0 });
    const rest = restFields(type, code);
    if (rest) writeFields(out, 0, rest, numbers as Record<string, number>);
    else if (gateway) out.set(parseIpv4(gateway), 4);
    out.set(payload, ICMP_HEADER_BYTES);
    setBits(out, 0, ICMP_FIELDS.checksum, fields.checksum ?? internetChecksum(out));
    return out;
  },

  describe(f): string {
    if (f.type === 8 || f.type === 0) {
      const what = f.type === 8 ? 'request' : 'reply';
      return `ICMP echo ${what}, id ${f.identifier}, seq ${f.sequenceNumber}`;
    }
    const reason = f.type === 3 ? UNREACHABLE[f.code] : f.type === 11 ? EXCEEDED[f.code] : undefined;
    const name = TYPES[f.type];
    if (name === undefined) return `ICMP type ${f.type}, code ${f.code}`;
    const more = f.nextHopMtu !== undefined ? `, mtu ${f.nextHopMtu}` : f.gateway ? ` to ${f.gateway}` : '';
    return `ICMP ${name}${reason ? ` (${reason})` : f.code ? ` (code ${f.code})` : ''}${more}`;
  },
};

const TYPES: Record<number, string> = {
  3: 'destination unreachable',
  4: 'source quench',
  5: 'redirect',
  9: 'router advertisement',
  10: 'router solicitation',
  11: 'time exceeded',
  12: 'parameter problem',
  13: 'timestamp request',
  14: 'timestamp reply',
  17: 'address mask request',
  18: 'address mask reply',
};

const UNREACHABLE = [
  'network unreachable',
  'host unreachable',
  'protocol unreachable',
  'port unreachable',
  'fragmentation needed',
  'source route failed',
  'destination network unknown',
  'destination host unknown',
  'source host isolated',
  'network administratively prohibited',
  'host administratively prohibited',
  'network unreachable for type of service',
  'host unreachable for type of service',
  'communication administratively prohibited',
  'host precedence violation',
  'precedence cutoff in effect',
];

const EXCEEDED = ['time to live exceeded in transit', 'fragment reassembly time exceeded'];
