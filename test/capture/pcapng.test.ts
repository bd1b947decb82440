import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readCapture, readProvenance, writeCapture, writePcapng, type Frame } from '../../src/capture';
import { NetssmError, Rng } from '../../src/util';
import {
  block,
  bytesOf,
  enhancedPacket,
  interfaceDescription,
  option,
  sectionHeader,
  u16,
  u32,
} from './build';

const folder = mkdtempSync(join(tmpdir(), 'netssm-pcapng-'));
afterAll(() => rmSync(folder, { recursive: true }));

const END = [0, 0, 0, 0];

describe('pcapng reader', () => {
  it.each([true, false])(
    'reads interfaces, packets and foreign blocks (little-endian: %s)',
    async (little) => {
      const time = 1_600_000_000_123_456n;
      const file = bytesOf(
        sectionHeader(little),
        interfaceDescription(1, 0, [], little),
        interfaceDescription(
          101,
          96,
          [...option(2, [0x65, 0x74, 0x68], little), ...option(9, [9], little), ...END],
          little,
        ),
        block(5, [1, 2, 3, 4, 5, 6, 7, 8], little),
        enhancedPacket(0, time, [1, 2, 3], 60, little),
        block(0x0bad, [1, 2, 3, 4], little),
        enhancedPacket(1, time * 1000n + 789n, [4, 5, 6, 7, 8], 5, little),
      );
      const { info, frames, problems } = await readCapture(file);
      expect(problems).toEqual([]);
      expect(info).toEqual({
        format: 'pcapng',
        byteOrder: little ? 'little' : 'big',
        tsResolution: 9,
        linkTypes: [1, 101],
        snapLen: 96,
        interfaces: [
          { linkType: 1, snapLen: 0, tsResolution: 6 },
          { linkType: 101, snapLen: 96, tsResolution: 9, name: 'eth' },
        ],
        comments: [],
        skippedBlocks: { interface_statistics: 1, custom: 1 },
      });
      expect(frames).toEqual([
        {
          data: Uint8Array.of(1, 2, 3),
          wireLen: 60,
          tsMicros: 1_600_000_000_123_456,
          tsNanos: 0,
          linkType: 1,
          interfaceId: 0,
        },
        {
          data: Uint8Array.of(4, 5, 6, 7, 8),
          wireLen: 5,
          tsMicros: 1_600_000_000_123_456,
          tsNanos: 789,
          linkType: 101,
          interfaceId: 1,
        },
      ]);
    },
  );

  it('reads simple packets (cut by the first interface) and obsolete ones', async () => {
    const obsolete = [...u16(0), ...u16(7), ...u32(0), ...u32(5_000_001), ...u32(2), ...u32(9), 8, 8];
    const file = bytesOf(
      sectionHeader(),
      interfaceDescription(1, 4),
      block(3, [...u32(10), 1, 2, 3, 4]),
      block(3, [...u32(2), 1, 2]),
      block(2, obsolete),
    );
    const { frames, problems } = await readCapture(file);
    expect(problems).toEqual([]);
    expect(frames.map((f) => [f.tsMicros, f.wireLen, ...f.data])).toEqual([
      [0, 10, 1, 2, 3, 4],
      [0, 2, 1, 2],
      [5_000_001, 9, 8, 8],
    ]);
  });

  it.each([
    ['seconds', 0, 1_600_000_000n, 1_600_000_000_000_000, 0],
    ['milliseconds', 3, 1_600_000_000_123n, 1_600_000_000_123_000, 0],
    ['nanoseconds', 9, 1_600_000_000_123_456_789n, 1_600_000_000_123_456, 789],
    ['picoseconds', 12, 1_600_000_123_456_789n, 1_600_000_123, 456],
    ['powers of two', 0x8a, 1024n * 1_600_000_000n + 512n, 1_600_000_000_500_000, 0],
  ])('reads timestamps in %s', async (_title, resolution, time, tsMicros, tsNanos) => {
    const file = bytesOf(
      sectionHeader(),
      interfaceDescription(1, 0, [...option(9, [resolution]), ...END]),
      enhancedPacket(0, time, [1]),
    );
    const { frames } = await readCapture(file);
    expect([frames[0].tsMicros, frames[0].tsNanos]).toEqual([tsMicros, tsNanos]);
  });

  it('adds the offset of an interface', async () => {
    const offset = [0x10, 0, 0, 0, 0, 0, 0, 0];
    const file = bytesOf(
      sectionHeader(),
      interfaceDescription(1, 0, [...option(14, offset), ...END]),
      enhancedPacket(0, 5n, [1]),
    );
    expect((await readCapture(file)).frames[0].tsMicros).toBe(16_000_005);
  });

  it('starts the interfaces anew with each section, whose byte order may differ', async () => {
    const file = bytesOf(
      sectionHeader(true),
      interfaceDescription(1, 0),
      enhancedPacket(0, 1n, [1]),
      sectionHeader(false),
      interfaceDescription(113, 0, [], false),
      enhancedPacket(0, 2n, [2], 1, false),
      enhancedPacket(1, 3n, [3], 1, false),
    );
    const { info, frames, problems } = await readCapture(file);
    expect(frames.map((f) => [f.linkType, f.tsMicros, ...f.data])).toEqual([
      [1, 1, 1],
      [113, 2, 2],
    ]);
    expect([info.byteOrder, info.linkTypes]).toEqual(['little', [1, 113]]);
    expect(problems.map((p) => p.code)).toEqual(['pcapng_interface_unknown']);
  });

  it('keeps comments on sections and packets, names of interfaces, and counts what it passes over', async () => {
    const text = (code: number, value: string) => option(code, [...Buffer.from(value)]);
    const body = (data: number[], options: number[]) => [
      ...[0, 0, 0, 7, data.length, 99].flatMap((word) => u32(word)).slice(4),
      ...data,
      ...new Array<number>(-data.length & 3).fill(0),
      ...options,
    ];
    const shb = sectionHeader().slice(8, 24);
    const file = bytesOf(
      block(0x0a0d0d0a, [...shb, ...text(1, 'first'), ...text(4, 'dumpcap'), ...text(1, 'Grüße'), ...END]),
      interfaceDescription(1, 0, [...text(2, 'eth0\0'), ...text(3, 'uplink'), ...END]),
      block(10, [...u32(0x544c534b), ...u32(4), 1, 2, 3, 4]),
      block(4, [0, 0, 0, 0]),
      block(0x40000bad, [...u32(32473), 1, 2, 3, 4]),
      block(0x9999, []),
      block(
        6,
        body([1, 2, 3, 4, 5], [...text(1, 'odd'), ...option(2, [1, 0, 0, 0]), ...text(1, 'very'), ...END]),
      ),
      block(6, body([6], [...option(1, []), ...END])),
      block(6, body([7], [])),
    );
    const { info, frames, problems } = await readCapture(file);
    expect(problems).toEqual([]);
    expect(info.comments).toEqual(['first', 'Grüße']);
    expect([info.application, info.interfaces[0].name, info.interfaces[0].description]).toEqual([
      ...['dumpcap', 'eth0', 'uplink'],
    ]);
    expect(info.skippedBlocks).toEqual({ decryption_secrets: 1, name_resolution: 1, custom: 1, unknown: 1 });
    expect(frames.map((f) => [f.comment, ...f.data])).toEqual([
      ['odd\nvery', 1, 2, 3, 4, 5],
      ['', 6],
      [undefined, 7],
    ]);
  });

  it('names options and times that cannot be, and keeps the packet', async () => {
    const torn = [
      ...u32(0),
      ...u32(0),
      ...u32(5),
      ...u32(1),
      ...u32(1),
      9,
      0,
      0,
      0,
      ...u16(1),
      ...u16(500),
      1,
      2,
      3,
      4,
    ];
    const { frames, problems } = await readCapture(
      bytesOf(
        sectionHeader(),
        interfaceDescription(1, 0, [...option(9, [0]), ...END]),
        interfaceDescription(1, 0, [...option(14, [0, 0, 0, 0, 0, 0, 0, 0x80]), ...END]),
        block(6, torn),
        enhancedPacket(0, 2n ** 63n, [1]),
        enhancedPacket(1, 0n, [2]),
      ),
    );
    expect(problems.map((p) => p.code)).toEqual([
      ...['pcapng_option_length', 'pcapng_timestamp_range', 'pcapng_timestamp_range'],
    ]);
    expect(frames.map((f) => f.tsMicros)).toEqual([
      ...[5_000_000, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER],
    ]);
  });

  it('reads up to the damage, wherever the file is cut', async () => {
    const blocks = [
      interfaceDescription(1, 0),
      enhancedPacket(0, 1n, [1, 2, 3]),
      block(0x0bad, [1, 2, 3, 4]),
      enhancedPacket(0, 2n, [4, 5, 6, 7, 8]),
    ];
    const file = bytesOf(sectionHeader(), ...blocks);
    const ends = blocks.reduce<number[]>((all, b) => [...all, all[all.length - 1] + b.length], [28]);
    for (let cut = 28; cut <= file.length; cut++) {
      const { frames, problems } = await readCapture(file.subarray(0, cut));
      expect(frames.length).toBe((cut >= ends[2] ? 1 : 0) + (cut >= ends[4] ? 1 : 0));
      expect(problems.map((p) => p.code)).toEqual(ends.includes(cut) ? [] : ['pcapng_cut']);
    }
  });

  it('stops at lengths that cannot be, and passes over long unknown blocks without holding them', async () => {
    const start = bytesOf(sectionHeader(), interfaceDescription(1, 0), enhancedPacket(0, 1n, [1]));
    const withBlock = async (bytes: number[]) => {
      const { frames, problems } = await readCapture(bytesOf(start, bytes));
      return [frames.length, ...problems.map((p) => p.code)];
    };
    expect(await withBlock([...u32(6), ...u32(0x80000000), 1, 2, 3, 4])).toEqual([
      1,
      'pcapng_block_too_long',
    ]);
    expect(await withBlock([...u32(99), ...u32(0x80000000), 1, 2, 3, 4])).toEqual([1, 'pcapng_cut']);
    expect(await withBlock([...u32(6), ...u32(7), ...u32(7)])).toEqual([1, 'pcapng_block_length']);
    const torn = enhancedPacket(0, 2n, [2]);
    torn[torn.length - 4] ^= 1;
    expect(await withBlock(torn)).toEqual([1, 'pcapng_block_length']);
    const greedy = enhancedPacket(0, 2n, [2]);
    greedy[20] = 200;
    expect(await withBlock([...greedy, ...enhancedPacket(0, 3n, [3])])).toEqual([
      2,
      'pcapng_captured_length',
    ]);
    const long = 17 * 1024 * 1024;
    const skipped = bytesOf(u32(99), u32(long), new Uint8Array(long - 12), u32(long));
    const file = bytesOf(start, skipped, enhancedPacket(0, 3n, [3]));
    const { frames, problems } = await readCapture(file);
    expect([frames.map((f) => f.tsMicros), problems]).toEqual([[1, 3], []]);
  });

  it('never throws on a file with a changed byte', async () => {
    const rng = new Rng(3);
    const file = bytesOf(
      sectionHeader(),
      interfaceDescription(1, 0, [...option(9, [9]), ...END]),
      ...Array.from({ length: 5 }, (_, i) => enhancedPacket(0, BigInt(i), [1, 2, 3, i])),
    );
    let damaged = 0;
    for (let i = 0; i < 3000; i++) {
      const copy = file.slice();
      copy[28 + rng.int(file.length - 28)] = rng.int(256);
      const { frames, problems } = await readCapture(copy);
      expect(frames.length).toBeLessThanOrEqual(5);
      damaged += problems.length > 0 ? 1 : 0;
    }
    expect(damaged).toBeGreaterThan(1000);
  });
});

