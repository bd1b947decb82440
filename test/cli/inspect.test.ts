import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { beforeAll, describe, expect, test } from 'vitest';
import { projectRoot } from '../../src/util';
import { netssm, tcpSession, temporaryFolder, writePcap } from './helpers';

const data = join(projectRoot, '..', 'shared', 'data');
const built = existsSync(join(projectRoot, 'dist', 'flows', 'inspectWorker.js'));

interface Row {
  file: string;
  packets: number;
  bytes: number;
  flows: number;
  seconds: number;
  problems: Record<string, number>;
  problemExamples?: Record<string, { packet?: number; offset: number; message: string }[]>;
  tcp: { flows: number; handshakes: number; closed: number };
  error?: { code: string };
}

const inspect = async (...argv: string[]) => {
  const result = await netssm('inspect', '--json', ...argv);
  return { ...result, files: result.stdout ? (JSON.parse(result.stdout) as { files: Row[] }).files : [] };
};

describe('inspect: parts of a capture', () => {
  let folder: string;
  let capture: string;

  beforeAll(() => {
    folder = temporaryFolder();
    capture = join(folder, 'x.pcap');
    const later = tcpSession({ port: 40_001, startMicros: 1_700_000_010_000_000 });
    writePcap(capture, [...tcpSession(), ...later]);
  });

  test('--filter, --from, --to, --skip, --count', async () => {
    const packets = async (...argv: string[]) => (await inspect(capture, ...argv)).files[0].packets;
    expect(await packets('--filter', 'tcp port 40001')).toBe(9);
    expect(await packets('--filter', 'tcp[tcpflags] & tcp-syn != 0')).toBe(4);
    expect(await packets('--from', '5')).toBe(9);
    expect(await packets('--to', '0.002')).toBe(2);
    expect(await packets('--from', '2023-11-14T22:13:30Z')).toBe(9);
    expect(await packets('--skip', '7', '--count', '4')).toBe(4);
    const { files } = await inspect(capture, '--filter', 'src host 10.0.0.1', '--from', '5');
    expect(files[0]).toMatchObject({ packets: 7, flows: 1, tcp: { flows: 1, handshakes: 0 } });
  });

  test('a filter that cannot be read ends with 2 and its place', async () => {
    const { code, stderr } = await netssm('inspect', capture, '--filter', 'tcp prt 80');
    expect([code, stderr]).toEqual([2, expect.stringMatching(/prt/)]);
    expect((await netssm('inspect', capture, '--from', 'noon')).code).toBe(2);
  });

  test('--packets: a line a packet, or rows', async () => {
    const { stdout } = await netssm('inspect', capture, '--packets', '2', '--filter', 'port 40001');
    expect(stdout.trimEnd().split('\n')).toEqual([
      expect.stringMatching(
        /^ {4}10 {2}22:13:30\.000000 {2}IP 10\.0\.0\.1\.40001 > 10\.0\.0\.2\.80: Flags \[S\]/,
      ),
      expect.stringMatching(
        /^ {4}11 {2}22:13:30\.001000 {2}IP 10\.0\.0\.2\.80 > 10\.0\.0\.1\.40001: Flags \[S\.\]/,
      ),
    ]);
    const rows = JSON.parse((await netssm('inspect', capture, '--packets', '--json')).stdout) as {
      files: { packets: Record<string, unknown>[] }[];
    };
    expect(rows.files[0].packets).toHaveLength(18);
    expect(rows.files[0].packets[9]).toMatchObject({
      packet: 10,
      tsMicros: 1_700_000_010_000_000,
      wireLen: 54,
      capturedLen: 54,
      problems: [],
    });
  });

  test('--show: fields and bytes of one packet', async () => {
    const { stdout } = await netssm('inspect', capture, '--show', '4');
    expect(stdout).toMatch(/sourcePort +[=:] 40000/);
    expect(stdout).toMatch(/^0030 {2}/m);
    const shown = JSON.parse((await netssm('inspect', capture, '--show', '4', '--json')).stdout) as {
      packet: number;
      bytes: string;
      layers: { protocol: string }[];
    };
    expect(shown.packet).toBe(4);
    expect(shown.layers.map((layer) => layer.protocol)).toEqual(['ethernet', 'ipv4', 'tcp']);
    expect(shown.bytes).toHaveLength(2 * 64);
    const missing = await netssm('inspect', capture, '--show', '19');
    expect([missing.code, missing.stderr]).toEqual([2, expect.stringContaining('has no packet 19')]);
  });

  test('--problems: the first places of each', async () => {
    const frames = tcpSession();
    const broken = frames.map((frame, i) => ({
      ...frame,
      data: i < 6 ? frame.data.slice(0, 30) : frame.data,
    }));
    const cut = join(folder, 'cut.pcap');
    writePcap(cut, broken);
    writeFileSync(cut, readFileSync(cut).subarray(0, -5));
    const { files } = await inspect(cut, '--problems', '2');
    const [code] = Object.keys(files[0].problemExamples!).filter((name) => name.startsWith('ipv4'));
    expect(files[0].problems[code]).toBe(6);
    expect(files[0].problemExamples![code].map((example) => example.packet)).toEqual([1, 2]);
    expect(files[0].problemExamples!.pcap_cut[0].packet).toBeUndefined();
    const { stdout } = await netssm('inspect', cut, '--problems');
    expect(stdout).toMatch(
      new RegExp(`${code}, 6 times\n {2}packet 1, byte \\d+: .*\n {2}packet 2, .*\n {2}packet 3`),
    );
  });

  test.skipIf(!built)('standard input, and an end of output that is no error (needs dist/)', () => {
    const bin = join(projectRoot, 'bin', 'netssm.cjs');
    const run = spawnSync(process.execPath, [bin, 'inspect', '--json', '-'], {
      input: readFileSync(capture),
    });
    expect(JSON.parse(run.stdout.toString())).toMatchObject({ files: [{ packets: 18, flows: 2 }] });
    const piped = spawnSync('sh', [
      '-c',
      `'${process.execPath}' '${bin}' inspect --packets '${capture}' | head -1`,
    ]);
    expect(piped.stdout.toString()).toMatch(/Flags \[S\]/);
    expect(piped.stderr.toString()).toBe('');
  });

  test.skipIf(!built)('several threads give what one gives, in order (needs dist/)', async () => {
    const many = await import(join(projectRoot, 'dist', 'flows', 'index.js'));
    const files = [
      capture,
      join(folder, 'absent.pcap'),
      capture,
      join(projectRoot, 'data', 'captures'),
    ].slice(0, 3);
    const [one, three] = await Promise.all(
      [1, 3].map((jobs) => many.inspectCaptures(files, { jobs, examples: 1 })),
    );
    expect(three).toEqual(one);
    expect((three as Row[]).map((row) => [row.packets, row.error?.code])).toEqual([
      [18, undefined],
      [0, 'file_unreadable'],
      [18, undefined],
    ]);
  });
});

