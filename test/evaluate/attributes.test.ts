import { describe, expect, it } from 'vitest';
import {
  attributeRows,
  betweenLabels,
  headerDefinitionRows,
  headerPatterns,
  randomAttributes,
  randomPatterns,
  statsOf,
  traceOfFrames,
  utilityFeatures,
  utilityItems,
} from '../../src/evaluate';
import { NPRINT_FIELDS } from '../../src/packets';
import { connection, frame } from './frames';

const real = [
  traceOfFrames('a', connection(40000), 'real-0'),
  traceOfFrames('a', connection(40001), 'real-1'),
];
const rows = (traces: typeof real) => attributeRows('x', traces, real, []);
const of = (all: ReturnType<typeof rows>, definition: string, attribute: string, label = 'all') =>
  all.find((r) => r.definition === definition && r.attribute === attribute && r.label === label)!;

describe('attributes of Table 2', () => {
  it('are 0 for the same traces, by every definition', () => {
    for (const row of rows(real)) expect(row.jsDistance).toBe(0);
  });
  it('compare a trace with its twin: ports of another connection are half of the values', () => {
    // 40000 and 80 against 40007 and 80: six packets of nine go up, and have the client's port as their source.
    const other = rows([traceOfFrames('a', connection(40007), 'other', { twin: 'real-0' })]);
    const share = 6 / 9;
    expect(of(other, 'twins', 'SP')).toMatchObject({ n: 1, twins: 1 });
    expect(of(other, 'twins', 'SP').totalVariation).toBeCloseTo(share, 12);
    // With a part t disjoint the divergence is t in base 2.
    expect(of(other, 'twins', 'SP').jsDivergence).toBeCloseTo(share, 12);
    expect(of(other, 'twins', 'SP').jsDistance).toBeCloseTo(Math.sqrt(share), 12);
    expect(of(other, 'twins', 'SA').jsDistance).toBe(0);
    const five = ['SA', 'DA', 'SP', 'DP', 'PR'].map((name) => of(other, 'twins', name).jsDistance!);
    expect(of(other, 'twins', 'avg').jsDistance).toBeCloseTo(five.reduce((a, b) => a + b) / 5, 12);
    // One five-tuple in each direction: half and half.
    expect(of(other, 'twins-flows', 'SP').totalVariation).toBeCloseTo(0.5, 12);
    // By rank the most frequent value is as frequent on both sides.
    expect(of(other, 'twins-ranked', 'SP').jsDistance).toBe(0);
  });
  it('pool the traces of a label: exchanged ones are the same', () => {
    const exchanged = rows([real[1], real[0]]);
    expect(of(exchanged, 'twins', 'SP').jsDistance).toBeGreaterThan(0.7);
    expect(of(exchanged, 'pooled', 'SP').jsDistance).toBe(0);
    expect(of(exchanged, 'pooled', 'SP')).toMatchObject({ n: 1, twins: 0 });
  });
  it('of uniform random ones share no address, and two protocols', () => {
    const random = rows(randomAttributes(real, 1).traces as typeof real);
    expect(of(random, 'twins', 'SA').jsDistance).toBe(1);
    expect(of(random, 'twins', 'PR').jsDistance).toBeGreaterThan(0.2);
  });
});

describe('definitions of the header level', () => {
  it('is 0 for the same packets, and for random bits what the paper prints only of patterns', () => {
    const patterns = headerPatterns(real);
    for (const row of headerDefinitionRows('x', patterns, patterns)) expect(row.jsDistance).toBe(0);
    const random = headerDefinitionRows('x', patterns, randomPatterns(patterns, 1));
    const value = (name: string) => random.find(({ definition }) => definition === name)!;
    // Single bits: two thirds at most.
    expect(value('bits').totalVariation).toBeLessThan(0.67);
    expect(value('bytes').totalVariation).toBeGreaterThan(0.95);
    expect(value('row').totalVariation).toBeCloseTo(1, 12);
    expect(value('row').labels).toBe(1);
  });
});

describe('labels against labels', () => {
  it('has the floor on the diagonal', () => {
    const stats = (ttl: number, sport: number) =>
      statsOf(traceOfFrames('x', connection(sport, 5, 100, { ttl }), 'x').packets);
    const reference = new Map([
      ['a', stats(64, 40000)],
      ['b', stats(128, 40000)],
    ]);
    const floor = new Map([
      ['a', stats(64, 40000)],
      ['b', stats(128, 40000)],
    ]);
    const between = betweenLabels(reference, floor)!;
    expect(between.labels).toEqual(['a', 'b']);
    expect([between.same.fields, between.same.tcp]).toEqual([0, 0]);
    // The TTL is one of nine fields that TCP packets have.
    expect(between.fields[0][1]).toBeGreaterThan(0.08);
    expect(between.other.fields).toBe(between.fields[0][1]);
    expect(betweenLabels(new Map([['a', stats(64, 1)]]), floor)).toBeNull();
  });
});

describe('features of the utility suite', () => {
  const trace = traceOfFrames('a', [...connection(40000), ...connection(40001)], 'x');
  it('are packets, and flows of up to 10 and 30 packets', () => {
    expect(utilityItems([trace], 'packet')).toHaveLength(18);
    expect(utilityItems([trace], 'flow').map(({ packets }) => packets.length)).toEqual([9, 9]);
  });
  it('leave out exactly the addresses, or all identifiers', () => {
    const [item] = utilityItems([trace], 'packet');
    const size = (columns: 'all' | 'noaddr' | 'noident') =>
      utilityFeatures([item], 'packet', columns).columns;
    const bits = (...names: string[]) =>
      NPRINT_FIELDS.filter(({ name }) => names.includes(name)).reduce((sum, { bits: n }) => sum + n, 0);
    expect([size('all'), size('noaddr')]).toEqual([1024, 1024 - bits('ipv4_src', 'ipv4_dst')]);
    const identifiers = ['tcp_sprt', 'tcp_dprt', 'tcp_seq', 'tcp_ackn', 'tcp_cksum'];
    const more = ['ipv4_id', 'ipv4_cksum', 'udp_sport', 'udp_dport', 'udp_cksum'];
    expect(size('noident')).toBe(size('noaddr') - bits(...identifiers, ...more));
    // Another address or another port: the same features.
    const packet = (options: object) => utilityItems([traceOfFrames('a', [frame(options)], 'x')], 'packet');
    const data = (options: object) => utilityFeatures(packet(options), 'packet', 'noident').data;
    expect(data({ sport: 40000, seq: 1, ack: 7 })).toEqual(data({ sport: 50000, seq: 99, ack: 8 }));
    expect(data({ window: 1 })).not.toEqual(data({ window: 2 }));
  });
  it('are signed payloads and times, with -1 for packets that are not there', () => {
    const { data, columns } = utilityFeatures(utilityItems([trace], 'sequence'), 'sequence', 'noaddr');
    expect(columns).toBe(60);
    expect([...data.slice(0, 12)]).toEqual([0, 0, 0, 1000, 0, 1000, 100, 1000, -500, 1000, 0, 1000]);
    expect([...data.slice(18, 22)]).toEqual([0, -1, 0, -1]);
  });
});
