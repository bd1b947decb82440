/**
 * The little of PCAP that the testbed needs: read what tcpdump wrote (microseconds, Ethernet,
 * IPv4), cut each packet behind its TCP or UDP header, count flows, handshakes and closes.
 */
const ETHERNET = 14;
const [FIN, SYN, RST, ACK] = [1, 2, 4, 16];

/** Packets of a little-endian microsecond pcap: [{seconds, micros, wireLen, bytes}]. */
export function readPcap(buffer) {
  if (buffer.readUInt32LE(0) !== 0xa1b2c3d4) throw new Error('not a little-endian µs pcap');
  const packets = [];
  for (let at = 24; at + 16 <= buffer.length;) {
    const length = buffer.readUInt32LE(at + 8);
    if (at + 16 + length > buffer.length) break;
    packets.push({
      seconds: buffer.readUInt32LE(at),
      micros: buffer.readUInt32LE(at + 4),
      wireLen: buffer.readUInt32LE(at + 12),
      bytes: buffer.subarray(at + 16, at + 16 + length),
    });
    at += 16 + length;
  }
  return packets;
}

/** The same packets as a pcap whose bytes end behind the TCP or UDP header; lengths stay. */
export function headersOnly(packets) {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(262144, 16);
  header.writeUInt32LE(1, 20);
  const parts = [header];
  for (const packet of packets) {
    const bytes = packet.bytes.subarray(0, headerEnd(packet.bytes));
    const record = Buffer.alloc(16);
    record.writeUInt32LE(packet.seconds, 0);
    record.writeUInt32LE(packet.micros, 4);
    record.writeUInt32LE(bytes.length, 8);
    record.writeUInt32LE(packet.wireLen, 12);
    parts.push(record, bytes);
  }
  return Buffer.concat(parts);
}

const transport = (bytes) => ETHERNET + (bytes[ETHERNET] & 15) * 4;

function headerEnd(bytes) {
  const at = transport(bytes);
  const protocol = bytes[ETHERNET + 9];
  if (protocol === 6) return at + (bytes[at + 12] >> 4) * 4;
  return protocol === 17 ? at + 8 : at;
}

/**
 * Flows by bidirectional five-tuple. A TCP flow has a handshake when its first three packets
 * (retransmissions apart) are SYN, SYN+ACK, ACK; it is closed by FIN from both sides or an RST.
 */
export function countFlows(packets) {
  const flows = new Map();
  for (const { bytes } of packets) {
    const protocol = bytes[ETHERNET + 9];
    if (protocol !== 6 && protocol !== 17) continue;
    const at = transport(bytes);
    const source = `${bytes.readUInt32BE(ETHERNET + 12)}:${bytes.readUInt16BE(at)}`;
    const target = `${bytes.readUInt32BE(ETHERNET + 16)}:${bytes.readUInt16BE(at + 2)}`;
    const key = `${protocol} ${[source, target].sort().join(' ')}`;
    if (!flows.has(key)) flows.set(key, { protocol, source, stage: 0, fins: new Set(), rst: false });
    const flow = flows.get(key);
    if (protocol !== 6) continue;
    const flags = bytes[at + 13];
    const fromClient = source === flow.source;
    const kind = flags & (SYN | ACK);
    if (flow.stage === 0) flow.stage = kind === SYN ? 1 : -1;
    else if (flow.stage === 1 && kind === (SYN | ACK) && !fromClient) flow.stage = 2;
    else if (flow.stage === 2 && kind === ACK && fromClient) flow.stage = 3;
    if (flags & FIN) flow.fins.add(source);
    if (flags & RST) flow.rst = true;
  }
  const tcp = [...flows.values()].filter((f) => f.protocol === 6);
  return {
    flows: flows.size,
    tcpFlows: tcp.length,
    handshakes: tcp.filter((f) => f.stage === 3).length,
    closed: tcp.filter((f) => f.rst || f.fins.size === 2).length,
  };
}
