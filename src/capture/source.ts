import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { createGunzip, constants as zlib } from 'node:zlib';
import { NetssmError } from '../util';

const CHUNK_BYTES = 1 << 18;

/** Chunks of a file or of bytes in memory; gzip is undone on the way. Each chunk is the consumer's to keep. */
export interface ByteSource {
  /** The file, or `(bytes in memory)`: for messages. */
  readonly name: string;
  readonly chunks: AsyncIterator<Uint8Array>;
}

/** @throws NetssmError `file_unreadable`. */
export async function openSource(source: string | Uint8Array): Promise<ByteSource> {
  const name = typeof source === 'string' ? source : '(bytes in memory)';
  const plain = typeof source === 'string' ? readChunks(source) : once(source);
  const first = await plain.next();
  const start = first.done ? new Uint8Array(0) : first.value;
  const all = prepend(start, plain);
  if (start[0] !== 0x1f || start[1] !== 0x8b) return { name, chunks: all };
  // What is there of a cut gzip file is read; the capture parser then names the cut.
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES, finishFlush: zlib.Z_SYNC_FLUSH });
  const input = Readable.from(all);
  input.on('error', (error) => gunzip.destroy(error));
  input.pipe(gunzip);
  return { name, chunks: gunzipped(gunzip, name) };
}

async function* gunzipped(stream: Readable, name: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of stream) yield chunk as Uint8Array;
  } catch (cause) {
    if (cause instanceof NetssmError) throw cause;
    throw new NetssmError('gzip_damaged', `${name}: gzip data cannot be read: ${(cause as Error).message}`, {
      cause,
      context: { file: name },
      hint: 'Copy the file again, or unpack it with gunzip to see how far it goes.',
    });
  } finally {
    stream.destroy();
  }
}

async function* readChunks(path: string): AsyncGenerator<Uint8Array> {
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
    throw new NetssmError('file_unreadable', `cannot read ${path}: ${(cause as Error).message}`, {
      cause,
      context: { file: path },
      hint: 'Check that the path is right and that it is a file you may read.',
    });
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}

async function* prepend(first: Uint8Array, rest: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    if (first.length > 0) yield first;
    yield* rest;
  } finally {
    await rest.return(undefined);
  }
}
