import { AtomicWriter } from './atomicWriter';
import type { Frame } from './frame';
import { BlockType, BYTE_ORDER_MAGIC, OptionCode } from './pcapngTypes';

/** How a pcapng file is written. */
export interface PcapngWriteOptions {
  /** A comment on the whole file, shown by Wireshark and capinfos: where the packets come from. */
  comment?: string;
  /** The program named in the file; `netssm` by default. */
  application?: string;
  /** Snapshot length of every interface; 0 (no limit) by default. */
  snapLen?: number;
}

/**
 * Writes a pcapng file frame by frame: little-endian, one section, nanosecond timestamps, one interface for each
 * pair of link type and interface number met. The file appears under its name when it is closed.
 */
export class PcapngWriter {
  private readonly file: AtomicWriter;
  private readonly interfaces = new Map<string, number>();
  private count = 0;

  /** @throws NetssmError `file_unwritable`. */
  constructor(
    readonly path: string,
    private readonly options: PcapngWriteOptions = {},
  ) {
    this.file = new AtomicWriter(path);
    const body = new Uint8Array(16);
    const view = new DataView(body.buffer);
    view.setUint32(0, BYTE_ORDER_MAGIC, true);
    view.setUint16(4, 1, true);
    // The section's length, -1: not known beforehand.
    view.setBigInt64(8, -1n, true);
    this.writeBlock(BlockType.SECTION_HEADER, [
      body,
      encodeOptions([
        [OptionCode.COMMENT, options.comment],
        [OptionCode.SHB_USERAPPL, options.application ?? 'netssm'],
      ]),
    ]);
  }

  /** Frames written so far. */
  get frames(): number {
    return this.count;
  }

  /** Writes the frame with its captured bytes and its length on the wire. */
  write(frame: Frame): void {
    const key = `${frame.linkType}/${frame.interfaceId}`;
    const id = this.interfaces.get(key) ?? this.addInterface(key, frame.linkType);
    const nanos = BigInt(frame.tsMicros) * 1000n + BigInt(frame.tsNanos);
    const body = new Uint8Array(20);
    const view = new DataView(body.buffer);
    view.setUint32(0, id, true);
    view.setUint32(4, Number(BigInt.asUintN(32, nanos >> 32n)), true);
    view.setUint32(8, Number(BigInt.asUintN(32, nanos)), true);
    view.setUint32(12, frame.data.length, true);
    view.setUint32(16, frame.wireLen, true);
    this.writeBlock(BlockType.ENHANCED_PACKET, [body, frame.data]);
    this.count++;
  }

  /** Ends the file. */
  close(): void {
    this.file.close();
  }

  /** Gives the file up and leaves what stood under its name. */
  abort(): void {
    this.file.abort();
  }

  private addInterface(key: string, linkType: number): number {
    const body = new Uint8Array(8);
    const view = new DataView(body.buffer);
    view.setUint16(0, linkType, true);
    view.setUint32(4, this.options.snapLen ?? 0, true);
    this.writeBlock(BlockType.INTERFACE_DESCRIPTION, [
      body,
      encodeOptions([[OptionCode.IF_TSRESOL, Uint8Array.of(9)]]),
    ]);
    const id = this.interfaces.size;
    this.interfaces.set(key, id);
    return id;
  }

  private writeBlock(type: number, parts: Uint8Array[]): void {
    let size = 0;
    for (const part of parts) size += part.length;
    const padded = Math.ceil(size / 4) * 4;
    const block = new Uint8Array(12 + padded);
    const view = new DataView(block.buffer);
    view.setUint32(0, type, true);
    view.setUint32(4, block.length, true);
    let at = 8;
    for (const part of parts) {
      block.set(part, at);
      at += part.length;
    }
    view.setUint32(block.length - 4, block.length, true);
    this.file.write(block);
  }
}

/** Writes all frames. Errors as {@link PcapngWriter}; after one nothing is left behind. */
export function writePcapng(path: string, frames: Iterable<Frame>, options: PcapngWriteOptions = {}): void {
  const writer = new PcapngWriter(path, options);
  try {
    for (const frame of frames) writer.write(frame);
    writer.close();
  } catch (error) {
    writer.abort();
    throw error;
  }
}

/** Code, length, value padded to 4, for each option that has a value; then the end mark, if there were any. */
function encodeOptions(options: [code: number, value: string | Uint8Array | undefined][]): Uint8Array {
  const parts: number[] = [];
  for (const [code, value] of options) {
    if (value === undefined) continue;
    // An option's length is a 16-bit field.
    const bytes = (typeof value === 'string' ? Buffer.from(value, 'utf8') : value).subarray(0, 0xffff);
    parts.push(code & 0xff, code >> 8, bytes.length & 0xff, bytes.length >> 8, ...bytes);
    while (parts.length % 4 !== 0) parts.push(0);
  }
  if (parts.length > 0) parts.push(0, 0, 0, 0);
  return Uint8Array.from(parts);
}
