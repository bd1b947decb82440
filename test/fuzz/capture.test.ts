import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readCapture, type Capture } from '../../src/capture';
import { NetssmError, projectRoot } from '../../src/util';
import { block, bytesOf, pcapHeader, sectionHeader } from '../capture/build';
import { boundaries, mutate, rngOf } from './mutate.mjs';

/** Every outcome but an error without a remedy is fine. */
async function readOrRefuse(bytes: Uint8Array): Promise<Capture | undefined> {
  try {
    const capture = await readCapture(bytes);
    for (const frame of capture.frames) {
      if (!Number.isSafeInteger(frame.tsMicros)) throw new Error(`a time of ${frame.tsMicros}`);
    }
    return capture;
  } catch (error) {
    if (error instanceof NetssmError && error.hint) return undefined;
    throw error;
  }
}

const capture = (name: string) => new Uint8Array(readFileSync(join(projectRoot, 'data', 'captures', name)));
const small = capture('dns/dns-01.pcap').slice(0, 20_000);

describe('readers', () => {
  it('read or refuse any bytes behind any beginning', async () => {
    const starts = [
      ...[0xa1b2c3d4, 0xa1b23c4d, 0xa1b2cd34].flatMap((magic) => [
        pcapHeader(magic),
        pcapHeader(magic, false),
      ]),
      ...[sectionHeader(), sectionHeader(false)],
      ...[[], [0x1f, 0x8b, 8, 0], [0x28, 0xb5, 0x2f, 0xfd], [0x50, 0x2a, 0x4d, 0x18]],
    ];
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...starts), fc.uint8Array({ maxLength: 300 }), async (start, rest) => {
        const read = await readOrRefuse(bytesOf(start, rest));
        // At least eight bytes go with every frame.
        expect((read?.frames.length ?? 0) * 8).toBeLessThanOrEqual(rest.length);
      }),
      { numRuns: 500, seed: 20261121 },
    );
  });

  it('read or refuse any sequence of pcapng blocks', async () => {
    const blockArb = fc
      .tuple(
        fc.constantFrom(0x0a0d0d0a, 1, 2, 3, 4, 5, 6, 10, 0xbad, 77),
        fc.array(fc.constantFrom(0, 1, 4, 9, 0x4d, 0x3c, 0x2b, 0x1a, 255), { maxLength: 60 }),
        fc.boolean(),
      )
      .map(([type, body, little]) => block(type, body, little));
    await fc.assert(
      fc.asyncProperty(fc.array(blockArb, { maxLength: 12 }), async (blocks) => {
        const read = await readOrRefuse(bytesOf(sectionHeader(), ...blocks));
        expect(read!.frames.length).toBeLessThanOrEqual(blocks.length);
      }),
      { numRuns: 300, seed: 20261121 },
    );
  });

  it('read or refuse 300 damaged captures, and never hold more than there is', async () => {
    const files = [small, capture('web/web-01.pcap').slice(0, 50_000), new Uint8Array(gzipSync(small))];
    let [read, problems] = [0, 0];
    for (let i = 0; i < 300; i++) {
      const rng = rngOf(20261121, i);
      const bytes = mutate(files[i % 3], rng, files[rng.int(3)]);
      const before = process.memoryUsage().arrayBuffers;
      const result = await readOrRefuse(bytes);
      expect(process.memoryUsage().arrayBuffers - before, `case ${i}`).toBeLessThan(32 * 2 ** 20);
      if (result) read++;
      if (result && result.problems.length > 0) problems++;
    }
    expect(read).toBeGreaterThan(200);
    expect(problems).toBeGreaterThan(100);
  });
});

describe('the mutator', () => {
  it('makes the same damage of the same seed, changes what it is given, and leaves the original', () => {
    const copy = small.slice();
    const all = Array.from({ length: 200 }, (_, i) => mutate(small, rngOf(1, i)));
    expect(all.map((bytes) => bytes.length)).toEqual(
      Array.from({ length: 200 }, (_, i) => mutate(small, rngOf(1, i)).length),
    );
    expect(Buffer.compare(copy, small)).toBe(0);
    expect(all.filter((bytes) => Buffer.compare(bytes, small) !== 0).length).toBeGreaterThan(150);
    expect(mutate(new Uint8Array(0), rngOf(1, 1)).length).toBeLessThan(200);
  });

  it('finds the records of a file', () => {
    const places = boundaries(small);
    expect(places.slice(0, 2)).toEqual([0, 24]);
    expect(places.length).toBeGreaterThan(20);
    expect(boundaries(bytesOf(sectionHeader(), block(6, [1, 2, 3, 4])))).toEqual([0, 28]);
    expect(boundaries(new Uint8Array(100))).toEqual([]);
  });
});
