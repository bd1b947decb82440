import type { Transform } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { Chunks, SourceDamage } from './source';

/**
 * So many packed bytes are given to the decoder at once. gzip makes at most 1,032 bytes of one, so what has to be held
 * stays below 17 MB, whatever the file.
 */
const SLICE_BYTES = 1 << 14;
/** The first slices are small, and double: what a failing decoder was given last gives nothing. */
const FIRST_SLICE_BYTES = 1 << 6;
/** A member ends with a checksum and a length, which are given alone: when they are wrong, nothing else is lost. */
const TRAILER_BYTES = 8;

export function isGzip(start: Uint8Array): boolean {
  return start[0] === 0x1f && start[1] === 0x8b;
}

/**
 * Undoes gzip, all members of the file. Data that is cut or damaged gives what comes before, and is then reported.
 */
export async function* unpackGzip(chunks: Chunks, damaged: (damage: SourceDamage) => void): Chunks {
  // When it fails, the decoder keeps back what it has not yet filled a chunk with: small ones lose less.
  const pump = new TransformPump(createGunzip({ chunkSize: 1 << 13 }));
  let held: Uint8Array = new Uint8Array(0);
  let slice = FIRST_SLICE_BYTES;
  try {
    for await (const chunk of chunks) {
      const bytes = held.length === 0 ? chunk : new Uint8Array(Buffer.concat([held, chunk]));
      const end = Math.max(0, bytes.length - TRAILER_BYTES);
      held = bytes.subarray(end);
      for (let at = 0; at < end && !pump.error; slice = Math.min(SLICE_BYTES, 2 * slice)) {
        const next = Math.min(end, at + slice);
        await pump.push(bytes.subarray(at, next));
        yield* pump.take();
        at = next;
      }
      if (pump.error) break;
    }
    if (!pump.error && held.length > 0) await pump.push(held);
    if (!pump.error) await pump.end();
    yield* pump.take();
    if (pump.error) damaged(gzipDamage(pump.error));
  } finally {
    pump.close();
    await chunks.return(undefined);
  }
}

function gzipDamage(error: Error): SourceDamage {
  if ((error as NodeJS.ErrnoException).code === 'Z_BUF_ERROR') {
    return {
      code: 'gzip_cut',
      message: 'the gzip data ends early: the file is cut',
      hint: 'Copy the file again; what there is of it has been read.',
    };
  }
  return {
    code: 'gzip_damaged',
    message: `the gzip data cannot be read further: ${error.message}`,
    hint: 'Copy the file again, or unpack it with gunzip to see how far it goes.',
  };
}

/** A decoder of node:zlib, given its input piece by piece, so that nothing it has made is lost when it fails. */
export class TransformPump {
  error?: Error;
  private made: Uint8Array[] = [];
  private wake: () => void = () => {};

  constructor(private readonly stream: Transform) {
    stream.on('data', (chunk: Uint8Array) => this.made.push(chunk));
    stream.on('error', (error) => {
      this.error = error;
      this.wake();
    });
    stream.on('end', () => this.wake());
    stream.on('close', () => this.wake());
  }

  /** Resolves when the bytes have been worked through, or the decoder has failed. */
  push(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve;
      this.stream.write(bytes, () => resolve());
    });
  }

  /** Says that there is no more. */
  end(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve;
      this.stream.end();
    });
  }

  /** What has been made since the last call. */
  take(): Uint8Array[] {
    const { made } = this;
    this.made = [];
    return made;
  }

  close(): void {
    this.stream.destroy();
  }
}
