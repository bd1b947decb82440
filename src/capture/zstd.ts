import * as zlib from 'node:zlib';
import type { Transform } from 'node:stream';
import { ByteQueue } from './byteQueue';
import { TransformPump } from './gzip';
import type { Chunks, SourceDamage } from './source';

// RFC 8878, section 3.1.1: a file is a sequence of frames, a frame
//
//   magic (4) | descriptor (1) | window (0-1) | dictionary (0-4) | content size (0-8) | block ... | checksum (0 or 4)
//
// and a block 3 bytes of header (1 bit: the last one, 2: type, 21: size) and its content. Frames and blocks are walked
// here, and handed to the decoder one by one: no block makes more than 128 KB, so memory stays bounded whatever a file
// says, and a cut or damage has a place.

const MAGIC = 0xfd2fb528;
/** Frames that hold no data, for the use of other programs. */
const SKIPPABLE = 0x184d2a50;
const MAX_BLOCK_BYTES = 128 * 1024;
/** What decoders must understand is 8 MB (RFC 8878, 3.1.1.1.2); the portable decoder keeps to that. */
const PORTABLE_WINDOW_BYTES = 8 * 1024 * 1024;
/** zstd's own limit, beyond which it asks for --long. */
const NATIVE_WINDOW_BYTES = 128 * 1024 * 1024;

export function isZstd(start: Uint8Array): boolean {
  if (start.length < 4) return false;
  const word = (start[0] | (start[1] << 8) | (start[2] << 16) | (start[3] << 24)) >>> 0;
  return word === MAGIC || (word & 0xfffffff0) >>> 0 === SKIPPABLE;
}

/** Decodes one frame, given piece by piece. */
interface FrameDecoder {
  /** @throws Error when the data is no Zstandard. */
  push(bytes: Uint8Array): Promise<Uint8Array[]>;
  end(): Promise<Uint8Array[]>;
  close(): void;
}

/** Node.js has it from 22.15 on; the type definitions of older releases do not. */
const createZstdDecompress = (zlib as unknown as { createZstdDecompress?: () => Transform })
  .createZstdDecompress;

/** Undoes Zstandard, all frames of the file. Data that is cut or damaged gives what comes before, and is reported. */
export async function* unpackZstd(chunks: Chunks, damaged: (damage: SourceDamage) => void): Chunks {
  const input = new Input(chunks);
  let decoder: FrameDecoder | undefined;
  try {
    for (;;) {
      const magic = await input.peek(4);
      if (!magic) {
        if (input.available > 0) throw new Cut();
        return;
      }
      if (!isZstd(magic)) throw new Error('what follows the last frame is none');
      if (word32(magic, 0) !== MAGIC) {
        await skipFrame(input);
        continue;
      }
      const header = await readHeader(
        input,
        createZstdDecompress ? NATIVE_WINDOW_BYTES : PORTABLE_WINDOW_BYTES,
      );
      decoder = createZstdDecompress ? nativeDecoder(createZstdDecompress) : await portableDecoder();
      yield* await decoder.push(header.bytes);
      for (let last = false; !last;) {
        const block = await readBlock(input);
        last = (block[0] & 1) === 1;
        yield* await decoder.push(block);
      }
      if (header.hasChecksum) yield* await decoder.push(await input.read(4));
      yield* await decoder.end();
      decoder.close();
    }
  } catch (error) {
    if (input.failed) throw error;
    damaged(zstdDamage(error, input.offset));
  } finally {
    decoder?.close();
    await chunks.return(undefined);
  }
}

async function skipFrame(input: Input): Promise<void> {
  const head = await input.read(8);
  for (let left = word32(head, 4); left > 0;) {
    const step = Math.min(left, MAX_BLOCK_BYTES);
    await input.read(step);
    left -= step;
  }
}

