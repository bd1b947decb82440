import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { listCaptures, readCapture } from '../../src/capture';
import { parseIpv4, parseMac } from '../../src/packets';
import { netssm, tcpSession, temporaryFolder, writePcap } from './helpers';

interface Manifest {
  import: { anonymised: boolean; complete: boolean; keyFingerprint?: string };
  files: { path: string; label: string; split: string; packets: number; bytes: number; sha256: string }[];
}

const readManifest = (folder: string) =>
  JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as Manifest;

describe('data import', () => {
  let folder: string;
  let captures: string;
  let labels: string;
  let key: string;

  beforeAll(() => {
    folder = temporaryFolder();
    captures = join(folder, 'captures');
    mkdirSync(join(captures, 'b'), { recursive: true });
    for (let i = 0; i < 3; i++) writePcap(join(captures, `day${i}.pcap`), tcpSession({ port: 40_000 + i }));
    // The same name below another folder.
    writePcap(join(captures, 'b', 'day0.pcap'), tcpSession({ port: 40_007, data: 5 }));
    writePcap(join(captures, 'b', 'unlabelled.pcap'), tcpSession());
    labels = join(captures, 'labels.csv');
    writeFileSync(
      labels,
      'path,label,split\nday0.pcap,web,train\nday1.pcap,web,test\nday2.pcap,mail,\nb/day0.pcap,web,\n',
    );
    key = join(folder, 'secret.key');
    writeFileSync(key, 'a secret of this test\n');
  });

  test('copies captures into labels, with a manifest that tokenize reads', async () => {
    const out = join(folder, 'plain');
    const { code, stdout, stderr } = await netssm(
      'data',
      'import',
      captures,
      '--labels',
      labels,
      '--out',
      out,
      '--json',
    );
    expect(code).toBe(0);
    expect(stderr).toContain('1 captures without a line');
    const { files } = JSON.parse(stdout) as Manifest;
    const rows = files.map(({ path, label, split, packets }) => [path, label, split, packets].join(' '));
    expect(rows.sort()).toEqual([
      'mail/day2.pcap mail train 9',
      // Two captures of one name: the one met first, below b/, keeps it.
      'web/day0-2.pcap web train 9',
      'web/day0.pcap web train 11',
      'web/day1.pcap web test 9',
    ]);
    expect(files.every((file) => /^[0-9a-f]{64}$/.test(file.sha256))).toBe(true);
    const tokens = await netssm('tokenize', out, '--out', join(folder, 'tokens'), '--json');
    expect(tokens.code).toBe(0);
    expect(JSON.parse(tokens.stdout)).toMatchObject({
      labels: ['mail', 'web'],
      totals: { sources: 4, packets: 38, perSplit: { test: { sources: 1 } } },
    });
  });

  test('--anonymise: nothing of the original, packets, sizes and checksums kept', async () => {
    const out = join(folder, 'anonymous');
    const argv = [
      'data',
      'import',
      captures,
      '--labels',
      labels,
      '--out',
      out,
      '--anonymise',
      '--key-file',
      key,
    ];
    const { code } = await netssm(...argv, '--ports', '--shift-time');
    expect(code).toBe(0);
    const manifest = readManifest(out);
    expect(manifest.import).toMatchObject({ anonymised: true, complete: true });
    expect(manifest.import.keyFingerprint).toMatch(/^[0-9a-f]{8}$/);
    for (const file of readdirSync(out, { recursive: true, withFileTypes: true })) {
      if (!file.isFile()) continue;
      const bytes = readFileSync(join(file.parentPath, file.name));
      for (const address of ['10.0.0.1', '10.0.0.2']) expect(bytes.includes(parseIpv4(address))).toBe(false);
      for (const mac of ['02:00:00:00:00:01', '02:00:00:00:00:02'])
        expect(bytes.includes(parseMac(mac))).toBe(false);
      expect(bytes.includes('secret of this test')).toBe(false);
    }
    const [before, after] = await Promise.all(
      [join(captures, 'day1.pcap'), join(out, 'web/day1.pcap')].map((file) => readCapture(file)),
    );
    expect(after.frames.map((frame) => frame.wireLen)).toEqual(before.frames.map((frame) => frame.wireLen));
    expect(after.frames.every((frame) => frame.data.length === 54)).toBe(true);
    const gaps = (times: number[]) => times.slice(1).map((time, i) => time - times[i]);
    expect(gaps(after.frames.map((f) => f.tsMicros))).toEqual(gaps(before.frames.map((f) => f.tsMicros)));
    expect(after.frames[0].tsMicros).toBeLessThan(before.frames[0].tsMicros - 86_000e6);
    const ports = after.frames.map(({ data }) => data[34] * 256 + data[35]);
    expect(ports.some((port) => port === 80 || port === 40_001)).toBe(false);
    const inspected = await netssm('inspect', '--json', join(out, 'web', 'day1.pcap'));
    expect(JSON.parse(inspected.stdout)).toMatchObject({
      files: [{ packets: 9, problems: {}, tcp: { flows: 1, handshakes: 1, closed: 1 } }],
    });
  });

  test('continues what was interrupted, refuses anything else, and never overwrites silently', async () => {
    const out = join(folder, 'again');
    const argv = [
      'data',
      'import',
      captures,
      '--labels',
      labels,
      '--out',
      out,
      '--anonymise',
      '--key-file',
      key,
      '--json',
    ];
    expect((await netssm(...argv)).code).toBe(0);
    const first = readManifest(out);
    rmSync(join(out, 'mail', 'day2.pcap'));
    const again = await netssm(...argv);
    expect(JSON.parse(again.stdout)).toMatchObject({ kept: 3, import: { complete: true } });
    expect(readManifest(out)).toEqual(first);

    const other = join(folder, 'other.key');
    writeFileSync(other, 'another secret of this test');
    const refused = await netssm(...argv.map((word) => (word === key ? other : word)));
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/made with another key\nHint: .*--overwrite/);
    const plain = await netssm('data', 'import', captures, '--labels', labels, '--out', out);
    expect([plain.code, /other options|another key/.test(plain.stderr)]).toEqual([2, true]);
    const overwritten = await netssm(...argv.map((word) => (word === key ? other : word)), '--overwrite');
    expect(overwritten.code).toBe(0);
    expect(readManifest(out).files[0].sha256).not.toBe(first.files[0].sha256);

    const foreign = temporaryFolder();
    writeFileSync(join(foreign, 'thesis.tex'), 'x');
    const foreignRun = await netssm(
      'data',
      'import',
      captures,
      '--labels',
      labels,
      '--out',
      foreign,
      '--overwrite',
    );
    expect(existsSync(join(foreign, 'thesis.tex'))).toBe(true);
    expect([foreignRun.code, listCaptures(foreign).length]).toEqual([0, 4]);
  });

  test('an unreadable capture is named, the others are imported', async () => {
    const bad = join(folder, 'bad');
    mkdirSync(join(bad, 'web'), { recursive: true });
    writePcap(join(bad, 'web', 'good.pcap'), tcpSession());
    writeFileSync(join(bad, 'web', 'broken.pcap'), '<html>not found</html>');
    const { code, stdout, stderr } = await netssm(
      'data',
      'import',
      bad,
      '--out',
      join(folder, 'half'),
      '--json',
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      failures: [{ code: 'capture_not_recognised' }],
      files: [{ packets: 9 }],
    });
    expect(stderr).toMatch(/left out: .*broken\.pcap is a web page/);
  });
});
