import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { download, NetssmError, Rng } from '../../src/util';

const rng = new Rng('download');
const FILE = Buffer.from(Uint8Array.from({ length: 300_000 }, () => rng.int(256)));
const SHA256 = createHash('sha256').update(FILE).digest('hex');

/** How the server behaves; every request is noted. */
interface Behaviour {
  ranges: boolean;
  etag?: string;
  content: Buffer;
  /** Break the first so many answers after so many bytes. */
  cuts: number;
  cutAfter: number;
  answer?: (request: IncomingMessage, response: ServerResponse) => boolean;
}

let server: Server;
let behaviour: Behaviour;
let requests: { range?: string; ifRange?: string }[];
let url: string;
let path: string;

beforeEach(async () => {
  behaviour = { ranges: true, etag: '"one"', content: FILE, cuts: 0, cutAfter: 100_000 };
  requests = [];
  path = join(mkdtempSync(join(tmpdir(), 'netssm-download-')), 'deep', 'set.tar');
  server = createServer((request, response) => {
    const { range, 'if-range': ifRange } = request.headers as Record<string, string | undefined>;
    requests.push({ range, ifRange });
    if (behaviour.answer?.(request, response)) return;
    const { content, ranges, etag } = behaviour;
    const wanted = ranges && (ifRange === undefined || ifRange === etag) ? range : undefined;
    const from = wanted === undefined ? 0 : Number(/bytes=(\d+)-/.exec(wanted)![1]);
    if (from >= content.length) {
      response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end();
      return;
    }
    response.writeHead(wanted === undefined ? 200 : 206, {
      'content-length': content.length - from,
      'content-type': 'application/octet-stream',
      ...(etag && { etag }),
      ...(wanted !== undefined && {
        'content-range': `bytes ${from}-${content.length - 1}/${content.length}`,
      }),
    });
    if (behaviour.cuts > 0) {
      behaviour.cuts--;
      response.write(content.subarray(from, from + behaviour.cutAfter), () =>
        setTimeout(() => response.destroy(), 20),
      );
    } else response.end(content.subarray(from));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/set.tar`;
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const quick = { waitSeconds: 0.01 };
const errorOf = async (work: Promise<unknown>): Promise<NetssmError> => {
  const error: unknown = await work.then(() => undefined, (e: unknown) => e); // prettier-ignore
  if (error instanceof NetssmError) return error;
  throw new Error(`no NetssmError but ${String(error)}`);
};

describe('download', () => {
  test('fetches a file, tells how far it is, and checks its hash', async () => {
    const seen: number[] = [];
    const result = await download(url, path, {
      sha256: SHA256,
      bytes: FILE.length,
      onProgress: ({ done, total }) => {
        expect(total).toBe(FILE.length);
        seen.push(done);
      },
    });
    expect(result).toEqual({
      path,
      bytes: 300_000,
      sha256: SHA256,
      resumedFrom: 0,
      kept: false,
      verified: true,
    });
    expect(readFileSync(path).equals(FILE)).toBe(true);
    expect(seen[0]).toBe(0);
    expect(seen.at(-1)).toBe(300_000);
    expect(existsSync(`${path}.part`) || existsSync(`${path}.part.json`)).toBe(false);
  });

  test('goes on where a connection broke', async () => {
    behaviour.cuts = 2;
    const { sha256 } = await download(url, path, { ...quick, sha256: SHA256 });
    expect(sha256).toBe(SHA256);
    expect(requests).toEqual([
      { range: undefined, ifRange: undefined },
      { range: 'bytes=100000-', ifRange: '"one"' },
      { range: 'bytes=200000-', ifRange: '"one"' },
    ]);
  });

  test('a later run continues what an earlier one began', async () => {
    behaviour.cuts = 1;
    const error = await errorOf(download(url, path, { ...quick, retries: 0 }));
    expect([error.code, error.hint]).toEqual(['download_cut', '100 kB are kept; run again to continue.']);
    expect(existsSync(path)).toBe(false);
    const result = await download(url, path, quick);
    expect([result.resumedFrom, result.sha256]).toEqual([100_000, SHA256]);
    expect(requests[1].range).toBe('bytes=100000-');
  });

  test('a file that changed meanwhile is begun anew', async () => {
    behaviour.cuts = 1;
    await errorOf(download(url, path, { ...quick, retries: 0 }));
    behaviour.etag = '"two"';
    behaviour.content = FILE.subarray(0, 250_000);
    const { bytes } = await download(url, path, quick);
    expect(bytes).toBe(250_000);
    expect(readFileSync(path).equals(behaviour.content)).toBe(true);
  });

  test('a server without ranges sends all again', async () => {
    behaviour.ranges = false;
    behaviour.cuts = 1;
    const { sha256 } = await download(url, path, quick);
    expect(sha256).toBe(SHA256);
    expect(requests).toHaveLength(2);
  });

  test('without a validator and a hash, nothing is joined to an older part', async () => {
    behaviour.etag = undefined;
    behaviour.cuts = 1;
    await errorOf(download(url, path, { ...quick, retries: 0 }));
    const { sha256, resumedFrom } = await download(url, path, quick);
    expect([sha256, resumedFrom, requests[1].range]).toEqual([SHA256, 0, undefined]);
  });

  test('a part that is whole already is only checked', async () => {
    await download(url, path, quick);
    writeFileSync(`${path}2.part`, FILE);
    writeFileSync(`${path}2.part.json`, JSON.stringify({ url, validator: '"one"' }));
    const { sha256 } = await download(url, `${path}2`, quick);
    expect(sha256).toBe(SHA256);
    expect(requests.at(-1)!.range).toBe('bytes=300000-');
  });

  test('a wrong hash is an error with both, and nothing is kept', async () => {
    const error = await errorOf(download(url, path, { ...quick, sha256: '0'.repeat(64) }));
    expect(error.code).toBe('download_checksum');
    expect(error.message).toContain(SHA256);
    expect([path, `${path}.part`, `${path}.part.json`].some(existsSync)).toBe(false);
  });

  test('a wrong size is an error', async () => {
    const error = await errorOf(download(url, path, { ...quick, bytes: 299_999 }));
    expect([error.code, error.message.includes('300000 bytes, not 299999')]).toEqual(['download_size', true]);
  });

  test('a file that is there is kept, if it is the right one', async () => {
    await download(url, path, quick);
    const again = await download(url, path, { sha256: SHA256 });
    expect([again.kept, again.verified, requests.length]).toEqual([true, true, 1]);
    const error = await errorOf(download(url, path, { sha256: '1'.repeat(64) }));
    expect([error.code, error.exitCode]).toEqual(['download_exists', 2]);
  });

  test('no network: the host and the way out', async () => {
    const port = (server.address() as AddressInfo).port;
    await new Promise((resolve) => server.close(resolve));
    const error = await errorOf(download(`http://127.0.0.1:${port}/x`, path, quick));
    expect(error.code).toBe('network_absent');
    expect(error.message).toContain(`cannot reach 127.0.0.1:${port}`);
    expect(error.hint).toContain('connected to the Internet');
    const unknown = await errorOf(download('http://netssm.invalid/x', path, quick));
    expect([unknown.code, unknown.message.includes('netssm.invalid')]).toEqual(['network_absent', true]);
  });

  test('pages and refusals are told apart', async () => {
    behaviour.answer = (_, response) => {
      response
        .writeHead(200, { 'content-type': 'text/html; charset=utf-8' })
        .end('<html>Please confirm</html>');
      return true;
    };
    expect((await errorOf(download(url, path, quick))).code).toBe('download_page');
    behaviour.answer = (_, response) => (response.writeHead(404).end(), true);
    expect((await errorOf(download(url, path, quick))).message).toContain('HTTP 404');
    behaviour.answer = (_, response) => (response.writeHead(403).end(), true);
    expect((await errorOf(download(url, path, quick))).hint).toContain('login');
    expect(requests).toHaveLength(3);
  });

  test('a busy server is asked again', async () => {
    let busy = 2;
    behaviour.answer = (_, response) => busy-- > 0 && (response.writeHead(503).end(), true);
    expect((await download(url, path, quick)).sha256).toBe(SHA256);
    busy = 9;
    const error = await errorOf(download(url, `${path}3`, { ...quick, retries: 1 }));
    expect([error.code, error.message.includes('HTTP 503')]).toEqual(['download_cut', true]);
  });

  test('a server that says nothing is given up', async () => {
    behaviour.answer = () => true;
    const error = await errorOf(download(url, path, { ...quick, retries: 0, idleSeconds: 0.1 }));
    expect(error.message).toContain('says nothing');
  });

  test('stops when told to, and can be continued', async () => {
    const controller = new AbortController();
    behaviour.cuts = 1;
    const error = await errorOf(
      download(url, path, {
        ...quick,
        signal: controller.signal,
        onProgress: ({ done }) => done > 0 && controller.abort(),
      }),
    );
    expect(error.code).toBe('aborted');
    behaviour.cuts = 0;
    expect((await download(url, path, quick)).sha256).toBe(SHA256);
  });
});
