import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadDataset } from '../../src/flows';
import { makePackedSet } from '../flows/testbed/packedSet';
import { netssm, temporaryFolder } from './helpers';

let set: string;
let folder: string;
beforeAll(() => {
  set = makePackedSet();
  folder = temporaryFolder();
});

interface Meta {
  labels: string[];
  totals: { sequences: number; perSplit: Record<string, { sequences: number; packets: number }> };
  sources: {
    path: string;
    label: string;
    split: string;
    sha256: string;
    bytes: number;
    frames: number;
    packets: number;
  }[];
}
const metaOf = (dir: string) => JSON.parse(readFileSync(join(dir, 'meta.json'), 'utf8')) as Meta;

describe('tokenize of a packed set', () => {
  test('a sequence a session; test stays test, train is split again', async () => {
    const out = join(folder, 'tokens');
    const { code, stdout } = await netssm('tokenize', set, '--out', out, '--seed', '1');
    expect(code).toBe(0);
    expect(stdout).toContain('18 sequences of 3 labels, 522 packets');
    const { labels, sources, totals } = metaOf(out);
    expect(labels).toEqual(['dash', 'hls', 'sip']);
    expect(totals.perSplit.test.sequences).toBe(6);
    expect(totals.perSplit.train.sequences + totals.perSplit.validation.sequences).toBe(12);
    expect(totals.perSplit.validation.sequences).toBeGreaterThanOrEqual(3);
    for (const { path, split } of sources) expect(path.includes('-test-')).toBe(split === 'test');
    const { sessions } = loadDataset(set).manifest;
    expect(sources.map((s) => [s.path.split('#')[1], s.sha256, s.bytes, s.packets])).toEqual(
      sessions.map((s) => [s.id, s.sha256, s.bytes, s.packets]),
    );
    expect(sources[0].path).toBe('dash-train.pcapng.zst#dash-train-001');
  });

  test('the folder above, one file, some classes, services as labels', async () => {
    const counts: Record<string, [string[], number]> = {};
    const runs: Record<string, string[]> = {
      above: [join(set, '..')],
      file: [join(set, 'hls-test.pcapng.zst')],
      classes: [set, '--classes', 'sip,dash'],
      service: [set, '--label-by', 'service'],
      serviceClasses: [set, '--label-by', 'service', '--classes', 'hls'],
      label: [set, '--label', 'all'],
    };
    for (const [name, argv] of Object.entries(runs)) {
      const out = join(folder, name);
      expect((await netssm('tokenize', ...argv, '--out', out)).code).toBe(0);
      const { labels, totals } = metaOf(out);
      counts[name] = [labels, totals.sequences];
    }
    expect(counts).toEqual({
      above: [['dash', 'hls', 'sip'], 18],
      file: [['hls'], 2],
      classes: [['dash', 'sip'], 12],
      service: [['conferencing', 'streaming'], 18],
      serviceClasses: [['streaming'], 6],
      label: [['all'], 18],
    });
  });

  test('what cannot be says why', async () => {
    const out = join(folder, 'never');
    const unknown = await netssm('tokenize', set, '--classes', 'dash,ftp', '--out', out);
    expect([unknown.code, unknown.stderr.includes('no captures of ftp')]).toEqual([2, true]);
    expect(unknown.stderr).toContain('There are dash, hls, sip.');
    const csv = join(folder, 'labels.csv');
    writeFileSync(csv, 'path,label\n');
    const labels = await netssm('tokenize', set, '--labels', csv, '--out', out);
    expect([labels.code, labels.stderr.includes('netssm data unpack')]).toEqual([2, true]);
    const imported = await netssm('data', 'import', set, '--out', out);
    expect([imported.code, imported.stderr.includes('netssm data unpack')]).toEqual([2, true]);
    expect(existsSync(out)).toBe(false);
  });

  test('a session whose bytes have changed ends the run', async () => {
    const damaged = makePackedSet();
    const path = join(damaged, 'sip-test.pcapng.zst');
    const content = readFileSync(path);
    content[40] ^= 1;
    writeFileSync(path, content);
    const { code, stderr } = await netssm('tokenize', damaged, '--out', join(folder, 'damaged'));
    expect([code, stderr.includes('(sip-test-001): sha256')]).toEqual([1, true]);
    expect(existsSync(join(folder, 'damaged', 'meta.json'))).toBe(false);
  });
});

