import { openCapture } from '../../../src/capture';
import type { Frame } from '../../../src/capture';
import { locateHeaders } from '../../../src/packets';
import { getLayout } from '../../../src/tokens';
import type { EncoderOptions } from '../../../src/tokens';
import { frame } from '../frames';

/** What became of a sequence of frames that was encoded and decoded again. */
export interface RoundTrip {
  packets: number;
  tokens: number;
  raw: number;
  /** Refusals of the encoder, by code. */
  refused: Record<string, number>;
  /** Packets that are not what they should be: `index: why`. */
  wrong: string[];
}

const exact = getLayout('compact');

/**
 * Encodes and decodes a sequence in `compact-rel`, and compares every packet with the bytes that `compact` keeps of
 * it: all must be the same with `keep`, all but the two of the transport checksum with `drop`.
 */
export function roundTrip(
  frames: readonly Frame[],
  checksums: 'keep' | 'drop',
  options: EncoderOptions = {},
): RoundTrip {
  const linkType = frames[0]?.linkType;
  const layout = getLayout('compact-rel', { checksums });
  const encoder = layout.encoder({ linkType, ...options });
  const decoder = layout.decoder({ linkType });
  const bytes = exact.encoder({ linkType });
  const out: RoundTrip = { packets: 0, tokens: 0, raw: 0, refused: {}, wrong: [] };
  frames.forEach((f, i) => {
    const encoded = encoder.encode(f);
    if (!encoded.ok) {
      out.refused[encoded.refusal.code] = (out.refused[encoded.refusal.code] ?? 0) + 1;
      return;
    }
    out.packets++;
    out.tokens += encoded.bytes.length + 1;
    if (encoded.bytes[0] === 255) out.raw++;
    const decoded = decoder.decode(encoded.bytes);
    const expected = bytes.encode(f);
    if (!decoded.ok || !expected.ok) {
      out.wrong.push(`${i}: ${decoded.ok ? 'not kept' : decoded.refusal.code}`);
      return;
    }
    const difference = differences(decoded.packet.data, expected.bytes, f, checksums);
    if (difference) out.wrong.push(`${i}: ${difference}`);
  });
  return out;
}

function differences(got: Uint8Array, kept: Uint8Array, f: Frame, checksums: 'keep' | 'drop'): string {
  if (got.length !== kept.length) return `${got.length} bytes, not ${kept.length}`;
  // Two bytes of a Linux cooked header are not kept.
  const cooked = f.linkType === 113;
  let checksum = -1;
  if (checksums === 'drop') {
    const at = f.linkType === 1 ? locateHeaders(f.data, 1) : undefined;
    checksum = at?.ok ? at.ipEnd + (at.transport === 'tcp' ? 16 : 6) : -2;
  }
  for (let i = 0; i < got.length; i++) {
    if (got[i] === kept[i] || i === checksum || i === checksum + 1) continue;
    if (cooked && (i === 12 || i === 13)) continue;
    if (checksum === -2 && i >= 20) continue;
    return `byte ${i} is ${got[i]}, not ${kept[i]}`;
  }
  return '';
}

export async function framesOf(path: string, limit = Infinity): Promise<Frame[]> {
  const frames: Frame[] = [];
  for await (const f of await openCapture(path)) {
    if (frames.length >= limit) break;
    frames.push({ ...f, data: f.data.slice() });
  }
  return frames;
}

export const inSegments = (frames: readonly Frame[], length: number): Frame[][] =>
  Array.from({ length: Math.ceil(frames.length / length) }, (_, i) =>
    frames.slice(i * length, (i + 1) * length),
  );

/** Frames cut to `snapLen` bytes. */
export const cutTo = (frames: readonly Frame[], snapLen: number): Frame[] =>
  frames.map((f) => ({ ...f, data: f.data.subarray(0, snapLen) }));

/** Every TCP direction's first sequence number becomes 2^32 - `before`, so that it wraps soon (Ethernet, IPv4). */
export function wrapping(frames: readonly Frame[], before: number): Frame[] {
  const shift = new Map<string, number>();
  return frames.map((f) => {
    const at = locateHeaders(f.data, f.linkType);
    if (!at.ok || at.transport !== 'tcp' || f.data.length < at.ipEnd + 20 || at.ipVersion !== 4) return f;
    const data = f.data.slice();
    const view = new DataView(data.buffer);
    const side = (ip: number, port: number) =>
      `${view.getUint32(at.linkEnd + ip)}:${view.getUint16(at.ipEnd + port)}`;
    const [from, to] = [side(12, 0), side(16, 2)];
    const [seq, ack] = [view.getUint32(at.ipEnd + 4), view.getUint32(at.ipEnd + 8)];
    const own = shift.get(`${from}>${to}`) ?? (-before - seq) >>> 0;
    shift.set(`${from}>${to}`, own);
    view.setUint32(at.ipEnd + 4, (seq + own) >>> 0);
    if (data[at.ipEnd + 13] & 16) {
      const peer = shift.get(`${to}>${from}`) ?? (-before - ack) >>> 0;
      shift.set(`${to}>${from}`, peer);
      view.setUint32(at.ipEnd + 8, (ack + peer) >>> 0);
    }
    return { ...f, data };
  });
}

/** A TCP packet over Ethernet and IPv4 with right header checksum; payload is not there, only its length. */
export interface TcpPacket {
  from: number;
  to: number;
  sourcePort: number;
  destinationPort: number;
  seq: number;
  ack: number;
  flags: number;
  length?: number;
  id?: number;
  window?: number;
  options?: number[];
}

export function tcpFrame(p: TcpPacket): Frame {
  const options = p.options ?? [];
  const data = new Uint8Array(54 + options.length);
  const view = new DataView(data.buffer);
  data.set([2, 0, 0, 0, 0, p.to & 255, 2, 0, 0, 0, 0, p.from & 255, 8, 0, 0x45, 0]);
  const total = 40 + options.length + (p.length ?? 0);
  view.setUint16(16, total);
  view.setUint16(18, p.id ?? 0);
  view.setUint16(20, 0x4000);
  data[22] = 64;
  data[23] = 6;
  view.setUint32(26, p.from);
  view.setUint32(30, p.to);
  let sum = 0;
  for (let i = 14; i < 34; i += 2) sum += view.getUint16(i);
  view.setUint16(24, ~((sum & 0xffff) + (sum >>> 16)) & 0xffff);
  view.setUint16(34, p.sourcePort);
  view.setUint16(36, p.destinationPort);
  view.setUint32(38, p.seq >>> 0);
  view.setUint32(42, p.ack >>> 0);
  data[46] = ((20 + options.length) / 4) << 4;
  data[47] = p.flags;
  view.setUint16(48, p.window ?? 1000);
  data.set(options, 54);
  return frame(data, 0, 14 + total);
}
