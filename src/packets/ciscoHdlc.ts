import { isLength, nameEtherType } from './ethernet';
import { readFields, writeFields } from './fields';
import type { Decoded, Protocol } from './protocol';
import { keyOf } from './registry';

// LINKTYPE_C_HDLC (https://www.tcpdump.org/linktypes.html), RFC 1547 section 4.3.1: address (0x0f unicast, 0x8f broadcast),
// control 0, and an EtherType.
//
//   0                   1                   2                   3
//   +---------------+---------------+-------------------------------+
//  0|    address    |    control    |         protocol type         |
//   +---------------+---------------+-------------------------------+

export const CISCO_HDLC_FIELDS = {
  address: { bit: 0, bits: 8 },
  control: { bit: 8, bits: 8 },
  protocolType: { bit: 16, bits: 16 },
} as const;

const CISCO_HDLC_BYTES = 4;

/** Keepalives (SLARP), under a number that is RARP elsewhere. */
const SLARP = 0x8035;

export interface CiscoHdlcFields {
  address: number;
  control: number;
  protocolType: number;
}

export const ciscoHdlcProtocol: Protocol<'cisco_hdlc', CiscoHdlcFields> = {
  name: 'cisco_hdlc',
  under: [['link', 104]],

  decode({ bytes, offset, end, problem }): Decoded<CiscoHdlcFields> | undefined {
    if (end - offset < CISCO_HDLC_BYTES) {
      problem('cisco_hdlc_truncated', offset, `${end - offset} of 4 header bytes`);
      return undefined;
    }
    const fields = readFields(bytes, offset, CISCO_HDLC_FIELDS);
    const { protocolType } = fields;
    const next = isLength(protocolType) || protocolType === SLARP ? undefined : protocolType;
    return { fields, length: CISCO_HDLC_BYTES, next, nextOf: 'ethernet' };
  },

  encode(fields, payload, { inner }): Uint8Array {
    const out = new Uint8Array(CISCO_HDLC_BYTES + payload.length);
    const protocolType = keyOf('ethernet', inner?.protocol) ?? 0;
    writeFields(out, 0, CISCO_HDLC_FIELDS, fields, { address: 0x0f, protocolType });
    out.set(payload, CISCO_HDLC_BYTES);
    return out;
  },

  describe({ address, protocolType }): string {
    return `Cisco HDLC, address 0x${address.toString(16).padStart(2, '0')}, ${nameEtherType(protocolType)}`;
  },
};