describe('files of a packed set in other commands', () => {
  test('inspect, check and export read all of their sessions', async () => {
    const file = join(set, 'dash-train.pcapng.zst');
    const inspected = JSON.parse((await netssm('inspect', file, '--json')).stdout) as {
      files: { packets: number; flows: number; problems: Record<string, number> }[];
    };
    expect(inspected.files.map(({ packets, flows, problems }) => ({ packets, flows, problems }))).toEqual([
      { packets: 12 + 14 + 16 + 18, flows: 4, problems: {} },
    ]);
    const checked = await netssm('check', file, '--json');
    expect(checked.code).toBe(0);
    expect((JSON.parse(checked.stdout) as { total: { packets: number } }).total.packets).toBe(60);
    const table = join(folder, 'flows.csv');
    expect((await netssm('export', file, '--what', 'flows', '--out', table)).code).toBe(0);
    expect(readFileSync(table, 'utf8').trim().split('\n')).toHaveLength(5);
  });
});

describe('data unpack', () => {
  test('writes captures that tokenize and evaluate take with their split', async () => {
    const out = join(folder, 'unpacked');
    const { code, stdout } = await netssm('data', 'unpack', set, '--classes', 'dash,sip', '--out', out);
    expect(code).toBe(0);
    expect(stdout).toContain('12 captures of 2 classes');
    expect(readdirSync(join(out, 'sip'))).toHaveLength(6);
    const tokens = join(folder, 'unpackedTokens');
    await netssm('tokenize', out, '--out', tokens);
    expect(metaOf(tokens).totals.perSplit.test.sequences).toBe(4);
    const { loadTraces } = await import('../../src/evaluate/traces');
    const { traces } = await loadTraces(out);
    expect(traces.map((t) => `${t.label} ${t.split}`).filter((t) => t === 'sip test')).toHaveLength(2);
  });

  test('an absent set says how to get it', async () => {
    const { code, stderr } = await netssm(
      'data',
      'unpack',
      join(folder, 'nothing'),
      '--out',
      join(folder, 'x'),
    );
    expect([code, stderr.includes('make.mjs')]).toEqual([2, true]);
  });
});

