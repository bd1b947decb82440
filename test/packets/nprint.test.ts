import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listCaptures, openCapture, readCapture } from '../../src/capture';
import {
  captureToNprint,
  locateNprint,
  nprintBytesToFrame,
  nprintColumns,
  nprintRowToBytes,
  nprintToCapture,
  NPRINT_FIELDS,
  NPRINT_HEADER_BITS,
  NPRINT_RANGES,
  openNprint,
  writeNprintRow,
  type NprintCsvRow,
} from '../../src/packets';
import { projectRoot } from '../../src/util';

const shared = join(projectRoot, '..', 'shared', 'data');
let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'nprint-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'));
/** TCP SYN 10.0.0.1:1 -> 10.0.0.2:80 with an MSS option, 44 bytes and 2 of payload in an IP length of 46. */
const TCP = hex(`45 00 00 2e 12 34 40 00 40 06 ab cd 0a 00 00 01 0a 00 00 02
  00 01 00 50 00 00 00 07 00 00 00 00 60 02 ff ff 00 00 00 00 02 04 05 b4 de ad`);
const UDP6 = hex(`60 00 00 00 00 0a 11 40 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01
  20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 02 d4 31 00 35 00 0a 12 34 be ef`);
const ICMP = hex('45 00 00 1c 00 01 00 00 40 01 00 00 7f 00 00 01 7f 00 00 01 08 00 f7 ff 00 00 00 00');
const ethernet = (ip: Uint8Array, type = '0800'): Uint8Array =>
  Uint8Array.from([...new Uint8Array(12), ...hex(type), ...ip]);
const row = (bytes: Uint8Array, linkType = 101, payloadBytes = 0): Int8Array => {
  const out = new Int8Array(NPRINT_HEADER_BITS + 8 * payloadBytes);
  writeNprintRow(bytes, linkType, out);
  return out;
};

describe('columns', () => {
  it('are 1,408, and lie where the ranges say', () => {
    const columns = nprintColumns();
    expect(columns.length).toBe(1408);
    expect(new Set(columns).size).toBe(1408);
    for (const [name, [from, to]] of Object.entries(NPRINT_RANGES)) {
      expect(columns[from]).toMatch(`${name}_`);
      expect(columns[to - 1]).toMatch(`${name}_`);
    }
    expect(NPRINT_FIELDS.find(({ name }) => name === 'tcp_seq')).toMatchObject({ from: 832, bits: 32 });
    expect(nprintColumns(2).slice(1408)).toEqual(Array.from({ length: 16 }, (_, i) => `payload_bit_${i}`));
  });
});

