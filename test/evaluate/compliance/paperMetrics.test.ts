import { describe, expect, test } from 'vitest';
import {
  checkFrames,
  comparePaperMetrics,
  PAPER_METRICS,
  paperMetrics,
  sumReports,
} from '../../../src/evaluate/compliance';
import { ACK, at, build, FIN, MSS, open, RST, scale, SYN } from './build';

const good = () =>
  checkFrames(
    build([
      ...open(),
      at(0, 100),
      at(0, 100, { down: true, acknowledgmentNumber: 1101 }),
      at(100, 0, { flags: FIN | ACK, acknowledgmentNumber: 9101 }),
      at(100, 0, { down: true, acknowledgmentNumber: 1102 }),
    ]),
  );
const bad = () =>
  checkFrames(
    build([
      ...open(),
      at(0, 100, { options: [MSS, scale(2)] }),
      at(0, 0, { flags: SYN | FIN | ACK }),
      at(0, 0, { options: [{ kind: 'sack', blocks: [[9100, 9200]] }] }),
      at(100, 0, { flags: RST | ACK }),
    ]),
  );

describe('the eleven metrics of Table 4', () => {
  test('of a good and of a bad connection', () => {
    expect(paperMetrics(good())).toEqual({
      finSeen: { count: 1, of: 1, seen: true },
      handshakes: { count: 1, of: 1, seen: true },
      ackProgress: { count: 4, of: 4, seen: true },
      seqProgress: { count: 5, of: 5, seen: true },
      finAck: { count: 1, of: 1, seen: true },
      conflictingFlags: { count: 0, of: 7, seen: false },
      sackWithoutOk: { count: 0, of: 7, seen: false },
      synEstablished: { count: 0, of: 7, seen: false },
      mssOutside: { count: 0, of: 7, seen: false },
      scaleOutside: { count: 0, of: 7, seen: false },
      rstEstablished: { count: 0, of: 1, seen: false },
    });
    expect(paperMetrics(bad())).toMatchObject({
      conflictingFlags: { count: 1, of: 7 },
      sackWithoutOk: { count: 1, of: 7 },
      synEstablished: { count: 1, of: 7 },
      mssOutside: { count: 1, of: 7 },
      scaleOutside: { count: 1, of: 7 },
      rstEstablished: { count: 1, of: 1 },
    });
  });

  test('comparison: traces that show it, and rates', () => {
    const rows = comparePaperMetrics([good(), good()], [good(), bad(), bad(), bad()]);
    expect(rows.map(({ metric }) => metric)).toEqual(PAPER_METRICS.map(({ name }) => name));
    const row = (name: string) => rows.find(({ metric }) => metric === name)!;
    expect(row('conflictingFlags')).toMatchObject({
      realSeen: 0,
      syntheticSeen: 75,
      seenChange: 75,
      rateChange: null,
    });
    expect(row('conflictingFlags').syntheticRate).toBeCloseTo((100 * 3) / 28, 12);
    expect(row('handshakes')).toMatchObject({ seenChange: 0, rateChange: 0, real: 2, synthetic: 4 });
    expect(row('seqProgress').syntheticSeen).toBe(100);
  });

  test('nothing to compare gives null', () => {
    expect(comparePaperMetrics([], [good()])[0]).toMatchObject({
      real: 0,
      realSeen: null,
      seenChange: null,
      rateChange: null,
    });
  });

  test('sums', () => {
    const sum = sumReports([good(), bad()]);
    expect(sum).toMatchObject({ file: '2 captures', packets: 14, flows: { all: 2, violating: 1 } });
    expect(sum.tcp.segments).toBe(14);
    expect(sum.rules[0].examples).toEqual([]);
  });
});
