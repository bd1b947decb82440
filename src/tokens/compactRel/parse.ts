import { LinkType } from '../../capture/frame';
import { findLink } from '../linkTypes';
import type { LinkHeader } from '../linkTypes';
import { u16, u32 } from './numbers';
import { NO_BYTES, TCP, UDP, UDP_PAYLOAD } from './packetFields';
import type { PacketFields } from './packetFields';
import { parseOptions, PRESETS } from './templates';

/** What {@link parsePacket} found. */
export const enum Parsed {
  /** No TCP or UDP header: not kept by the layout; `found` says why. */
  Refused,
  /** The kept bytes cannot be rebuilt from fields; `p.kept` of them are written verbatim. */
  Irregular,
  Regular,
}

/** IPv6 next-header values that are extension headers (RFC 8200 section 4, RFC 7045). */
const IPV6_EXTENSIONS = new Set([0, 43, 44, 50, 51, 60, 135, 139, 140, 253, 254]);

/**
 * The header bytes of a packet to fields. Never throws; no allocation for a regular packet.
 *
 * Regular is a packet that can be rebuilt exactly: header lengths consistent with the bytes there are, TCP data offset
 * of at least 5, well-formed TCP options, UDP and IP length in agreement, the kept payload bytes captured, or none of them.
 *
 * @param withoutTcpOptions take a TCP header for its first 20 bytes, as if it had no options.
 */
export function parsePacket(
  bytes: Uint8Array,
  linkType: number,
  p: PacketFields,
  found: LinkHeader,
  withoutTcpOptions = false,
): Parsed {
  if (!findLink(bytes, linkType, found)) return Parsed.Refused;
  const ip = found.end;
  if (bytes.length <= ip) return refuse(found, 'ip_cut', bytes.length, 'the bytes end before the IP header');
  const version = bytes[ip] >> 4;
  const expected =
    found.version || (linkType === LinkType.IPV4 ? 4 : linkType === LinkType.IPV6 ? 6 : version);
  if (version !== expected || (version !== 4 && version !== 6)) {
    const where = expected === 4 || expected === 6 ? ` where IPv${expected} belongs` : '';
    return refuse(found, 'ip_version', ip, `IP version ${version}${where}`);
  }
  p.bytes = bytes;
  p.linkEnd = ip;
  p.version = version;
  const transport = version === 4 ? parseIpv4(bytes, ip, p, found) : parseIpv6(bytes, ip, p, found);
  if (transport < 0) return Parsed.Refused;
  const ipBytes = version === 4 ? transport - ip : 0;
  const ipLength = u16(bytes, ip + (version === 4 ? 2 : 4));
  if (p.protocol === TCP) return parseTcp(bytes, transport, ipLength - ipBytes, p, found, withoutTcpOptions);
  if (p.protocol === UDP) return parseUdp(bytes, transport, ipLength - ipBytes, p, found);
  return refuse(
    found,
    'not_tcp_or_udp',
    ip + (version === 4 ? 9 : 6),
    `IP protocol ${p.protocol} is neither TCP nor UDP`,
  );
}

/** Returns where the transport header begins; -1: refused. */
function parseIpv4(b: Uint8Array, ip: number, p: PacketFields, found: LinkHeader): number {
  if (b.length < ip + 20) {
    refuse(found, 'ip_cut', b.length, 'the bytes end inside the IPv4 header');
    return -1;
  }
  const headerBytes = (b[ip] & 15) * 4;
  if (headerBytes < 20) {
    refuse(found, 'ipv4_header_length', ip, `IPv4 header length of ${headerBytes} bytes`);
    return -1;
  }
  p.tos = b[ip + 1];
  p.id = u16(b, ip + 4);
  p.frag = u16(b, ip + 6);
  p.ttl = b[ip + 8];
  p.protocol = b[ip + 9];
  p.ipChecksum = u16(b, ip + 10);
  p.s0 = u32(b, ip + 12);
  p.d0 = u32(b, ip + 16);
  p.s1 = p.s2 = p.s3 = p.d1 = p.d2 = p.d3 = 0;
  p.ipOptions = headerBytes === 20 ? NO_BYTES : b.slice(ip + 20, ip + headerBytes);
  const fragment = p.frag & 0x1fff;
  if (fragment !== 0) {
    refuse(found, 'ip_fragment', ip + 6, `a later fragment (offset ${fragment * 8})`);
    return -1;
  }
  return ip + headerBytes;
}

