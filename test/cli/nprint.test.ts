import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readCapture } from '../../src/capture';
import { netssm, tcpSession, temporaryFolder, writePcap } from './helpers';

const folder = temporaryFolder();
const [a, b] = ['a', 'b'].map((name) => join(folder, `${name}.pcap`));
writePcap(a, tcpSession());
writePcap(b, tcpSession({ port: 40001, data: 1 }));
afterAll(() => rmSync(folder, { recursive: true }));

describe('netssm nprint', () => {
  test('a capture to rows and back: the same header bytes', async () => {
    const csv = join(folder, 'a.csv');
    const { code, stdout } = await netssm('nprint', a, '--out', csv);
    const frames = (await readCapture(a)).frames;
    expect(code).toBe(0);
    expect(stdout).toContain(`${frames.length} packets, ${frames.length} rows`);
    const [header, ...rows] = readFileSync(csv, 'utf8').trimEnd().split('\n');
    expect(header.startsWith('src_ip,ipv4_ver_0,')).toBe(true);
    expect(header.split(',')).toHaveLength(1409);
    expect(rows).toHaveLength(frames.length);
    expect(rows[0].split(',').slice(0, 5)).toEqual(['10.0.0.2', '0', '1', '0', '0'].map((v, i) => (i === 0 ? rows[0].split(',')[0] : v))); // prettier-ignore
    const back = join(folder, 'back.pcap');
    expect((await netssm('nprint', '--reverse', csv, '--out', back)).code).toBe(0);
    const again = (await readCapture(back)).frames;
    again.forEach(({ data }, i) => {
      // Behind the Ethernet header, up to the payload, which rows do not hold.
      expect(Buffer.from(data).equals(Buffer.from(frames[i].data.subarray(14, 14 + data.length)))).toBe(true);
    });
  });
  test('columns, index and count', async () => {
    const csv = join(folder, 'more.csv');
    const options = ['--index', 'flow', '--payload', '2', '--relative-time', '--count', '3', '--json'];
    const { stdout } = await netssm('nprint', a, '--out', csv, ...options);
    expect(JSON.parse(stdout).files[0]).toMatchObject({ out: csv, rows: 3, leftOut: {} });
    const [header, ...rows] = readFileSync(csv, 'utf8').trimEnd().split('\n');
    expect(header.startsWith('flow,rts,ipv4_ver_0')).toBe(true);
    expect(header.endsWith('payload_bit_15')).toBe(true);
    expect(rows.map((row) => row.split(',')[1])).toEqual(['0', '1000', '1000']);
  });
  test('several captures go to a folder, each under its name', async () => {
    const out = join(folder, 'all');
    mkdirSync(out);
    expect((await netssm('nprint', a, b, '--out', out)).code).toBe(0);
    expect(readdirSync(out)).toEqual(['a.csv', 'b.csv']);
  });
  test('unusable arguments', async () => {
    const many = await netssm('nprint', a, b, '--out', join(folder, 'one.csv'));
    expect([many.code, many.stdout]).toEqual([2, '']);
    expect(many.stderr).toContain('2 files cannot all be written');
    expect((await netssm('nprint', a, a, '--out', join(folder, 'twice'))).stderr).toContain(
      'would be written as a.csv',
    );
    const index = await netssm('nprint', a, '--out', join(folder, 'x.csv'), '--index', 'mac');
    expect(index.code).toBe(2);
    expect(index.stderr).toContain('no nPrint index "mac"');
  });
});
