import { EtherType } from './ethernet';
import { readFields, writeFields } from './fields';
import type { Decoded, Protocol } from './protocol';

// RFC 7348, section 5: an Ethernet frame in UDP.
//
//   0                   1                   2                   3
//   +---------------+-----------------------------------------------+
//  0|R|R|R|R|I|R|R|R|                   reserved                    |
//   +---------------+-------------------------------+---------------+
//  4|            network identifier (VNI)           |   reserved    |
//   +-----------------------------------------------+---------------+

export const VXLAN_FIELDS = {
  flags: { bit: 0, bits: 8 },
  reserved: { bit: 8, bits: 24 },
  networkIdentifier: { bit: 32, bits: 24 },
  reserved2: { bit: 56, bits: 8 },
} as const;

const VXLAN_HEADER_BYTES = 8;
const VALID_IDENTIFIER = 0x08;

export interface VxlanFields {
  /** 0x08: the network identifier counts. */
  flags: number;
  reserved: number;
  networkIdentifier: number;
  reserved2: number;
}

export const vxlanProtocol: Protocol<'vxlan', VxlanFields> = {
  name: 'vxlan',
  under: [['udp', 4789]],

  accepts(bytes, offset, end): boolean {
    return end - offset >= VXLAN_HEADER_BYTES && (bytes[offset] & VALID_IDENTIFIER) !== 0;
  },

  decode({ bytes, offset }): Decoded<VxlanFields> {
    const fields = readFields(bytes, offset, VXLAN_FIELDS);
    return { fields, length: VXLAN_HEADER_BYTES, next: EtherType.BRIDGING, nextOf: 'ethernet' };
  },

  encode(fields, payload): Uint8Array {
    const out = new Uint8Array(VXLAN_HEADER_BYTES + payload.length);
    writeFields(out, 0, VXLAN_FIELDS, fields, { flags: VALID_IDENTIFIER });
    out.set(payload, VXLAN_HEADER_BYTES);
    return out;
  },

  describe({ networkIdentifier }): string {
    return `VXLAN vni ${networkIdentifier}`;
  },
};
