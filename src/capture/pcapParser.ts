import type { ByteQueue } from './byteQueue';
import type { Frame } from './frame';
import { MAX_BLOCK_BYTES, MAX_RECORD_BYTES, type CaptureInfo, type ProblemList } from './info';

// draft-ietf-opsawg-pcap, figures 1 and 2: the file header and the header of each record.
//
//   0                   1                   2                   3        0                   1
//   +---------------------------------------------------------------+   +-------------------------------+
//  0|                          magic number                         |  0| timestamp, seconds            |
//   +-------------------------------+-------------------------------+   +-------------------------------+
//  4|         major version         |         minor version         |  4| microseconds or nanoseconds   |
//   +-------------------------------+-------------------------------+   +-------------------------------+
//  8|                           reserved                            |  8| captured length               |
//   +---------------------------------------------------------------+   +-------------------------------+
// 12|                           reserved                            | 12| original length               |
//   +---------------------------------------------------------------+   +-------------------------------+
// 16|                            snaplen                            | 16| packet data ...
//   +-------+---------------------------+---------------------------+
// 20|  FCS  |         reserved          |         link type         |
//   +-------+---------------------------+---------------------------+

/** Magic numbers as read in little-endian order. */
export const PCAP_MAGIC = {
  MICROSECONDS: 0xa1b2c3d4,
  NANOSECONDS: 0xa1b23c4d,
  /** Kuznetzov's variant: microseconds, and record headers of 24 bytes. */
  MODIFIED: 0xa1b2cd34,
} as const;

export const PCAP_FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
/** Red Hat 6.1 and 7.3 wrote 24 bytes under the ordinary magic number, Nokia's firewalls 20. */
const LONG_RECORD_HEADER_BYTES = 24;
const NOKIA_RECORD_HEADER_BYTES = 20;

/** Is this the first word (read little-endian) of a pcap file? */
export function isPcapMagic(word: number): boolean {
  const magics: number[] = Object.values(PCAP_MAGIC);
  return magics.includes(word) || magics.includes(swap32(word));
}

/** Incremental parser of pcap files: push bytes into the queue, call {@link parse}, take the frames. */
export class PcapParser {
  info?: CaptureInfo;
  /** Nothing after the damage is read. */
  damaged = false;

  private little = true;
  private nanoseconds = false;
  private linkType = 0;
  private maxRecord = MAX_RECORD_BYTES;
  private headerBytes = RECORD_HEADER_BYTES;
  /** Places of the two lengths in a record header: files before version 2.3 have them the other way round. */
  private capLenAt = 8;
  private wireLenAt = 12;
  private records = 0;

  constructor(
    private readonly queue: ByteQueue,
    private readonly problems: ProblemList,
  ) {}

  /** Reads what is whole. At the `end` of the file a part that is left over becomes a problem. */
  parse(frames: Frame[], end: boolean): void {
    if (!this.info && !this.readFileHeader()) return;
    while (!this.damaged && this.readRecord(frames, end));
    if (end && !this.damaged && this.queue.available > 0) this.reportCut();
  }

  private readFileHeader(): boolean {
    const q = this.queue;
    if (!q.has(PCAP_FILE_HEADER_BYTES)) return false;
    const word = q.view.getUint32(q.at, true);
    const magics: number[] = Object.values(PCAP_MAGIC);
    this.little = magics.includes(word);
    const magic = this.little ? word : swap32(word);
    this.nanoseconds = magic === PCAP_MAGIC.NANOSECONDS;
    if (magic === PCAP_MAGIC.MODIFIED) this.headerBytes = LONG_RECORD_HEADER_BYTES;
    if (q.view.getUint16(q.at + 6, this.little) < 3) [this.capLenAt, this.wireLenAt] = [12, 8];
    const snapLen = q.view.getUint32(q.at + 16, this.little);
    // The upper half holds the length of the frame check sequence, where a capture has one.
    this.linkType = q.view.getUint32(q.at + 20, this.little) & 0xffff;
    this.maxRecord = Math.max(MAX_RECORD_BYTES, Math.min(snapLen, MAX_BLOCK_BYTES));
    this.info = {
      format: 'pcap',
      byteOrder: this.little ? 'little' : 'big',
      tsResolution: this.nanoseconds ? 9 : 6,
      linkTypes: [this.linkType],
      snapLen,
      interfaces: [{ linkType: this.linkType, snapLen, tsResolution: this.nanoseconds ? 9 : 6 }],
      comments: [],
      skippedBlocks: {},
    };
    q.at += PCAP_FILE_HEADER_BYTES;
    return true;
  }