describe('rows', () => {
  it('of TCP over IPv4: bits by hand', () => {
    const r = row(TCP);
    expect([...r.subarray(0, 8)]).toEqual([0, 1, 0, 0, 0, 1, 0, 1]);
    expect(r.subarray(0, 160).includes(-1)).toBe(false);
    expect(r.subarray(160, 800).every((v) => v === -1)).toBe(true);
    // SYN is bit 110 of the TCP header, and the only flag.
    expect([...r.subarray(800 + 103, 800 + 112)]).toEqual([0, 0, 0, 0, 0, 0, 0, 1, 0]);
    expect(r.subarray(800, 800 + 192).includes(-1)).toBe(false);
    expect(r.subarray(800 + 192).every((v) => v === -1)).toBe(true);
  });
  it('of UDP over IPv6, and of ICMP', () => {
    const six = row(UDP6);
    expect(six.subarray(0, 480).every((v) => v === -1)).toBe(true);
    expect(six.subarray(480, 800).includes(-1)).toBe(false);
    expect([...six.subarray(1280 + 16, 1280 + 32)].join('')).toBe('0000000000110101');
    const icmp = row(ICMP);
    expect(icmp.subarray(1344).includes(-1)).toBe(false);
    expect([...icmp.subarray(1344, 1352)].join('')).toBe('00001000');
  });
  it('convert back byte for byte, with payload where asked for', () => {
    expect(nprintRowToBytes(row(TCP)).bytes).toEqual(TCP.subarray(0, 44));
    expect(nprintRowToBytes(row(TCP, 101, 4)).bytes).toEqual(TCP);
    expect(nprintRowToBytes(row(UDP6)).bytes).toEqual(UDP6.subarray(0, 48));
    expect(nprintRowToBytes(row(ICMP)).bytes).toEqual(ICMP);
    expect(nprintBytesToFrame(TCP.subarray(0, 44), 5)).toMatchObject({
      wireLen: 46,
      linkType: 101,
      tsMicros: 5,
    });
    expect(nprintBytesToFrame(UDP6.subarray(0, 48), 0).wireLen).toBe(50);
  });
  it('start at the IP header under any link layer, and leave Ethernet padding out', () => {
    expect(row(ethernet(TCP), 1)).toEqual(row(TCP));
    expect(row(ethernet(Uint8Array.from([...hex('0005 0800'), ...TCP]), '8100'), 1)).toEqual(row(TCP));
    expect(row(Uint8Array.from([2, 0, 0, 0, ...TCP]), 0)).toEqual(row(TCP));
    expect(row(ethernet(Uint8Array.from([...TCP, 0, 0, 0])), 1, 8)).toEqual(row(TCP, 101, 8));
  });
  it('say what has no nPrint', () => {
    const code = (bytes: Uint8Array, linkType = 101): string => {
      const at = locateNprint(bytes, linkType);
      return at.ok ? 'ok' : at.code;
    };
    const changed = (at: number, value: number, from = TCP): Uint8Array =>
      from.map((b, i) => (i === at ? value : b));
    expect(code(new Uint8Array(0))).toBe('not_ip');
    expect(code(new Uint8Array(60), 1)).toBe('not_ip');
    expect(code(TCP.subarray(0, 9))).toBe('ip_cut');
    expect(code(changed(0, 0x44))).toBe('ipv4_header_length');
    expect(code(changed(9, 2))).toBe('transport_protocol');
    expect(code(changed(6, 58, UDP6))).toBe('transport_protocol');
    expect(code(changed(6, 44, UDP6))).toBe('ipv6_extension');
  });
  it('hold what was captured, and of a later fragment the IP header', () => {
    for (let n = 10; n <= 44; n++)
      expect(nprintRowToBytes(row(TCP.subarray(0, n))).bytes).toEqual(TCP.subarray(0, n));
    const fragment = TCP.map((b, i) => (i === 7 ? 5 : b));
    expect(nprintRowToBytes(row(fragment)).bytes).toEqual(fragment.subarray(0, 20));
  });
  it('name bits that fill no whole byte', () => {
    const { bytes, problems } = nprintRowToBytes([1, -1, 0, 1, 1, 1, 0, 0, 0, 1]);
    expect([...bytes]).toEqual([0b10111000]);
    expect(problems.map(({ code }) => code)).toEqual(['nprint_ragged']);
    expect(nprintRowToBytes(new Int8Array(1408).fill(-1)).bytes.length).toBe(0);
  });
});

async function rowsOf(path: string): Promise<NprintCsvRow[]> {
  const rows: NprintCsvRow[] = [];
  for await (const each of await openNprint(path)) rows.push(each);
  return rows;
}

