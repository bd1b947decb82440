import { EtherType } from './ethernet';
import { readFields, writeFields } from './fields';
import type { Decoded, Protocol } from './protocol';

// RFC 3032, section 2.1: one entry of the label stack; each is a layer of its own. Nothing says what follows the last
// one: IP is recognised by its version, anything else (a pseudowire) is payload.
//
//   0                   1                   2                   3
//   +---------------------------------------+-----+-+---------------+
//  0|                 label                 |class|S| time to live  |
//   +---------------------------------------+-----+-+---------------+

export const MPLS_FIELDS = {
  label: { bit: 0, bits: 20 },
  trafficClass: { bit: 20, bits: 3 },
  bottomOfStack: { bit: 23, bits: 1 },
  timeToLive: { bit: 24, bits: 8 },
} as const;

const MPLS_HEADER_BYTES = 4;

export interface MplsFields {
  label: number;
  trafficClass: number;
  bottomOfStack: number;
  timeToLive: number;
}

/** A label under a label: no EtherType, so it cannot be announced by mistake. */
const STACKED = 1;

export const mplsProtocol: Protocol<'mpls', MplsFields> = {
  name: 'mpls',
  under: [
    ['ethernet', EtherType.MPLS],
    ['ethernet', EtherType.MPLS_MULTICAST],
    ['mpls', STACKED],
    ['ppp', 0x0281],
    ['ppp', 0x0283],
    ['ipv4', 137],
    ['ipv6', 137],
    ['udp', 6635],
    ['link', 219],
  ],

  decode({ bytes, offset, end, problem }): Decoded<MplsFields> | undefined {
    if (end - offset < MPLS_HEADER_BYTES) {
      problem('mpls_truncated', offset, `${end - offset} of 4 header bytes`);
      return undefined;
    }
    const fields = readFields(bytes, offset, MPLS_FIELDS);
    const length = MPLS_HEADER_BYTES;
    if (fields.bottomOfStack === 0) return { fields, length, next: STACKED };
    const version = offset + length < end ? bytes[offset + length] >> 4 : undefined;
    return { fields, length, next: version, nextOf: 'ip' };
  },

  encode(fields, payload, { inner }): Uint8Array {
    const out = new Uint8Array(MPLS_HEADER_BYTES + payload.length);
    const bottomOfStack = inner?.protocol === 'mpls' ? 0 : 1;
    writeFields(out, 0, MPLS_FIELDS, fields, { bottomOfStack, timeToLive: 64 });
    out.set(payload, MPLS_HEADER_BYTES);
    return out;
  },

  describe({ label, trafficClass, bottomOfStack, timeToLive }): string {
    return `MPLS label ${label}, tc ${trafficClass}${bottomOfStack ? ', [S]' : ''}, ttl ${timeToLive}`;
  },
};
