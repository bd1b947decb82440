import { isLength, nameEtherType } from './ethernet';
import { readFields, writeFields } from './fields';
import type { Decoded, Protocol } from './protocol';
import { keyOf } from './registry';

// RFC 8926, section 3.4: a packet of any EtherType in UDP.
//
//   0                   1                   2                   3
//   +---+-----------+-+-+-----------+-------------------------------+
//  0|ver|opt. words |O|C|  reserved |         protocol type         |
//   +---+-----------+-+-+-----------+---------------+---------------+
//  4|            network identifier (VNI)           |   reserved    |
//   +-----------------------------------------------+---------------+
//  8|  options ...

export const GENEVE_FIELDS = {
  version: { bit: 0, bits: 2 },
  optionLength: { bit: 2, bits: 6 },
  control: { bit: 8, bits: 1 },
  critical: { bit: 9, bits: 1 },
  reserved: { bit: 10, bits: 6 },
  protocolType: { bit: 16, bits: 16 },
  networkIdentifier: { bit: 32, bits: 24 },
  reserved2: { bit: 56, bits: 8 },
} as const;

const GENEVE_FIXED_BYTES = 8;

export interface GeneveFields {
  version: number;
  /** Of all options, in 32-bit words. */
  optionLength: number;
  control: number;
  critical: number;
  reserved: number;
  /** An EtherType; 0x6558: an Ethernet frame. */
  protocolType: number;
  networkIdentifier: number;
  reserved2: number;
  /** All options, as they are. */
  options: Uint8Array;
}

export const geneveProtocol: Protocol<'geneve', GeneveFields> = {
  name: 'geneve',
  under: [['udp', 6081]],

  accepts(bytes, offset, end): boolean {
    if (end - offset < GENEVE_FIXED_BYTES || bytes[offset] >> 6 !== 0) return false;
    return end - offset >= GENEVE_FIXED_BYTES + 4 * (bytes[offset] & 0x3f);
  },

  decode({ bytes, offset }): Decoded<GeneveFields> {
    const numbers = readFields(bytes, offset, GENEVE_FIELDS);
    const length = GENEVE_FIXED_BYTES + 4 * numbers.optionLength;
    const options = bytes.subarray(offset + GENEVE_FIXED_BYTES, offset + length);
    const next = isLength(numbers.protocolType) ? undefined : numbers.protocolType;
    return { fields: { ...numbers, options }, length, next, nextOf: 'ethernet' };
  },

  encode(fields, payload, { inner }): Uint8Array {
    const { options = new Uint8Array(0), ...numbers } = fields;
    const headerBytes = GENEVE_FIXED_BYTES + options.length;
    const out = new Uint8Array(headerBytes + payload.length);
    const protocolType = keyOf('ethernet', inner?.protocol) ?? 0;
    writeFields(out, 0, GENEVE_FIELDS, numbers, { optionLength: options.length / 4, protocolType });
    out.set(options, GENEVE_FIXED_BYTES);
    out.set(payload, headerBytes);
    return out;
  },

  describe({ networkIdentifier, protocolType }): string {
    return `Geneve vni ${networkIdentifier}, proto ${nameEtherType(protocolType)}`;
  },
};
