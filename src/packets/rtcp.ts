import { getBits, readFields, writeFields } from './fields';
import type { Decoded, Protocol } from './protocol';
import { hasMediaPorts } from './rtp';

// RFC 3550, section 6; feedback RFC 4585. The first packet of a compound one: its header and who sent it; the reports
// and all further packets are payload. Recognised by its look (docs/protocols.md has the rule).
//
//   0                   1                   2                   3
//   +---+-+---------+---------------+-------------------------------+
//  0|ver|P|  count  |  packet type  |     length in words, less 1   |
//   +---+-+---------+---------------+-------------------------------+
//  4|                     SSRC of the sender                        |
//   +---------------------------------------------------------------+

export const RTCP_FIELDS = {
  version: { bit: 0, bits: 2 },
  padding: { bit: 2, bits: 1 },
  count: { bit: 3, bits: 5 },
  packetType: { bit: 8, bits: 8 },
  length: { bit: 16, bits: 16 },
  ssrc: { bit: 32, bits: 32 },
} as const;

const RTCP_HEADER_BYTES = 8;
const SENDER_REPORT = 200;
const RECEIVER_REPORT = 201;
const TRANSPORT_FEEDBACK = 205;
const PAYLOAD_FEEDBACK = 206;

export interface RtcpFields {
  version: number;
  padding: number;
  /** Reports; the format in feedback. */
  count: number;
  /** 200 sender report, 201 receiver report, 202 description, 203 bye, 205 and 206 feedback. */
  packetType: number;
  /** Of this packet, in 32-bit words less one. */
  length: number;
  ssrc: number;
}

export const rtcpProtocol: Protocol<'rtcp', RtcpFields> = {
  name: 'rtcp',
  under: [],
  recognisedIn: ['udp'],

  accepts(bytes, offset, end, outer): boolean {
    const here = end - offset;
    if (here < RTCP_HEADER_BYTES || bytes[offset] >> 6 !== 2 || !hasMediaPorts(outer)) return false;
    const words = getBits(bytes, offset, RTCP_FIELDS.length);
    if (4 * (words + 1) > here) return false;
    const count = bytes[offset] & 31;
    // A compound packet begins with a report; feedback may stand alone (RFC 5506).
    const type = bytes[offset + 1];
    if (type === SENDER_REPORT) return words >= 6 + 6 * count;
    if (type === RECEIVER_REPORT) return words >= 1 + 6 * count;
    return (type === TRANSPORT_FEEDBACK || type === PAYLOAD_FEEDBACK) && words >= 2;
  },

  decode({ bytes, offset }): Decoded<RtcpFields> {
    return { fields: readFields(bytes, offset, RTCP_FIELDS), length: RTCP_HEADER_BYTES };
  },

  encode(fields, payload): Uint8Array {
    const out = new Uint8Array(RTCP_HEADER_BYTES + payload.length);
    const length = Math.floor(out.length / 4) - 1;
    writeFields(out, 0, RTCP_FIELDS, fields, { version: 2, packetType: RECEIVER_REPORT, length });
    out.set(payload, RTCP_HEADER_BYTES);
    return out;
  },

  describe({ packetType, ssrc }): string {
    return `RTCP ${TYPES[packetType] ?? `type ${packetType}`}, ssrc 0x${ssrc.toString(16)}`;
  },
};

const TYPES: Record<number, string> = {
  [SENDER_REPORT]: 'sender report',
  [RECEIVER_REPORT]: 'receiver report',
  202: 'source description',
  203: 'bye',
  204: 'application',
  [TRANSPORT_FEEDBACK]: 'transport feedback',
  [PAYLOAD_FEEDBACK]: 'payload feedback',
};
