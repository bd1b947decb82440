import { getBits, setBits, writeFields } from './fields';
import type { Layer } from './packet';
import type { Decoded, Protocol } from './protocol';
import type { UdpFields } from './udp';

// RFC 3550, section 5.1. Nothing announces it, so it is recognised by its look (docs/protocols.md has the rule).
//
//   0                   1                   2                   3
//   +---+-+-+-------+-+-------------+-------------------------------+
//  0|ver|P|X| CSRCs |M|payload type |        sequence number        |
//   +---+-+-+-------+-+-------------+-------------------------------+
//  4|                           timestamp                           |
//   +---------------------------------------------------------------+
//  8|                  synchronization source (SSRC)                |
//   +---------------------------------------------------------------+
// 12|  contributing sources, 4 bytes each; header extension (if X): profile, length in words, data
//   +---------------------------------------------------------------+

export const RTP_FIELDS = {
  version: { bit: 0, bits: 2 },
  padding: { bit: 2, bits: 1 },
  extension: { bit: 3, bits: 1 },
  csrcCount: { bit: 4, bits: 4 },
  marker: { bit: 8, bits: 1 },
  payloadType: { bit: 9, bits: 7 },
  sequenceNumber: { bit: 16, bits: 16 },
  timestamp: { bit: 32, bits: 32 },
  ssrc: { bit: 64, bits: 32 },
} as const;

export const RTP_HEADER_BYTES = 12;
const HIGH = { bit: 0, bits: 16 } as const;
const LOW = { bit: 16, bits: 16 } as const;

export interface RtpFields {
  version: number;
  padding: number;
  extension: number;
  csrcCount: number;
  marker: number;
  payloadType: number;
  sequenceNumber: number;
  timestamp: number;
  ssrc: number;
  csrc: number[];
  /** The header extension's first half word and its data. */
  extensionProfile?: number;
  extensionData?: Uint8Array;
}

export const rtpProtocol: Protocol<'rtp', RtpFields> = {
  name: 'rtp',
  under: [],
  recognisedIn: ['udp'],

  accepts(bytes, offset, end, outer): boolean {
    // Version 2, no contributing sources; more than the header.
    if ((bytes[offset] & 0xcf) !== 0x80 || end - offset <= RTP_HEADER_BYTES) return false;
    if (!isMediaType(bytes[offset + 1] & 0x7f) || getBits(bytes, offset, RTP_FIELDS.ssrc) === 0) return false;
    if (!hasMediaPorts(outer)) return false;
    const headerEnd = offset + headerLength(bytes, offset, end);
    // Padding tells its own length in its last byte.
    const padded = (bytes[offset] & 0x20) !== 0;
    return headerEnd < end && (!padded || (bytes[end - 1] > 0 && bytes[end - 1] <= end - headerEnd));
  },

  decode({ bytes, offset, end }): Decoded<RtpFields> | undefined {
    const length = headerLength(bytes, offset, end);
    if (offset + length > end) return undefined;
    // Most packets of a call are these: field by field is faster than a loop over the ranges.
    const numbers = {
      version: getBits(bytes, offset, RTP_FIELDS.version),
      padding: getBits(bytes, offset, RTP_FIELDS.padding),
      extension: getBits(bytes, offset, RTP_FIELDS.extension),
      csrcCount: getBits(bytes, offset, RTP_FIELDS.csrcCount),
      marker: getBits(bytes, offset, RTP_FIELDS.marker),
      payloadType: getBits(bytes, offset, RTP_FIELDS.payloadType),
      sequenceNumber: getBits(bytes, offset, RTP_FIELDS.sequenceNumber),
      timestamp: getBits(bytes, offset, RTP_FIELDS.timestamp),
      ssrc: getBits(bytes, offset, RTP_FIELDS.ssrc),
    };
    const csrc = Array.from({ length: numbers.csrcCount }, (_, i) =>
      getBits(bytes, offset + RTP_HEADER_BYTES + 4 * i, { bit: 0, bits: 32 }),
    );
    if (!numbers.extension) return { fields: { ...numbers, csrc }, length };
    const at = offset + RTP_HEADER_BYTES + 4 * csrc.length;
    const extensionProfile = getBits(bytes, at, HIGH);
    const extensionData = bytes.subarray(at + 4, offset + length);
    return { fields: { ...numbers, csrc, extensionProfile, extensionData }, length };
  },

  encode(fields, payload): Uint8Array {
    const { csrc = [], extensionProfile, extensionData, ...numbers } = fields;
    const extended = fields.extension ?? (extensionData ? 1 : 0);
    const extensionBytes = extended ? 4 + (extensionData?.length ?? 0) : 0;
    const length = RTP_HEADER_BYTES + 4 * csrc.length + extensionBytes;
    const out = new Uint8Array(length + payload.length);
    writeFields(out, 0, RTP_FIELDS, numbers, { version: 2, extension: extended, csrcCount: csrc.length });
    csrc.forEach((source, i) => setBits(out, RTP_HEADER_BYTES + 4 * i, { bit: 0, bits: 32 }, source));
    if (extended) {
      const at = length - extensionBytes;
      setBits(out, at, HIGH, extensionProfile ?? 0);
      setBits(out, at, LOW, Math.floor((extensionBytes - 4) / 4));
      if (extensionData) out.set(extensionData, at + 4);
    }
    out.set(payload, length);
    return out;
  },

  describe({ payloadType, sequenceNumber, timestamp, ssrc, marker }): string {
    const mark = marker ? ', mark' : '';
    return `RTP type ${payloadType}, seq ${sequenceNumber}, time ${timestamp}, ssrc 0x${ssrc.toString(16)}${mark}`;
  },
};

/** Length of the whole header; beyond `end` where it is not all there. */
function headerLength(bytes: Uint8Array, offset: number, end: number): number {
  const length = RTP_HEADER_BYTES + 4 * (bytes[offset] & 15);
  if ((bytes[offset] & 0x10) === 0) return length;
  const at = offset + length;
  return at + 4 > end ? Infinity : length + 4 + 4 * getBits(bytes, at, LOW);
}

/** Payload types with a static meaning (RFC 3551, tables 4 and 5) and dynamic ones. */
function isMediaType(type: number): boolean {
  return type >= 96 || type <= 18 || type === 25 || type === 26 || type === 28 || (type >= 31 && type <= 34);
}

/** Media use neither well-known ports nor those of other protocols. */
export function hasMediaPorts(outer: readonly Layer[]): boolean {
  const { sourcePort, destinationPort } = outer[outer.length - 1].fields as UdpFields;
  return sourcePort >= 1024 && destinationPort >= 1024;
}
