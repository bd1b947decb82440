import type { Frame } from '../capture';
import { decodePacket } from './decode';
import { findIp, findTransport, ipEnd, payloadLength } from './layers';
import type { Packet } from './packet';
import { IpProtocol } from './pseudoHeader';

/*
 * The header fields that flows and tables need, of many packets at once, in one typed array a field: no object a
 * packet. Ordinary packets are read straight from their bytes; everything else (tunnels, extension headers,
 * fragments, contradicting lengths) goes through decodePacket, which is the one judge of what a packet is.
 */

/** What of a datagram a packet carries. */
export const Fragment = { WHOLE: 0, FIRST: 1, LATER: 2 } as const;

/** Rows of {@link HeaderBatch} by default: a few hundred kilobytes. */
export const HEADER_BATCH_ROWS = 4096;

/**
 * The IP, TCP and UDP header fields of up to `capacity` packets, one row a packet. With tunnels the innermost
 * headers count. Rows without a field hold 0 there.
 */
export class HeaderBatch {
  /** Rows in use. */
  length = 0;
  /** Microseconds since 1970. */
  readonly tsMicros: Float64Array;
  /** Bytes on the wire and bytes captured, link header included. */
  readonly wireLen: Uint32Array;
  readonly capLen: Uint32Array;
  /** 4 or 6; 0: no IP header could be read. */
  readonly ipVersion: Uint8Array;
  /** Protocol of the IP packet; 6 and 17 only where the transport header could be read ({@link hasPorts}). */
  readonly protocol: Uint8Array;
  /** 1: TCP or UDP, with ports. */
  readonly hasPorts: Uint8Array;
  /** Four words an address, the first the most significant; an IPv4 address is the first word, the rest 0. */
  readonly source: Uint32Array;
  readonly destination: Uint32Array;
  readonly sourcePort: Uint16Array;
  readonly destinationPort: Uint16Array;
  /** TTL or hop limit. */
  readonly ttl: Uint8Array;
  /** IPv4 identification, or that of an IPv6 fragment header. */
  readonly identification: Uint32Array;
  /** See {@link Fragment}. */
  readonly fragment: Uint8Array;
  /** Bits of `TcpFlag`; 0 for UDP. */
  readonly tcpFlags: Uint16Array;
  readonly sequenceNumber: Uint32Array;
  readonly acknowledgmentNumber: Uint32Array;
  readonly window: Uint16Array;
  /** Transport payload on the wire, in bytes, captured or not. */
  readonly payloadLength: Uint32Array;
  /** Number of the packet's flow, from 0 in order of opening; -1: none. Filled by `FlowIndex` of netssm/flows. */
  readonly flow: Int32Array;
  /** 1: sent by the flow's client. */
  readonly fromClient: Uint8Array;

  constructor(readonly capacity = HEADER_BATCH_ROWS) {
    this.tsMicros = new Float64Array(capacity);
    this.wireLen = new Uint32Array(capacity);
    this.capLen = new Uint32Array(capacity);
    this.ipVersion = new Uint8Array(capacity);
    this.protocol = new Uint8Array(capacity);
    this.hasPorts = new Uint8Array(capacity);
    this.source = new Uint32Array(4 * capacity);
    this.destination = new Uint32Array(4 * capacity);
    this.sourcePort = new Uint16Array(capacity);
    this.destinationPort = new Uint16Array(capacity);
    this.ttl = new Uint8Array(capacity);
    this.identification = new Uint32Array(capacity);
    this.fragment = new Uint8Array(capacity);
    this.tcpFlags = new Uint16Array(capacity);
    this.sequenceNumber = new Uint32Array(capacity);
    this.acknowledgmentNumber = new Uint32Array(capacity);
    this.window = new Uint16Array(capacity);
    this.payloadLength = new Uint32Array(capacity);
    this.flow = new Int32Array(capacity);
    this.fromClient = new Uint8Array(capacity);
  }

  /**
   * Reads a frame's headers into the next row, and returns the row. The batch must have room for it.
   *
   * @param packet the decoded frame, if it is at hand anyway.
   */
  add(frame: Frame, packet?: Packet): number {
    const row = this.length++;
    this.tsMicros[row] = frame.tsMicros;
    this.wireLen[row] = frame.wireLen;
    this.capLen[row] = frame.data.length;
    this.flow[row] = -1;
    this.fromClient[row] = 0;
    if (!readOrdinary(this, row, frame)) {
      readPacket(this, row, packet ?? decodePacket(frame.data, frame.linkType, { wireLen: frame.wireLen }));
    }
    return row;
  }

  /** Forgets all rows. */
  clear(): void {
    this.length = 0;
  }
}

/** UDP ports under which tunnels are looked for: VXLAN, Geneve, GTP-U, MPLS. */
const TUNNEL_PORTS = [4789, 6081, 2152, 6635];
/** IP protocols that carry neither ports nor other packets, so that their rows are complete with the addresses. */
const WITHOUT_PORTS = new Set([1, 2, 50, 58, 89, 103, 112, 132]);

const isTunnelPort = new Uint8Array(65536);
for (const port of TUNNEL_PORTS) isTunnelPort[port] = 1;

