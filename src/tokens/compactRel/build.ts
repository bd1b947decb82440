import { internetChecksum } from '../../packets/checksum';
import { putU16, putU32 } from './numbers';
import { TCP } from './packetFields';
import type { PacketFields } from './packetFields';
import { putOptions } from './templates';

/** How an IPv4 header checksum stands to the right one. */
export const enum IpClass {
  Right = 0,
  Zero = 1,
  /** Verbatim; this packet only. */
  Other = 2,
}

/** How a TCP or UDP checksum stands to the right one. */
export const enum TransportClass {
  /** Right wherever it can be computed from what is kept, verbatim elsewhere. */
  Right = 0,
  /** The sum of the pseudo-header: the network card was to complete it. */
  Partial = 1,
  Zero = 2,
  Other = 3,
}

/** Whether all bytes that the transport checksum covers are kept. */
export function computable(p: PacketFields): boolean {
  return p.length === (p.protocol === TCP ? 0 : p.payloadLength);
}

function transportHeaderBytes(p: PacketFields): number {
  return p.protocol === TCP ? 20 + p.template.optionBytes : 8;
}

/** The header bytes of a packet; both checksums are 0. */
export function buildPacket(p: PacketFields): Uint8Array {
  const ip = p.link.length;
  const v4 = p.version === 4;
  const transport = ip + (v4 ? 20 + p.ipOptions.length : 40);
  const headerBytes = transportHeaderBytes(p);
  const out = new Uint8Array(transport + headerBytes + (p.protocol === TCP ? 0 : p.payloadLength));
  out.set(p.link, 0);
  const room = headerBytes + p.length;
  if (v4) {
    out[ip] = 0x40 | ((transport - ip) >> 2);
    out[ip + 1] = p.tos;
    putU16(out, ip + 2, room + transport - ip);
    putU16(out, ip + 4, p.id);
    putU16(out, ip + 6, p.frag);
    out[ip + 8] = p.ttl;
    out[ip + 9] = p.protocol;
    putU32(out, ip + 12, p.s0);
    putU32(out, ip + 16, p.d0);
    out.set(p.ipOptions, ip + 20);
  } else {
    putU32(out, ip, p.tos);
    putU16(out, ip + 4, room);
    out[ip + 6] = p.protocol;
    out[ip + 7] = p.ttl;
    putU32(out, ip + 8, p.s0);
    putU32(out, ip + 12, p.s1);
    putU32(out, ip + 16, p.s2);
    putU32(out, ip + 20, p.s3);
    putU32(out, ip + 24, p.d0);
    putU32(out, ip + 28, p.d1);
    putU32(out, ip + 32, p.d2);
    putU32(out, ip + 36, p.d3);
  }
  putU16(out, transport, p.sourcePort);
  putU16(out, transport + 2, p.destinationPort);
  if (p.protocol === TCP) {
    putU32(out, transport + 4, p.seq);
    putU32(out, transport + 8, p.ack);
    out[transport + 12] = ((headerBytes >> 2) << 4) | p.reserved;
    out[transport + 13] = p.flags;
    putU16(out, transport + 14, p.window);
    putU16(out, transport + 18, p.urgent);
    putOptions(out, transport + 20, p.template, p.dynamic);
  } else {
    putU16(out, transport + 4, p.length + 8);
    for (let i = 0; i < p.payloadLength; i++) out[transport + 8 + i] = p.payload[i];
  }
  return out;
}

/** Writes the checksums into built header bytes: by class, the given value where the class is `Other`. */
export function putChecksums(
  out: Uint8Array,
  p: PacketFields,
  ipClass: IpClass,
  transportClass: TransportClass,
  verbatim: boolean,
): void {
  const ip = p.link.length;
  const transport = ip + (p.version === 4 ? 20 + p.ipOptions.length : 40);
  if (p.version === 4 && ipClass !== IpClass.Zero) {
    const value = ipClass === IpClass.Right ? internetChecksum(out, ip, transport) : p.ipChecksum;
    putU16(out, ip + 10, value);
  }
  const at = transport + (p.protocol === TCP ? 16 : 6);
  if (verbatim) putU16(out, at, p.checksum);
  else if (transportClass === TransportClass.Partial) putU16(out, at, pseudoSum(p));
  else if (transportClass === TransportClass.Right)
    putU16(out, at, computable(p) ? transportChecksum(out, transport, p) : 0);
}

/** Whether the IPv4 header checksum of a packet as captured is right. */
export function ipChecksumRight(p: PacketFields): boolean {
  const { bytes, linkEnd, ipChecksum } = p;
  return internetChecksum(bytes, linkEnd, linkEnd + 20 + p.ipOptions.length, -ipChecksum) === ipChecksum;
}

/**
 * The class of a packet's transport checksum as captured.
 * @param predicted the direction's class so far, kept wherever it fits.
 */
export function classifyTransport(p: PacketFields, predicted: TransportClass): TransportClass {
  const whole = computable(p);
  let found: TransportClass;
  if (p.checksum === pseudoSum(p)) found = TransportClass.Partial;
  else if (p.checksum === 0) found = TransportClass.Zero;
  else if (!whole) found = TransportClass.Right;
  else {
    const at = p.linkEnd + (p.version === 4 ? 20 + p.ipOptions.length : 40);
    found = transportRight(p, at) ? TransportClass.Right : TransportClass.Other;
  }
  if (found !== predicted) {
    if (predicted === TransportClass.Right && !whole) return TransportClass.Right;
    if (predicted === TransportClass.Other) return TransportClass.Other;
  }
  return found;
}

function transportRight(p: PacketFields, at: number): boolean {
  const field = at + (p.protocol === TCP ? 16 : 6);
  return transportChecksum(p.bytes, at, p, field) === p.checksum;
}

/** RFC 9293 section 3.1, RFC 768, RFC 8200 section 8.1; the field at `skip` counts as 0. */
function transportChecksum(bytes: Uint8Array, at: number, p: PacketFields, skip = -1): number {
  const headerBytes = transportHeaderBytes(p);
  const end = at + headerBytes + (p.protocol === TCP ? 0 : p.payloadLength);
  let start = pseudoWords(p, headerBytes);
  if (skip >= 0) start -= (bytes[skip] << 8) | bytes[skip + 1];
  const value = internetChecksum(bytes, at, end, start);
  return value === 0 && p.protocol !== TCP ? 0xffff : value;
}

/** The folded sum of the pseudo-header, not inverted: what an offloading host leaves in the field. */
function pseudoSum(p: PacketFields): number {
  let sum = pseudoWords(p, transportHeaderBytes(p));
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}

function pseudoWords(p: PacketFields, headerBytes: number): number {
  let sum = p.protocol + ((headerBytes + p.length) & 0xffff) + words(p.s0) + words(p.d0);
  if (p.version === 6)
    sum += words(p.s1) + words(p.s2) + words(p.s3) + words(p.d1) + words(p.d2) + words(p.d3);
  return sum;
}

const words = (n: number) => (n >>> 16) + (n & 0xffff);
