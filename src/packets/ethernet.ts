import { formatMac, parseMac } from './addresses';
import { getBits, setBits } from './fields';
import type { Decoded, Protocol } from './protocol';
import { keyOf } from './registry';

// IEEE 802.3, clause 3; RFC 894 for IP over it. The last word is an EtherType from 1536 on, and the length of
// what follows (an LLC header first) up to 1500.
//
//   0                   1                   2                   3
//   +---------------------------------------------------------------+
//  0|                      destination address                      |
//   +                               +-------------------------------+
//  4|                               |                               |
//   +-------------------------------+         source address        +
//  8|                                                               |
//   +-------------------------------+-------------------------------+
// 12|     EtherType or length       |
//   +-------------------------------+

export const ETHERNET_FIELDS = {
  destination: { byte: 0, bytes: 6 },
  source: { byte: 6, bytes: 6 },
  etherType: { bit: 96, bits: 16 },
} as const;

export const ETHERNET_HEADER_BYTES = 14;

/** The EtherTypes (https://www.iana.org/assignments/ieee-802-numbers) that the project names. */
export const EtherType = {
  IPV4: 0x0800,
  ARP: 0x0806,
  /** Ethernet inside a tunnel (GRE, Geneve). */
  BRIDGING: 0x6558,
  RARP: 0x8035,
  VLAN: 0x8100,
  IPV6: 0x86dd,
  PPP: 0x880b,
  MPLS: 0x8847,
  MPLS_MULTICAST: 0x8848,
  PPPOE_DISCOVERY: 0x8863,
  PPPOE_SESSION: 0x8864,
  QINQ: 0x88a8,
  ERSPAN: 0x88be,
  LLDP: 0x88cc,
} as const;

export interface EthernetFields {
  /** `00:1b:44:11:3a:b7` */
  destination: string;
  source: string;
  /** The EtherType; up to 1500 the length of an 802.3 frame's content. */
  etherType: number;
}

export const ethernetProtocol: Protocol<'ethernet', EthernetFields> = {
  name: 'ethernet',
  under: [
    ['link', 1],
    ['ethernet', EtherType.BRIDGING],
  ],

  decode({ bytes, offset, end, problem }): Decoded<EthernetFields> | undefined {
    if (end - offset < ETHERNET_HEADER_BYTES) {
      problem('ethernet_truncated', offset, `${end - offset} of 14 header bytes`);
      return undefined;
    }
    const etherType = getBits(bytes, offset, ETHERNET_FIELDS.etherType);
    const fields = {
      destination: formatMac(bytes, offset),
      source: formatMac(bytes, offset + ETHERNET_FIELDS.source.byte),
      etherType,
    };
    const length = ETHERNET_HEADER_BYTES;
    if (!isLength(etherType)) return { fields, length, next: etherType };
    return { fields, length, next: LLC_KEY, wireEnd: offset + length + etherType };
  },

  encode(fields, payload, { inner }): Uint8Array {
    const out = new Uint8Array(ETHERNET_HEADER_BYTES + payload.length);
    if (fields.destination) out.set(parseMac(fields.destination), ETHERNET_FIELDS.destination.byte);
    if (fields.source) out.set(parseMac(fields.source), ETHERNET_FIELDS.source.byte);
    const type = fields.etherType ?? etherTypeOf(inner?.protocol, payload.length);
    setBits(out, 0, ETHERNET_FIELDS.etherType, type);
    out.set(payload, ETHERNET_HEADER_BYTES);
    return out;
  },

  describe({ source, destination, etherType }): string {
    const what = isLength(etherType) ? `802.3 length ${etherType}` : `ethertype ${nameEtherType(etherType)}`;
    return `${source} > ${destination}, ${what}`;
  },
};

/** The key under which LLC follows an 802.3 length: no EtherType is that small. */
export const LLC_KEY = 0;

/** Does the type word hold a length (802.3)? */
export function isLength(etherType: number): boolean {
  return etherType <= 1500;
}

/** The EtherType that announces a protocol; an 802.3 length for LLC; 0 where neither fits. */
export function etherTypeOf(inner: string | undefined, payloadLength: number): number {
  const key = keyOf('ethernet', inner);
  return key === LLC_KEY ? payloadLength : (key ?? 0);
}

/** `IPv4 (0x0800)`. */
export function nameEtherType(etherType: number): string {
  const code = `0x${etherType.toString(16).padStart(4, '0')}`;
  return NAMES[etherType] ? `${NAMES[etherType]} (${code})` : code;
}

const NAMES: Record<number, string> = {
  [EtherType.IPV4]: 'IPv4',
  [EtherType.ARP]: 'ARP',
  [EtherType.BRIDGING]: 'Ethernet',
  [EtherType.RARP]: 'RARP',
  [EtherType.VLAN]: '802.1Q',
  [EtherType.IPV6]: 'IPv6',
  [EtherType.PPP]: 'PPP',
  [EtherType.MPLS]: 'MPLS',
  [EtherType.MPLS_MULTICAST]: 'MPLS multicast',
  [EtherType.PPPOE_DISCOVERY]: 'PPPoE discovery',
  [EtherType.PPPOE_SESSION]: 'PPPoE session',
  [EtherType.QINQ]: '802.1Q-QinQ',
  [EtherType.ERSPAN]: 'ERSPAN',
  [EtherType.LLDP]: 'LLDP',
};
