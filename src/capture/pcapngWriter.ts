import { NetssmError } from '../util';
import { AtomicWriter } from './atomicWriter';
import type { Frame } from './frame';
import { BlockType, BYTE_ORDER_MAGIC, OptionCode } from './pcapngTypes';

/** How a pcapng file is written. */
export interface PcapngWriteOptions {
  /** A comment on the whole file, shown by Wireshark and capinfos: where the packets come from. */
  comment?: string;
  /** What made the packets; becomes a further comment, see {@link provenanceComment}. */
  provenance?: Provenance;
  /** The program named in the file; `netssm` by default. */
  application?: string;
  /** Snapshot length of every interface; 0 (no limit) by default. */
  snapLen?: number;
}

/** What made a capture's packets: enough to make them again. */
export interface Provenance {
  /** The program: `netssm`. */
  tool: string;
  version?: string;
  /** The model's folder or name. */
  model?: string;
  seed?: number;
  /** Anything else: `label`, `temperature`, `source` ... */
  [key: string]: string | number | boolean | undefined;
}

const MARK = 'provenance';

/**
 * Provenance as text for people that programs can read too: a line `provenance`, then a line `key: value` for each.
 */
export function provenanceComment(provenance: Provenance): string {
  const lines = Object.entries(provenance)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}: ${String(value).replace(/\s+/g, ' ')}`);
  return [MARK, ...lines].join('\n');
}

/** The provenance among the comments of a capture ({@link CaptureInfo}.comments), all values as text. */
export function readProvenance(comments: readonly string[]): Record<string, string> | undefined {
  const found = comments.find((comment) => comment.startsWith(`${MARK}\n`));
  if (found === undefined) return undefined;
  const pairs = found
    .split('\n')
    .slice(1)
    .map((line) => line.split(/: (.*)/s, 2));
  return Object.fromEntries(pairs.filter((pair) => pair.length === 2));
}

/**
 * Writes a pcapng file frame by frame: little-endian, one section, nanosecond timestamps, one interface for each
 * pair of link type and interface number met, comments on the file and on packets. The file appears under its name when it is closed.
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
        [OptionCode.COMMENT, options.provenance && provenanceComment(options.provenance)],
        [OptionCode.SHB_USERAPPL, options.application ?? 'netssm'],
      ]),
    ]);
  }

  /** Frames written so far. */
  get frames(): number {
    return this.count;
  }

  /**
   * Writes the frame with its captured bytes, its length on the wire, and its comment.
   *
   * @throws NetssmError `pcapng_timestamp_range`, `pcapng_link_type`.
   */
  write(frame: Frame): void {
    this.check(frame);
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
    const parts = [body, frame.data];
    if (frame.comment !== undefined) {
      // Options begin on a multiple of 4.
      parts.push(
        new Uint8Array(-frame.data.length & 3),
        encodeOptions([[OptionCode.COMMENT, frame.comment]]),
      );
    }
    this.writeBlock(BlockType.ENHANCED_PACKET, parts);
    this.count++;
  }

  private check(frame: Frame): void {
    if (!(frame.tsMicros >= 0 && Number.isSafeInteger(frame.tsMicros))) {
      throw new NetssmError(
        'pcapng_timestamp_range',
        `${this.path}: frame ${this.count + 1} is at ${frame.tsMicros} µs; whole numbers from 1970 on can be written`,
        { hint: 'Shift the times.' },
      );
    }
    if (!(frame.linkType >= 0 && frame.linkType <= 0xffff)) {
      throw new NetssmError(
        'pcapng_link_type',
        `${this.path}: frame ${this.count + 1} has link type ${frame.linkType}; pcapng holds 0 to 65535`,
        { hint: 'See https://www.tcpdump.org/linktypes.html for the numbers.' },
      );
    }
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
