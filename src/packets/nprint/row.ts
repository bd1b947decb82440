import { LinkType, type Frame } from '../../capture/frame';
import type { Problem } from '../../util';
import {
  NPRINT_HEADER_BITS,
  NPRINT_RANGES,
  type NprintSectionName,
  type NprintSectionRanges,
} from './columns';
import { locateNprint, type NprintHeaders, type NprintRefusal } from './locate';

/**
 * Writes one packet's nPrint into `row`: 1,408 values of {-1, 0, 1}, and 8 more for every payload byte wanted (the length
 * of `row` says how many). Bits that were not captured are -1, as bits that the packet has not. A packet without an
 * nPrint leaves a row of -1.
 */
export function writeNprintRow(
  bytes: Uint8Array,
  linkType: number,
  row: Int8Array,
): NprintHeaders | NprintRefusal {
  row.fill(-1);
  const at = locateNprint(bytes, linkType);
  if (!at.ok) return at;
  writeNprintSections(bytes, at, row, NPRINT_RANGES);
  if (row.length > NPRINT_HEADER_BITS && at.transport) {
    // What follows the IP packet (Ethernet padding) is no payload.
    const end = Math.min(bytes.length, Math.max(at.packetEnd, at.headerEnd));
    writeBits(bytes, at.headerEnd, end, row, NPRINT_HEADER_BITS, row.length);
  }
  return at;
}

/** Writes the headers into columns of one's own choice; sections that `ranges` lacks are left out. */
export function writeNprintSections(
  bytes: Uint8Array,
  at: NprintHeaders,
  row: Int8Array,
  ranges: Partial<NprintSectionRanges>,
): NprintSectionName[] {
  const sections: NprintSectionName[] = [];
  const write = (name: NprintSectionName, from: number, to: number): void => {
    const range = ranges[name];
    if (!range) return;
    writeBits(bytes, from, Math.min(to, bytes.length), row, range[0], range[1]);
    sections.push(name);
  };
  write(at.ipVersion === 4 ? 'ipv4' : 'ipv6', at.ipAt, at.ipEnd);
  if (at.transport) write(at.transport, at.ipEnd, at.headerEnd);
  return sections;
}

function writeBits(
  bytes: Uint8Array,
  from: number,
  to: number,
  row: Int8Array,
  first: number,
  end: number,
): void {
  const stop = Math.min(to, from + ((end - first) >> 3));
  for (let i = from, column = first; i < stop; i++, column += 8) {
    const byte = bytes[i];
    row[column] = byte >> 7;
    row[column + 1] = (byte >> 6) & 1;
    row[column + 2] = (byte >> 5) & 1;
    row[column + 3] = (byte >> 4) & 1;
    row[column + 4] = (byte >> 3) & 1;
    row[column + 5] = (byte >> 2) & 1;
    row[column + 6] = (byte >> 1) & 1;
    row[column + 7] = byte & 1;
  }
}

/** Bytes of a row: its bits that are not -1, in order, packed. */
export interface NprintBytes {
  /** From the IP header's first byte; empty for a row of -1. */
  bytes: Uint8Array;
  /** `nprint_ragged`: the bits do not fill whole bytes, as happens in generated rows; the rest was dropped. */
  problems: Problem[];
}

/**
 * The packet that a row describes, from the IP header on: exactly the header bytes that it was made of (and the payload, where
 * the row has enough of it). Bytes are taken as they stand; nothing is repaired.
 */
export function nprintRowToBytes(row: ArrayLike<number>): NprintBytes {
  let bits = 0;
  for (let i = 0; i < row.length; i++) if (row[i] >= 0) bits++;
  const bytes = new Uint8Array(bits >> 3);
  let at = 0;
  for (let i = 0; i < row.length && at < bytes.length * 8; i++) {
    if (row[i] < 0) continue;
    if (row[i] > 0) bytes[at >> 3] |= 0x80 >> (at & 7);
    at++;
  }
  const left = bits & 7;
  const problems: Problem[] =
    left === 0
      ? []
      : [
          {
            code: 'nprint_ragged',
            layer: 'nprint',
            offset: bytes.length,
            message: `${bits} bits: ${left} beyond the last whole byte are dropped`,
          },
        ];
  return { bytes, problems };
}

/**
 * A row's bytes as a frame of link type RAW (101). Its length on the wire is the IP length field where that is more
 * than the bytes there are: headers without their payload, as a capture with a snaplen.
 */
export function nprintBytesToFrame(bytes: Uint8Array, tsMicros: number): Frame {
  return {
    data: bytes,
    wireLen: Math.max(bytes.length, ipLength(bytes)),
    tsMicros,
    tsNanos: 0,
    linkType: LinkType.RAW_101,
    interfaceId: 0,
  };
}

function ipLength(bytes: Uint8Array): number {
  if (bytes.length >= 4 && bytes[0] >> 4 === 4) return (bytes[2] << 8) | bytes[3];
  if (bytes.length >= 6 && bytes[0] >> 4 === 6) return 40 + ((bytes[4] << 8) | bytes[5]);
  return 0;
}
