import type { Frame } from '../capture/frame';
import { locateHeaders } from '../packets';
import { computeChecksums } from '../tokens';

/** A frame after repair, and the names of what was changed. */
export interface Repaired {
  frame: Frame;
  changes: string[];
}

/**
 * Makes length fields and checksums consistent; nothing else is touched.
 *
 * - `tcp_data_offset`: below 5 becomes 5.
 * - `ip_total_length`: smaller than the headers becomes the headers' length.
 * - `udp_length`: becomes what the IP header leaves for it.
 * - `ipv4_checksum`, `tcp_checksum`, `udp_checksum`: computed; the transport's becomes 0 where the payload is not
 *   there (for `tcp_checksum` that is what "not checkable" looks like).
 *
 * The input is not changed. Frames without TCP or UDP headers come back as they are.
 */
export function repairFrame(frame: Frame): Repaired {
  const data = frame.data.slice();
  const changes: string[] = [];
  const set = (name: string, offset: number, value: number) => {
    if (offset + 2 > data.length || ((data[offset] << 8) | data[offset + 1]) === value) return;
    data[offset] = value >> 8;
    data[offset + 1] = value & 255;
    changes.push(name);
  };
  let at = locateHeaders(data, frame.linkType);
  if (!at.ok) return { frame, changes };
  const offsetByte = at.ipEnd + 12;
  if (at.transport === 'tcp' && data.length > offsetByte && data[offsetByte] >> 4 < 5) {
    data[offsetByte] = 0x50 | (data[offsetByte] & 15);
    changes.push('tcp_data_offset');
  }
  const headers = at.headerEnd - at.linkEnd;
  if (at.ipTotalLength < headers) {
    if (at.ipVersion === 4) set('ip_total_length', at.linkEnd + 2, headers);
    else set('ip_total_length', at.linkEnd + 4, headers - 40);
  }
  at = locateHeaders(data, frame.linkType);
  if (!at.ok) return { frame, changes };
  if (at.transport === 'udp')
    set('udp_length', at.ipEnd + 4, (at.linkEnd + at.ipTotalLength - at.ipEnd) & 0xffff);
  at = locateHeaders(data, frame.linkType);
  if (!at.ok) return { frame, changes };
  const before = data.slice();
  computeChecksums(data, at);
  const differs = (offset: number) =>
    offset + 1 < data.length && (data[offset] !== before[offset] || data[offset + 1] !== before[offset + 1]);
  if (at.ipVersion === 4 && differs(at.linkEnd + 10)) changes.push('ipv4_checksum');
  if (differs(at.ipEnd + (at.transport === 'tcp' ? 16 : 6))) changes.push(`${at.transport}_checksum`);
  const wireLen = Math.max(data.length, at.linkEnd + at.ipTotalLength);
  return { frame: { ...frame, data, wireLen }, changes };
}
