import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { openCapture, readCapture, type Frame } from '../../src/capture';
import { NetssmError, projectRoot } from '../../src/util';
import { bytesOf, pcapHeader, pcapRecord, u32 } from './build';

const folder = mkdtempSync(join(tmpdir(), 'netssm-packed-'));
afterAll(() => rmSync(folder, { recursive: true }));

const ZST = join(__dirname, 'fixtures', 'dns.pcapng.zst');
const DNS = join(projectRoot, 'data', 'captures', 'dns', 'dns-01.pcap');

const texts = (frames: readonly Frame[]): string[] =>
  frames.map((f) => `${f.tsMicros} ${f.wireLen} ${Buffer.from(f.data).toString('hex')}`);

async function codeOf(source: Uint8Array): Promise<string> {
  const error = await readCapture(source).then(
    () => undefined,
    (e: unknown) => e,
  );
  return error instanceof NetssmError ? error.code : String(error);
}

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

describe('Zstandard', () => {
  // The first 40 packets of dns-01.pcap as pcapng, in two frames (the second with a checksum) around a skippable one.
  const packed = new Uint8Array(readFileSync(ZST));

  it('is undone, all frames of a file, whatever the pieces', async () => {
    const wanted = texts((await readCapture(DNS)).frames.slice(0, 40));
    for (const source of [ZST, packed, inPieces(packed, 1), inPieces(packed, 1000)]) {
      const reader = await openCapture(source);
      const frames: Frame[] = [];
      for await (const frame of reader) frames.push(frame);
      expect(texts(frames)).toEqual(wanted);
      expect([reader.packed, reader.problems]).toEqual(['zstd', []]);
    }
  });

  it('that is cut anywhere gives what there is, and names the cut', async () => {
    const counts = new Set<number>();
    for (let cut = 4; cut < packed.length; cut += 7) {
      try {
        const { frames, problems } = await readCapture(packed.subarray(0, cut));
        counts.add(frames.length);
        // Between two frames nothing is missing but packets.
        if (problems[0]?.code !== 'zstd_cut') expect(problems[0]?.code ?? 'pcapng_cut').toBe('pcapng_cut');
      } catch (error) {
        expect((error as NetssmError).code).toBe('zstd_cut');
      }
    }
    // Only whole blocks can be undone: the first frame is one, the second another.
    expect([...counts]).toEqual([19, 40]);
  });

  it('claiming much is not believed', async () => {
    // A window of 1.875 TB; a block of the reserved type; a block of 2 MB; a dictionary.
    const magic = [0x28, 0xb5, 0x2f, 0xfd];
    expect(await codeOf(bytesOf(magic, [0x00, 0xff], new Uint8Array(20)))).toBe('zstd_window');
    expect(await codeOf(bytesOf(magic, [0x00, 0x00], [7, 0, 0], new Uint8Array(20)))).toBe('zstd_damaged');
    expect(await codeOf(bytesOf(magic, [0x00, 0x00], [0xfb, 0xff, 0xff], new Uint8Array(20)))).toBe(
      'zstd_damaged',
    );
    expect(await codeOf(bytesOf(magic, [0x03, 0x00], u32(7), new Uint8Array(20)))).toBe('zstd_damaged');
    // A skippable frame of 4 GB that is not there.
    expect(await codeOf(bytesOf([0x50, 0x2a, 0x4d, 0x18], u32(0xffffffff), new Uint8Array(20)))).toBe(
      'zstd_cut',
    );
  });

  it('that makes much of little is read piece by piece', async () => {
    // Blocks of 128 KB of zeros in 4 bytes each: 256 MB in all, behind a pcap header.
    const raw = bytesOf(pcapHeader(0xa1b2c3d4));
    const first = bytesOf([(raw.length << 3) & 0xff, raw.length >> 5, 0], raw);
    const zeros = Buffer.alloc(4 * 2048);
    for (let i = 0; i < 2048; i++) zeros.set([0x02, 0x00, 0x10, 0x00], 4 * i);
    zeros[zeros.length - 4] |= 1;
    const bomb = bytesOf([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x50], first, zeros);
    const reader = await openCapture(bomb);
    const before = process.memoryUsage().arrayBuffers;
    let frames = 0;
    for await (const batch of reader.batches()) {
      frames += batch.length;
      if (frames > 1_000_000) break;
    }
    // Each 16 zeros are an empty record.
    expect(frames).toBeGreaterThan(1_000_000);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(100 * 2 ** 20);
  });
});

