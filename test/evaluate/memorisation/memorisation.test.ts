import { describe, expect, test } from 'vitest';
import type { Frame } from '../../../src/capture';
import {
  fiveTupleReuse,
  flowTrace,
  HEADER_FIELDS,
  HEADER_WIDTH,
  headerSet,
  identicalRows,
  membershipAudit,
  memorisation,
  nearestNeighbours,
  pairwiseDistance,
  type HammingUnit,
} from '../../../src/evaluate';
import { rocAuc } from '../../../src/stats';
import { Rng } from '../../../src/util';
import { connection, frame } from '../frames';

const captures = (...ports: number[]): Frame[][] => ports.map((port, i) => connection(port, 1000 + 7919 * i));

describe('rows', () => {
  test('are the headers where the table says they are', () => {
    const [first] = connection(40_000, 1000);
    const set = headerSet([[first]]);
    expect(set).toMatchObject({ rows: 1, without: 0, masked: false });
    const row = set.bytes;
    expect(row.length).toBe(HEADER_WIDTH);
    expect([...row.subarray(0, 20)]).toEqual([...first.data.subarray(14, 34)]);
    expect([...row.subarray(20, 40)]).toEqual([...first.data.subarray(34, 54)]);
    expect(row.subarray(40).every((byte) => byte === 0)).toBe(true);
    const port = HEADER_FIELDS.find(({ name }) => name === 'tcp.sport')!;
    expect((row[port.from] << 8) | row[port.from + 1]).toBe(40_000);
    // The fields cover the row once.
    expect(HEADER_FIELDS.reduce((sum, { from, to }) => sum + to - from, 0)).toBe(HEADER_WIDTH);
  });

  test('masked rows are equal for connections that differ in identifiers only', () => {
    const [a, b] = [captures(40_000), captures(50_123).map((frames) => frames)];
    expect(identicalRows(headerSet(a), headerSet([connection(50_123, 77_000)]))).toEqual({
      rows: 9,
      identical: 0,
      share: 0,
    });
    const masked = { maskIdentifiers: true };
    expect(identicalRows(headerSet(a, masked), headerSet(b, masked))).toEqual({
      rows: 9,
      identical: 9,
      share: 1,
    });
  });

  test('packets without such headers are counted, and positions are those of the capture', () => {
    const arp = {
      ...frame(),
      data: Uint8Array.from({ length: 42 }, (_, i) => (i === 12 ? 8 : i === 13 ? 6 : 1)),
    };
    const set = headerSet([[arp, frame()], [frame()]]);
    expect(set).toMatchObject({ rows: 2, without: 1 });
    expect([...set.position]).toEqual([1, 0]);
    expect([...set.capture]).toEqual([0, 1]);
  });
});

