import { createHash } from 'node:crypto';
import {
  createReadStream,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { Retryable, sizeOf, transfer, type Begun } from './downloadRequest';
import { NetssmError } from './errors';
import { formatBytes } from './format';
import type { OnProgress } from './progress';

export interface DownloadOptions {
  /** What the file must be; checked where it is known. */
  bytes?: number;
  sha256?: string;
  onProgress?: OnProgress;
  signal?: AbortSignal;
  /** A connection that breaks, or a server that is busy, is tried again so often. Default 4. */
  retries?: number;
  /** A connection that says nothing for so long is given up. Default 60. */
  idleSeconds?: number;
  /** Before the first repetition; doubled for each. Default 1. */
  waitSeconds?: number;
}

export interface Downloaded {
  path: string;
  bytes: number;
  /** Hex, of the whole file. */
  sha256: string;
  /** Bytes that an earlier run had fetched. */
  resumedFrom: number;
  /** The file was there already, whole. */
  kept: boolean;
  /** Whether a known sha256 was compared. */
  verified: boolean;
}

/**
 * Fetches a file over HTTP. What has come is kept in `PATH.part` and continued after a broken connection, or by the next
 * run (HTTP range requests; from the start where the server has none or its file has changed). The file appears under its
 * name when it is whole and its hash, where one is given, is right.
 *
 * @throws NetssmError `network_absent`, `download_cut`, `download_refused` (HTTP status), `download_page` (a web page in
 *   place of the file), `download_size`, `download_checksum`, `disk_full`, `aborted`.
 */
export async function download(
  url: string,
  path: string,
  options: DownloadOptions = {},
): Promise<Downloaded> {
  const { onProgress, signal, retries = 4, waitSeconds = 1 } = options;
  const part = `${path}.part`;
  const note = `${path}.part.json`;
  if (existsSync(path)) return keep(path, options);
  mkdirSync(dirname(path), { recursive: true });
  let begun = readNote(note, url);
  // Two versions of a file are never joined unnoticed.
  if (!begun || (begun.validator === undefined && options.sha256 === undefined))
    rmSync(part, { force: true });
  const resumedFrom = sizeOf(part);
  for (let failures = 0; ;) {
    const before = sizeOf(part);
    try {
      await transfer(url, part, begun, options, (known) => {
        begun = known;
        writeFileSync(note, JSON.stringify(known));
      });
      break;
    } catch (error) {
      if (signal?.aborted) throw aborted(path, sizeOf(part));
      if (!(error instanceof Retryable)) throw error;
      // As long as bytes come, it goes on.
      failures = sizeOf(part) > before ? 1 : failures + 1;
      // A name that is not known will not be in ten seconds.
      if (failures > (error.unreachable ? Math.min(1, retries) : retries)) throw error.final(sizeOf(part));
      onProgress?.({
        done: sizeOf(part),
        total: options.bytes,
        unit: 'bytes',
        detail: `${error.message}: again`,
      });
      await pause(waitSeconds * 2 ** (failures - 1), signal);
      if (signal?.aborted) throw aborted(path, sizeOf(part));
    }
  }
  const bytes = sizeOf(part);
  const sha256 = await hashOf(part);
  try {
    check(url, bytes, sha256, options);
  } catch (error) {
    // What is wrong is not continued.
    for (const file of [part, note]) rmSync(file, { force: true });
    throw error;
  }
  renameSync(part, path);
  rmSync(note, { force: true });
  return { path, bytes, sha256, resumedFrom, kept: false, verified: options.sha256 !== undefined };
}

async function keep(path: string, options: DownloadOptions): Promise<Downloaded> {
  const bytes = sizeOf(path);
  const sha256 = await hashOf(path);
  try {
    check(path, bytes, sha256, options);
  } catch (cause) {
    throw new NetssmError(
      'download_exists',
      `${path} is there already, and is another file: ${(cause as Error).message}`,
      {
        cause,
        exitCode: 2,
        hint: 'Move it away, or choose another folder with --out.',
      },
    );
  }
  return { path, bytes, sha256, resumedFrom: 0, kept: true, verified: options.sha256 !== undefined };
}

function check(name: string, bytes: number, sha256: string, options: DownloadOptions): void {
  if (options.bytes !== undefined && bytes !== options.bytes) {
    throw new NetssmError('download_size', `${name} has ${bytes} bytes, not ${options.bytes}`, {
      hint: 'The file was changed where it is published: see whether a newer list of data sets knows it.',
    });
  }
  if (options.sha256 !== undefined && sha256 !== options.sha256.toLowerCase()) {
    throw new NetssmError('download_checksum', `${name} has the sha256 ${sha256}, not ${options.sha256}`, {
      context: { expected: options.sha256, found: sha256 },
      hint: 'It was damaged on the way or changed where it is published. Nothing was kept; run again to fetch it anew.',
    });
  }
}

const aborted = (path: string, bytes: number): NetssmError =>
  new NetssmError('aborted', `stopped at ${formatBytes(bytes)} of ${path}`, {
    hint: 'Run again to continue.',
  });

/** Without a word of where the part comes from, it is not continued. */
function readNote(path: string, url: string): Begun | undefined {
  try {
    const note = JSON.parse(readFileSync(path, 'utf8')) as Begun;
    return note.url === url ? note : undefined;
  } catch {
    return undefined;
  }
}

const pause = (seconds: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}
