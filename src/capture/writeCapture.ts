import { NetssmError } from '../util';
import type { Frame } from './frame';
import { PcapngWriter, type PcapngWriteOptions } from './pcapngWriter';
import { PcapWriter, type PcapWriteOptions } from './pcapWriter';

/** Options of both formats; each takes what it knows. */
export type CaptureWriteOptions = PcapWriteOptions & PcapngWriteOptions;

/** What {@link PcapWriter} and {@link PcapngWriter} have in common. */
export interface CaptureWriter {
  readonly path: string;
  /** Frames written so far. */
  readonly frames: number;
  write(frame: Frame): void;
  /** Ends the file, which then appears under its name. */
  close(): void;
  /** Gives the file up and leaves what stood under its name. */
  abort(): void;
}

/**
 * A writer for a path: pcapng where it ends in `.pcapng` or `.ntar`, else pcap (with nanoseconds only if asked for).
 *
 * @throws NetssmError `file_unwritable`, `capture_packed` for names that promise packed files.
 */
export function createCaptureWriter(path: string, options: CaptureWriteOptions = {}): CaptureWriter {
  const packed = /\.(gz|zst|xz|bz2)$/i.exec(path);
  if (packed) {
    const plain = path.slice(0, -packed[0].length);
    throw new NetssmError('capture_packed', `${path}: captures are written unpacked`, {
      exitCode: 2,
      context: { file: path },
      hint: `Write ${plain} and pack it: ${packed[1].toLowerCase() === 'zst' ? 'zstd' : 'gzip'} ${plain}.`,
    });
  }
  return /\.(pcapng|ntar)$/i.test(path) ? new PcapngWriter(path, options) : new PcapWriter(path, options);
}

/**
 * Writes frames as they come, in bounded memory, in the format that the path's name says; returns how many. Errors as
 * {@link createCaptureWriter} and the writers; after one nothing is left behind.
 */
export async function writeCapture(
  path: string,
  frames: AsyncIterable<Frame> | Iterable<Frame>,
  options: CaptureWriteOptions = {},
): Promise<number> {
  const writer = createCaptureWriter(path, options);
  try {
    for await (const frame of frames) writer.write(frame);
    writer.close();
  } catch (error) {
    writer.abort();
    throw error;
  }
  return writer.frames;
}
