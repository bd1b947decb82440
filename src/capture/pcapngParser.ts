import type { ByteQueue } from './byteQueue';
import type { Frame } from './frame';
import { MAX_BLOCK_BYTES, type CaptureInfo, type CaptureInterface, type ProblemList } from './info';
import {
  BlockType,
  BYTE_ORDER_MAGIC,
  decodeTsResolution,
  OptionCode,
  optionText,
  readOptions,
  skippedBlockName,
  splitTimestamp,
  type Option,
  type PcapngInterface,
} from './pcapngTypes';

// draft-ietf-opsawg-pcapng, figure 1: every block has this shape; unknown types are skipped by their length.
//
//    0                   1                   2                   3
//   +---------------------------------------------------------------+
//  0|                          block type                           |
//   +---------------------------------------------------------------+
//  4|              block total length, a multiple of 4              |
//   +---------------------------------------------------------------+
//  8|              block body, padded to a multiple of 4 ...        |
//   +---------------------------------------------------------------+
//   |                   block total length, again                   |
//   +---------------------------------------------------------------+

const BLOCK_OVERHEAD = 12;
const SECTION_HEADER_MIN = 28;
/** Comments on sections and interfaces of a file that are kept: enough for people, bounded for files of many sections. */
const MAX_NOTES = 1000;

/** The least total length of each block type that is read. */
const MIN_LENGTH = new Map<number, number>([
  [BlockType.SECTION_HEADER, SECTION_HEADER_MIN],
  [BlockType.INTERFACE_DESCRIPTION, 20],
  [BlockType.PACKET, 32],
  [BlockType.SIMPLE_PACKET, 16],
  [BlockType.ENHANCED_PACKET, 32],
]);

/** Incremental parser of pcapng files: push bytes into the queue, call {@link parse}, take the frames. */
export class PcapngParser {
  info?: CaptureInfo;
  /** Nothing after the damage is read. */
  damaged = false;

  private little = true;
  private interfaces: PcapngInterface[] = [];
  private blocks = 0;
  /** Bytes left of a block that is passed over without holding it. */
  private skip = 0;

  constructor(
    private readonly queue: ByteQueue,
    private readonly problems: ProblemList,
  ) {}

  /** Reads what is whole. At the `end` of the file a part that is left over becomes a problem. */
  parse(frames: Frame[], end: boolean): void {
    while (!this.damaged && this.readBlock(frames));
    if (!end || this.damaged) return;
    if (this.queue.available > 0 || this.skip > 0) {
      this.stop('pcapng_cut', `the file ends inside block ${this.blocks + 1}`);
    }
  }

  private readBlock(frames: Frame[]): boolean {
    const q = this.queue;
    if (this.skip > 0) {
      q.finish();
      const step = Math.min(this.skip, q.bytes.length - q.at);
      q.at += step;
      this.skip -= step;
      if (this.skip > 0) return false;
      this.blocks++;
    }
    if (!q.has(BLOCK_OVERHEAD)) return false;
    const type = q.view.getUint32(q.at, this.little);
    if (type === BlockType.SECTION_HEADER && !this.readByteOrder()) return false;

    const claimed = q.view.getUint32(q.at + 4, this.little);
    // Some writers leave the padding out of the length.
    const length = Math.ceil(claimed / 4) * 4;
    const least = MIN_LENGTH.get(type);
    if (length < (least ?? BLOCK_OVERHEAD)) {
      return this.stop('pcapng_block_length', `block ${this.blocks + 1} claims a length of ${claimed} bytes`);
    }
    if (length > MAX_BLOCK_BYTES) {
      if (least !== undefined) {
        return this.stop(
          'pcapng_block_too_long',
          `block ${this.blocks + 1} claims ${claimed} bytes, more than ${MAX_BLOCK_BYTES}`,
        );
      }
      this.countSkipped(type);
      this.skip = length;
      return true;
    }
    if (!q.has(length)) return false;
    if (q.view.getUint32(q.at + length - 4, this.little) !== claimed) {
      return this.stop(
        'pcapng_block_length',
        `block ${this.blocks + 1} gives two different lengths, ${claimed} and ${q.view.getUint32(q.at + length - 4, this.little)}`,
      );
    }
    this.readBody(type, length, frames);
    q.at += length;
    this.blocks++;
    return true;
  }

