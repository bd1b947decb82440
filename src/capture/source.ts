import { open } from 'node:fs/promises';
import { NetssmError } from '../util';
import { isGzip, unpackGzip } from './gzip';
import { isZstd, unpackZstd } from './zstd';

const CHUNK_BYTES = 1 << 18;
/** Enough to tell every kind of packed file. */
const MAGIC_BYTES = 4;

/**
 * Where a capture comes from: a path, `-` for standard input, bytes in memory, or a stream of bytes (a Readable).
 */
export type CaptureSource = string | Uint8Array | AsyncIterable<Uint8Array>;

/** Bytes as they come. */
export type Chunks = AsyncGenerator<Uint8Array, void, undefined>;

/** Packed data that ends early or cannot be read; what came before it has been read. */
export interface SourceDamage {
  readonly code: 'gzip_cut' | 'gzip_damaged' | 'zstd_cut' | 'zstd_damaged' | 'zstd_window';
  readonly message: string;
  readonly hint: string;
}

/** Chunks of bytes; gzip and Zstandard are undone on the way. Each chunk is the consumer's to keep. */
export interface ByteSource {
  /** The file, `(standard input)`, `(stream)` or `(bytes in memory)`: for messages. */
  readonly name: string;
  readonly chunks: Chunks;
  /** How the file was packed. */
  readonly packed?: 'gzip' | 'zstd';
  /** Set when the chunks end early. */
  damage?: SourceDamage;
}

/** @throws NetssmError `file_unreadable`, `stdin_terminal`. */
export async function openSource(source: CaptureSource): Promise<ByteSource> {
  const name = nameOf(source);
  const plain = chunksOf(source, name);
  const start = await readStart(plain);
  const all = prepend(start, plain);
  if (isGzip(start)) return unpacked('gzip', name, (damaged) => unpackGzip(all, damaged));
  if (isZstd(start)) return unpacked('zstd', name, (damaged) => unpackZstd(all, damaged));
  return { name, chunks: all };
}

type Unpack = (damaged: (damage: SourceDamage) => void) => Chunks;

function unpacked(packed: 'gzip' | 'zstd', name: string, unpack: Unpack): ByteSource {
  const chunks = unpack((damage) => (source.damage = damage));
  const source: ByteSource = { name, packed, chunks };
  return source;
}

function nameOf(source: CaptureSource): string {
  if (source === '-') return '(standard input)';
  if (typeof source === 'string') return source;
  return source instanceof Uint8Array ? '(bytes in memory)' : '(stream)';
}

function chunksOf(source: CaptureSource, name: string): Chunks {
  if (source === '-') {
    if (process.stdin.isTTY) {
      throw new NetssmError('stdin_terminal', 'standard input is a terminal, not a capture', {
        exitCode: 2,
        hint: 'Pipe a capture in: tcpdump -w - | netssm inspect -, or netssm inspect - < FILE.',
      });
    }
    return streamed(process.stdin, name);
  }
  if (typeof source === 'string') return readChunks(source);
  return source instanceof Uint8Array ? once(source) : streamed(source, name);
}

/** The first bytes, at least as many as tell the kind; a pipe may bring them one by one. */
async function readStart(chunks: Chunks): Promise<Uint8Array> {
  let start: Uint8Array = new Uint8Array(0);
  while (start.length < MAGIC_BYTES) {
    const { done, value } = await chunks.next();
    if (done) break;
    start = start.length === 0 ? value : new Uint8Array([...start, ...value]);
  }
  return start;
}

async function* readChunks(path: string): Chunks {
  try {
    const file = await open(path, 'r');
    try {
      for (;;) {
        // A new buffer each time: frames are views into it.
        const buffer = new Uint8Array(CHUNK_BYTES);
        const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, null);
        if (bytesRead === 0) return;
        yield bytesRead === CHUNK_BYTES ? buffer : buffer.slice(0, bytesRead);
      }
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw unreadable(path, cause, 'Check that the path is right and that it is a file you may read.');
  }
}

async function* streamed(stream: AsyncIterable<Uint8Array>, name: string): Chunks {
  try {
    for await (const chunk of stream) {
      if (!((chunk as unknown) instanceof Uint8Array)) {
        throw new TypeError(`a stream of ${typeof chunk}, not of bytes`);
      }
      yield chunk;
    }
  } catch (cause) {
    throw unreadable(name, cause, 'The stream must give bytes: Buffer or Uint8Array, no text.');
  }
}

async function* once(bytes: Uint8Array): Chunks {
  if (bytes.length > 0) yield bytes;
}

async function* prepend(first: Uint8Array, rest: Chunks): Chunks {
  try {
    if (first.length > 0) yield first;
    yield* rest;
  } finally {
    await rest.return(undefined);
  }
}

function unreadable(name: string, cause: unknown, hint: string): NetssmError {
  return new NetssmError('file_unreadable', `cannot read ${name}: ${(cause as Error).message}`, {
    cause,
    context: { file: name },
    hint,
  });
}
