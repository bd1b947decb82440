import { LinkType } from '../capture/frame';

/*
 * Where the headers of a packet lie, without decoding them: what tokenising millions of packets needs. Offsets follow
 *   Ethernet  IEEE 802.3 with any 802.1Q / 802.1ad tags     IPv4  RFC 791      TCP  RFC 9293
 *                                                           IPv6  RFC 8200     UDP  RFC 768
 * A capture may cut a packet anywhere (snaplen), so every end is given twice: where the headers say they end, and how
 * many bytes there are.
 */

/** Tags (802.1Q, 802.1ad) that are followed before giving up; real networks use one or two. */
export const MAX_VLAN_TAGS = 4;

export type TransportProtocol = 'tcp' | 'udp';

/** The headers of a TCP or UDP packet. All offsets count from the packet's first byte. */
export interface HeaderRanges {
  readonly ok: true;
  /** End of the link header, tags included; the IP header begins here. */
  readonly linkEnd: number;
  readonly ipVersion: 4 | 6;
  /** End of the IP header, IPv4 options included. */
  readonly ipEnd: number;
  /**
   * Length of the IP packet by its own header: IPv4 total length, or IPv6 payload length + 40. It may be smaller than
   * the headers (0 in captures of offloaded segments) and larger than what was captured.
   */
  readonly ipTotalLength: number;
  readonly transport: TransportProtocol;
  /**
   * End of the transport header as it says itself, options included. 20 bytes for TCP whose data offset is below 5
   * or was not captured, 8 for UDP.
   */
  readonly headerEnd: number;
  /** The UDP length field (header and payload); 0 where not captured, and for TCP. */
  readonly udpLength: number;
  /** Bytes that there are. Every end above may lie beyond it. */
  readonly captured: number;
}

/** Why {@link locateHeaders} found no TCP or UDP header. */
export type LocateRefusalCode =
  | 'empty'
  | 'link_type'
  | 'ethernet_cut'
  | 'vlan_tags'
  | 'not_ip'
  | 'ip_cut'
  | 'ip_version'
  | 'ipv4_header_length'
  | 'ip_fragment'
  | 'ipv6_extension'
  | 'not_tcp_or_udp';

export interface LocateRefusal {
  readonly ok: false;
  readonly code: LocateRefusalCode;
  /** Offset of the byte that decided. */
  readonly offset: number;
  readonly message: string;
}

const TCP = 6;
const UDP = 17;
/** IPv6 next-header values that are extension headers (RFC 8200 section 4, RFC 7045). */
const IPV6_EXTENSIONS = new Set([0, 43, 44, 50, 51, 60, 135, 139, 140, 253, 254]);

/**
 * Finds link, network and transport header of a TCP or UDP packet over Ethernet. Never throws; one small object a
 * call.
 *
 * Refused, with a code: other link types, frames without IPv4/IPv6, packets cut before it is known that they carry
 * TCP or UDP, later fragments (they have no transport header), IPv6 with extension headers, other protocols.
 * Anything else is located, however its length fields contradict each other.
 */
export function locateHeaders(bytes: Uint8Array, linkType: number): HeaderRanges | LocateRefusal {
  const captured = bytes.length;
  if (linkType !== LinkType.ETHERNET)
    return refuse('link_type', 0, `link type ${linkType} is not Ethernet (${LinkType.ETHERNET})`);
  if (captured === 0) return refuse('empty', 0, 'no bytes');

  let linkEnd = 14;
  let tags = 0;
  for (;;) {
    if (captured < linkEnd)
      return refuse('ethernet_cut', captured, `${captured} bytes end inside the Ethernet header`);
    const etherType = u16(bytes, linkEnd - 2);
    if (etherType === 0x0800 || etherType === 0x86dd) {
      return etherType === 0x0800 ? locateIpv4(bytes, linkEnd) : locateIpv6(bytes, linkEnd);
    }
    if (etherType !== 0x8100 && etherType !== 0x88a8 && etherType !== 0x9100) {
      return refuse(
        'not_ip',
        linkEnd - 2,
        `EtherType 0x${etherType.toString(16).padStart(4, '0')} is not IP`,
      );
    }
    if (++tags > MAX_VLAN_TAGS)
      return refuse('vlan_tags', linkEnd - 2, `more than ${MAX_VLAN_TAGS} VLAN tags`);
    linkEnd += 4;
  }
}

function locateIpv4(bytes: Uint8Array, at: number): HeaderRanges | LocateRefusal {
  if (bytes.length < at + 10)
    return refuse('ip_cut', bytes.length, 'the bytes end before the IPv4 protocol field');
  if (bytes[at] >> 4 !== 4)
    return refuse('ip_version', at, `IP version ${bytes[at] >> 4} under the EtherType of IPv4`);
  const ihl = bytes[at] & 15;
  if (ihl < 5) return refuse('ipv4_header_length', at, `IPv4 header length of ${ihl * 4} bytes`);
  const fragmentOffset = u16(bytes, at + 6) & 0x1fff;
  if (fragmentOffset !== 0) {
    return refuse('ip_fragment', at + 6, `a later fragment (offset ${fragmentOffset * 8})`);
  }
  return locateTransport(bytes, at, 4, at + ihl * 4, u16(bytes, at + 2), bytes[at + 9], at + 9);
}

function locateIpv6(bytes: Uint8Array, at: number): HeaderRanges | LocateRefusal {
  if (bytes.length < at + 7)
    return refuse('ip_cut', bytes.length, 'the bytes end before the IPv6 next header field');
  if (bytes[at] >> 4 !== 6)
    return refuse('ip_version', at, `IP version ${bytes[at] >> 4} under the EtherType of IPv6`);
  const next = bytes[at + 6];
  if (IPV6_EXTENSIONS.has(next)) {
    return refuse('ipv6_extension', at + 6, `IPv6 extension header ${next} before the transport header`);
  }
  return locateTransport(bytes, at, 6, at + 40, 40 + u16(bytes, at + 4), next, at + 6);
}

function locateTransport(
  bytes: Uint8Array,
  linkEnd: number,
  ipVersion: 4 | 6,
  ipEnd: number,
  ipTotalLength: number,
  protocol: number,
  protocolAt: number,
): HeaderRanges | LocateRefusal {
  const captured = bytes.length;
  if (protocol === TCP) {
    const words = captured > ipEnd + 12 ? bytes[ipEnd + 12] >> 4 : 0;
    const headerEnd = ipEnd + Math.max(20, words * 4);
    return {
      ok: true,
      linkEnd,
      ipVersion,
      ipEnd,
      ipTotalLength,
      transport: 'tcp',
      headerEnd,
      udpLength: 0,
      captured,
    };
  }
  if (protocol === UDP) {
    const udpLength = captured >= ipEnd + 6 ? u16(bytes, ipEnd + 4) : 0;
    return {
      ok: true,
      linkEnd,
      ipVersion,
      ipEnd,
      ipTotalLength,
      transport: 'udp',
      headerEnd: ipEnd + 8,
      udpLength,
      captured,
    };
  }
  return refuse('not_tcp_or_udp', protocolAt, `IP protocol ${protocol} is neither TCP nor UDP`);
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 8) | bytes[at + 1];
}

function refuse(code: LocateRefusalCode, offset: number, message: string): LocateRefusal {
  return { ok: false, code, offset, message };
}
