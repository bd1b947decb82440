import { internetChecksum, sumWords } from '../packets/checksum';
import type { HeaderRanges } from '../packets/locate';

/** Offsets of the checksum fields that were captured whole; -1 otherwise. */
export interface ChecksumFields {
  /** IPv4 header checksum; -1 for IPv6. */
  ip: number;
  transport: number;
}

export function checksumFields(at: HeaderRanges): ChecksumFields {
  const ip = at.ipVersion === 4 ? at.linkEnd + 10 : -1;
  const transport = at.ipEnd + (at.transport === 'tcp' ? 16 : 6);
  return {
    ip: ip >= 0 && ip + 2 <= Math.min(at.ipEnd, at.captured) ? ip : -1,
    transport: transport + 2 <= at.captured ? transport : -1,
  };
}

/** Sets the checksum fields to 0, in place. Returns the offsets of the bytes that were not 0 (for reports). */
export function zeroChecksums(bytes: Uint8Array, at: HeaderRanges): number[] {
  const fields = checksumFields(at);
  const changed: number[] = [];
  for (const offset of [fields.ip, fields.transport]) {
    if (offset < 0) continue;
    if (bytes[offset] !== 0 || bytes[offset + 1] !== 0) changed.push(offset);
    bytes[offset] = 0;
    bytes[offset + 1] = 0;
  }
  return changed;
}

/** Which checksums {@link computeChecksums} could compute. */
export interface ChecksumsComputed {
  ip: boolean;
  transport: boolean;
}

/**
 * Writes the right checksums (RFC 1071) in place: the IPv4 header's where that header is whole; the transport's where
 * the whole datagram is there by its own length field, else 0.
 */
export function computeChecksums(bytes: Uint8Array, at: HeaderRanges): ChecksumsComputed {
  const fields = checksumFields(at);
  zeroChecksums(bytes, at);
  const done = { ip: false, transport: false };
  if (fields.ip >= 0 && at.ipEnd <= bytes.length) {
    put(bytes, fields.ip, internetChecksum(bytes, at.linkEnd, at.ipEnd));
    done.ip = true;
  }
  const length = at.linkEnd + at.ipTotalLength - at.ipEnd;
  const end = at.ipEnd + length;
  const wellFormed = at.transport === 'tcp' ? end >= at.headerEnd : at.udpLength === length && length >= 8;
  if (fields.transport < 0 || !wellFormed || end > bytes.length || isFragment(bytes, at)) return done;
  const [from, to] = at.ipVersion === 4 ? [12, 20] : [8, 40];
  const start = (at.transport === 'tcp' ? 6 : 17) + length;
  const pseudo = sumWords(bytes, at.linkEnd + from, at.linkEnd + to, start);
  const value = internetChecksum(bytes, at.ipEnd, end, pseudo);
  // RFC 768: 0 means "no checksum", so a computed 0 is sent as all ones.
  put(bytes, fields.transport, value === 0 && at.transport === 'udp' ? 0xffff : value);
  done.transport = true;
  return done;
}

/** A first fragment: its datagram goes on elsewhere. */
function isFragment(bytes: Uint8Array, at: HeaderRanges): boolean {
  return at.ipVersion === 4 && (bytes[at.linkEnd + 6] & 0x20) !== 0;
}

function put(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8;
  bytes[at + 1] = value & 255;
}