describe('files', () => {
  const bundled = join(projectRoot, 'data', 'captures');
  it('every bundled capture there and back: headers byte for byte, lengths and times kept', async () => {
    const files = listCaptures(bundled).slice(0, 6);
    expect(files.length).toBe(6);
    for (const [i, file] of files.entries()) {
      const [csv, pcap] = [join(dir, `${i}.npt`), join(dir, `${i}.pcap`)];
      const report = await captureToNprint(file, csv, { absoluteTime: true, count: 300 });
      const back = await nprintToCapture(csv, pcap);
      expect(back).toMatchObject({ rows: report.rows, packets: report.rows, emptyRows: 0, problems: {} });
      const frames = (await readCapture(pcap)).frames;
      let n = 0;
      for await (const frame of await openCapture(file)) {
        if (n === 300) break;
        const at = locateNprint(frame.data, frame.linkType);
        if (!at.ok) continue;
        const got = frames[n++];
        expect(
          Buffer.compare(got.data, frame.data.subarray(at.ipAt, Math.min(at.headerEnd, frame.data.length))),
        ).toBe(0);
        expect(got.tsMicros).toBe(frame.tsMicros);
        expect(got.wireLen).toBe(Math.max(got.data.length, at.packetEnd - at.ipAt));
      }
      expect(n).toBe(report.rows);
    }
  });
  it('have the index and the times that were asked for', async () => {
    const file = listCaptures(bundled).find((path) => path.includes('dns'))!;
    const csv = join(dir, 'flow.npt');
    await captureToNprint(file, csv, { index: 'flow', relativeTime: true, payloadBytes: 3, count: 2 });
    const lines = readFileSync(csv, 'utf8').split('\n');
    expect(lines.length).toBe(4);
    expect(lines[0].split(',').slice(0, 3)).toEqual(['flow', 'rts', 'ipv4_ver_0']);
    expect(lines[1].split(',').length).toBe(2 + 1408 + 24);
    expect(lines[1]).toMatch(/^(\d+\.){3}\d+_(\d+\.){3}\d+_\d+_\d+_(UDP|TCP),0,0,1,0,0,/);
    const [, second] = await rowsOf(csv);
    expect(Number(second.index.rts)).toBeGreaterThan(0);
    expect(second.bits.length).toBe(1408 + 24);
  });
  it('are read with columns missing, in another order, packed, and with 1.0 for 1', async () => {
    const path = join(dir, 'odd.npt.gz');
    writeFileSync(path, gzipSync('rts,udp_len_0,ipv4_ver_1,eth_dhost_0\r\n7,-1.0,1.0,1\r\n9,0,-1,0'));
    const reader = await openNprint(path);
    expect(reader.header).toMatchObject({ index: ['rts'], payloadBytes: 0, ignored: ['eth_dhost_0'] });
    expect(reader.header.missing.length).toBe(1406);
    const rows = [];
    for await (const each of reader) rows.push([each.index.rts, each.bits[1], each.bits[1312]]);
    expect(rows).toEqual([
      ['7', 1, -1],
      ['9', -1, 0],
    ]);
  });
  it('padding rows are no packets; times go on evenly', async () => {
    const csv = join(dir, 'padded.npt');
    const line = (bits: ArrayLike<number>): string => `10.0.0.1,${Array.from(bits).join(',')}`;
    const empty = line(new Int8Array(1408).fill(-1));
    writeFileSync(
      csv,
      [`src_ip,${nprintColumns().join(',')}`, line(row(TCP)), empty, line(row(ICMP)), ''].join('\n'),
    );
    const report = await nprintToCapture(csv, join(dir, 'padded.pcap'), {
      startMicros: 5,
      intervalMicros: 10,
    });
    expect(report).toEqual({ rows: 3, packets: 2, emptyRows: 1, problems: {} });
    const { frames } = await readCapture(join(dir, 'padded.pcap'));
    expect(frames.map(({ tsMicros, wireLen }) => [tsMicros, wireLen])).toEqual([
      [5, 46],
      [25, 28],
    ]);
  });
  it('errors name file, line and column, and leave nothing behind', async () => {
    const path = join(dir, 'bad.npt');
    const attempt = async (text: string): Promise<string> => {
      writeFileSync(path, text);
      return nprintToCapture(path, join(dir, 'bad.pcap')).then(
        () => 'no error',
        (error: { code: string; message: string }) => `${error.code}: ${error.message.replace(path, 'F')}`,
      );
    };
    expect(await attempt('')).toBe('nprint_header: F is empty');
    expect(await attempt('a,b\n')).toBe('nprint_header: F: column 1, "a", is none of nPrint');
    expect(await attempt('src_ip\n')).toBe('nprint_header: F: no column of nPrint in its first line');
    expect(await attempt('src_ip,ipv4_ver_0\nx,2\n')).toBe(
      'nprint_value: F, line 2, column ipv4_ver_0: "2" is none of -1, 0, 1',
    );
    expect(await attempt('src_ip,ipv4_ver_0\nx,1\nx\n')).toBe(
      'nprint_line: F, line 3: 1 cells under 2 columns',
    );
    expect(await attempt('src_ip,ipv4_ver_0\nx,1,1\n')).toBe(
      'nprint_line: F, line 2: 3 cells under 2 columns',
    );
    expect(existsSync(join(dir, 'bad.pcap'))).toBe(false);
    await expect(openNprint(join(dir, 'none.npt'))).rejects.toMatchObject({ code: 'file_unreadable' });
  });
});

