import {
  closeSync,
  fsyncSync,
  openSync,
  rmSync,
  statfsSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { NetssmError } from './errors';
import { formatBytes } from './format';
import type { OnProgress } from './progress';

/** What tells whether the server still has the file that was begun. */
export interface Begun {
  url: string;
  validator?: string;
}

export interface TransferOptions {
  bytes?: number;
  onProgress?: OnProgress;
  signal?: AbortSignal;
  idleSeconds?: number;
}

/** One request, as far as it gets. Returns when all has come. */
export async function transfer(
  url: string,
  part: string,
  begun: Begun | undefined,
  options: TransferOptions,
  remember: (begun: Begun) => void,
): Promise<void> {
  const have = sizeOf(part);
  const { signal, onProgress } = options;
  const idle = new IdleTimer(options.idleSeconds ?? 60);
  const headers: Record<string, string> = { 'accept-encoding': 'identity' };
  if (have > 0) {
    headers.range = `bytes=${have}-`;
    if (begun?.validator) headers['if-range'] = begun.validator;
  }
  try {
    const response = await fetch(url, {
      headers,
      redirect: 'follow',
      signal: signal ? AbortSignal.any([signal, idle.signal]) : idle.signal,
    });
    idle.reset();
    if (response.status === 416) {
      // Nothing is behind what we have: it is whole, or of another file.
      await response.body?.cancel();
      if (rangeOf(response)?.total === have) return;
      rmSync(part, { force: true });
      throw new Retryable(url, 'the server has a shorter file');
    }
    await refuse(url, response);
    const range = response.status === 206 ? rangeOf(response) : undefined;
    const from = range?.from === have ? have : 0;
    if (response.status === 206 && from !== have) {
      await response.body?.cancel();
      rmSync(part, { force: true });
      throw new Retryable(url, `the server gave byte ${range?.from ?? '?'} instead of ${have}`);
    }
    const length = Number(response.headers.get('content-length') ?? NaN);
    const total = range?.total ?? (Number.isFinite(length) ? from + length : options.bytes);
    if (total !== undefined) checkRoom(part, total - from);
    remember({ url, validator: validatorOf(response) });
    if (from === 0 && have > 0) truncateSync(part, 0);
    const done = await append(response, part, (at) => {
      idle.reset();
      onProgress?.({ done: at, total, unit: 'bytes' });
    });
    if (total !== undefined && done < total) throw new Retryable(url, 'the connection ended early');
  } catch (error) {
    if (error instanceof NetssmError || error instanceof Retryable) throw error;
    if (idle.signal.aborted) throw new Retryable(url, 'the server says nothing');
    throw new Retryable(url, reasonOf(error), isUnreachable(error));
  } finally {
    idle.stop();
  }
}

async function append(response: Response, part: string, report: (bytes: number) => void): Promise<number> {
  const file = openSync(part, 'a');
  try {
    let at = statSync(part).size;
    report(at);
    for await (const chunk of response.body ?? []) {
      const bytes = chunk as Uint8Array;
      try {
        for (let from = 0; from < bytes.length;) from += writeSync(file, bytes, from, bytes.length - from);
      } catch (cause) {
        throw new NetssmError('file_unwritable', `cannot write ${part}: ${(cause as Error).message}`, {
          cause,
        });
      }
      at += bytes.length;
      report(at);
    }
    fsyncSync(file);
    return at;
  } finally {
    closeSync(file);
  }
}

/** Answers that are not the file. */
async function refuse(url: string, response: Response): Promise<void> {
  const { status, statusText } = response;
  const type = response.headers.get('content-type') ?? '';
  const isPage = /^text\/html\b/i.test(type) && !/\.html?$/i.test(new URL(url).pathname);
  if (response.ok && !isPage) return;
  await response.body?.cancel();
  if (status === 429 || status >= 500) throw new Retryable(url, `HTTP ${status} ${statusText}`.trim());
  if (!response.ok) {
    throw new NetssmError('download_refused', `${url}: HTTP ${status} ${statusText}`.trim(), {
      context: { status },
      hint:
        status === 401 || status === 403
          ? 'The server wants a login or a permission: fetch the file with a browser.'
          : 'The file has moved or is gone: look at the page of the data set.',
    });
  }
  throw new NetssmError('download_page', `${url} gave a web page, not the file`, {
    hint: 'Pages that ask for a login or a confirmation (Google Drive does for large files) need a browser.',
  });
}

/** Trouble that may pass. */
export class Retryable extends Error {
  constructor(
    private readonly url: string,
    message: string,
    readonly unreachable = false,
  ) {
    super(message);
  }

  final(bytes: number): NetssmError {
    const { host } = new URL(this.url);
    if (this.unreachable && bytes === 0) {
      return new NetssmError('network_absent', `cannot reach ${host}: ${this.message}`, {
        context: { url: this.url },
        hint: 'Is this machine connected to the Internet? Elsewise fetch the file on another one and bring it here.',
      });
    }
    return new NetssmError('download_cut', `${this.url}: ${this.message}`, {
      context: { url: this.url, bytes },
      hint: bytes > 0 ? `${formatBytes(bytes)} are kept; run again to continue.` : 'Try again later.',
    });
  }
}

/** Ends a request when nothing has come for a while. */
class IdleTimer {
  private readonly controller = new AbortController();
  readonly signal = this.controller.signal;
  private timer?: NodeJS.Timeout;

  constructor(private readonly seconds: number) {
    this.reset();
  }

  reset(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.controller.abort(), this.seconds * 1000);
  }

  stop(): void {
    clearTimeout(this.timer);
  }
}

/** `bytes 100-199/200`; without a place, `bytes *` and the length. */
function rangeOf(response: Response): { from?: number; total?: number } | undefined {
  const match = /^bytes (?:(\d+)-\d+|\*)\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '');
  if (!match) return undefined;
  return {
    from: match[1] === undefined ? undefined : Number(match[1]),
    total: match[2] === '*' ? undefined : Number(match[2]),
  };
}

/** What If-Range takes: a strong ETag, else the date (RFC 9110, section 13.1.5). */
function validatorOf(response: Response): string | undefined {
  const tag = response.headers.get('etag');
  return tag && !tag.startsWith('W/') ? tag : (response.headers.get('last-modified') ?? undefined);
}

function checkRoom(part: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(dirname(part));
  if (bytes <= bavail * bsize) return;
  throw new NetssmError(
    'disk_full',
    `${formatBytes(bytes)} are to come, ${dirname(part)} has room for ${formatBytes(bavail * bsize)}`,
    {
      hint: 'Make room, or choose a folder on another disk with --out.',
    },
  );
}

const UNREACHABLE = new Set([
  'ENOTFOUND',
  'EAI_AGAIN',
  'ECONNREFUSED',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
]);

function codesOf(error: unknown): string[] {
  const cause = (error as { cause?: { code?: string; errors?: { code?: string }[] } }).cause;
  return [cause?.code, ...(cause?.errors ?? []).map((e) => e.code)].filter((code) => code !== undefined);
}

const isUnreachable = (error: unknown): boolean => codesOf(error).some((code) => UNREACHABLE.has(code));

function reasonOf(error: unknown): string {
  const { message, cause } = error as { message: string; cause?: { message?: string } };
  return cause?.message || codesOf(error).join(', ') || message;
}
export const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
