import { NetssmError } from '../util';
import { AtomicWriter } from './atomicWriter';
import type { Frame } from './frame';
import type { CaptureInfo } from './info';
import { PCAP_FILE_HEADER_BYTES, PCAP_MAGIC } from './pcapParser';

/** How a pcap file is written. */
export interface PcapWriteOptions {
  /** LINKTYPE_ number of the file header; by default that of the first frame, or 1 (Ethernet). */
  linkType?: number;
  /** By default 262,144. */
  snapLen?: number;
  /** Nanosecond timestamps; else microseconds, and nanoseconds are cut off. */
  nanoseconds?: boolean;
  /** `little` by default. */
  byteOrder?: 'little' | 'big';
}

/** The options that write a file like the one that was read: the same frames then give the same bytes. */
export function pcapOptionsOf(info: CaptureInfo): PcapWriteOptions {
  return {
    linkType: info.linkTypes[0],
    snapLen: info.snapLen,
    nanoseconds: info.tsResolution > 6,
    byteOrder: info.byteOrder,
  };
}

/** Writes a pcap file frame by frame, in bounded memory. The file appears under its name when it is closed. */
export class PcapWriter {
  private readonly file: AtomicWriter;
  private readonly header = new Uint8Array(16);
  private readonly view = new DataView(this.header.buffer);
  private readonly little: boolean;
  private readonly nanoseconds: boolean;
  private linkType?: number;
  private count = 0;

  /** @throws NetssmError `file_unwritable`. */
  constructor(
    readonly path: string,
    private readonly options: PcapWriteOptions = {},
  ) {
    this.file = new AtomicWriter(path);
    this.little = options.byteOrder !== 'big';
    this.nanoseconds = options.nanoseconds ?? false;
    if (options.linkType !== undefined) this.writeHeader(options.linkType);
  }

  /** Frames written so far. */
  get frames(): number {
    return this.count;
  }

  /**
   * Writes the frame with its captured bytes and its length on the wire.
   *
   * @throws NetssmError `pcap_mixed_link_types` (a pcap file has one link type), `pcap_timestamp_range`.
   */
  write(frame: Frame): void {
    if (this.linkType === undefined) this.writeHeader(frame.linkType);
    if (frame.linkType !== this.linkType) {
      throw new NetssmError(
        'pcap_mixed_link_types',
        `${this.path}: frame ${this.count + 1} has link type ${frame.linkType}, the file ${this.linkType}`,
        {
          hint: 'A pcap file has one link type. Write pcapng instead: a name that ends in .pcapng, or writePcapng.',
        },
      );
    }
    const seconds = Math.floor(frame.tsMicros / 1e6);
    if (!(seconds >= 0 && seconds < 2 ** 32)) {
      throw new NetssmError(
        'pcap_timestamp_range',
        `${this.path}: frame ${this.count + 1} is at ${frame.tsMicros} µs; pcap holds 1970 to 2106`,
        { hint: 'Shift the times, or write pcapng.' },
      );
    }
    const micros = frame.tsMicros - seconds * 1e6;
    const { view, little } = this;
    view.setUint32(0, seconds, little);
    view.setUint32(4, this.nanoseconds ? micros * 1000 + frame.tsNanos : micros, little);
    view.setUint32(8, frame.data.length, little);
    view.setUint32(12, frame.wireLen, little);
    this.file.write(this.header);
    this.file.write(frame.data);
    this.count++;
  }

  /** Ends the file; a file without frames is valid too. */
  close(): void {
    if (this.linkType === undefined) this.writeHeader(1);
    this.file.close();
  }

  /** Gives the file up and leaves what stood under its name. */
  abort(): void {
    this.file.abort();
  }

  private writeHeader(linkType: number): void {
    const bytes = new Uint8Array(PCAP_FILE_HEADER_BYTES);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, this.nanoseconds ? PCAP_MAGIC.NANOSECONDS : PCAP_MAGIC.MICROSECONDS, this.little);
    view.setUint16(4, 2, this.little);
    view.setUint16(6, 4, this.little);
    view.setUint32(16, this.options.snapLen ?? 262_144, this.little);
    view.setUint32(20, linkType, this.little);
    this.linkType = linkType;
    this.file.write(bytes);
  }
}

/**
 * Writes all frames. Without `nanoseconds`, nanoseconds are written if any frame has them.
 * Errors as {@link PcapWriter}; after one nothing is left behind.
 */
export function writePcap(path: string, frames: Iterable<Frame>, options: PcapWriteOptions = {}): void {
  const all = Array.isArray(frames) ? (frames as Frame[]) : [...frames];
  const nanoseconds = options.nanoseconds ?? all.some((frame) => frame.tsNanos !== 0);
  const writer = new PcapWriter(path, { ...options, nanoseconds });
  try {
    for (const frame of all) writer.write(frame);
    writer.close();
  } catch (error) {
    writer.abort();
    throw error;
  }
}
