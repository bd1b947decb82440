/**
 * The little of PCAP that the testbed needs: reads what tcpdump wrote (microseconds, Ethernet, IPv4)
 * and writes the headers as one section of a PCAPNG file.
 */

export const ETHERNET = 14;
/** Of a UDP packet's payload this much is kept: the RTP, STUN or DNS header (the paper keeps as much). */
export const UDP_PAYLOAD_KEPT = 12;

export interface Packet {
  /** Microseconds since 1970. */
  tsMicros: number;
  /** Length on the wire, with the Ethernet header. */
  wireLen: number;
  /** What was captured, from the Ethernet header on. */
  bytes: Buffer;
}

/** Packets of a little-endian microsecond pcap. A cut last packet is left out. */
export function readPcap(buffer: Buffer): Packet[] {
  if (buffer.length < 24 || buffer.readUInt32LE(0) !== 0xa1b2c3d4)
    throw new Error('not a little-endian microsecond pcap');
  const packets: Packet[] = [];
  for (let at = 24; at + 16 <= buffer.length;) {
    const length = buffer.readUInt32LE(at + 8);
    if (at + 16 + length > buffer.length) break;
    packets.push({
      tsMicros: buffer.readUInt32LE(at) * 1e6 + buffer.readUInt32LE(at + 4),
      wireLen: buffer.readUInt32LE(at + 12),
      bytes: buffer.subarray(at + 16, at + 16 + length),
    });
    at += 16 + length;
  }
  return packets;
}

/** Where the transport header begins. */
export const transportAt = (bytes: Buffer): number => ETHERNET + (bytes[ETHERNET] & 15) * 4;

/** How much of a packet is kept: to the end of the TCP header, or 12 bytes into a UDP payload. */
export function headerEnd({ bytes }: Packet): number {
  const at = transportAt(bytes);
  const protocol = bytes[ETHERNET + 9];
  if (protocol === 6) return Math.min(bytes.length, at + (bytes[at + 12] >> 4) * 4);
  if (protocol !== 17) return Math.min(bytes.length, at + 8);
  // The frame of a short packet may be longer than the packet: IP's total length counts.
  const end = ETHERNET + bytes.readUInt16BE(ETHERNET + 2);
  return Math.min(bytes.length, end, at + 8 + UDP_PAYLOAD_KEPT);
}

const [SECTION, INTERFACE, ENHANCED_PACKET] = [0x0a0d0d0a, 1, 6];
const [OPT_COMMENT, IF_NAME, IF_TSRESOL] = [1, 2, 9];

/**
 * One section of a PCAPNG file: its header (with `comment`), one Ethernet interface in microseconds,
 * the packets cut to their headers. Sections can be put behind one another.
 */
export function pcapngSection(packets: Packet[], comment: string): Buffer {
  const section = Buffer.alloc(16);
  section.writeUInt32LE(0x1a2b3c4d, 0);
  section.writeUInt16LE(1, 4);
  section.writeBigInt64LE(-1n, 8);
  const iface = Buffer.alloc(8);
  iface.writeUInt16LE(1, 0);
  iface.writeUInt32LE(262144, 4);
  const parts = [
    block(SECTION, section, option(OPT_COMMENT, Buffer.from(comment)), option(0)),
    block(INTERFACE, iface, option(IF_NAME, Buffer.from('eth0')), option(IF_TSRESOL, Buffer.from([6])), option(0)),
  ];
  for (const packet of packets) {
    const kept = packet.bytes.subarray(0, headerEnd(packet));
    const header = Buffer.alloc(20);
    header.writeUInt32LE(Math.floor(packet.tsMicros / 2 ** 32), 4);
    header.writeUInt32LE(packet.tsMicros % 2 ** 32, 8);
    header.writeUInt32LE(kept.length, 12);
    header.writeUInt32LE(packet.wireLen, 16);
    parts.push(block(ENHANCED_PACKET, header, kept));
  }
  return Buffer.concat(parts);
}

function block(type: number, ...body: Buffer[]): Buffer {
  const length = body.reduce((sum, part) => sum + part.length, 0);
  const total = 12 + length + (-length & 3);
  const out = Buffer.alloc(total);
  out.writeUInt32LE(type, 0);
  out.writeUInt32LE(total, 4);
  Buffer.concat(body).copy(out, 8);
  out.writeUInt32LE(total, total - 4);
  return out;
}

function option(code: number, value = Buffer.alloc(0)): Buffer {
  const out = Buffer.alloc(4 + value.length + (-value.length & 3));
  out.writeUInt16LE(code, 0);
  out.writeUInt16LE(value.length, 2);
  value.copy(out, 4);
  return out;
}
