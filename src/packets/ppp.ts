import { concatBytes } from './bytes';
import { EtherType, isLength } from './ethernet';
import type { Decoded, Protocol } from './protocol';
import { keyOf } from './registry';

// RFC 1661, section 2, with the framing of RFC 1662, section 3.1 in front, which may be left out; the protocol field
// may be shortened to its second byte when the first is zero (RFC 1661, section 6.5). Link type 50 has Cisco's framing
// too (0x0f or 0x8f, 0), with an EtherType as protocol.
//
//   +---------------+---------------+-------------------------------+
//   | address 0xff  | control 0x03  |           protocol            |
//   +---------------+---------------+-------------------------------+

export interface PppFields {
  /** 0xff, where the framing is there. */
  address?: number;
  control?: number;
  protocol: number;
  /** Bytes of the protocol field: 2, or 1 where it was shortened. */
  protocolLength: number;
}

export const pppProtocol: Protocol<'ppp', PppFields> = {
  name: 'ppp',
  under: [
    ['link', 9],
    ['link', 50],
    ['ethernet', EtherType.PPP],
    ['pppoe', 0],
  ],

  decode({ bytes, offset, end, problem }): Decoded<PppFields> | undefined {
    const here = end - offset;
    const cisco = here >= 2 && (bytes[offset] === 0x0f || bytes[offset] === 0x8f) && bytes[offset + 1] === 0;
    const framed = cisco || (here >= 2 && bytes[offset] === 0xff && bytes[offset + 1] === 3);
    const at = framed ? offset + 2 : offset;
    // The first byte of a whole protocol number is even, the last odd.
    const protocolLength = at < end && (bytes[at] & 1) === 1 && !cisco ? 1 : 2;
    const length = at + protocolLength - offset;
    if (here < length) {
      problem('ppp_truncated', offset, `${here} of ${length} header bytes`);
      return undefined;
    }
    const protocol = protocolLength === 1 ? bytes[at] : (bytes[at] << 8) | bytes[at + 1];
    const fields = { protocol, protocolLength };
    if (!framed) return { fields, length, next: protocol };
    const framing = { address: bytes[offset], control: bytes[offset + 1] };
    const next = cisco && isLength(protocol) ? undefined : protocol;
    return { fields: { ...framing, ...fields }, length, next, nextOf: cisco ? 'ethernet' : 'ppp' };
  },

  encode(fields, payload, { inner }): Uint8Array {
    const { address, control, protocolLength = 2 } = fields;
    const protocol = fields.protocol ?? keyOf('ppp', inner?.protocol) ?? 0;
    const head = address === undefined ? [] : [address, control ?? 3];
    if (protocolLength === 2) head.push((protocol >>> 8) & 255);
    head.push(protocol & 255);
    return concatBytes(Uint8Array.from(head), payload);
  },

  describe({ protocol }): string {
    return `PPP ${NAMES[protocol] ?? `protocol 0x${protocol.toString(16).padStart(4, '0')}`}`;
  },
};

const NAMES: Record<number, string> = {
  0x0021: 'IPv4',
  0x0057: 'IPv6',
  0x0281: 'MPLS',
  0x8021: 'IPCP',
  0x8057: 'IPV6CP',
  0x80fd: 'CCP',
  0xc021: 'LCP',
  0xc023: 'PAP',
  0xc223: 'CHAP',
};