describe('data fetch', () => {
  const content = Buffer.from('captures, packed');
  const sha256 = createHash('sha256').update(content).digest('hex');
  let server: Server;
  let base: string;
  let lists: string;

  beforeAll(async () => {
    server = createServer((request, response) => {
      if (request.url === '/gone.tar') response.writeHead(404).end();
      else response.writeHead(200, { 'content-length': content.length }).end(content);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    lists = join(folder, 'sets.json');
    const entry = { title: 'A set', source: base, size: '16 B', licence: 'CC0', citation: 'Somebody 2020' };
    const datasets = [
      {
        ...entry,
        name: 'right',
        files: [{ url: `${base}/a/right.tar`, bytes: 16, sha256 }, { url: `${base}/readme.txt` }],
      },
      { ...entry, name: 'wrong', files: [{ url: `${base}/wrong.tar`, sha256: 'f'.repeat(64) }] },
      { ...entry, name: 'gone', files: [{ url: `${base}/gone.tar` }] },
      { ...entry, name: 'page' },
    ];
    writeFileSync(lists, JSON.stringify({ datasets }));
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  test('says size, licence and citation first; fetches, checks, and keeps what is there', async () => {
    const out = join(folder, 'right');
    const first = await netssm('data', 'fetch', 'right', '--sets', lists, '--out', out);
    expect(first.code).toBe(0);
    expect(first.stderr).toMatch(/^A set: 16 B, licence: CC0\nPlease cite: Somebody 2020\n/);
    expect(first.stdout).toContain(`right.tar: 16 B, fetched, sha256 ${sha256} (as it must be)`);
    expect(first.stdout).toContain('readme.txt: 16 B, fetched, sha256');
    expect(readFileSync(join(out, 'right.tar')).equals(content)).toBe(true);
    const again = await netssm('data', 'fetch', 'right', '--sets', lists, '--out', out, '--json');
    const { files } = JSON.parse(again.stdout) as { files: { kept: boolean; verified: boolean }[] };
    expect(files.map(({ kept, verified }) => [kept, verified])).toEqual([[true, true], [true, false]]); // prettier-ignore
  });

  test('a wrong checksum, a file that is gone: exit code 1, and nothing is left', async () => {
    const out = join(folder, 'wrong');
    const wrong = await netssm('data', 'fetch', 'wrong', '--sets', lists, '--out', out);
    expect([wrong.code, wrong.stderr.includes(`has the sha256 ${sha256}, not ffff`)]).toEqual([1, true]);
    const gone = await netssm('data', 'fetch', 'gone', '--sets', lists, '--out', out);
    expect([gone.code, gone.stderr.includes('HTTP 404')]).toEqual([1, true]);
    expect(readdirSync(out)).toEqual([]);
  });

  test('what only a person can fetch says how', async () => {
    const netflix = await netssm('data', 'fetch', 'netflix', '--json');
    expect(netflix.code).toBe(1);
    expect(netflix.stderr).toMatch(/216\.36 GiB, licence: not known/);
    expect(netflix.stderr).toContain('gdown 1azHb6dDFGiHiIQAy4RixEMCe0KmuBKWx');
    expect((JSON.parse(netflix.stdout) as { error: { code: string } }).error.code).toBe('fetch_by_hand');
    const youtube = await netssm('data', 'fetch', 'youtube-requet');
    expect(youtube.stderr).toContain(
      'git clone --depth 1 https://github.com/Wimnet/RequetDataSet out/public/youtube-requet',
    );
    const page = await netssm('data', 'fetch', 'page', '--sets', lists);
    expect([page.code, page.stderr.includes('Its source is a page')]).toEqual([1, true]);
  });

  test("a mirror of one's own takes the place of the source", async () => {
    const out = join(folder, 'mirror');
    const url = `${base}/netflix.tar`;
    const { code, stdout } = await netssm(
      'data',
      'fetch',
      'netflix',
      '--from',
      url,
      '--sha256',
      sha256,
      '--out',
      out,
    );
    expect([code, stdout.includes('(as it must be)')]).toEqual([0, true]);
    expect(existsSync(join(out, 'netflix.tar'))).toBe(true);
  });

  test('no network: exit code 1 and the host', async () => {
    const { code, stderr } = await netssm(
      'data',
      'fetch',
      'netflix',
      '--from',
      'http://netssm.invalid/x.tar',
      '--out',
      join(folder, 'no'),
    );
    expect([code, stderr.includes('cannot reach netssm.invalid')]).toEqual([1, true]);
  });

  test('names that are not known, and arguments that make no sense', async () => {
    const cases: [string[], RegExp][] = [
      [['fetch', 'imaginary'], /no data set "imaginary" is known[^]*youtube-requet/],
      [['fetch', 'testbed'], /part of the project: data\/testbed\/set/],
      [['fetch', 'netflix', '--sha256', 'ab'], /64 hexadecimal digits/],
      [['fetch', 'netflix', '--sha256', sha256], /of use with --from only/],
      [['fetch', 'netflix', '--from', 'file:///etc/passwd'], /no http or https URL/],
    ];
    for (const [argv, message] of cases) {
      const { code, stderr } = await netssm('data', ...argv);
      expect(code).toBe(2);
      expect(stderr).toMatch(message);
    }
  });

  test('data list has the sets with size, licence and source', async () => {
    const { code, stdout } = await netssm('data', 'list');
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /youtube-requet +YouTube streaming \(Requet\): 619 captures, 2\.06 GiB, licence: No licence file/,
    );
    expect(stdout).toContain('https://github.com/Wimnet/RequetDataSet (by hand');
    const { datasets } = JSON.parse((await netssm('data', 'list', '--json')).stdout) as {
      datasets: unknown[];
    };
    expect(datasets).toHaveLength(5);
  });
});