describe.skipIf(!existsSync(data))('inspect on real files (skipped where ../shared/data is absent)', () => {
  const table = (file: string): Record<string, string>[] => {
    const [head, ...lines] = readFileSync(file, 'utf8').trimEnd().split('\n');
    const names = head.split('\t');
    return lines.map((line) => Object.fromEntries(line.split('\t').map((cell, i) => [names[i], cell])));
  };

  test('packets, TCP flows and handshakes are those of the manifest', async () => {
    const rows = table(join(data, 'MANIFEST.tsv'));
    const { files } = await inspect(...rows.map((row) => join(data, row.file)));
    const seen = files.map(({ packets, tcp }) => [packets, tcp.flows, tcp.handshakes].join(' '));
    expect(seen).toEqual(rows.map((row) => [row.packets, row.tcp_flows, row.tcp_handshakes].join(' ')));
  });

  const expected = existsSync(data) ? table(join(data, 'robustness', 'EXPECTED.tsv')) : [];

  test('packet counts of the odd but valid files are those of capinfos', async () => {
    const valid = expected.filter((row) => row.file.startsWith('valid/') && /^\d+$/.test(row.packets));
    const { files } = await inspect(...valid.map((row) => join(data, 'robustness', row.file)));
    const seen = files.map((row, i) => `${valid[i].file} ${row.packets}`);
    expect(seen).toEqual(valid.map((row) => `${row.file} ${row.packets}`));
    expect(valid.length).toBeGreaterThan(40);
  });

  test('every malformed file ends in a clear error or in counted problems, within two seconds', async () => {
    const folder = join(data, 'robustness', 'malformed');
    // Nothing is wrong with their headers: capinfos reads them without a word, as we do.
    const harmless = expected
      .filter((row) => row.capinfos_exit === '0' && row.capinfos_message === '')
      .map((row) => `${row.file} ${row.packets}`);
    const slow: string[] = [];
    const silent: string[] = [];
    for (const name of readdirSync(folder)) {
      const started = performance.now();
      const { files, stderr } = await inspect(join(folder, name));
      if (performance.now() - started > 2000) slow.push(name);
      const [row] = files;
      const named = row.error ? stderr.includes('Hint: ') : Object.keys(row.problems).length > 0;
      if (!named && !harmless.includes(`malformed/${name} ${row.packets}`)) silent.push(name);
    }
    expect(slow).toEqual([]);
    expect(silent).toEqual([]);
  });
});
