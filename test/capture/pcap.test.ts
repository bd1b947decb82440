import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import {
  openCapture,
  pcapOptionsOf,
  PcapWriter,
  readCapture,
  writePcap,
  type Frame,
} from '../../src/capture';
import { NetssmError, Rng } from '../../src/util';
import { bytesOf, pcapHeader, pcapRecord, u32 } from './build';

const folder = mkdtempSync(join(tmpdir(), 'netssm-pcap-'));
afterAll(() => rmSync(folder, { recursive: true }));

const US = 0xa1b2c3d4;
const NS = 0xa1b23c4d;

async function errorOf(work: Promise<unknown>): Promise<NetssmError> {
  const error = await work.then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(NetssmError);
  return error as NetssmError;
}

describe('pcap reader', () => {
  it.each([
    ['microseconds, little-endian', US, true, 6, 1_600_000_000_123_456, 0],
    ['microseconds, big-endian', US, false, 6, 1_600_000_000_123_456, 0],
    ['nanoseconds, little-endian', NS, true, 9, 1_600_000_000_000_123, 456],
    ['nanoseconds, big-endian', NS, false, 9, 1_600_000_000_000_123, 456],
  ])('reads %s', async (_title, magic, little, digits, tsMicros, tsNanos) => {
    const file = bytesOf(
      pcapHeader(magic, little, 113, 96),
      pcapRecord(1_600_000_000, 123_456, [1, 2, 3], 60, little),
      pcapRecord(1_600_000_001, 0, [], 0, little),
    );
    const { info, frames, problems } = await readCapture(file);
    expect(info).toEqual({
      format: 'pcap',
      byteOrder: little ? 'little' : 'big',
      tsResolution: digits,
      linkTypes: [113],
      snapLen: 96,
      interfaces: [{ linkType: 113, snapLen: 96, tsResolution: digits }],
      comments: [],
      skippedBlocks: {},
    });
    expect(frames.length).toBe(2);
    expect(frames[0]).toEqual({
      data: Uint8Array.of(1, 2, 3),
      wireLen: 60,
      tsMicros,
      tsNanos,
      linkType: 113,
      interfaceId: 0,
    });
    expect(frames[1].tsMicros).toBe(1_600_000_001_000_000);
    expect(problems).toEqual([]);
  });

  it('reads the 24-byte record headers of the modified format, and of the ordinary magic when they show', async () => {
    const long = (seconds: number, data: number[]) => [
      ...pcapRecord(seconds, 7, []).slice(0, 8),
      ...u32(data.length),
      ...u32(data.length),
      ...[9, 9, 9, 9, 9, 9, 9, 9],
      ...data,
    ];
    const records = [
      ...long(1_600_000_000, [1, 2]),
      ...long(1_600_000_001, [3]),
      ...long(1_600_000_002, [4, 5]),
    ];
    const modified = await readCapture(bytesOf(pcapHeader(0xa1b2cd34), records));
    const ordinary = await readCapture(bytesOf(pcapHeader(US), records));
    expect(modified.frames.map((f) => [...f.data])).toEqual([[1, 2], [3], [4, 5]]);
    expect(ordinary.frames.map((f) => [...f.data])).toEqual([[1, 2], [3], [4, 5]]);
    expect(modified.problems).toEqual([]);
    expect(ordinary.problems.map((p) => p.code)).toEqual(['pcap_long_record_headers']);
  });

  it("reads the 20-byte record headers of Nokia's firewalls, and is not misled by empty records", async () => {
    const nokia = (seconds: number, data: number[]) => [
      ...pcapRecord(seconds, 7, data).slice(0, 16),
      ...[0, 1, 2, 3],
      ...data,
    ];
    const file = bytesOf(
      pcapHeader(US),
      nokia(1_600_000_000, [1, 2]),
      nokia(1_600_000_001, [3]),
      nokia(1_600_000_002, [4, 5, 6]),
    );
    const { frames, problems } = await readCapture(file);
    expect(frames.map((f) => [...f.data])).toEqual([[1, 2], [3], [4, 5, 6]]);
    expect(problems.map((p) => p.message)).toEqual([
      'record headers of 20 bytes under the ordinary magic number; read as such',
    ]);
    const plain = bytesOf(
      pcapHeader(US),
      pcapRecord(1_600_000_000, 7, []),
      pcapRecord(1 << 30, 7, [0, 0, 0, 0, 9]),
    );
    expect((await readCapture(plain)).frames.map((f) => f.data.length)).toEqual([0, 5]);
  });

  it('reads the two lengths the other way round before version 2.3', async () => {
    const header = pcapHeader(US);
    header[6] = 2;
    const record = [...u32(5), ...u32(6), ...u32(100), ...u32(2), 7, 8];
    const { frames } = await readCapture(bytesOf(header, record));
    expect(frames.map((f) => [f.wireLen, ...f.data])).toEqual([[100, 7, 8]]);
  });

  it('reads up to the damage, wherever the file is cut, and names the cut', async () => {
    const records = [3, 0, 40, 17].map((n, i) => pcapRecord(1000 + i, i, new Array<number>(n).fill(i)));
    const file = bytesOf(pcapHeader(US), ...records);
    const ends = records.reduce<number[]>((all, r) => [...all, all[all.length - 1] + r.length], [24]);
    for (let cut = 24; cut <= file.length; cut++) {
      const { frames, problems } = await readCapture(file.subarray(0, cut));
      expect(frames.length).toBe(ends.filter((end) => end <= cut).length - 1);
      const whole = ends.includes(cut);
      expect(problems.map((p) => [p.code, p.offset])).toEqual(
        whole ? [] : [['pcap_cut', Math.max(...ends.filter((end) => end < cut))]],
      );
    }
  });

  it('gives the same frames whatever the chunks are', async () => {
    const rng = new Rng(1);
    const lengths = Array.from({ length: 200 }, () => rng.int(3000));
    const records = lengths.map((n, i) =>
      pcapRecord(
        1000 + i,
        i,
        Array.from({ length: n }, () => rng.int(256)),
      ),
    );
    const file = bytesOf(pcapHeader(US), ...records);
    const whole = await readCapture(file);
    // Larger than the reader's chunks, so that records straddle them.
    expect(file.length).toBeGreaterThan(262_144);
    const path = join(folder, 'chunks.pcap');
    writeFileSync(path, file);
    const streamed = await readCapture(path);
    const flat = (frames: Frame[]) =>
      frames.map((f) => [f.tsMicros, f.wireLen, Buffer.from(f.data).toString('hex')].join());
    expect(flat(streamed.frames)).toEqual(flat(whole.frames));
    expect(whole.frames.map((f) => f.data.length)).toEqual(lengths);
    const gzipped = await readCapture(gzipSync(file));
    expect(flat(gzipped.frames)).toEqual(flat(whole.frames));
  });

  it('does not believe a length of 4 GB', async () => {
    const record = [...u32(1), ...u32(2), ...u32(0xffffffff), ...u32(0xffffffff), 1, 2, 3];
    const { frames, problems } = await readCapture(bytesOf(pcapHeader(US), pcapRecord(1, 1, [5]), record));
    expect(frames.length).toBe(1);
    expect(problems.map((p) => [p.code, p.offset])).toEqual([['pcap_record_too_long', 41]]);
    expect(problems[0].message).toContain('4294967295');
  });

  it('keeps a wire length below the captured one, and carries over a fraction of more than a second', async () => {
    const file = bytesOf(pcapHeader(US), pcapRecord(10, 1_500_000, [1, 2, 3], 2));
    const { frames, problems } = await readCapture(file);
    expect([frames[0].wireLen, frames[0].tsMicros]).toEqual([2, 11_500_000]);
    expect(problems.map((p) => p.code)).toEqual(['pcap_timestamp_fraction', 'pcap_wire_length_short']);
  });

  it('keeps a thousand problems and counts the rest', async () => {
    const record = pcapRecord(10, 0, [1, 2, 3], 2);
    const { problems } = await readCapture(
      bytesOf(pcapHeader(US), ...new Array<number[]>(1500).fill(record)),
    );
    expect(problems.length).toBe(1001);
    expect(problems[1000].code).toBe('more_problems');
    expect(problems[1000].message).toContain('500 more problems');
  });

  it.each([
    ['an empty file', [], 'capture_empty', '0 bytes'],
    ['one byte', [0xd4], 'capture_not_recognised', 'begins with d4'],
    ['a web page', [...Buffer.from('\n<!DOCTYPE html><html>')], 'capture_not_recognised', 'web page'],
    ['a zip archive', [0x50, 0x4b, 3, 4, 0, 0], 'capture_not_recognised', 'zip archive'],
    ['a Zstandard file of 5 bytes', [0x28, 0xb5, 0x2f, 0xfd, 0], 'zstd_cut', 'Zstandard'],
    ['an xz file', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], 'capture_not_recognised', 'an xz file'],
    [
      'a snoop file',
      [...Buffer.from('snoop\0\x00\x00\x00\x02')],
      'capture_not_recognised',
      'a Snoop capture',
    ],
    ['a Bluetooth log', [...Buffer.from('btsnoop\0\x00\x00\x00\x01')], 'capture_not_recognised', 'btsnoop'],
    ['a hex dump', [...Buffer.from('0000  45 00 00 28 1c')], 'capture_not_recognised', 'hex dump'],
    ['JSON', [...Buffer.from('[{"_index": 1}]')], 'capture_not_recognised', 'JSON'],
    ['gzip twice', [...gzipSync(gzipSync('x'))], 'capture_not_recognised', 'gzip file inside another'],
    [
      'a Git LFS pointer',
      [...Buffer.from('version https://git-lfs.github.com/spec/v1\n')],
      'capture_not_recognised',
      'LFS',
    ],
    ['a header of 20 bytes', pcapHeader(US).slice(0, 20), 'capture_header_cut', '20 bytes of at least 24'],
    [
      'text in gzip',
      [...gzipSync('hello, this is text')],
      'capture_not_recognised',
      'begins with 68 65 6c 6c 6f',
    ],
    ['damaged gzip', [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xff, 0xff, 0xff], 'gzip_damaged', 'gzip'],
  ])('refuses %s by name', async (_title, bytes, code, words) => {
    const path = join(folder, 'not-a-capture.pcap');
    writeFileSync(path, Uint8Array.from(bytes));
    for (const source of [path, Uint8Array.from(bytes)]) {
      const error = await errorOf(openCapture(source));
      expect(error.code).toBe(code);
      expect(error.message).toContain(words);
      expect(error.message).toContain(typeof source === 'string' ? path : 'bytes in memory');
      expect(error.hint!.length).toBeGreaterThan(20);
    }
  });

  it('says which file is missing', async () => {
    const error = await errorOf(openCapture(join(folder, 'nowhere.pcap')));
    expect([error.code, error.message.includes('nowhere.pcap')]).toEqual(['file_unreadable', true]);
  });

  it('gives what a cut gzip file holds, and names the cut', async () => {
    const rng = new Rng(2);
    const records = Array.from({ length: 50 }, (_, i) =>
      pcapRecord(
        i,
        0,
        Array.from({ length: 100 }, () => rng.int(256)),
      ),
    );
    const packed = gzipSync(bytesOf(pcapHeader(US), ...records));
    const { frames, problems } = await readCapture(packed.subarray(0, packed.length >> 1));
    expect(frames.length).toBeGreaterThan(20);
    expect(frames.length).toBeLessThan(30);
    expect(problems.map((p) => p.code)).toEqual(['gzip_cut', 'pcap_cut']);
  });

  it('can be left early', async () => {
    const path = join(folder, 'early.pcap');
    writeFileSync(path, bytesOf(pcapHeader(US), pcapRecord(1, 1, [5]), pcapRecord(2, 1, [6])));
    const reader = await openCapture(path);
    for await (const frame of reader) {
      expect([...frame.data]).toEqual([5]);
      break;
    }
    await reader.close();
    expect(reader.finished).toBe(true);
  });
});