describe('nearest neighbours', () => {
  test('the distance counts nibbles, bytes or bits that differ', () => {
    const a = headerSet([[frame({ window: 0x1000 })]]);
    const b = headerSet([[frame({ window: 0x1033 })]]);
    b.bytes.set(a.bytes.subarray(36, 38), 36); // the same checksum
    const distance = (unit: HammingUnit) => nearestNeighbours(a, b, { unit }).distance[0];
    expect(distance('nibble')).toBe(2 / 160);
    expect(distance('byte')).toBe(1 / 80);
    expect(distance('bit')).toBe(4 / 640);
  });

  test('equal plain search over all pairs, for each unit', () => {
    const rng = new Rng(3);
    const random = (rows: number) => {
      const set = headerSet([Array.from({ length: rows }, () => frame())]);
      for (let i = 0; i < set.bytes.length; i++) if (rng.uniform() < 0.4) set.bytes[i] = rng.int(256);
      return set;
    };
    const [queries, reference] = [random(60), random(200)];
    const differs: Record<HammingUnit, (x: number) => number> = {
      byte: (x) => (x ? 1 : 0),
      nibble: (x) => (x & 0xf0 ? 1 : 0) + (x & 0x0f ? 1 : 0),
      bit: (x) => x.toString(2).replaceAll('0', '').length,
    };
    for (const [unit, units] of [
      ['byte', 80],
      ['nibble', 160],
      ['bit', 640],
    ] as const) {
      const found = nearestNeighbours(queries, reference, { unit });
      for (let i = 0; i < queries.rows; i++) {
        let best = Infinity;
        for (let j = 0; j < reference.rows; j++) {
          let d = 0;
          for (let k = 0; k < 80; k++)
            d += differs[unit](queries.bytes[80 * i + k] ^ reference.bytes[80 * j + k]);
          best = Math.min(best, d);
        }
        expect(found.distance[i]).toBe(best / units);
      }
    }
  });

  test('drawing is bounded, seeded, and said', () => {
    const set = headerSet(captures(1, 2, 3, 4, 5, 6, 7, 8));
    const options = { maxQueries: 10, maxReference: 20, seed: 5 };
    const found = nearestNeighbours(set, set, options);
    expect(found).toMatchObject({ queries: 10, reference: 20, ofQueries: 72, ofReference: 72 });
    expect(nearestNeighbours(set, set, options).query).toEqual(found.query);
    expect(nearestNeighbours(set, set, { ...options, seed: 6 }).query).not.toEqual(found.query);
    expect(new Set(found.query).size).toBe(10);
  });

  test('a set against itself, other captures only', () => {
    const set = headerSet([...captures(1, 2), captures(1)[0]]);
    const found = nearestNeighbours(set, set, { otherCaptures: true });
    // Captures 0 and 2 are copies of each other.
    const zero = [...found.distance].map((d) => d === 0);
    expect(zero).toEqual([...Array(9).fill(true), ...Array(9).fill(false), ...Array(9).fill(true)]);
    const alone = nearestNeighbours(headerSet(captures(1)), headerSet(captures(1)), { otherCaptures: true });
    expect([...alone.distance].every(Number.isNaN)).toBe(true);
  });

  test('masked and plain sets cannot be compared', () => {
    expect(() =>
      nearestNeighbours(headerSet([[frame()]]), headerSet([[frame()]], { maskIdentifiers: true })),
    ).toThrow(/masked/);
  });
});

describe('the report', () => {
  test('a copied capture beside a new one', () => {
    const training = headerSet(captures(40_000, 41_000, 42_000));
    const copied = memorisation(
      headerSet(captures(40_000)),
      training,
      headerSet([connection(50_000, 123_456)]),
    );
    expect(copied.identical).toEqual({ rows: 9, identical: 9, share: 1 });
    expect(copied.identicalReference).toEqual({ rows: 9, identical: 0, share: 0 });
    expect(copied.nearest).toMatchObject({
      queries: 9,
      reference: 27,
      mean: 0,
      max: 0,
      within: { '0.05': 1 },
    });
    expect(copied.nearestReference!.min).toBeGreaterThan(0);
    expect(copied.nearestWithin.min).toBeGreaterThan(0);
    expect(copied.byField.every(({ changed }) => changed === 0)).toBe(true);
    expect(copied.byPosition.map(({ from, to, n }) => [from, to, n])).toEqual([
      [0, 10, 9],
      [10, 50, 0],
      [50, 100, 0],
      [100, null, 0],
    ]);
    expect(copied.diversity.ratio).toBeGreaterThan(0);
    expect(JSON.parse(JSON.stringify(copied))).toEqual(copied);
  });

  test('fields: share changed and mean change', () => {
    const training = headerSet([[frame({ window: 1000 })]]);
    const generated = headerSet([
      [frame({ window: 1010 }), frame({ window: 1030 }), frame({ window: 1000 })],
    ]);
    const { byField } = memorisation(generated, training);
    const field = (name: string) => byField.find((row) => row.field === name)!;
    expect(field('tcp.window').changed).toBeCloseTo(2 / 3, 12);
    expect(field('tcp.window').meanChange).toBeCloseTo(40 / 3, 12);
    expect(field('ip.ttl')).toEqual({ field: 'ip.ttl', changed: 0, meanChange: 0 });
    expect(field('tcp.flags')).toEqual({ field: 'tcp.flags', changed: 0, meanChange: null });
  });

  test('nothing to judge is null, not 0', () => {
    const report = memorisation(headerSet([]), headerSet(captures(1)));
    expect(report.identical.share).toBe(null);
    expect(report.nearest).toMatchObject({ queries: 0, mean: null, within: null });
    expect(report.diversity.ratio).toBe(null);
  });

  test('pairs: all of them where they are few', () => {
    const set = headerSet([[frame({ window: 0 }), frame({ window: 0xffff }), frame({ window: 0 })]]);
    for (const row of [0, 1, 2]) set.bytes.fill(0, row * 80 + 36, row * 80 + 38);
    const { mean, pairs } = pairwiseDistance(set);
    expect(pairs).toBe(3);
    expect(mean).toBeCloseTo((2 * (4 / 160)) / 3, 12);
  });

  test('five-tuples that are used again', () => {
    const traces = (...ports: number[]) => ports.map((port) => flowTrace(connection(port)));
    expect(fiveTupleReuse(traces(1, 2, 3), traces(2, 3, 4, 5))).toEqual({
      flows: 3,
      reused: 2,
      share: 2 / 3,
    });
    expect(fiveTupleReuse([], traces(1)).share).toBe(null);
  });
});