  private readRecord(frames: Frame[], end: boolean): boolean {
    const q = this.queue;
    if (this.records === 0 && this.headerBytes === RECORD_HEADER_BYTES && !this.settleHeaderLength(end)) {
      return false;
    }
    if (!q.has(this.headerBytes)) return false;
    const { view, at } = q;
    const capLen = view.getUint32(at + this.capLenAt, this.little);
    if (capLen > this.maxRecord) {
      this.damaged = true;
      this.problems.add(
        'pcap_record_too_long',
        'pcap',
        q.offset,
        `record ${this.records + 1} claims ${capLen} captured bytes, more than ${this.maxRecord}: the file is damaged from here`,
      );
      return false;
    }
    if (!q.has(this.headerBytes + capLen)) return false;
    // `has` may have moved the bytes, so they are read again from the queue.
    this.emit(frames, capLen);
    return true;
  }

  private emit(frames: Frame[], capLen: number): void {
    const q = this.queue;
    const seconds = q.view.getUint32(q.at, this.little);
    const fraction = q.view.getUint32(q.at + 4, this.little);
    const wireLen = q.view.getUint32(q.at + this.wireLenAt, this.little);
    const unit = this.nanoseconds ? 1e9 : 1e6;
    if (fraction >= unit) {
      this.problems.add(
        'pcap_timestamp_fraction',
        'pcap',
        q.offset + 4,
        `record ${this.records + 1} has ${fraction} ${this.nanoseconds ? 'ns' : 'µs'} in its second; carried over`,
      );
    }
    if (wireLen < capLen) {
      this.problems.add(
        'pcap_wire_length_short',
        'pcap',
        q.offset + this.wireLenAt,
        `record ${this.records + 1} has ${capLen} captured bytes of a packet of ${wireLen}`,
      );
    }
    const micros = this.nanoseconds ? Math.floor(fraction / 1000) : fraction;
    const start = q.at + this.headerBytes;
    frames.push({
      data: q.bytes.subarray(start, start + capLen),
      wireLen,
      tsMicros: seconds * 1e6 + micros,
      tsNanos: this.nanoseconds ? fraction % 1000 : 0,
      linkType: this.linkType,
      interfaceId: 0,
    });
    q.at = start + capLen;
    this.records++;
  }

  /**
   * Some systems wrote longer record headers under the ordinary magic number. The second record tells: its header is
   * believable at one distance only. Returns false while bytes are missing to decide.
   */
  private settleHeaderLength(end: boolean): boolean {
    const q = this.queue;
    if (!q.has(RECORD_HEADER_BYTES)) return false;
    const capLen = q.view.getUint32(q.at + this.capLenAt, this.little);
    if (capLen > this.maxRecord) return true;
    const next = RECORD_HEADER_BYTES + capLen;
    if (q.has(next + RECORD_HEADER_BYTES) && this.believable(next)) return true;
    if (!q.has(LONG_RECORD_HEADER_BYTES + capLen + RECORD_HEADER_BYTES)) return end;
    let found: number | undefined;
    if (this.believable(LONG_RECORD_HEADER_BYTES + capLen)) found = LONG_RECORD_HEADER_BYTES;
    if (found === undefined && this.believable(NOKIA_RECORD_HEADER_BYTES + capLen)) {
      // Four bytes are a smaller difference, so a third record has to agree.
      const second = NOKIA_RECORD_HEADER_BYTES + capLen;
      const third =
        second + NOKIA_RECORD_HEADER_BYTES + q.view.getUint32(q.at + second + this.capLenAt, this.little);
      if (!q.has(third + RECORD_HEADER_BYTES)) {
        if (!end) return false;
        if (q.available === third) found = NOKIA_RECORD_HEADER_BYTES;
      } else if (this.believable(third)) found = NOKIA_RECORD_HEADER_BYTES;
    }
    if (found !== undefined) {
      this.headerBytes = found;
      this.problems.add(
        'pcap_long_record_headers',
        'pcap',
        q.offset,
        `record headers of ${found} bytes under the ordinary magic number; read as such`,
      );
    }
    return true;
  }

  /** Could a record header stand so far from the first one, within a year of it? */
  private believable(distance: number): boolean {
    const { view } = this.queue;
    const at = this.queue.at + distance;
    const first = view.getUint32(this.queue.at, this.little);
    const seconds = view.getUint32(at, this.little);
    const fraction = view.getUint32(at + 4, this.little);
    const capLen = view.getUint32(at + this.capLenAt, this.little);
    const wireLen = view.getUint32(at + this.wireLenAt, this.little);
    return (
      Math.abs(seconds - first) < 366 * 86400 &&
      fraction < (this.nanoseconds ? 1e9 : 1e6) &&
      capLen <= this.maxRecord &&
      capLen <= wireLen
    );
  }

  private reportCut(): void {
    const q = this.queue;
    const where = q.available < this.headerBytes ? 'header' : 'data';
    this.damaged = true;
    this.problems.add(
      'pcap_cut',
      'pcap',
      q.offset,
      `the file ends inside the ${where} of record ${this.records + 1}, ${q.available} bytes after its start`,
    );
  }
}

function swap32(x: number): number {
  return (((x & 0xff) << 24) | ((x & 0xff00) << 8) | ((x >>> 8) & 0xff00) | (x >>> 24)) >>> 0;
}