describe('pcap writer', () => {
  it('gives the bytes that were read, for both resolutions and byte orders', async () => {
    for (const magic of [US, NS]) {
      for (const little of [true, false]) {
        const file = bytesOf(
          pcapHeader(magic, little, 101, 1500),
          pcapRecord(1_600_000_000, 999_999, [1, 2, 3, 4, 5], 1500, little),
          pcapRecord(4_000_000_000, 123_456, [], 0, little),
          pcapRecord(0, 0, [9], 1, little),
        );
        const capture = await readCapture(file);
        const path = join(folder, 'again.pcap');
        writePcap(path, capture.frames, pcapOptionsOf(capture.info));
        expect(Uint8Array.from(readFileSync(path))).toEqual(file);
      }
    }
  });

  it('writes a file header of 24 bytes with the usual values', () => {
    const path = join(folder, 'empty.pcap');
    writePcap(path, []);
    expect([...readFileSync(path)]).toEqual([
      ...[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0],
      ...[0, 0, 4, 0, 1, 0, 0, 0],
    ]);
  });

  it('writes nanoseconds when a frame has them', async () => {
    const frame: Frame = {
      data: Uint8Array.of(1),
      wireLen: 1,
      tsMicros: 5_000_001,
      tsNanos: 7,
      linkType: 1,
      interfaceId: 0,
    };
    const path = join(folder, 'nano.pcap');
    writePcap(path, [frame]);
    expect((await readCapture(path)).frames).toEqual([frame]);
    writePcap(path, [frame], { nanoseconds: false });
    expect((await readCapture(path)).frames).toEqual([{ ...frame, tsNanos: 0 }]);
  });

  it('streams frames larger than its buffer, and shows the file only when it is whole', async () => {
    const path = join(folder, 'stream.pcap');
    const writer = new PcapWriter(path);
    const data = new Uint8Array(100_000).fill(3);
    for (let i = 0; i < 5; i++) {
      writer.write({ data, wireLen: 100_000, tsMicros: i, tsNanos: 0, linkType: 1, interfaceId: 0 });
    }
    expect(readdirSync(folder).includes('stream.pcap')).toBe(false);
    writer.close();
    const { frames } = await readCapture(path);
    expect(frames.map((f) => f.data.length)).toEqual(new Array<number>(5).fill(100_000));
  });

  it('refuses two link types and times before 1970, and leaves nothing behind', () => {
    const path = join(folder, 'refused.pcap');
    const frame: Frame = {
      data: Uint8Array.of(1),
      wireLen: 1,
      tsMicros: 0,
      tsNanos: 0,
      linkType: 1,
      interfaceId: 0,
    };
    expect(() => writePcap(path, [frame, { ...frame, linkType: 101 }])).toThrowError(/link type 101/);
    expect(() => writePcap(path, [{ ...frame, tsMicros: -1 }])).toThrowError(/-1 µs/);
    expect(readdirSync(folder).filter((name) => name.startsWith('refused'))).toEqual([]);
  });
});