describe('gzip', () => {
  const record = (i: number) => pcapRecord(1000 + i, i, [i, i, i]);
  const plain = bytesOf(pcapHeader(0xa1b2c3d4), ...Array.from({ length: 100 }, (_, i) => record(i)));

  it('of several members is one capture', async () => {
    const parts = [plain.subarray(0, 500), plain.subarray(500, 501), plain.subarray(501)];
    const { frames, problems } = await readCapture(bytesOf(...parts.map((part) => gzipSync(part))));
    expect([frames.length, problems]).toEqual([100, []]);
  });

  it('that is damaged gives what comes before, and names the damage', async () => {
    const records = Array.from({ length: 2000 }, (_, i) =>
      pcapRecord(
        i,
        0,
        [...Array(50).keys()].map((j) => (Math.imul(i * 50 + j, 2654435761) >>> 24) & 63),
      ),
    );
    const members = [gzipSync(bytesOf(pcapHeader(0xa1b2c3d4), ...records)), gzipSync(bytesOf(...records))];
    // An unknown method of compression.
    members[1][2] = 7;
    const { frames, problems } = await readCapture(bytesOf(...members));
    // What the decoder was given together with the damage is lost: 16 KB at most.
    expect(frames.length).toBeGreaterThan(1000);
    expect(frames.length).toBeLessThanOrEqual(2000);
    expect(problems.map((p) => p.code)).toEqual(['gzip_damaged', 'pcap_cut']);
    expect(problems[0].offset).toBe(problems[1].offset + ((problems[0].offset - 24) % 66));
  });

  it('with a wrong checksum gives everything, and the problem', async () => {
    const packed = new Uint8Array(gzipSync(plain));
    packed[packed.length - 6] ^= 1;
    const { frames, problems } = await readCapture(packed);
    expect(problems.map((p) => [p.code, p.layer])).toContainEqual(['gzip_damaged', 'gzip']);
    expect(frames.length).toBe(100);
  });
});

describe('streams', () => {
  const file = bytesOf(pcapHeader(0xa1b2c3d4), pcapRecord(1, 1, [5]), pcapRecord(2, 1, [6, 7]));

  it('are read like files, in pieces of any size', async () => {
    for (const size of [1, 3, 24, 1000]) {
      const { frames, problems } = await readCapture(Readable.from(inPieces(file, size)));
      expect([frames.map((f) => [...f.data]), problems]).toEqual([[[5], [6, 7]], []]);
    }
    const reader = await openCapture(Readable.from(inPieces(new Uint8Array(gzipSync(file)), 5)));
    expect([reader.name, reader.packed]).toEqual(['(stream)', 'gzip']);
    await reader.close();
  });

  it('that pause give what has arrived', async () => {
    let asked = 0;
    async function* pausing(): AsyncGenerator<Uint8Array> {
      yield file;
      asked++;
      await new Promise(() => {});
    }
    const reader = await openCapture(pausing());
    const batches = reader.batches();
    expect((await batches.next()).value?.length).toBe(2);
    expect(asked).toBe(0);
  });

  it('of text are refused', async () => {
    const error = await openCapture(Readable.from(['text', 'more'])).catch((e: unknown) => e as NetssmError);
    expect([(error as NetssmError).code, (error as NetssmError).message.includes('(stream)')]).toEqual([
      'file_unreadable',
      true,
    ]);
  });

  it('that fail are named, packed or not', async () => {
    async function* failing(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
      yield bytes;
      throw new Error('the line went dead');
    }
    for (const bytes of [
      file,
      new Uint8Array(gzipSync(file)),
      new Uint8Array(readFileSync(ZST)).subarray(0, 400),
    ]) {
      const error = await readCapture(failing(bytes)).catch((e: unknown) => e as NetssmError);
      expect((error as NetssmError).code).toBe('file_unreadable');
      expect((error as NetssmError).message).toContain('the line went dead');
    }
  });

  it.skipIf(!existsSync(join(projectRoot, 'dist', 'capture', 'gzip.js')))(
    'standard input is a path named - (skipped before npm run build)',
    () => {
      const program = `
        const { readCapture } = require(${JSON.stringify(join(projectRoot, 'dist', 'capture', 'index.js'))});
        readCapture('-').then(
          ({ frames }) => console.log(frames.length, frames[1].data.length),
          (error) => console.log(error.code, error.message),
        );`;
      const run = (input: Uint8Array) =>
        spawnSync(process.execPath, ['-e', program], { input, encoding: 'utf8' }).stdout.trim();
      expect(run(file)).toBe('2 2');
      expect(run(new Uint8Array(gzipSync(file)))).toBe('2 2');
      expect(run(Uint8Array.of())).toBe('capture_empty (standard input) is empty (0 bytes)');
      const path = join(folder, 'stdin.pcap');
      writeFileSync(path, file);
      const script = join(folder, 'stdin.cjs');
      writeFileSync(script, program);
      const shell = spawnSync('sh', ['-c', `"${process.execPath}" "${script}" < "${path}"`], {
        encoding: 'utf8',
      });
      expect(shell.stdout.trim()).toBe('2 2');
    },
  );
});