describe('membership', () => {
  test('AUC of separable, equal and reversed losses', () => {
    const low = [0.1, 0.2, 0.3];
    const high = [1.1, 1.2, 1.3];
    expect(membershipAudit(low, high)).toMatchObject({
      auc: { estimate: 1, low: 1, high: 1 },
      advantage: 1,
      threshold: 0.3,
    });
    expect(membershipAudit(high, low)).toMatchObject({ auc: { estimate: 0 }, advantage: 0, threshold: null });
    expect(membershipAudit([1, 1], [1, 1])).toMatchObject({
      auc: { estimate: 0.5, low: 0.5, high: 0.5 },
      advantage: 0,
    });
  });

  test('by hand: one member above one non-member', () => {
    const audit = membershipAudit([1, 2, 5, 3], [4, 6, 7, 8]);
    expect(audit.auc.estimate).toBe(15 / 16);
    expect(audit.advantage).toBe(0.75);
    expect(audit.threshold).toBe(3);
    expect(audit.truePositives).toEqual(
      [0.001, 0.01, 0.1].map((falsePositives) => ({ falsePositives, share: 0.75 })),
    );
    expect(audit.meanLoss).toEqual({ members: 2.75, nonMembers: 6.25 });
  });

  test('equals rocAuc, and the interval covers it and narrows with more items', () => {
    const rng = new Rng(9);
    const draw = (n: number, shift: number) =>
      Array.from({ length: n }, () => Math.round(10 * (rng.normal() + shift)) / 10);
    const [members, others] = [draw(300, 0), draw(200, 0.8)];
    const audit = membershipAudit(members, others, { seed: 1 });
    const labels = [...members.map(() => true), ...others.map(() => false)];
    expect(audit.auc.estimate).toBeCloseTo(
      rocAuc(
        labels,
        [...members, ...others].map((loss) => -loss),
      ),
      12,
    );
    expect(audit.auc.low).toBeLessThan(audit.auc.estimate);
    expect(audit.auc.high).toBeGreaterThan(audit.auc.estimate);
    // Two standard errors by Hanley and McNeil (1982) are about 0.045 here.
    expect(audit.auc.standardError).toBeGreaterThan(0.015);
    expect(audit.auc.standardError).toBeLessThan(0.03);
    expect(membershipAudit(members, others, { seed: 1 })).toEqual(audit);
  });

  test('refuses what says nothing', () => {
    expect(() => membershipAudit([1], [2, 3])).toThrow(/1 members and 2 non-members/);
    expect(() => membershipAudit([1, NaN], [2, 3])).toThrow(/a member has the loss NaN/);
  });
});
