import type { Frame } from '../../capture';
import { decodeFrame, findIp, findTransport } from '../../packets';

/** A field of the rows of a {@link HeaderSet}: bytes [from, to). */
export interface HeaderField {
  name: string;
  from: number;
  to: number;
  /** It identifies a flow, a host or a moment; masked where only behaviour is to be compared. */
  identifier?: true;
  /** Compared as a number (the difference's size), not only as same or other. */
  number?: true;
}

/** The row: IPv4 header without options, TCP header with options, padded with zeros. 80 bytes. */
export const HEADER_WIDTH = 80;
const TCP_AT = 20;

/** The fields of a row, by Scapy's names as the paper's table has them. */
export const HEADER_FIELDS: readonly HeaderField[] = [
  { name: 'ip.version_ihl', from: 0, to: 1, number: true },
  { name: 'ip.tos', from: 1, to: 2, number: true },
  { name: 'ip.len', from: 2, to: 4, number: true },
  { name: 'ip.id', from: 4, to: 6, number: true, identifier: true },
  { name: 'ip.frag', from: 6, to: 8, number: true },
  { name: 'ip.ttl', from: 8, to: 9, number: true },
  { name: 'ip.proto', from: 9, to: 10, number: true },
  { name: 'ip.chksum', from: 10, to: 12, number: true, identifier: true },
  { name: 'ip.src', from: 12, to: 16, identifier: true },
  { name: 'ip.dst', from: 16, to: 20, identifier: true },
  { name: 'tcp.sport', from: 20, to: 22, number: true, identifier: true },
  { name: 'tcp.dport', from: 22, to: 24, number: true, identifier: true },
  { name: 'tcp.seq', from: 24, to: 28, number: true, identifier: true },
  { name: 'tcp.ack', from: 28, to: 32, number: true, identifier: true },
  { name: 'tcp.dataofs', from: 32, to: 33, number: true },
  { name: 'tcp.flags', from: 33, to: 34 },
  { name: 'tcp.window', from: 34, to: 36, number: true },
  { name: 'tcp.chksum', from: 36, to: 38, number: true, identifier: true },
  { name: 'tcp.urgptr', from: 38, to: 40, number: true },
  { name: 'tcp.options', from: 40, to: 80 },
];

/** TCP packets over IPv4 as rows of header bytes. */
export interface HeaderSet {
  rows: number;
  /** rows x {@link HEADER_WIDTH} bytes. */
  bytes: Uint8Array;
  /** Place of each packet in its capture, from 0, of all packets. */
  position: Uint32Array;
  /** Number of its capture, in the order given. */
  capture: Uint32Array;
  /** Packets that have no row: other protocols, headers cut. */
  without: number;
  masked: boolean;
}

export interface HeaderSetOptions {
  /** Sets identifiers to 0: addresses, ports, numbers, checksums, IP id, and timestamp values in the options. */
  maskIdentifiers?: boolean;
}

/** The rows of captures' packets; each capture an iterable of frames. */
export function headerSet(captures: Iterable<Iterable<Frame>>, options: HeaderSetOptions = {}): HeaderSet {
  const masked = options.maskIdentifiers === true;
  let bytes = new Uint8Array(1024 * HEADER_WIDTH);
  const position: number[] = [];
  const capture: number[] = [];
  let without = 0;
  let number = 0;
  for (const frames of captures) {
    let place = 0;
    for (const frame of frames) {
      const row = position.length;
      if ((row + 1) * HEADER_WIDTH > bytes.length) {
        const larger = new Uint8Array(bytes.length * 2);
        larger.set(bytes);
        bytes = larger;
      }
      const out = bytes.subarray(row * HEADER_WIDTH, (row + 1) * HEADER_WIDTH);
      if (writeRow(frame, out)) {
        if (masked) maskRow(out);
        position.push(place);
        capture.push(number);
      } else without++;
      place++;
    }
    number++;
  }
  return {
    rows: position.length,
    bytes: bytes.slice(0, position.length * HEADER_WIDTH),
    position: Uint32Array.from(position),
    capture: Uint32Array.from(capture),
    without,
    masked,
  };
}

/** The rows with these indices. */
export function takeRows(set: HeaderSet, rows: ArrayLike<number>): HeaderSet {
  const bytes = new Uint8Array(rows.length * HEADER_WIDTH);
  const position = new Uint32Array(rows.length);
  const capture = new Uint32Array(rows.length);
  for (let i = 0; i < rows.length; i++) {
    const from = rows[i] * HEADER_WIDTH;
    bytes.set(set.bytes.subarray(from, from + HEADER_WIDTH), i * HEADER_WIDTH);
    position[i] = set.position[rows[i]];
    capture[i] = set.capture[rows[i]];
  }
  return { ...set, rows: rows.length, bytes, position, capture };
}

function writeRow(frame: Frame, out: Uint8Array): boolean {
  const packet = decodeFrame(frame);
  const ip = findIp(packet);
  const tcp = findTransport(packet);
  if (ip?.protocol !== 'ipv4' || tcp?.protocol !== 'tcp') return false;
  const length = tcp.fields.dataOffset * 4;
  if (length < 20 || tcp.offset + length > packet.bytes.length) return false;
  out.fill(0);
  out.set(packet.bytes.subarray(ip.offset, ip.offset + 20));
  out.set(packet.bytes.subarray(tcp.offset, tcp.offset + length), TCP_AT);
  return true;
}

function maskRow(row: Uint8Array): void {
  for (const { from, to, identifier } of HEADER_FIELDS) if (identifier) row.fill(0, from, to);
  const end = TCP_AT + (row[32] >> 4) * 4;
  for (let at = 40; at < end;) {
    const kind = row[at];
    if (kind === 0) return;
    if (kind === 1) {
      at++;
      continue;
    }
    const length = row[at + 1];
    if (length < 2) return;
    // Timestamps and SACK blocks.
    if (kind === 8 || kind === 5) row.fill(0, at + 2, Math.min(at + length, end));
    at += length;
  }
}
