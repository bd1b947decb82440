import { LinkType } from '../../capture/frame';
import { decodePacket } from '../decode';
import { MAX_VLAN_TAGS } from '../locate';

/** Where the headers lie that nPrint has columns for. Offsets count from the packet's first byte. */
export interface NprintHeaders {
  readonly ok: true;
  readonly ipVersion: 4 | 6;
  /** First byte of the IP header. */
  readonly ipAt: number;
  /** End of the IP header, IPv4 options included; also the transport header's first byte. */
  readonly ipEnd: number;
  /** Undefined for a later fragment, which has none. */
  readonly transport?: 'tcp' | 'udp' | 'icmp';
  /** End of the transport header as it says itself; `ipEnd` where there is none. May lie beyond what was captured. */
  readonly headerEnd: number;
  /** End of the IP packet by its own length field. */
  readonly packetEnd: number;
}

/** Why a packet has no nPrint. */
export type NprintRefusalCode =
  'not_ip' | 'ip_cut' | 'ipv4_header_length' | 'ipv6_extension' | 'transport_protocol';

export interface NprintRefusal {
  readonly ok: false;
  readonly code: NprintRefusalCode;
}

const TRANSPORTS: Readonly<Record<number, 'tcp' | 'udp' | 'icmp'>> = { 1: 'icmp', 6: 'tcp', 17: 'udp' };
const IPV6_EXTENSIONS = new Set([0, 43, 44, 50, 51, 60, 135, 139, 140, 253, 254]);

/**
 * Finds the headers of a packet of any link type. As the nprint tool, packets that are neither TCP, UDP nor ICMP over
 * IPv4 or IPv6 are refused (ICMPv6 too: it has no columns). Never throws.
 */
export function locateNprint(bytes: Uint8Array, linkType: number): NprintHeaders | NprintRefusal {
  const ipAt = ipOffset(bytes, linkType);
  if (ipAt < 0 || ipAt >= bytes.length) return { ok: false, code: 'not_ip' };
  const version = bytes[ipAt] >> 4;
  if (version === 4) return locateIpv4(bytes, ipAt);
  if (version === 6) return locateIpv6(bytes, ipAt);
  return { ok: false, code: 'not_ip' };
}

function locateIpv4(bytes: Uint8Array, at: number): NprintHeaders | NprintRefusal {
  if (bytes.length < at + 10) return { ok: false, code: 'ip_cut' };
  const ihl = bytes[at] & 15;
  if (ihl < 5) return { ok: false, code: 'ipv4_header_length' };
  const ipEnd = at + 4 * ihl;
  const packetEnd = at + u16(bytes, at + 2);
  const transport = TRANSPORTS[bytes[at + 9]];
  if (!transport) return { ok: false, code: 'transport_protocol' };
  if ((u16(bytes, at + 6) & 0x1fff) !== 0)
    return { ok: true, ipVersion: 4, ipAt: at, ipEnd, headerEnd: ipEnd, packetEnd };
  return {
    ok: true,
    ipVersion: 4,
    ipAt: at,
    ipEnd,
    transport,
    headerEnd: transportEnd(bytes, ipEnd, transport),
    packetEnd,
  };
}

function locateIpv6(bytes: Uint8Array, at: number): NprintHeaders | NprintRefusal {
  if (bytes.length < at + 7) return { ok: false, code: 'ip_cut' };
  const next = bytes[at + 6];
  if (IPV6_EXTENSIONS.has(next)) return { ok: false, code: 'ipv6_extension' };
  const transport = TRANSPORTS[next];
  if (!transport) return { ok: false, code: 'transport_protocol' };
  const ipEnd = at + 40;
  const packetEnd = ipEnd + u16(bytes, at + 4);
  return {
    ok: true,
    ipVersion: 6,
    ipAt: at,
    ipEnd,
    transport,
    headerEnd: transportEnd(bytes, ipEnd, transport),
    packetEnd,
  };
}

/** 8 bytes of UDP and ICMP; of TCP what the data offset says, at least 20. */
function transportEnd(bytes: Uint8Array, at: number, transport: 'tcp' | 'udp' | 'icmp'): number {
  if (transport !== 'tcp') return at + 8;
  const words = bytes.length > at + 12 ? bytes[at + 12] >> 4 : 5;
  return at + Math.max(20, words * 4);
}

/** Offset of the IP header; -1 where there is none. Common link types directly, the others by decoding. */
function ipOffset(bytes: Uint8Array, linkType: number): number {
  switch (linkType) {
    case LinkType.ETHERNET: {
      let end = 14;
      for (let tags = 0; tags <= MAX_VLAN_TAGS && bytes.length >= end; tags++) {
        const type = u16(bytes, end - 2);
        if (type === 0x0800 || type === 0x86dd) return end;
        if (type !== 0x8100 && type !== 0x88a8 && type !== 0x9100) break;
        end += 4;
      }
      break;
    }
    case LinkType.RAW_101:
    case 12:
    case 14:
    case LinkType.IPV4:
    case LinkType.IPV6:
      return 0;
    case LinkType.LINUX_SLL: {
      const type = bytes.length >= 16 ? u16(bytes, 14) : 0;
      if (type === 0x0800 || type === 0x86dd) return 16;
      break;
    }
  }
  const ip = decodePacket(bytes, linkType).layers.find(
    ({ protocol }) => protocol === 'ipv4' || protocol === 'ipv6',
  );
  return ip ? ip.offset : -1;
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 8) | bytes[at + 1];
}
