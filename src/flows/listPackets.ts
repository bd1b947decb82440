import { openCapture, type Frame } from '../capture';
import { decodeFrame, summarize, type Packet } from '../packets';
import { selectFrames, type SelectOptions } from './select';

/** A packet with its place in the file. */
export interface ListedPacket {
  /** From 1, in the file, whatever was selected. */
  readonly number: number;
  readonly frame: Frame;
  readonly packet: Packet;
}

/** The selected packets of a capture, decoded, one by one. Errors as `openCapture`. */
export async function* listPackets(
  source: string | Uint8Array,
  options: SelectOptions = {},
): AsyncGenerator<ListedPacket> {
  const slice = selectFrames(options);
  const reader = await openCapture(source);
  let number = 0;
  for await (const frames of reader.batches()) {
    for (const frame of frames) {
      number++;
      if (slice.take(frame)) yield { number, frame, packet: decodeFrame(frame) };
    }
    if (slice.done) return;
  }
}

/** One line of {@link listPackets}: number, time of day in UTC, and the packet in the words of tcpdump. */
export function packetLine({ number, frame, packet }: ListedPacket): string {
  return `${String(number).padStart(6)}  ${timeOfDay(frame)}  ${summarize(packet)}`;
}

/** `09:30:00.123456`, with nanoseconds where the capture has them. */
export function timeOfDay({ tsMicros, tsNanos }: Pick<Frame, 'tsMicros' | 'tsNanos'>): string {
  const inDay = ((tsMicros % 86_400e6) + 86_400e6) % 86_400e6;
  const seconds = Math.floor(inDay / 1e6);
  const two = (n: number): string => String(n).padStart(2, '0');
  const time = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  const micros = String(inDay % 1e6).padStart(6, '0');
  return `${time}.${micros}${tsNanos > 0 ? String(tsNanos).padStart(3, '0') : ''}`;
}