const enum Link {
  NULL = 0,
  ETHERNET = 1,
  LOOP = 108,
  RAW = 101,
  RAW_12 = 12,
  RAW_14 = 14,
  SLL = 113,
  IPV4 = 228,
  IPV6 = 229,
  SLL2 = 276,
}

/** The rows of ordinary packets. False: not ordinary, nothing that counts was written. */
function readOrdinary(batch: HeaderBatch, row: number, frame: Frame): boolean {
  const d = frame.data;
  const captured = d.length;
  let at: number;
  let type = 0;
  switch (frame.linkType as Link) {
    case Link.ETHERNET: {
      at = 14;
      if (captured < at) return false;
      type = (d[12] << 8) | d[13];
      for (let tags = 0; type === 0x8100 || type === 0x88a8; tags++) {
        at += 4;
        if (captured < at || tags === 4) return false;
        type = (d[at - 2] << 8) | d[at - 1];
      }
      break;
    }
    case Link.SLL:
      at = 16;
      if (captured < at) return false;
      type = (d[14] << 8) | d[15];
      break;
    case Link.SLL2:
      at = 20;
      if (captured < at) return false;
      type = (d[0] << 8) | d[1];
      break;
    case Link.NULL:
    case Link.LOOP:
      at = 4;
      if (captured < 24) return false;
      // The family is a small number in either byte order: IPv4 is 2 everywhere.
      if ((d[0] | d[3]) === 2 && (d[1] | d[2]) === 0) type = 0x0800;
      break;
    case Link.RAW:
    case Link.RAW_12:
    case Link.RAW_14:
      at = 0;
      if (captured < 20) return false;
      type = d[0] >> 4 === 4 ? 0x0800 : d[0] >> 4 === 6 ? 0x86dd : 0;
      break;
    case Link.IPV4:
      at = 0;
      type = 0x0800;
      break;
    case Link.IPV6:
      at = 0;
      type = 0x86dd;
      break;
    default:
      return false;
  }
  if (type === 0x0800) return readIpv4(batch, row, d, at, frame.wireLen);
  if (type === 0x86dd) return readIpv6(batch, row, d, at, frame.wireLen);
  return false;
}

function readIpv4(batch: HeaderBatch, row: number, d: Uint8Array, at: number, wireLen: number): boolean {
  if (d.length < at + 20 || d[at] >> 4 !== 4) return false;
  const headerEnd = at + (d[at] & 15) * 4;
  const end = at + ((d[at + 2] << 8) | d[at + 3]);
  // More fragments, or a later one; lengths that contradict each other.
  if ((d[at + 6] & 0x3f) !== 0 || d[at + 7] !== 0) return false;
  if (headerEnd < at + 20 || headerEnd > d.length || headerEnd > end || end > Math.max(wireLen, d.length)) {
    return false;
  }
  if (!readTransport(batch, row, d, headerEnd, end, d[at + 9])) return false;
  const a = 4 * row;
  batch.ipVersion[row] = 4;
  batch.ttl[row] = d[at + 8];
  batch.identification[row] = (d[at + 4] << 8) | d[at + 5];
  batch.source[a] = u32(d, at + 12);
  batch.source[a + 1] = batch.source[a + 2] = batch.source[a + 3] = 0;
  batch.destination[a] = u32(d, at + 16);
  batch.destination[a + 1] = batch.destination[a + 2] = batch.destination[a + 3] = 0;
  return true;
}

function readIpv6(batch: HeaderBatch, row: number, d: Uint8Array, at: number, wireLen: number): boolean {
  if (d.length < at + 40 || d[at] >> 4 !== 6) return false;
  const length = (d[at + 4] << 8) | d[at + 5];
  const end = at + 40 + length;
  if (length === 0 || end > Math.max(wireLen, d.length)) return false;
  if (!readTransport(batch, row, d, at + 40, end, d[at + 6])) return false;
  batch.ipVersion[row] = 6;
  batch.ttl[row] = d[at + 7];
  batch.identification[row] = 0;
  for (let i = 0; i < 4; i++) {
    batch.source[4 * row + i] = u32(d, at + 8 + 4 * i);
    batch.destination[4 * row + i] = u32(d, at + 24 + 4 * i);
  }
  return true;
}

