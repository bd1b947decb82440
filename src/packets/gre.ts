import { internetChecksum } from './checksum';
import { EtherType, isLength, nameEtherType } from './ethernet';
import { getBits, readFields, setBits, writeFields } from './fields';
import type { Decoded, Protocol } from './protocol';
import { IpProtocol } from './pseudoHeader';
import { keyOf } from './registry';

// RFC 2784 with key and sequence number of RFC 2890 (version 0); RFC 2637 (version 1, PPTP), which adds an
// acknowledgment number and has payload length and call in place of the key. The source routes of RFC 1701, and
// ERSPAN, are payload.
//
//   0                   1                   2                   3
//   +-+-+-+-+-+-----+-+-------+-----+-------------------------------+
//  0|C|R|K|S|s|recur|A|reservd| ver |         protocol type         |
//   +-+-+-+-+-+-----+-+-------+-----+-------------------------------+
//   |     checksum (if C or R)      |      offset (if C or R)       |
//   +-------------------------------+-------------------------------+
//   |                            key (if K)                         |
//   +---------------------------------------------------------------+
//   |                     sequence number (if S)                    |
//   +---------------------------------------------------------------+
//   |                  acknowledgment number (if A)                 |
//   +---------------------------------------------------------------+

export const GRE_FIELDS = {
  checksumPresent: { bit: 0, bits: 1 },
  routingPresent: { bit: 1, bits: 1 },
  keyPresent: { bit: 2, bits: 1 },
  sequencePresent: { bit: 3, bits: 1 },
  strictSourceRoute: { bit: 4, bits: 1 },
  recursionControl: { bit: 5, bits: 3 },
  acknowledgmentPresent: { bit: 8, bits: 1 },
  reserved: { bit: 9, bits: 4 },
  version: { bit: 13, bits: 3 },
  protocolType: { bit: 16, bits: 16 },
} as const;

const GRE_FIXED_BYTES = 4;
const WORD = { bit: 0, bits: 32 } as const;
const HIGH = { bit: 0, bits: 16 } as const;
const LOW = { bit: 16, bits: 16 } as const;

export interface GreFields {
  checksumPresent: number;
  routingPresent: number;
  keyPresent: number;
  sequencePresent: number;
  strictSourceRoute: number;
  recursionControl: number;
  /** Version 1 only. */
  acknowledgmentPresent: number;
  reserved: number;
  version: number;
  /** An EtherType. */
  protocolType: number;
  checksum?: number;
  /** Beside the checksum; reserved but with source routes. */
  offset?: number;
  /** In version 1 the payload's length and the call, 16 bits each. */
  key?: number;
  sequenceNumber?: number;
  acknowledgmentNumber?: number;
}

export const greProtocol: Protocol<'gre', GreFields> = {
  name: 'gre',
  under: [
    ['ipv4', IpProtocol.GRE],
    ['ipv6', IpProtocol.GRE],
  ],

  decode({ bytes, offset, end, complete, problem }): Decoded<GreFields> | undefined {
    const here = end - offset;
    if (here < GRE_FIXED_BYTES) {
      problem('gre_truncated', offset, `${here} of at least 4 header bytes`);
      return undefined;
    }
    const fields: GreFields = readFields(bytes, offset, GRE_FIELDS);
    const [hasChecksum, hasKey, hasSequence, hasAcknowledgment] = presence(fields);
    const words = [hasChecksum, hasKey, hasSequence, hasAcknowledgment].filter(Boolean).length;
    const length = GRE_FIXED_BYTES + 4 * words;
    if (here < length) {
      problem('gre_truncated', offset, `${here} of ${length} header bytes`);
      return undefined;
    }
    let at = offset + GRE_FIXED_BYTES;
    if (hasChecksum) {
      fields.checksum = getBits(bytes, at, HIGH);
      fields.offset = getBits(bytes, at, LOW);
      at += 4;
    }
    if (hasKey) fields.key = getBits(bytes, (at += 4) - 4, WORD);
    if (hasSequence) fields.sequenceNumber = getBits(bytes, (at += 4) - 4, WORD);
    if (hasAcknowledgment) fields.acknowledgmentNumber = getBits(bytes, at, WORD);
    if (fields.checksumPresent && complete && internetChecksum(bytes, offset, end) !== 0) {
      problem('gre_checksum_wrong', offset + 4, `checksum 0x${fields.checksum!.toString(16)} is wrong`);
    }
    return { fields, length, next: nextType(fields), nextOf: 'ethernet' };
  },

  encode(fields, payload, { inner }): Uint8Array {
    const flags = {
      checksumPresent: fields.checksum === undefined ? 0 : 1,
      keyPresent: fields.key === undefined ? 0 : 1,
      sequencePresent: fields.sequenceNumber === undefined ? 0 : 1,
      acknowledgmentPresent: fields.acknowledgmentNumber === undefined ? 0 : 1,
    };
    const head = new Uint8Array(GRE_FIXED_BYTES);
    const { checksum, offset, key, sequenceNumber, acknowledgmentNumber, ...numbers } = fields;
    const protocolType = keyOf('ethernet', inner?.protocol) ?? 0;
    writeFields(head, 0, GRE_FIELDS, numbers, { ...flags, protocolType });
    const [hasChecksum, ...others] = presence(readFields(head, 0, GRE_FIELDS));
    const values = [key, sequenceNumber, acknowledgmentNumber].filter((_, i) => others[i]);
    const headerBytes = GRE_FIXED_BYTES + (hasChecksum ? 4 : 0) + 4 * values.length;
    const out = new Uint8Array(headerBytes + payload.length);
    out.set(head);
    if (hasChecksum) setBits(out, GRE_FIXED_BYTES, LOW, offset ?? 0);
    values.forEach((value, i) => setBits(out, headerBytes - 4 * (values.length - i), WORD, value ?? 0));
    out.set(payload, headerBytes);
    if (hasChecksum) setBits(out, GRE_FIXED_BYTES, HIGH, checksum ?? internetChecksum(out));
    return out;
  },

  describe({ version, key, sequenceNumber, protocolType }): string {
    const call = version === 1 && key !== undefined ? `, call ${key & 0xffff}` : '';
    const keyText = version !== 1 && key !== undefined ? `, key 0x${key.toString(16)}` : '';
    const seq = sequenceNumber === undefined ? '' : `, seq ${sequenceNumber}`;
    return `GREv${version}${call}${keyText}${seq}, proto ${nameEtherType(protocolType)}`;
  },
};

/** Which of checksum, key, sequence number and acknowledgment number are there, in the order of the header. */
function presence(f: GreFields): [boolean, boolean, boolean, boolean] {
  const checksum = f.checksumPresent === 1 || f.routingPresent === 1;
  const acknowledgment = f.version === 1 && f.acknowledgmentPresent === 1;
  return [checksum, f.keyPresent === 1, f.sequencePresent === 1, acknowledgment];
}

function nextType(f: GreFields): number | undefined {
  if (f.routingPresent === 1 || f.version > 1 || isLength(f.protocolType)) return undefined;
  // Only data has a sequence number in version 1; a mere acknowledgment carries nothing.
  if (f.protocolType === EtherType.PPP && f.sequencePresent === 0) return undefined;
  return f.protocolType;
}
