import { LinkType } from '../capture';
import { locateHeaders } from '../packets/locate';
import type { DecodeResult } from '../tokens';

/** The flow of a packet: one key for both directions, and which direction it is. */
export interface PacketFlow {
  key: string;
  /** 0: the packet's source sorts before its destination. */
  direction: 0 | 1;
}

/** Five-tuple of a frame's own headers, both directions under one key; null where there is none to be read. */
export function flowOfBytes(data: Uint8Array, linkType: number): PacketFlow | null {
  const at = locateHeaders(data, linkType);
  if (!at.ok || data.length < at.ipEnd + 4) return null;
  const [from, size] = at.ipVersion === 4 ? [at.linkEnd + 12, 4] : [at.linkEnd + 8, 16];
  const a = text(data, from, size) + text(data, at.ipEnd, 2);
  const b = text(data, from + size, size) + text(data, at.ipEnd + 2, 2);
  return a < b
    ? { key: `${at.transport}${a}${b}`, direction: 0 }
    : { key: `${at.transport}${b}${a}`, direction: 1 };
}

/** The flow of a packet as a layout decodes it (Ethernet). */
export function flowOfDecoded(decoded: DecodeResult): PacketFlow | null {
  return decoded.ok ? flowOfBytes(decoded.packet.data, LinkType.ETHERNET) : null;
}

/** Bytes as a string of the same length, for use as a key. */
function text(bytes: Uint8Array, from: number, size: number): string {
  return String.fromCharCode(...bytes.subarray(from, from + size));
}
