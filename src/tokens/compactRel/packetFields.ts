import { PRESETS } from './templates';
import type { Template } from './templates';

export const NO_BYTES = new Uint8Array(0);

export const TCP = 6;
export const UDP = 17;

/** Flags of the TCP header (RFC 9293). */
export const FIN = 1;
export const SYN = 2;
export const ACK = 16;

/** Payload bytes of UDP that are kept: enough for a DNS or RTP header. */
export const UDP_PAYLOAD = 12;

/**
 * The fields of one packet, P in the layout's description: all that its header bytes are rebuilt from. One record is
 * used again and again; 32-bit numbers are signed.
 */
export class PacketFields {
  /** The header bytes as captured (encoding only); they begin with the link header. */
  bytes: Uint8Array = NO_BYTES;
  /** Kept bytes of `bytes`. */
  kept = 0;
  /** End of the link header. */
  linkEnd = 0;
  /** The link header; set by the codecs, not by parsing. */
  link: Uint8Array = NO_BYTES;

  version = 4;
  protocol = TCP;
  /** IPv6: the first four bytes. */
  tos = 0;
  /** IPv6: hop limit. */
  ttl = 0;
  /** 0 for IPv6, as `frag`, `ipChecksum`. */
  id = 0;
  frag = 0;
  ipChecksum = 0;
  ipOptions: Uint8Array = NO_BYTES;
  /** Words of the source address; three of them 0 for IPv4. */
  s0 = 0;
  s1 = 0;
  s2 = 0;
  s3 = 0;
  /** Words of the destination address. */
  d0 = 0;
  d1 = 0;
  d2 = 0;
  d3 = 0;

  sourcePort = 0;
  destinationPort = 0;
  /** L: length of the transport payload, mod 65536. */
  length = 0;
  checksum = 0;

  /** TCP; 0 for UDP. */
  flags = 0;
  seq = 0;
  ack = 0;
  reserved = 0;
  window = 0;
  urgent = 0;
  template: Template = PRESETS[0];
  /** Contents of the template's timestamps and SACK blocks, two words each. */
  readonly dynamic = new Int32Array(12);

  /** UDP: the first min(12, L) bytes of payload. */
  readonly payload = new Uint8Array(UDP_PAYLOAD);
  payloadLength = 0;
}

/** Whether two records give the same header bytes, checksums and link header aside. */
export function sameFields(p: PacketFields, q: PacketFields): boolean {
  if (
    p.version !== q.version ||
    p.protocol !== q.protocol ||
    p.tos !== q.tos ||
    p.ttl !== q.ttl ||
    p.id !== q.id ||
    p.frag !== q.frag ||
    p.s0 !== q.s0 ||
    p.s1 !== q.s1 ||
    p.s2 !== q.s2 ||
    p.s3 !== q.s3 ||
    p.d0 !== q.d0 ||
    p.d1 !== q.d1 ||
    p.d2 !== q.d2 ||
    p.d3 !== q.d3 ||
    p.sourcePort !== q.sourcePort ||
    p.destinationPort !== q.destinationPort ||
    p.length !== q.length ||
    !sameBytes(p.ipOptions, q.ipOptions)
  ) {
    return false;
  }
  if (p.protocol === UDP) {
    if (p.payloadLength !== q.payloadLength) return false;
    for (let i = 0; i < p.payloadLength; i++) if (p.payload[i] !== q.payload[i]) return false;
    return true;
  }
  if (
    p.flags !== q.flags ||
    p.seq !== q.seq ||
    p.ack !== q.ack ||
    p.reserved !== q.reserved ||
    p.window !== q.window ||
    p.urgent !== q.urgent ||
    !sameBytes(p.template.bytes, q.template.bytes)
  ) {
    return false;
  }
  for (let i = 0; i < p.template.words; i++) if (p.dynamic[i] !== q.dynamic[i]) return false;
  return true;
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
