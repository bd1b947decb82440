import { describe, expect, it } from 'vitest';
import {
  FlippedBitsGenerator,
  MarginalsGenerator,
  trivialBaselines,
  type TrafficGenerator,
} from '../../src/generators';
import { locateHeaders } from '../../src/packets';
import { PKT } from '../../src/tokens';
import { Rng } from '../../src/util';
import { fieldValues, traceOfFrames } from '../../src/evaluate';
import { connection } from '../evaluate/frames';

const traces = [
  { label: 'a', frames: [...connection(40000), ...connection(40001, 7_000_000)] },
  { label: 'b', frames: connection(50000, 5, 100, { ttl: 128 }) },
];
const fitted = async (g: TrafficGenerator): Promise<TrafficGenerator> => {
  await g.fit(traces);
  return g;
};

describe.each(trivialBaselines().map((g) => [g.card.name, g] as const))('%s', (name, generator) => {
  it('says that it has not been fitted, and which labels it knows', async () => {
    const fresh = trivialBaselines().find((g) => g.card.name === name) as TrafficGenerator;
    await expect(async () => fresh.generate({ label: 'a', packets: 1, seed: 1 })).rejects.toThrow(
      'has not been fitted',
    );
    await fitted(fresh);
    await expect(async () => fresh.generate({ label: 'z', packets: 1, seed: 1 })).rejects.toThrow(
      'no label "z"',
    );
  });
  it('makes the packets asked for, or says why not; the same for the same seed', async () => {
    await fitted(generator);
    const out = await generator.generate({ label: 'a', packets: 50, seed: 1 });
    const refused = Object.values(out.refused).reduce((x, y) => x + y, 0);
    expect(out.frames.length + refused).toBe(50);
    expect(await generator.generate({ label: 'a', packets: 50, seed: 1 })).toEqual(out);
    for (let i = 1; i < out.frames.length; i++) {
      expect(out.frames[i].tsMicros).toBeGreaterThanOrEqual(out.frames[i - 1].tsMicros);
    }
  });
  it('has a card', () => {
    expect(generator.card).toMatchObject({ paper: 'none', fidelity: 'same algorithm', emits: ['packets'] });
  });
});

describe('the four kinds', () => {
  const generate = async (i: number, label: string, packets: number) => {
    const g = await fitted(trivialBaselines()[i]);
    return (await g.generate({ label, packets, seed: 2 })).frames;
  };
  it('byte marginals keep the values of each position', async () => {
    const frames = await generate(0, 'a', 300);
    const seen = new Set(traces[0].frames.map((f) => f.data[47]));
    expect(frames.length).toBe(300);
    expect(frames.every((f) => seen.has(f.data[47]))).toBe(true);
    expect(new Set(frames.map((f) => f.data[47])).size).toBe(seen.size);
  });
  it('byte marginals learn from more packets than a call has arguments', () => {
    class Open extends MarginalsGenerator {
      of = (packets: Uint16Array[]) => this.learn(packets);
    }
    const packets = new Array<Uint16Array>(200_000).fill(Uint16Array.of(7, PKT));
    expect(new Open().of(packets)(new Rng(1))).toEqual([7]);
  });
  it('byte bigrams keep each pair of bytes', async () => {
    const pairs = new Set<number>();
    for (const { data } of traces[1].frames)
      for (let i = 1; i < 24; i++) pairs.add(data[i - 1] * 256 + data[i]);
    for (const { data } of await generate(1, 'b', 300)) {
      // Up to the checksum, which is computed.
      for (let i = 1; i < Math.min(24, data.length); i++)
        expect(pairs.has(data[i - 1] * 256 + data[i])).toBe(true);
    }
  });
  it("shuffled fields keep each field's values, always decode, and mix packets", async () => {
    const frames = await generate(2, 'a', 300);
    const real = traceOfFrames('a', traces[0].frames, 'x').packets.map((p) => fieldValues(p));
    const made = traceOfFrames('a', frames, 'x').packets.map((p) => fieldValues(p));
    const flags = new Set(real.map((v) => v?.['tcp.flags']));
    expect(made.every((v) => v && flags.has(v['tcp.flags']))).toBe(true);
    const known = new Set(real.map((v) => JSON.stringify(v)));
    expect(made.some((v) => !known.has(JSON.stringify(v)))).toBe(true);
  });
  it('flipped bits are real packets with a twentieth of their bits other, and always decode', async () => {
    const frames = await generate(3, 'b', 400);
    expect(frames.every((f) => locateHeaders(f.data, 1).ok)).toBe(true);
    const known = traces[1].frames.map((f) => f.data);
    let [changed, bits] = [0, 0];
    for (const { data } of frames) {
      // Against the nearest of the nine real ones; without link header, fixed bytes and checksums.
      const at = [...data.keys()].filter((i) => i >= 16 && ![20, 21, 23, 24, 25, 46, 50, 51].includes(i));
      const differences = known.map((real) =>
        at.reduce(
          (sum, i) => sum + [...Array(8).keys()].filter((k) => ((data[i] ^ real[i]) >> k) & 1).length,
          0,
        ),
      );
      changed += Math.min(...differences);
      bits += 8 * at.length;
      expect(known.some((real) => real[14] === data[14] && real[46] === data[46])).toBe(true);
    }
    expect(changed / bits).toBeGreaterThan(0.04);
    expect(changed / bits).toBeLessThan(0.055);
    expect(trivialBaselines()[3].card.description).toContain('5 % of their header bits');
  });
  it('flipped bits: as many as asked for', () => {
    const generator = new FlippedBitsGenerator(0);
    generator.fit(traces);
    const { frames } = generator.generate({ label: 'b', packets: 20, seed: 1 });
    const known = new Set(traces[1].frames.map((f) => Buffer.from(f.data).toString('hex')));
    expect(frames.every((f) => known.has(Buffer.from(f.data).toString('hex')))).toBe(true);
  });
});
