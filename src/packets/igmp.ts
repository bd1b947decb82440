import { formatIpv4, parseIpv4 } from './addresses';
import { internetChecksum } from './checksum';
import { readFields, setBits, writeFields } from './fields';
import type { Decoded, Protocol } from './protocol';
import { IpProtocol } from './pseudoHeader';

// RFC 2236 (version 2); RFC 9776 (version 3), whose report has a count of records in place of the group. Records, and
// what version 3 adds to a query, are payload.
//
//   0                   1                   2                   3
//   +---------------+---------------+-------------------------------+
//  0|     type      | max. response |           checksum            |
//   +---------------+---------------+-------------------------------+
//  4|         group address, or reserved and number of records      |
//   +---------------------------------------------------------------+

export const IGMP_FIELDS = {
  type: { bit: 0, bits: 8 },
  maximumResponse: { bit: 8, bits: 8 },
  checksum: { bit: 16, bits: 16 },
} as const;

export const IGMP_REPORT_FIELDS = {
  reserved: { bit: 32, bits: 16 },
  recordCount: { bit: 48, bits: 16 },
} as const;

const IGMP_HEADER_BYTES = 8;
const REPORT_V3 = 0x22;

export interface IgmpFields {
  /** 0x11 query, 0x12, 0x16 and 0x22 reports of versions 1, 2 and 3, 0x17 leave. */
  type: number;
  /** Tenths of a second; reserved in reports. */
  maximumResponse: number;
  checksum: number;
  /** All but the report of version 3. */
  group?: string;
  /** The report of version 3: group records in the payload. */
  recordCount?: number;
  reserved?: number;
}

export const igmpProtocol: Protocol<'igmp', IgmpFields> = {
  name: 'igmp',
  under: [['ipv4', IpProtocol.IGMP]],

  decode({ bytes, offset, end, complete, problem }): Decoded<IgmpFields> | undefined {
    if (end - offset < IGMP_HEADER_BYTES) {
      problem('igmp_truncated', offset, `${end - offset} of 8 header bytes`);
      return undefined;
    }
    const start = readFields(bytes, offset, IGMP_FIELDS);
    const fields: IgmpFields =
      start.type === REPORT_V3
        ? { ...start, ...readFields(bytes, offset, IGMP_REPORT_FIELDS) }
        : { ...start, group: formatIpv4(bytes, offset + 4) };
    if (complete && internetChecksum(bytes, offset, end) !== 0) {
      problem('igmp_checksum_wrong', offset + 2, `checksum 0x${start.checksum.toString(16)} is wrong`);
    }
    return { fields, length: IGMP_HEADER_BYTES };
  },

  encode(fields, payload): Uint8Array {
    const out = new Uint8Array(IGMP_HEADER_BYTES + payload.length);
    const { type = 0x16, maximumResponse, group, reserved, recordCount } = fields;
    writeFields(out, 0, IGMP_FIELDS, { type, maximumResponse, checksum: 0 });
    if (type === REPORT_V3) writeFields(out, 0, IGMP_REPORT_FIELDS, { reserved, recordCount });
    else if (group) out.set(parseIpv4(group), 4);
    out.set(payload, IGMP_HEADER_BYTES);
    setBits(out, 0, IGMP_FIELDS.checksum, fields.checksum ?? internetChecksum(out));
    return out;
  },

  describe({ type, group, recordCount }): string {
    const name = TYPES[type];
    if (!name) return `IGMP type 0x${type.toString(16)}`;
    return `IGMP ${name}${group === undefined ? `, ${recordCount} group records` : ` ${group}`}`;
  },
};

const TYPES: Record<number, string> = {
  0x11: 'query',
  0x12: 'v1 report',
  0x16: 'v2 report',
  0x17: 'leave',
  [REPORT_V3]: 'v3 report',
};