async function readHeader(input: Input, limit: number): Promise<{ bytes: Uint8Array; hasChecksum: boolean }> {
  const start = await input.peek(6);
  if (!start) throw new Cut();
  const descriptor = start[4];
  const single = (descriptor & 0x20) !== 0;
  const sizeBytes = [single ? 1 : 0, 2, 4, 8][descriptor >> 6];
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3];
  const bytes = await input.read(5 + (single ? 0 : 1) + dictionaryBytes + sizeBytes);
  if (descriptor & 0x08) throw new Error('a reserved bit is set');
  const dictionary = bytes.subarray(bytes.length - sizeBytes - dictionaryBytes, bytes.length - sizeBytes);
  if (dictionary.some((byte) => byte !== 0)) throw new Error('it was packed with a dictionary');
  let window = 0;
  if (single) {
    for (let i = 1; i <= sizeBytes; i++) window = window * 256 + bytes[bytes.length - i];
    if (sizeBytes === 2) window += 256;
  } else {
    const base = 2 ** (10 + (bytes[5] >> 3));
    window = base + (base / 8) * (bytes[5] & 7);
  }
  if (window > limit) throw new WindowTooLarge(window, limit);
  return { bytes, hasChecksum: (descriptor & 0x04) !== 0 };
}

async function readBlock(input: Input): Promise<Uint8Array> {
  const head = await input.peek(3);
  if (!head) throw new Cut();
  const type = (head[0] >> 1) & 3;
  const size = (head[0] >> 3) | (head[1] << 5) | (head[2] << 13);
  if (type === 3) throw new Error('a block of the reserved type');
  if (size > MAX_BLOCK_BYTES) throw new Error(`a block of ${size} bytes`);
  return input.read(3 + (type === 1 ? 1 : size));
}

function nativeDecoder(create: () => Transform): FrameDecoder {
  const pump = new TransformPump(create());
  const take = (): Uint8Array[] => {
    if (pump.error) throw pump.error;
    return pump.take();
  };
  return {
    push: async (bytes) => {
      await pump.push(bytes);
      return take();
    },
    end: async () => {
      await pump.end();
      return take();
    },
    close: () => pump.close(),
  };
}

/** fzstd, loaded when a file asks for it. */
async function portableDecoder(): Promise<FrameDecoder> {
  const { Decompress } = await import('fzstd');
  let made: Uint8Array[] = [];
  const stream = new Decompress((chunk) => {
    if (chunk.length > 0) made.push(chunk);
  });
  const run = (bytes: Uint8Array, final: boolean): Promise<Uint8Array[]> => {
    made = [];
    stream.push(bytes, final);
    return Promise.resolve(made);
  };
  return {
    push: async (bytes) => run(bytes, false),
    end: async () => run(new Uint8Array(0), true),
    close: () => {},
  };
}

class Cut extends Error {}

class WindowTooLarge extends Error {
  constructor(
    readonly window: number,
    readonly limit: number,
  ) {
    super();
  }
}

function zstdDamage(error: unknown, offset: number): SourceDamage {
  const place = `at byte ${offset} of the packed file`;
  if (error instanceof Cut) {
    return {
      code: 'zstd_cut',
      message: `the Zstandard data ends early, ${place}: the file is cut`,
      hint: 'Copy the file again; what there is of it has been read.',
    };
  }
  if (error instanceof WindowTooLarge) {
    const [window, limit] = [error.window, error.limit].map((bytes) => `${Math.ceil(bytes / 2 ** 20)} MB`);
    return {
      code: 'zstd_window',
      message: `the Zstandard data needs a window of ${window}, more than ${limit}, ${place}`,
      hint: 'Unpack it first: zstd -d --long=31 FILE.',
    };
  }
  return {
    code: 'zstd_damaged',
    message: `the Zstandard data cannot be read further, ${place}: ${(error as Error).message}`,
    hint: 'Copy the file again, or unpack it with zstd -d to see how far it goes.',
  };
}

/** Chunks, read in pieces of a length. */
class Input {
  /** Did the source itself fail? Then that is the error, and no damage. */
  failed = false;
  private readonly queue = new ByteQueue();
  private ended = false;

  constructor(private readonly chunks: Chunks) {}

  get available(): number {
    return this.queue.available;
  }

  get offset(): number {
    return this.queue.offset;
  }

  /** The next bytes without passing over them; undefined: there are not so many. */
  async peek(n: number): Promise<Uint8Array | undefined> {
    const { queue } = this;
    while (!queue.has(n) && !this.ended) {
      this.failed = true;
      const { done, value } = await this.chunks.next();
      this.failed = false;
      if (done) this.ended = true;
      else queue.push(value);
    }
    return queue.has(n) ? queue.bytes.subarray(queue.at, queue.at + n) : undefined;
  }

  async read(n: number): Promise<Uint8Array> {
    const bytes = await this.peek(n);
    if (!bytes) throw new Cut();
    this.queue.at += n;
    return bytes;
  }
}

function word32(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}
