import { concatBytes } from './bytes';
import type { Decoded, Protocol } from './protocol';

// LINKTYPE_NFLOG (https://www.tcpdump.org/linktypes.html): what Linux's packet filter logged: four bytes, then
// attributes (length with its four bytes of head, type, value; aligned to four bytes, all in the byte order of the
// machine). The one with the packet is the last.
//
//   +---------------+---------------+-------------------------------+
//  0| address family|    version    |          resource id          |
//   +---------------+---------------+-------------------------------+
//  4|  attributes ...

const NFLOG_FIXED_BYTES = 4;
const ATTRIBUTE_BYTES = 4;
const PAYLOAD = 9;
/** Linux's AF_INET and AF_INET6. */
const VERSIONS: Record<number, number> = { 2: 4, 10: 6 };

export interface NflogFields {
  /** 2 IPv4, 10 IPv6. */
  family: number;
  version: number;
  resourceId: number;
  /** All attributes up to the packet, its head included, as they are. */
  attributes: Uint8Array;
}

export const nflogProtocol: Protocol<'nflog', NflogFields> = {
  name: 'nflog',
  under: [['link', 239]],

  decode({ bytes, offset, end, problem }): Decoded<NflogFields> | undefined {
    const packet = findPacket(bytes, offset, end);
    if (!packet) {
      problem('nflog_without_packet', offset, 'no attribute with a packet');
      return undefined;
    }
    const fields = {
      family: bytes[offset],
      version: bytes[offset + 1],
      resourceId: (bytes[offset + 2] << 8) | bytes[offset + 3],
      attributes: bytes.subarray(offset + NFLOG_FIXED_BYTES, packet.start),
    };
    const length = packet.start - offset;
    return { fields, length, next: VERSIONS[fields.family], nextOf: 'ip', wireEnd: packet.end };
  },

  encode(fields, payload): Uint8Array {
    const { family = 2, version = 0, resourceId = 0 } = fields;
    const attributes = fields.attributes ?? attributeHead(payload.length);
    return concatBytes(Uint8Array.of(family, version, resourceId >>> 8, resourceId), attributes, payload);
  },

  describe({ family, resourceId }): string {
    return `nflog group ${resourceId}, family ${family}`;
  },
};

/** Where the logged packet is. */
function findPacket(
  bytes: Uint8Array,
  offset: number,
  end: number,
): { start: number; end: number } | undefined {
  let at = offset + NFLOG_FIXED_BYTES;
  while (at + ATTRIBUTE_BYTES <= end) {
    // Types are small numbers: the order in which this one is small is the writer's.
    const little = bytes[at + 3] <= bytes[at + 2];
    const length = little ? bytes[at] | (bytes[at + 1] << 8) : (bytes[at] << 8) | bytes[at + 1];
    const type = little ? bytes[at + 2] | (bytes[at + 3] << 8) : (bytes[at + 2] << 8) | bytes[at + 3];
    if (length < ATTRIBUTE_BYTES) return undefined;
    if (type === PAYLOAD) return { start: at + ATTRIBUTE_BYTES, end: at + length };
    at += Math.ceil(length / 4) * 4;
  }
  return undefined;
}

function attributeHead(payloadLength: number): Uint8Array {
  const length = payloadLength + ATTRIBUTE_BYTES;
  return Uint8Array.of(length & 255, length >>> 8, PAYLOAD, 0);
}