describe('pcapng writer', () => {
  it('keeps bytes, wire lengths, times, link types and interfaces', async () => {
    const frames: Frame[] = [
      [1, 0, 1_600_000_000_000_001, 999],
      [101, 1, 1_600_000_000_000_002, 0],
      [1, 0, 5, 1],
    ].map(([linkType, interfaceId, tsMicros, tsNanos], i) => ({
      data: Uint8Array.from({ length: i * 3 + 1 }, () => i),
      wireLen: 1500,
      tsMicros,
      tsNanos,
      linkType,
      interfaceId,
    }));
    const path = join(folder, 'written.pcapng');
    writePcapng(path, frames, { comment: 'Grüße' });
    const capture = await readCapture(path);
    expect(capture.frames).toEqual(frames);
    expect(capture.problems).toEqual([]);
    expect(capture.info.linkTypes).toEqual([1, 101]);
  });

  it('writes the comment and the program as options of the section', async () => {
    const path = join(folder, 'comment.pcapng');
    writePcapng(path, [], { comment: 'abc', application: 'x' });
    expect([...readFileSync(path)]).toEqual([
      ...block(0x0a0d0d0a, [
        ...[0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255],
        ...[1, 0, 3, 0, 0x61, 0x62, 0x63, 0],
        ...[4, 0, 1, 0, 0x78, 0, 0, 0],
        ...END,
      ]),
    ]);
  });

  it('writes comments on packets, and says what made them', async () => {
    const path = join(folder, 'made.pcapng');
    const made = { tool: 'netssm', version: '0.1.0', model: 'data/models/demo', seed: 7, note: 'a: b\nc' };
    const frame = (n: number, comment?: string): Frame => ({
      ...{
        data: new Uint8Array(n).fill(n),
        wireLen: n,
        tsMicros: n,
        tsNanos: 0,
        linkType: 1,
        interfaceId: 0,
      },
      ...(comment === undefined ? {} : { comment }),
    });
    const frames = [frame(1, 'x'), frame(4, 'prompt'), frame(5), frame(6, 'Grüße\nzwei'), frame(0, '')];
    const count = await writeCapture(path, frames, { comment: 'hello', provenance: made });
    const { info, frames: again, problems } = await readCapture(path);
    expect([count, problems]).toEqual([5, []]);
    expect(again).toEqual(frames);
    expect(info.comments).toEqual([
      'hello',
      'provenance\ntool: netssm\nversion: 0.1.0\nmodel: data/models/demo\nseed: 7\nnote: a: b c',
    ]);
    expect(readProvenance(info.comments)).toEqual({ ...made, seed: '7', note: 'a: b c' });
    expect(readProvenance(['hello'])).toBe(undefined);
  });

  it('takes mixed link types, which pcap refuses', async () => {
    const frame = (linkType: number): Frame => ({
      ...{ data: Uint8Array.of(1), wireLen: 1, tsMicros: 1, tsNanos: 0, linkType, interfaceId: 0 },
    });
    const frames = [frame(1), frame(113), frame(1)];
    await writeCapture(join(folder, 'mixed.pcapng'), frames);
    const read = await readCapture(join(folder, 'mixed.pcapng'));
    expect(read.frames.map((f) => [f.linkType, f.interfaceId])).toEqual([
      [1, 0],
      [113, 1],
      [1, 0],
    ]);
    const error = await writeCapture(join(folder, 'mixed.pcap'), frames).catch(
      (e: unknown) => e as NetssmError,
    );
    expect((error as NetssmError).code).toBe('pcap_mixed_link_types');
    expect((error as NetssmError).hint).toContain('.pcapng');
    expect(existsSync(join(folder, 'mixed.pcap'))).toBe(false);
  });

  it('refuses what it cannot write', async () => {
    const frame = (change: Partial<Frame>): Frame => ({
      ...{ data: Uint8Array.of(1), wireLen: 1, tsMicros: 1, tsNanos: 0, linkType: 1, interfaceId: 0 },
      ...change,
    });
    const codeOf = (name: string, change: Partial<Frame>) =>
      writeCapture(join(folder, name), [frame(change)]).then(String, (e: unknown) => (e as NetssmError).code);
    expect(await codeOf('x.pcapng', { tsMicros: -1 })).toBe('pcapng_timestamp_range');
    expect(await codeOf('x.pcapng', { tsMicros: NaN })).toBe('pcapng_timestamp_range');
    expect(await codeOf('x.pcapng', { linkType: 70_000 })).toBe('pcapng_link_type');
    expect(await codeOf('x.pcap.gz', {})).toBe('capture_packed');
    expect(await codeOf('x.pcap', {})).toBe('1');
    expect(readdirSync(folder).filter((name) => name.startsWith('x.'))).toEqual(['x.pcap']);
  });
});
