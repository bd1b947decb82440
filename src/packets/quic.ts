import { concatBytes, fromHex, toHex } from './bytes';
import { getBits, setBits } from './fields';
import type { Layer } from './packet';
import type { Decoded, Protocol } from './protocol';
import type { UdpFields } from './udp';

// RFC 8999 (what all versions share) and RFC 9000, section 17. Everything after the connection ids is payload: it is
// protected, or depends on the version. How long the connection id of a short header is only its owner knows.
//
//   long header (first bit 1)                                  short header (first bit 0)
//   +-+-+---+-------+                                          +-+-+-+-----+---
//  0|1|F|typ| bits  |                                          |0|F|S|bits | destination connection id ...
//   +-+-+---+-------+-----------------------------------+      +-+-+-+-----+---
//  1|                      version                      |
//   +---------------+-----------------------------------+
//  5|  id length    | destination connection id ...
//   +---------------+---
//   |  id length    | source connection id ...

export const QUIC_FIELDS = {
  headerForm: { bit: 0, bits: 1 },
  fixedBit: { bit: 1, bits: 1 },
  spinBit: { bit: 2, bits: 1 },
  longPacketType: { bit: 2, bits: 2 },
  typeSpecificBits: { bit: 4, bits: 4 },
  protectedBits: { bit: 3, bits: 5 },
  version: { bit: 8, bits: 32 },
} as const;

const LONG_FIXED_BYTES = 6;
const MAX_CONNECTION_ID_BYTES = 20;
/** The least that can hold a sample for header protection (RFC 9001, section 5.4.2). */
const LEAST_SHORT_BYTES = 21;

export interface QuicFields {
  /** 1 long, 0 short. */
  headerForm: number;
  fixedBit: number;
  /** Short header. */
  spinBit?: number;
  /** Short header: five bits, protected. */
  protectedBits?: number;
  /** Long header; in version 1: 0 Initial, 1 0-RTT, 2 Handshake, 3 Retry. */
  longPacketType?: number;
  /** Long header: four bits, protected but for Retry. */
  typeSpecificBits?: number;
  /** Long header; 0: version negotiation. */
  version?: number;
  /** Long header, in hexadecimal. */
  destinationConnectionId?: string;
  sourceConnectionId?: string;
}

export const quicProtocol: Protocol<'quic', QuicFields> = {
  name: 'quic',
  under: [],
  recognisedIn: ['udp'],

  accepts(bytes, offset, end, outer): boolean {
    const here = end - offset;
    if (bytes[offset] < 0x80) {
      return bytes[offset] >= 0x40 && here >= LEAST_SHORT_BYTES && isHttpsPort(outer);
    }
    if (here < LONG_FIXED_BYTES + 1) return false;
    const version = getBits(bytes, offset, QUIC_FIELDS.version);
    if (version === 0 ? !isHttpsPort(outer) : !isKnownVersion(version)) return false;
    return connectionIds(bytes, offset, end, version) !== undefined;
  },

  decode({ bytes, offset, end }): Decoded<QuicFields> | undefined {
    const read = (name: keyof typeof QUIC_FIELDS) => getBits(bytes, offset, QUIC_FIELDS[name]);
    const start = { headerForm: read('headerForm'), fixedBit: read('fixedBit') };
    if (start.headerForm === 0) {
      const fields = { ...start, spinBit: read('spinBit'), protectedBits: read('protectedBits') };
      return { fields, length: 1 };
    }
    const version = read('version');
    const ids = connectionIds(bytes, offset, end, version);
    if (!ids) return undefined;
    const fields = {
      ...start,
      longPacketType: read('longPacketType'),
      typeSpecificBits: read('typeSpecificBits'),
      version,
      destinationConnectionId: ids.destination,
      sourceConnectionId: ids.source,
    };
    return { fields, length: ids.end - offset };
  },

  encode(fields, payload): Uint8Array {
    const long = fields.headerForm !== 0;
    const head = new Uint8Array(long ? 5 : 1);
    const set = (name: keyof typeof QUIC_FIELDS, usual = 0) =>
      setBits(head, 0, QUIC_FIELDS[name], fields[name] ?? usual);
    set('headerForm', 1);
    set('fixedBit', 1);
    if (!long) {
      set('spinBit');
      set('protectedBits');
      return concatBytes(head, payload);
    }
    set('longPacketType');
    set('typeSpecificBits');
    set('version', 1);
    const destination = fromHex(fields.destinationConnectionId ?? '');
    const source = fromHex(fields.sourceConnectionId ?? '');
    if (!hasShortLengths(fields.version ?? 1)) {
      const lengths = [Uint8Array.of(destination.length), Uint8Array.of(source.length)];
      return concatBytes(head, lengths[0], destination, lengths[1], source, payload);
    }
    const lengths = (Math.max(0, destination.length - 3) << 4) | Math.max(0, source.length - 3);
    return concatBytes(head, Uint8Array.of(lengths), destination, source, payload);
  },

  describe(f): string {
    if (f.headerForm === 0) return 'QUIC short header';
    const ids = `dcid ${f.destinationConnectionId || 'none'}, scid ${f.sourceConnectionId || 'none'}`;
    if (f.version === 0) return `QUIC version negotiation, ${ids}`;
    const type = TYPES[(f.longPacketType! + (f.version === VERSION_2 ? 3 : 0)) % 4];
    return `QUIC ${type}, version ${nameVersion(f.version!)}, ${ids}`;
  },
};

