import { describe, expect, it } from 'vitest';
import {
  bitDistances,
  NprintCounts,
  PacketStats,
  pool,
  similarityRows,
  statsOf,
  traceOfFrames,
} from '../../src/evaluate';
import { frame, tcpFrame } from './frames';

const stats = (options: Parameters<typeof frame>[0][]) =>
  statsOf(
    traceOfFrames(
      'a',
      options.map((o) => frame(o)),
      'x',
    ).packets,
  );
const repeat = <T>(n: number, value: T): T[] => Array.from({ length: n }, () => value);

describe('bitDistances', () => {
  it('is the mean over the bits: one of 480 that always differs gives 1/480', () => {
    const a = new NprintCounts();
    const b = new NprintCounts();
    a.add(tcpFrame({ sport: 0x8000 }), 1);
    b.add(tcpFrame({ sport: 0 }), 1);
    const columns = Array.from({ length: 480 }, (_, i) => 480 + i);
    const d = bitDistances(a, b, columns);
    expect(d.jsDistance).toBeCloseTo(1 / 480, 12);
    expect(d.totalVariation).toBeCloseTo(1 / 480, 12);
    expect(d.hellinger).toBeCloseTo(1 / 480, 12);
  });
});

describe('similarityRows', () => {
  const reference = new Map([
    ['a', stats([...repeat(50, { ttl: 64 }), ...repeat(50, { ttl: 128 })])],
    ['b', stats(repeat(200, { window: 5 }))],
  ]);
  const find = (rows: ReturnType<typeof similarityRows>, label: string, what: string) =>
    rows.find((r) => r.label === label && r.what === what)!;

  it('is 0 against itself, everywhere', () => {
    for (const row of similarityRows('self', reference, reference))
      expect(row.jsDistance ?? 0).toBeLessThan(1e-6);
  });
  it('finds the field that differs, by hand', () => {
    const rows = similarityRows(
      's',
      reference,
      new Map([
        ['a', stats(repeat(40, { ttl: 64 }))],
        ['b', reference.get('b')!],
      ]),
    );
    expect(find(rows, 'a', 'ip.ttl')).toMatchObject({ nReference: 100, nSource: 40, level: 'field' });
    expect(find(rows, 'a', 'ip.ttl').totalVariation).toBeCloseTo(0.5, 12);
    expect(find(rows, 'macro', 'ip.ttl').totalVariation).toBeCloseTo(0.25, 12);
    // Pooled in the reference's proportions: 100 and 200 packets.
    expect(find(rows, 'pooled', 'ip.ttl').totalVariation).toBeCloseTo(1 / 6, 12);
    expect(find(rows, 'a', 'tcp.window').totalVariation).toBe(0);
    expect(find(rows, 'a', 'udp.len').jsDistance).toBeNull();
    // TTL is one of the ten fields that a TCP packet has.
    expect(find(rows, 'a', 'mean').totalVariation).toBeCloseTo(0.5 / 11, 12);
  });
  it('does not reward leaving a protocol out', () => {
    const none = new PacketStats();
    none.packets = 10;
    const rows = similarityRows('s', reference, new Map([['a', none]]));
    expect(find(rows, 'a', 'tcp').jsDistance).toBe(1);
    expect(find(rows, 'macro', 'ip.ttl').jsDistance).toBe(1);
  });
  it('leaves labels out that either side lacks', () => {
    const rows = similarityRows('s', reference, new Map([['c', stats([{}])]]));
    expect(rows).toEqual([]);
  });
  it('pools in the proportions of the reference', () => {
    const pooled = pool(
      new Map([
        ['a', stats([{ ttl: 1 }])],
        ['b', stats([{ ttl: 2 }])],
      ]),
      reference,
    );
    expect([...pooled.field('ip.ttl')]).toEqual([
      [1, 100],
      [2, 200],
    ]);
    expect(pooled.bits.packets.tcp).toBe(300);
  });
});