const diffusion = join(shared, 'netdiffusion');
describe.skipIf(!existsSync(diffusion))('files of the nprint tool (needs the shared captures)', () => {
  const generated = join(diffusion, 'generated', 'netflix_5-replayable.nprint.gz');

  it.each(['real/netflix_01.nprint.gz', 'generated/netflix_5-replayable.nprint.gz'])(
    '%s: the same columns; through packets and back, the same text',
    async (name) => {
      const original = gunzipSync(readFileSync(join(diffusion, name))).toString();
      const [pcap, csv] = [join(dir, 'tool.pcap'), join(dir, 'tool.npt')];
      expect(await nprintToCapture(join(diffusion, name), pcap)).toEqual({
        rows: 1024,
        packets: 1024,
        emptyRows: 0,
        problems: {},
      });
      expect(await captureToNprint(pcap, csv)).toEqual({ packets: 1024, rows: 1024, leftOut: {} });
      expect(readFileSync(csv, 'utf8') === original).toBe(true);
    },
  );

  it("netflix_5.pcap: its nPrint is the tool's file, text for text; back, its headers", async () => {
    const capture = join(diffusion, 'generated', 'netflix_5.pcap');
    const [csv, back] = [join(dir, 'n5.npt'), join(dir, 'n5.pcap')];
    await captureToNprint(capture, csv);
    expect(readFileSync(csv, 'utf8') === gunzipSync(readFileSync(generated)).toString()).toBe(true);
    await nprintToCapture(csv, back);
    const [a, b] = [await readCapture(capture), await readCapture(back)];
    expect(b.frames.length).toBe(1024);
    b.frames.forEach((frame, i) => {
      const original = a.frames[i];
      expect(Buffer.compare(frame.data, original.data.subarray(0, frame.data.length))).toBe(0);
      expect(frame.wireLen).toBe(original.wireLen);
    });
  });

  it('a generated file without addresses says what is missing; its odd rows are counted', async () => {
    const path = join(diffusion, 'generated', 'netflix_5-raw-generated.nprint.gz');
    const reader = await openNprint(path);
    expect(reader.header.index).toEqual(['']);
    expect(reader.header.missing.length).toBe(320);
    const report = await nprintToCapture(path, join(dir, 'raw.pcap'));
    expect(report.rows).toBe(1024);
    expect(report.problems.nprint_ragged).toBeGreaterThan(0);
  });

  it('all real captures: every row converts back to the header bytes', async () => {
    const files = listCaptures(join(shared, 'pcaps')).filter((path) => statSync(path).size < 600_000);
    expect(files.length).toBeGreaterThan(100);
    const out = new Int8Array(NPRINT_HEADER_BITS);
    let [rows, wrong, left] = [0, 0, 0];
    for (const file of files)
      for await (const frame of await openCapture(file)) {
        const at = writeNprintRow(frame.data, frame.linkType, out);
        if (!at.ok) {
          left++;
          continue;
        }
        rows++;
        const expected = frame.data.subarray(at.ipAt, Math.min(at.headerEnd, frame.data.length));
        if (Buffer.compare(nprintRowToBytes(out).bytes, expected) !== 0) wrong++;
      }
    expect({ wrong, enough: rows > 50_000, left: left / rows < 0.1 }).toEqual({
      wrong: 0,
      enough: true,
      left: true,
    });
  });
});
