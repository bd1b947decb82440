import { parseIpv4, parseIpv6 } from './addresses';
import { sumWords } from './checksum';
import type { EncodeLayer } from './protocol';
import type { Layer } from './packet';

// RFC 9293 section 3.1 (IPv4) and RFC 8200 section 8.1 (IPv6): what TCP and UDP checksums cover beyond their own
// bytes: both addresses, the protocol number and the length of header and data.

/**
 * The word sum of the pseudo-header of a captured packet, its addresses read where they stand.
 * Undefined when `ip` is not an IP layer.
 */
export function pseudoHeaderSum(
  bytes: Uint8Array,
  ip: Layer | undefined,
  protocol: number,
  length: number,
): number | undefined {
  if (ip?.protocol === 'ipv4') {
    return sumWords(bytes, ip.offset + 12, ip.offset + 20, protocol + length);
  }
  if (ip?.protocol === 'ipv6') {
    return sumWords(bytes, ip.offset + 8, ip.offset + 40, protocol + (length & 0xffff) + (length >>> 16));
  }
  return undefined;
}

/** The nearest IP layer outside, extension headers passed over: the one whose pseudo-header counts. */
export function nearestIpLayer(outer: readonly Layer[]): Layer | undefined {
  for (let i = outer.length - 1; i >= 0; i--) {
    const { protocol } = outer[i];
    if (protocol === 'ipv4' || protocol === 'ipv6') return outer[i];
  }
  return undefined;
}

/** The same for a layer still to be encoded. */
export function pseudoHeaderSumOf(
  ip: EncodeLayer | undefined,
  protocol: number,
  length: number,
): number | undefined {
  const { source, destination } = (ip?.fields ?? {}) as { source?: string; destination?: string };
  const parse = ip?.protocol === 'ipv4' ? parseIpv4 : ip?.protocol === 'ipv6' ? parseIpv6 : undefined;
  if (!parse) return undefined;
  const zero = ip?.protocol === 'ipv4' ? '0.0.0.0' : '::';
  const a = parse(source ?? zero);
  const b = parse(destination ?? zero);
  const start = protocol + (length & 0xffff) + (length >>> 16);
  return sumWords(b, 0, b.length, sumWords(a, 0, a.length, start));
}

/** Protocol numbers (https://www.iana.org/assignments/protocol-numbers) that the project names. */
export const IpProtocol = {
  HOP_BY_HOP: 0,
  ICMP: 1,
  IGMP: 2,
  IPV4: 4,
  TCP: 6,
  EGP: 8,
  UDP: 17,
  DCCP: 33,
  IPV6: 41,
  ROUTING: 43,
  FRAGMENT: 44,
  RSVP: 46,
  GRE: 47,
  ESP: 50,
  AH: 51,
  ICMPV6: 58,
  NO_NEXT: 59,
  DESTINATION: 60,
  EIGRP: 88,
  OSPF: 89,
  PIM: 103,
  VRRP: 112,
  L2TP: 115,
  SCTP: 132,
  MOBILITY: 135,
  UDP_LITE: 136,
  MPLS: 137,
} as const;

const NAMES = new Map<number, string>(Object.entries(IpProtocol).map(([name, number]) => [number, name]));

/** `TCP`, or the number where it has no name here. */
export function nameIpProtocol(protocol: number): string {
  return NAMES.get(protocol) ?? `protocol ${protocol}`;
}