  private readBody(type: number, length: number, frames: Frame[]): void {
    if (type === BlockType.SECTION_HEADER) this.readSection(length);
    else if (type === BlockType.INTERFACE_DESCRIPTION) this.readInterface(length);
    else if (type === BlockType.ENHANCED_PACKET) this.readPacket(length, frames, false);
    else if (type === BlockType.SIMPLE_PACKET) this.readSimplePacket(length, frames);
    else if (type === BlockType.PACKET) this.readPacket(length, frames, true);
    else this.countSkipped(type);
  }

  private countSkipped(type: number): void {
    const counts = this.info!.skippedBlocks;
    const name = skippedBlockName(type);
    counts[name] = (counts[name] ?? 0) + 1;
  }

  /** The byte order is known already; interfaces start anew. */
  private readSection(length: number): void {
    this.interfaces = [];
    for (const option of this.options(24, length)) {
      const { comments, application } = this.info!;
      const text = optionText(this.queue.bytes, option);
      if (option.code === OptionCode.COMMENT && comments.length < MAX_NOTES) comments.push(text);
      else if (option.code === OptionCode.SHB_USERAPPL && application === undefined)
        this.info = { ...this.info!, application: text };
    }
  }

  /** A section header settles the byte order of all that follows. False: not whole yet, or not one. */
  private readByteOrder(): boolean {
    const q = this.queue;
    const magic = q.view.getUint32(q.at + 8, true);
    if (magic === BYTE_ORDER_MAGIC) this.little = true;
    else if (magic === 0x4d3c2b1a) this.little = false;
    else return this.stop('pcapng_byte_order', `a section header with the byte-order magic ${hex(magic)}`);
    this.info ??= {
      format: 'pcapng',
      byteOrder: this.little ? 'little' : 'big',
      tsResolution: 6,
      linkTypes: [],
      snapLen: 0,
      interfaces: [],
      comments: [],
      skippedBlocks: {},
    };
    return true;
  }

  private readInterface(length: number): void {
    const { view, at } = this.queue;
    const linkType = view.getUint16(at + 8, this.little);
    const snapLen = view.getUint32(at + 12, this.little);
    let resolution = decodeTsResolution(6);
    let offsetSeconds = 0;
    const texts: { name?: string; description?: string } = {};
    for (const option of this.options(16, length)) {
      if (option.code === OptionCode.IF_TSRESOL && option.length >= 1) {
        resolution = decodeTsResolution(view.getUint8(option.at));
      } else if (option.code === OptionCode.IF_TSOFFSET && option.length >= 8) {
        offsetSeconds = Number(view.getBigInt64(option.at, this.little));
      } else if (option.code === OptionCode.IF_NAME) {
        texts.name = optionText(this.queue.bytes, option);
      } else if (option.code === OptionCode.IF_DESCRIPTION) {
        texts.description = optionText(this.queue.bytes, option);
      }
    }
    this.interfaces.push({ linkType, snapLen, ...resolution, offsetSeconds });
    const info = this.info!;
    const shown: CaptureInterface = { linkType, snapLen, tsResolution: resolution.digits, ...texts };
    if (info.interfaces.length < MAX_NOTES) info.interfaces.push(shown);
    const first = info.linkTypes.length === 0;
    if (!info.linkTypes.includes(linkType)) info.linkTypes.push(linkType);
    this.info = {
      ...info,
      tsResolution: first ? resolution.digits : Math.max(info.tsResolution, resolution.digits),
      snapLen: Math.max(info.snapLen, snapLen),
    };
  }

  /** The options from `from` to the block's end; damaged lists end early and are named. */
  private options(from: number, length: number): Generator<Option> {
    const { view, at, offset } = this.queue;
    return readOptions(view, at + from, at + length - 4, this.little, (place, code, size) =>
      this.problems.add(
        'pcapng_option_length',
        'pcapng',
        offset + place - at,
        `option ${code} claims ${size} bytes and reaches beyond its block`,
      ),
    );
  }

  /** The comments on a packet; undefined: none. */
  private comment(from: number, length: number): string | undefined {
    if (from + 8 > length) return undefined;
    const texts: string[] = [];
    for (const option of this.options(from, length)) {
      if (option.code === OptionCode.COMMENT) texts.push(optionText(this.queue.bytes, option));
    }
    return texts.length > 0 ? texts.join('\n') : undefined;
  }

