import type { Decoded, Protocol } from './protocol';

// LINKTYPE_NULL and LINKTYPE_LOOP (https://www.tcpdump.org/linktypes.html): four bytes that name the address
// family. NULL has them in the byte order of the machine that captured, LOOP in network order.
//
//   0                   1                   2                   3
//   +---------------------------------------------------------------+
//  0|                        address family                         |
//   +---------------------------------------------------------------+

export const LOOPBACK_HEADER_BYTES = 4;

const IPV4_FAMILY = 2;
/** AF_INET6 of NetBSD and OpenBSD, FreeBSD, macOS; Linux has 10. */
const IPV6_FAMILIES = [24, 28, 30, 10];

export interface LoopbackFields {
  family: number;
  byteOrder: 'little' | 'big';
}

export const loopbackProtocol: Protocol<'loopback', LoopbackFields> = {
  name: 'loopback',
  under: [
    ['link', 0],
    ['link', 108],
  ],

  decode({ bytes, offset, end, problem }): Decoded<LoopbackFields> | undefined {
    if (end - offset < LOOPBACK_HEADER_BYTES) {
      problem('loopback_truncated', offset, `${end - offset} of 4 header bytes`);
      return undefined;
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset + offset, LOOPBACK_HEADER_BYTES);
    // Families are small numbers: the order in which the word is small is the writer's.
    const little = view.getUint32(0, true) <= 0xffff;
    const family = view.getUint32(0, little);
    const version = family === IPV4_FAMILY ? 4 : IPV6_FAMILIES.includes(family) ? 6 : undefined;
    return {
      fields: { family, byteOrder: little ? 'little' : 'big' },
      length: LOOPBACK_HEADER_BYTES,
      next: version,
      nextOf: 'ip',
    };
  },

  encode(fields, payload, { inner }): Uint8Array {
    const out = new Uint8Array(LOOPBACK_HEADER_BYTES + payload.length);
    const family = fields.family ?? (inner?.protocol === 'ipv6' ? 24 : IPV4_FAMILY);
    new DataView(out.buffer).setUint32(0, family, fields.byteOrder !== 'big');
    out.set(payload, LOOPBACK_HEADER_BYTES);
    return out;
  },

  describe({ family }): string {
    return `loopback, family ${family}`;
  },
};
