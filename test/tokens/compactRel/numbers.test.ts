import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteReader, ByteWriter, unzigzag, zigzag } from '../../../src/tokens/compactRel/numbers';

const v = (n: number) => {
  const out = new ByteWriter();
  out.v(n);
  return [...out.take()];
};
const z = (n: number) => {
  const out = new ByteWriter();
  out.z(n);
  return [...out.take()];
};
const read = (bytes: number[], kind: 'v' | 'z' = 'v') => {
  const from = new ByteReader();
  from.open(Uint8Array.from(bytes));
  const n = from[kind]();
  return from.failed ? `${from.code}@${from.offset}` : n;
};

describe('V(n)', () => {
  it.each([
    [0, [0]],
    [223, [223]],
    [224, [224, 0]],
    [479, [224, 255]],
    [480, [225, 0]],
    [4319, [239, 255]],
    [4320, [240, 0, 0]],
    [4320 + 0x12345, [241, 0x23, 0x45]],
    [528607, [247, 255, 255]],
    [528608, [248, 0, 0, 8, 0x10, 0xe0]],
    [2 ** 32, [248, 1, 0, 0, 0, 0]],
    [2 ** 40 - 1, [248, 255, 255, 255, 255, 255]],
  ])('%d is %j', (n, bytes) => {
    expect(v(n)).toEqual(bytes);
    expect(read(bytes)).toBe(n);
  });

  it('refuses what no number begins with, and numbers that are cut', () => {
    for (let first = 249; first < 256; first++) expect(read([first, 0, 0, 0, 0, 0])).toBe('number_invalid@0');
    expect(read([])).toBe('packet_cut@0');
    expect(read([240, 1])).toBe('packet_cut@2');
    expect(read([248, 1, 2, 3, 4])).toBe('packet_cut@5');
  });
});

describe('Z(d)', () => {
  it.each([
    [0, [0]],
    [-1, [1]],
    [1, [2]],
    [-112, [223]],
    [112, [224, 0]],
    [2 ** 31 - 1, [248, 0, 0xff, 0xff, 0xff, 0xfe]],
    [-(2 ** 31), [248, 0, 0xff, 0xff, 0xff, 0xff]],
  ])('%d is %j', (d, bytes) => {
    expect(z(d)).toEqual(bytes);
    expect(read(bytes, 'z')).toBe(d);
  });

  it('V and Z are their own way back', () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 39), max: 2 ** 39 - 1 }), (d) => {
        expect(unzigzag(zigzag(d))).toBe(d);
        expect(read(z(d), 'z')).toBe(d);
      }),
      { seed: 11, numRuns: 500 },
    );
  });
});
