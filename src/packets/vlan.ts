import { EtherType, etherTypeOf, isLength, LLC_KEY, nameEtherType } from './ethernet';
import { getBits, setBits } from './fields';
import type { Decoded, Protocol } from './protocol';

// IEEE 802.1Q, clause 9.6: the tag's second half, and the type of what follows. The first half (0x8100, or 0x88a8
// for a service tag) is the EtherType of the header before it.
//
//   0                   1                   2                   3
//   +-----+-+-----------------------+-------------------------------+
//  0| pri |D|    VLAN identifier    |     EtherType or length       |
//   +-----+-+-----------------------+-------------------------------+

export const VLAN_FIELDS = {
  priority: { bit: 0, bits: 3 },
  dropEligible: { bit: 3, bits: 1 },
  identifier: { bit: 4, bits: 12 },
  etherType: { bit: 16, bits: 16 },
} as const;

export const VLAN_HEADER_BYTES = 4;

export interface VlanFields {
  priority: number;
  dropEligible: number;
  identifier: number;
  etherType: number;
}

export const vlanProtocol: Protocol<'vlan', VlanFields> = {
  name: 'vlan',
  under: [
    ['ethernet', EtherType.VLAN],
    ['ethernet', EtherType.QINQ],
    ['ethernet', 0x9100],
  ],

  decode({ bytes, offset, end, problem }): Decoded<VlanFields> | undefined {
    if (end - offset < VLAN_HEADER_BYTES) {
      problem('vlan_truncated', offset, `${end - offset} of 4 tag bytes`);
      return undefined;
    }
    const etherType = getBits(bytes, offset, VLAN_FIELDS.etherType);
    const fields = {
      priority: getBits(bytes, offset, VLAN_FIELDS.priority),
      dropEligible: getBits(bytes, offset, VLAN_FIELDS.dropEligible),
      identifier: getBits(bytes, offset, VLAN_FIELDS.identifier),
      etherType,
    };
    const length = VLAN_HEADER_BYTES;
    if (!isLength(etherType)) return { fields, length, next: etherType, nextOf: 'ethernet' };
    return { fields, length, next: LLC_KEY, nextOf: 'ethernet', wireEnd: offset + length + etherType };
  },

  encode(fields, payload, { inner }): Uint8Array {
    const out = new Uint8Array(VLAN_HEADER_BYTES + payload.length);
    setBits(out, 0, VLAN_FIELDS.priority, fields.priority ?? 0);
    setBits(out, 0, VLAN_FIELDS.dropEligible, fields.dropEligible ?? 0);
    setBits(out, 0, VLAN_FIELDS.identifier, fields.identifier ?? 0);
    setBits(out, 0, VLAN_FIELDS.etherType, fields.etherType ?? etherTypeOf(inner?.protocol, payload.length));
    out.set(payload, VLAN_HEADER_BYTES);
    return out;
  },

  describe({ identifier, priority, etherType }): string {
    return `vlan ${identifier}, p ${priority}, ethertype ${nameEtherType(etherType)}`;
  },
};
