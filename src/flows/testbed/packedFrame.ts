import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import * as zlib from 'node:zlib';
import { decompress } from 'fzstd';
import { ByteQueue } from '../../capture/byteQueue';
import type { Frame } from '../../capture/frame';
import { ProblemList } from '../../capture/info';
import { PcapngParser } from '../../capture/pcapngParser';
import { NetssmError } from '../../util';

/** A part of a file. */
export interface FilePart {
  /** First byte and length. */
  offset: number;
  bytes: number;
  /** Hex; checked where it is given. */
  sha256?: string;
}

/**
 * Reads a part of a file and checks its hash.
 *
 * @param name what it is, for messages
 * @throws NetssmError `file_unreadable`, `testbed_damaged` (cut, or another hash).
 */
export function readPart(path: string, part: FilePart, name: string): Uint8Array {
  const { offset, bytes, sha256 } = part;
  const out = new Uint8Array(bytes);
  let got = 0;
  try {
    const file = openSync(path, 'r');
    try {
      while (got < bytes) {
        const n = readSync(file, out, got, bytes - got, offset + got);
        if (n === 0) break;
        got += n;
      }
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    throw new NetssmError('file_unreadable', `cannot read ${path}: ${(cause as Error).message}`, {
      cause,
      context: { file: path },
      hint: 'The file belongs to a packed set: get the whole folder.',
    });
  }
  if (got < bytes) {
    throw damaged(
      path,
      `${path} is cut: ${name} needs bytes ${offset} to ${offset + bytes - 1}, the file has ${offset + got}`,
    );
  }
  const found = createHash('sha256').update(out).digest('hex');
  if (sha256 !== undefined && found !== sha256) {
    throw damaged(
      path,
      `${path}, bytes ${offset} to ${offset + bytes - 1} (${name}): sha256 ${found}, the manifest has ${sha256}`,
    );
  }
  return out;
}

export const damaged = (file: string, message: string): NetssmError =>
  new NetssmError('testbed_damaged', message, {
    context: { file },
    hint: 'The file has been changed or cut: get it anew (git checkout, or data/testbed/make.mjs). Files kept by Git LFS need: git lfs pull.',
  });

// Node.js has it from 22.15 on.
const { zstdDecompressSync } = zlib as unknown as { zstdDecompressSync?: (data: Uint8Array) => Uint8Array };

/** @throws Error where the bytes are no Zstandard. */
export const unpackZstd = (packed: Uint8Array): Uint8Array =>
  zstdDecompressSync ? zstdDecompressSync(packed) : decompress(packed);

/**
 * The packets of one Zstandard frame that holds PCAPNG.
 *
 * @throws NetssmError `testbed_damaged`.
 */
export function unpackFrames(packed: Uint8Array, path: string, name: string): Frame[] {
  let section: Uint8Array;
  try {
    section = unpackZstd(packed);
  } catch (cause) {
    throw damaged(
      path,
      `${path} (${name}): the Zstandard frame cannot be unpacked: ${(cause as Error).message}`,
    );
  }
  const queue = new ByteQueue();
  queue.push(section);
  queue.finish();
  const frames: Frame[] = [];
  const problems = new ProblemList();
  new PcapngParser(queue, problems).parse(frames, true);
  const [problem] = problems.problems;
  if (problem) throw damaged(path, `${path} (${name}): ${problem.message}`);
  return frames;
}
