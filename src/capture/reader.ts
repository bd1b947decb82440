import { inspectable, NetssmError, type Problem } from '../util';
import { ByteQueue } from './byteQueue';
import type { Frame } from './frame';
import { ProblemList, type CaptureInfo } from './info';
import { isPcapMagic, PCAP_FILE_HEADER_BYTES, PcapParser } from './pcapParser';
import { PcapngParser } from './pcapngParser';
import { BlockType, BYTE_ORDER_MAGIC } from './pcapngTypes';
import { headerCut, notACapture } from './recognise';
import { openSource, type ByteSource, type CaptureSource, type SourceDamage } from './source';

/** A capture wholly in memory. */
export interface Capture {
  readonly info: CaptureInfo;
  readonly frames: Frame[];
  /** What was odd or damaged in the file; `offset` is a place in the (unpacked) file. */
  readonly problems: Problem[];
}

/**
 * A capture file read from start to end in bounded memory: `for await (const frame of reader)`. A damaged file
 * gives the frames up to the damage and a problem that names it.
 */
export class CaptureReader implements AsyncIterable<Frame> {
  private pending: Frame[] = [];
  private ended = false;

  /** Use {@link openCapture}. */
  constructor(
    private readonly source: ByteSource,
    private readonly queue: ByteQueue,
    private readonly parser: PcapParser | PcapngParser,
    private readonly list: ProblemList,
  ) {}

  /** Where the bytes come from: the path, `(standard input)`, `(stream)` or `(bytes in memory)`. */
  get name(): string {
    return this.source.name;
  }

  /** Known from the start for pcap; grows with the interfaces met so far for pcapng. */
  get info(): CaptureInfo {
    return this.parser.info!;
  }

  /** Has the file header been read? Always, once {@link openCapture} has returned. */
  get infoKnown(): boolean {
    return this.parser.info !== undefined;
  }

  /** How the file was packed, if it was. */
  get packed(): 'gzip' | 'zstd' | undefined {
    return this.source.packed;
  }

  /** What was odd or damaged so far. */
  get problems(): Problem[] {
    return this.list.problems;
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Frame> {
    for await (const batch of this.batches()) yield* batch;
  }

  /** The frames in the groups in which they come off the disk: the fast way through a large file. */
  async *batches(): AsyncGenerator<Frame[]> {
    try {
      for (;;) {
        if (this.pending.length > 0) {
          const batch = this.pending;
          this.pending = [];
          yield batch;
        }
        if (this.ended || this.parser.damaged) return;
        await this.advance();
      }
    } finally {
      await this.close();
    }
  }

  /** Takes what the bytes at hand hold, without reading on: a pipe may bring no more for a while. */
  start(): void {
    this.parser.parse(this.pending, false);
  }

  /** Reads one chunk, and keeps its frames for whoever iterates. */
  async advance(): Promise<void> {
    const { done, value } = await this.source.chunks.next();
    if (done) {
      this.ended = true;
      this.queue.finish();
      const { damage, packed } = this.source;
      const unpackedBytes = this.queue.offset + this.queue.available;
      if (damage) this.list.add(damage.code, packed ?? 'capture', unpackedBytes, damage.message);
    } else this.queue.push(value);
    this.parser.parse(this.pending, this.ended);
  }

  /** Has everything been read? */
  get finished(): boolean {
    return this.ended || this.parser.damaged;
  }

  /** Gives the file back; more than once does no harm. Iterating to the end closes too. */
  async close(): Promise<void> {
    this.ended = true;
    await this.source.chunks.return(undefined);
  }
}

/**
 * Opens a pcap or pcapng capture of either byte order: a file, standard input (`-`), bytes in memory, or a stream of
 * bytes (a Readable). gzip and Zstandard are undone on the way, whatever the file's name.
 *
 * @throws NetssmError `file_unreadable`, `stdin_terminal`, `capture_empty`, `capture_not_recognised`,
 *   `capture_header_cut`; `gzip_cut`, `gzip_damaged`, `zstd_cut`, `zstd_damaged`, `zstd_window` where nothing can be
 *   unpacked: with the file's name, what it looks like instead, and what to do.
 */
export async function openCapture(source: CaptureSource): Promise<CaptureReader> {
  const bytes = await openSource(source);
  const queue = new ByteQueue();
  const list = new ProblemList();
  try {
    let ended = false;
    while (!ended && !queue.has(12)) {
      const { done, value } = await bytes.chunks.next();
      if (done) ended = true;
      else queue.push(value);
    }
    queue.finish();
    if (bytes.damage && queue.available < 12) throw unpackError(bytes.name, bytes.damage);
    const reader = new CaptureReader(bytes, queue, chooseParser(bytes.name, queue, list), list);
    reader.start();
    while (!reader.infoKnown && !reader.finished) await reader.advance();
    if (!reader.infoKnown) {
      if (bytes.damage) throw unpackError(bytes.name, bytes.damage);
      throw headerCut(bytes.name, queue.available, PCAP_FILE_HEADER_BYTES);
    }
    return reader;
  } catch (error) {
    await bytes.chunks.return(undefined);
    throw error;
  }
}

function unpackError(name: string, damage: SourceDamage): NetssmError {
  return new NetssmError(damage.code, `${name}: ${damage.message}`, {
    context: { file: name },
    hint: damage.hint,
  });
}

/** Reads a whole capture into memory; for files that fit. Errors as {@link openCapture}. */
export async function readCapture(source: CaptureSource): Promise<Capture> {
  const reader = await openCapture(source);
  const frames: Frame[] = [];
  for await (const batch of reader.batches()) for (const frame of batch) frames.push(frame);
  const capture: Capture = { info: reader.info, frames, problems: reader.problems };
  return inspectable(capture, ({ info, problems }) => {
    const damage = problems.length > 0 ? `, ${problems.length} problems: ${problems[0].message}` : '';
    return `Capture ${reader.name}: ${info.format}, ${frames.length} packets${damage}`;
  });
}

/** By the first bytes, never by the file's name. */
function chooseParser(name: string, queue: ByteQueue, list: ProblemList): PcapParser | PcapngParser {
  const start = queue.bytes.subarray(queue.at);
  if (start.length < 4) throw notACapture(name, start);
  const word = queue.view.getUint32(queue.at, true);
  if (isPcapMagic(word)) return new PcapParser(queue, list);
  if (word === BlockType.SECTION_HEADER) {
    if (start.length < 12) throw headerCut(name, start.length, 28);
    const magic = queue.view.getUint32(queue.at + 8, true);
    if (magic === BYTE_ORDER_MAGIC || magic === 0x4d3c2b1a) return new PcapngParser(queue, list);
  }
  throw notACapture(name, start);
}