const VERSION_2 = 0x6b3343cf;
const TYPES = ['Initial', '0-RTT', 'Handshake', 'Retry'];

/** Versions 1 and 2, drafts (ff0000xx), Google's (Q0xx, T0xx), Facebook's (faceb0xx), and greased ones (?a?a?a?a). */
function isKnownVersion(version: number): boolean {
  if (version === 1 || version === VERSION_2 || version >>> 8 === 0xff0000 || version >>> 8 === 0xfaceb0)
    return true;
  const google = version >>> 16;
  return google === 0x5130 || google === 0x5430 || (version & 0x0f0f0f0f) === 0x0a0a0a0a;
}

/** Until draft 21, and in Q044 to Q046, one byte held both lengths, four bits each, less 3. */
function hasShortLengths(version: number): boolean {
  const draft = version >>> 8 === 0xff0000 && (version & 255) <= 21;
  return draft || (version >= 0x51303434 && version <= 0x51303436);
}

function connectionIds(
  bytes: Uint8Array,
  offset: number,
  end: number,
  version: number,
): { destination: string; source: string; end: number } | undefined {
  let at = offset + 5;
  let lengths: [number, number];
  const hex = (start: number, length: number) => toHex(bytes, start, start + length);
  if (hasShortLengths(version)) {
    const both = bytes[at++];
    lengths = [both >> 4 ? (both >> 4) + 3 : 0, both & 15 ? (both & 15) + 3 : 0];
    if (at + lengths[0] + lengths[1] > end) return undefined;
    const source = at + lengths[0];
    return { destination: hex(at, lengths[0]), source: hex(source, lengths[1]), end: source + lengths[1] };
  }
  const sourceAt = at + 1 + bytes[at];
  if (bytes[at] > MAX_CONNECTION_ID_BYTES || sourceAt >= end) return undefined;
  lengths = [bytes[at], bytes[sourceAt]];
  if (lengths[1] > MAX_CONNECTION_ID_BYTES || sourceAt + 1 + lengths[1] > end) return undefined;
  return {
    destination: hex(at + 1, lengths[0]),
    source: hex(sourceAt + 1, lengths[1]),
    end: sourceAt + 1 + lengths[1],
  };
}

function isHttpsPort(outer: readonly Layer[]): boolean {
  const { sourcePort, destinationPort } = outer[outer.length - 1].fields as UdpFields;
  return sourcePort === 443 || destinationPort === 443;
}

function nameVersion(version: number): string {
  if (version === 1) return '1';
  if (version === VERSION_2) return '2';
  const bytes = Uint8Array.of(version >>> 24, version >>> 16, version >>> 8, version);
  const text = String.fromCharCode(...bytes);
  return /^[QT]0\d\d$/.test(text) ? text : `0x${version.toString(16).padStart(8, '0')}`;
}