function parseIpv6(b: Uint8Array, ip: number, p: PacketFields, found: LinkHeader): number {
  if (b.length < ip + 40) {
    refuse(found, 'ip_cut', b.length, 'the bytes end inside the IPv6 header');
    return -1;
  }
  p.tos = u32(b, ip);
  p.id = p.frag = p.ipChecksum = 0;
  p.protocol = b[ip + 6];
  p.ttl = b[ip + 7];
  p.s0 = u32(b, ip + 8);
  p.s1 = u32(b, ip + 12);
  p.s2 = u32(b, ip + 16);
  p.s3 = u32(b, ip + 20);
  p.d0 = u32(b, ip + 24);
  p.d1 = u32(b, ip + 28);
  p.d2 = u32(b, ip + 32);
  p.d3 = u32(b, ip + 36);
  p.ipOptions = NO_BYTES;
  if (IPV6_EXTENSIONS.has(p.protocol)) {
    const message = `IPv6 extension header ${p.protocol} before the transport header`;
    refuse(found, 'ipv6_extension', ip + 6, message);
    return -1;
  }
  return ip + 40;
}

/** @param room bytes of IP payload by the IP header. */
function parseTcp(
  b: Uint8Array,
  at: number,
  room: number,
  p: PacketFields,
  found: LinkHeader,
  withoutOptions: boolean,
): Parsed {
  if (b.length < at + 20)
    return refuse(found, 'transport_cut', b.length, 'the bytes end inside the 20 bytes of the TCP header');
  p.sourcePort = u16(b, at);
  p.destinationPort = u16(b, at + 2);
  p.seq = u32(b, at + 4);
  p.ack = u32(b, at + 8);
  p.reserved = b[at + 12] & 15;
  p.flags = b[at + 13];
  p.window = u16(b, at + 14);
  p.checksum = u16(b, at + 16);
  p.urgent = u16(b, at + 18);
  const headerBytes = (b[at + 12] >> 4) * 4;
  const end = at + Math.max(20, headerBytes);
  p.kept = withoutOptions ? at + 20 : Math.min(end, b.length);
  if (headerBytes < 20) return Parsed.Irregular;
  p.length = (room - headerBytes) & 0xffff;
  p.template = PRESETS[0];
  if (withoutOptions) return Parsed.Regular;
  if (end > b.length) return Parsed.Irregular;
  const template = parseOptions(b, at + 20, end, p.dynamic);
  if (!template) return Parsed.Irregular;
  p.template = template;
  return Parsed.Regular;
}

function parseUdp(b: Uint8Array, at: number, room: number, p: PacketFields, found: LinkHeader): Parsed {
  if (b.length < at + 8)
    return refuse(found, 'transport_cut', b.length, 'the bytes end inside the UDP header');
  p.sourcePort = u16(b, at);
  p.destinationPort = u16(b, at + 2);
  const udpLength = u16(b, at + 4);
  p.checksum = u16(b, at + 6);
  p.flags = 0;
  p.length = (udpLength - 8) & 0xffff;
  const told = Math.min(UDP_PAYLOAD, Math.max(0, udpLength - 8));
  const n = Math.min(told, b.length - at - 8);
  p.kept = at + 8 + n;
  p.payloadLength = n;
  for (let i = 0; i < n; i++) p.payload[i] = b[at + 8 + i];
  const whole = n === told || n === 0;
  return udpLength >= 8 && whole && udpLength === (room & 0xffff) ? Parsed.Regular : Parsed.Irregular;
}

function refuse(found: LinkHeader, code: string, offset: number, message: string): Parsed.Refused {
  found.code = code;
  found.offset = offset;
  found.message = message;
  return Parsed.Refused;
}