/** @param end one past the IP packet's last byte on the wire. */
function readTransport(
  batch: HeaderBatch,
  row: number,
  d: Uint8Array,
  at: number,
  end: number,
  protocol: number,
): boolean {
  const there = Math.min(end, d.length);
  if (protocol === IpProtocol.TCP) {
    if (there < at + 20) return false;
    const headerEnd = at + (d[at + 12] >> 4) * 4;
    if (headerEnd < at + 20 || headerEnd > end) return false;
    batch.sequenceNumber[row] = u32(d, at + 4);
    batch.acknowledgmentNumber[row] = u32(d, at + 8);
    batch.tcpFlags[row] = d[at + 13];
    batch.window[row] = (d[at + 14] << 8) | d[at + 15];
    batch.payloadLength[row] = end - headerEnd;
  } else if (protocol === IpProtocol.UDP) {
    if (there < at + 8) return false;
    if (isTunnelPort[(d[at] << 8) | d[at + 1]] || isTunnelPort[(d[at + 2] << 8) | d[at + 3]]) return false;
    clearTcp(batch, row);
    batch.payloadLength[row] = end - at - 8;
  } else {
    if (!WITHOUT_PORTS.has(protocol)) return false;
    clearTcp(batch, row);
    batch.protocol[row] = protocol;
    batch.hasPorts[row] = batch.fragment[row] = 0;
    batch.sourcePort[row] = batch.destinationPort[row] = 0;
    batch.payloadLength[row] = end - at;
    return true;
  }
  batch.protocol[row] = protocol;
  batch.hasPorts[row] = 1;
  batch.fragment[row] = 0;
  batch.sourcePort[row] = (d[at] << 8) | d[at + 1];
  batch.destinationPort[row] = (d[at + 2] << 8) | d[at + 3];
  return true;
}

function clearTcp(batch: HeaderBatch, row: number): void {
  batch.tcpFlags[row] = batch.sequenceNumber[row] = batch.acknowledgmentNumber[row] = batch.window[row] = 0;
}

/** A row from a decoded packet. */
function readPacket(batch: HeaderBatch, row: number, packet: Packet): void {
  const d = packet.bytes;
  const ip = findIp(packet);
  const found = findTransport(packet);
  const transport = found && ip && found.offset > ip.offset ? found : undefined;
  clearTcp(batch, row);
  batch.ipVersion[row] = batch.protocol[row] = batch.hasPorts[row] = batch.fragment[row] = batch.ttl[row] = 0;
  batch.identification[row] = batch.payloadLength[row] = 0;
  batch.sourcePort[row] = batch.destinationPort[row] = 0;
  batch.source.fill(0, 4 * row, 4 * row + 4);
  batch.destination.fill(0, 4 * row, 4 * row + 4);
  if (!ip) return;
  if (ip.protocol === 'ipv4') {
    const { timeToLive, identification, fragmentOffset, flags, protocol } = ip.fields;
    batch.ipVersion[row] = 4;
    batch.ttl[row] = timeToLive;
    batch.identification[row] = identification;
    batch.fragment[row] = fragmentOffset > 0 ? Fragment.LATER : flags & 1 ? Fragment.FIRST : Fragment.WHOLE;
    batch.protocol[row] = protocol;
    batch.source[4 * row] = u32(d, ip.offset + 12);
    batch.destination[4 * row] = u32(d, ip.offset + 16);
  } else {
    batch.ipVersion[row] = 6;
    batch.ttl[row] = ip.fields.hopLimit;
    batch.protocol[row] = ip.fields.nextHeader;
    for (let i = 0; i < 4; i++) {
      batch.source[4 * row + i] = u32(d, ip.offset + 8 + 4 * i);
      batch.destination[4 * row + i] = u32(d, ip.offset + 24 + 4 * i);
    }
    readIpv6Extensions(batch, row, d, ip.offset);
  }
  const end = ipEnd(packet) ?? d.length;
  if (!transport) {
    batch.payloadLength[row] = Math.max(0, end - ip.offset - ip.length);
    return;
  }
  batch.hasPorts[row] = 1;
  batch.sourcePort[row] = transport.fields.sourcePort;
  batch.destinationPort[row] = transport.fields.destinationPort;
  if (transport.protocol === 'tcp') {
    const { flags, sequenceNumber, acknowledgmentNumber, window } = transport.fields;
    batch.protocol[row] = IpProtocol.TCP;
    batch.tcpFlags[row] = flags & 0xff;
    batch.sequenceNumber[row] = sequenceNumber;
    batch.acknowledgmentNumber[row] = acknowledgmentNumber;
    batch.window[row] = window;
    batch.payloadLength[row] = payloadLength(packet);
  } else {
    batch.protocol[row] = IpProtocol.UDP;
    batch.payloadLength[row] = Math.max(0, end - transport.offset - transport.length);
  }
}

/** Follows extension headers (RFC 8200, section 4) to the protocol and to a fragment header. */
function readIpv6Extensions(batch: HeaderBatch, row: number, d: Uint8Array, ipAt: number): void {
  let next = d[ipAt + 6];
  let at = ipAt + 40;
  for (let i = 0; i < 16 && at + 8 <= d.length; i++) {
    if (next === 44) {
      const word = (d[at + 2] << 8) | d[at + 3];
      batch.identification[row] = u32(d, at + 4);
      if (word >> 3 > 0) batch.fragment[row] = Fragment.LATER;
      else if (word & 1) batch.fragment[row] = Fragment.FIRST;
      next = d[at];
      at += 8;
      if (word >> 3 > 0) break;
    } else if (next === 0 || next === 43 || next === 60 || next === 135) {
      next = d[at];
      at += (d[at + 1] + 1) * 8;
    } else break;
  }
  batch.protocol[row] = next;
}

function u32(d: Uint8Array, at: number): number {
  return ((d[at] << 24) | (d[at + 1] << 16) | (d[at + 2] << 8) | d[at + 3]) >>> 0;
}