  /**
   * Enhanced packet blocks, and the obsolete form, which differs in one field: a 16-bit interface and a 16-bit count of
   * drops where the newer one has the interface.
   */
  private readPacket(length: number, frames: Frame[], obsolete: boolean): void {
    const { view, at } = this.queue;
    const le = this.little;
    this.emit(frames, {
      interfaceId: obsolete ? view.getUint16(at + 8, le) : view.getUint32(at + 8, le),
      high: view.getUint32(at + 12, le),
      low: view.getUint32(at + 16, le),
      capLen: view.getUint32(at + 20, le),
      wireLen: view.getUint32(at + 24, le),
      from: 28,
      room: length - 32,
      length,
    });
  }

  /** No timestamp, no captured length: the length is the packet's or the first interface's snaplen. */
  private readSimplePacket(length: number, frames: Frame[]): void {
    const { view, at } = this.queue;
    const wireLen = view.getUint32(at + 8, this.little);
    const room = length - 16;
    const limit = this.interfaces[0]?.snapLen || Infinity;
    this.emit(frames, {
      interfaceId: 0,
      high: 0,
      low: 0,
      capLen: Math.min(wireLen, limit, room),
      wireLen,
      from: 12,
      room,
    });
  }

  private emit(frames: Frame[], p: PacketPlace): void {
    const q = this.queue;
    const from = this.interfaces[p.interfaceId];
    if (!from) {
      this.problems.add(
        'pcapng_interface_unknown',
        'pcapng',
        q.offset,
        `block ${this.blocks + 1} names interface ${p.interfaceId}; this section has ${this.interfaces.length}; packet left out`,
      );
      return;
    }
    if (p.capLen > p.room) {
      this.problems.add(
        'pcapng_captured_length',
        'pcapng',
        q.offset,
        `block ${this.blocks + 1} claims ${p.capLen} captured bytes and has room for ${p.room}; packet left out`,
      );
      return;
    }
    if (p.wireLen < p.capLen) {
      this.problems.add(
        'pcapng_wire_length_short',
        'pcapng',
        q.offset,
        `block ${this.blocks + 1} has ${p.capLen} captured bytes of a packet of ${p.wireLen}`,
      );
    }
    const start = q.at + p.from;
    const { tsMicros, tsNanos } = this.timestamp(p, from);
    const frame: Frame = {
      data: q.bytes.subarray(start, start + p.capLen),
      wireLen: p.wireLen,
      tsMicros,
      tsNanos,
      linkType: from.linkType,
      interfaceId: p.interfaceId,
    };
    const comment =
      p.length === undefined ? undefined : this.comment(p.from + Math.ceil(p.capLen / 4) * 4, p.length);
    frames.push(comment === undefined ? frame : { ...frame, comment });
  }

  /** A time beyond what numbers hold exactly (the years before 1684 and after 2255) is named and brought within. */
  private timestamp(p: PacketPlace, from: PcapngInterface): { tsMicros: number; tsNanos: number } {
    const time = splitTimestamp(p.high, p.low, from);
    if (Number.isSafeInteger(time.tsMicros)) return time;
    const { offset } = this.queue;
    this.problems.add(
      'pcapng_timestamp_range',
      'pcapng',
      offset,
      `block ${this.blocks + 1} has a time of ${time.tsMicros} µs, beyond the year 2255`,
    );
    return { tsMicros: time.tsMicros < 0 ? Number.MIN_SAFE_INTEGER : Number.MAX_SAFE_INTEGER, tsNanos: 0 };
  }

  private stop(code: string, message: string): false {
    this.damaged = true;
    this.problems.add(code, 'pcapng', this.queue.offset, `${message}; nothing after it is read`);
    return false;
  }
}

interface PacketPlace {
  interfaceId: number;
  high: number;
  low: number;
  capLen: number;
  wireLen: number;
  /** Where the packet's bytes start in the block, and how many there can be. */
  from: number;
  room: number;
  /** Length of a block that has options behind the packet. */
  length?: number;
}

function hex(word: number): string {
  return `0x${word.toString(16).padStart(8, '0')}`;
}
