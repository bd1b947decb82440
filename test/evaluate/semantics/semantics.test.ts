import { describe, expect, test } from 'vitest';
import type { Frame } from '../../../src/capture';
import {
  compareSamples,
  compareSegments,
  compareSlices,
  extractSegments,
  flowNovelty,
  flowTrace,
  histogramKl,
  matchSegments,
  NETFLIX_SEGMENTS,
  segmentSamples,
  segmentSummary,
  selectFlows,
  serversOf,
  sliceKilobits,
  YOUTUBE_SEGMENTS,
  type Segment,
} from '../../../src/evaluate';
import { encodePacket, layer } from '../../../src/packets';
import { frame, type FrameOptions } from '../frames';

const SYN = 2;
const at = (seconds: number, options: FrameOptions): Frame =>
  frame(options, 1_700_000_000_000_000 + seconds * 1e6);
/** Opens a flow, so that its client is known. */
const opening = (seconds: number, sport: number): Frame => at(seconds, { sport, flags: SYN });
const up = (seconds: number, sport: number, payload: number): Frame => at(seconds, { sport, payload });
const down = (seconds: number, sport: number, payload: number): Frame =>
  at(seconds, { sport, payload, down: true });

const TWO_FLOWS = [
  opening(0, 1000),
  opening(0.1, 2000),
  up(1, 1000, 200),
  down(1.1, 1000, 1000),
  up(1.15, 2000, 400),
  down(1.2, 1000, 500),
  down(1.3, 2000, 60_000),
  down(1.4, 2000, 30_000),
  down(1.45, 1000, 0),
  up(3, 1000, 10),
  up(3.1, 1000, 20),
  down(3.5, 1000, 700),
];

describe('segments', () => {
  test('Netflix: each uplink packet with payload begins one; later downlink bytes of the flow are its own', () => {
    const trace = flowTrace(TWO_FLOWS);
    const segments = extractSegments(trace, { minRequestBytes: 1, minSegmentBytes: 1 });
    expect(
      segments.map(({ flow, bytes, packets, requestBytes }) => [flow, bytes, packets, requestBytes]),
    ).toEqual([
      [0, 1500, 2, 200],
      [1, 90_000, 2, 400],
      [0, 700, 1, 20],
    ]);
    expect(segments[0].start).toBeCloseTo(1, 9);
    expect(segments[0].firstByte).toBeCloseTo(1.1, 9);
    expect(segments[0].end).toBeCloseTo(1.2, 9);
    // Without the least size the request in two packets leaves an empty one.
    expect(extractSegments(trace, { minRequestBytes: 1, minSegmentBytes: 0 })).toHaveLength(4);
  });

  test('YouTube: requests above 300 bytes, segments of 80 KB and more', () => {
    const segments = extractSegments(flowTrace(TWO_FLOWS), YOUTUBE_SEGMENTS);
    expect(segments.map(({ flow, bytes }) => [flow, bytes])).toEqual([[1, 90_000]]);
    const exactly = flowTrace([
      opening(0, 1),
      up(1, 1, 300),
      down(2, 1, 60_000),
      up(3, 1, 301),
      down(4, 1, 50_000),
      down(5, 1, 30_000),
    ]);
    expect(
      extractSegments(exactly, YOUTUBE_SEGMENTS).map(({ requestBytes, bytes }) => [requestBytes, bytes]),
    ).toEqual([[301, 80_000]]);
  });

  test('servers by the names that DNS gave them, and by their networks where there is no DNS', () => {
    const dns = dnsAnswer('a.oca.nflxvideo.net', '10.0.0.1');
    const trace = flowTrace([dns, ...TWO_FLOWS]);
    expect([...trace.names]).toEqual([['10.0.0.1', new Set(['a.oca.nflxvideo.net'])]]);
    expect(extractSegments(trace, NETFLIX_SEGMENTS)).toHaveLength(3);
    expect(
      extractSegments(flowTrace([dnsAnswer('example.org', '10.0.0.1'), ...TWO_FLOWS]), NETFLIX_SEGMENTS),
    ).toEqual([]);
    const servers = serversOf([trace], NETFLIX_SEGMENTS);
    expect(servers).toEqual(['10.0.0.1/24']);
    const generated = flowTrace(TWO_FLOWS);
    expect(extractSegments(generated, { ...NETFLIX_SEGMENTS, servers })).toHaveLength(3);
    expect(
      selectFlows(generated, { ...NETFLIX_SEGMENTS, servers: ['10.0.1.0/24', '2001:db8::/32'] }),
    ).toEqual([false, false]);
    expect(() => extractSegments(generated, { ...NETFLIX_SEGMENTS, servers: ['10.0.0.0/33'] })).toThrow(
      /no address and no network/,
    );
  });

  test('prompt packets tell who is the client, and are left out', () => {
    const trace = flowTrace(TWO_FLOWS, { promptPackets: 6 });
    expect(trace.packets).toHaveLength(6);
    expect(trace.flows).toHaveLength(2);
    expect(
      extractSegments(trace, { minRequestBytes: 1, minSegmentBytes: 1 }).map(({ bytes }) => bytes),
    ).toEqual([700]);
  });

  test('samples and their summary', () => {
    const segments = extractSegments(flowTrace(TWO_FLOWS), { minRequestBytes: 1, minSegmentBytes: 1 });
    const samples = segmentSamples(segments);
    expect(samples.sizes).toEqual([1500, 90_000, 700]);
    expect(samples.meanSizes).toEqual([1100, 90_000]);
    expect(samples.counts).toEqual([2, 1]);
    expect(samples.interArrivals.map((x) => x.toFixed(6))).toEqual(['2.100000']);
    expect(segmentSummary(segments).sizes).toMatchObject({
      count: 3,
      mean: 92_200 / 3,
      min: 700,
      median: 1500,
      max: 90_000,
    });
    expect(segmentSummary([]).durations).toBe(null);
  });
});

describe('ground truth', () => {
  const trace = flowTrace(TWO_FLOWS);
  const segments = extractSegments(trace, { minRequestBytes: 1, minSegmentBytes: 1 });

  test('pairs by flow, start and size', () => {
    const match = matchSegments(trace, segments, [
      { start: 1.01, bytes: 1400, flow: 1000 },
      { start: 1.2, bytes: 85_000, flow: 'tcp 10.0.0.2:2000 > 10.0.0.1:80' },
      { start: 3.1, bytes: 700, flow: 9999 },
      { start: 9, bytes: 700, flow: 1000 },
    ]);
    expect(match).toMatchObject({ segments: 3, objects: 4, matched: 2, pairs: [0, 1, -1] });
    expect(match.precision).toBeCloseTo(2 / 3, 12);
    expect(match.recall).toBe(0.5);
    expect(match.f1).toBeCloseTo(4 / 7, 12);
    expect(match.meanStartError).toBeCloseTo((0.01 + 0.05) / 2, 6);
    expect(match.meanSizeError).toBeCloseTo((100 / 1400 + 5000 / 85_000) / 2, 12);
  });

  test('tolerances', () => {
    const object = [{ start: 1.3, bytes: 100_000 }];
    expect(matchSegments(trace, segments, object).matched).toBe(1);
    expect(matchSegments(trace, segments, object, { startTolerance: 0.1 }).matched).toBe(0);
    expect(matchSegments(trace, segments, object, { sizeTolerance: 0.05, overhead: 0 }).matched).toBe(0);
  });

  test('an object is in one pair, that with the nearest start', () => {
    const twice: Segment[] = [0, 1].map((i) => ({ ...segments[0], start: 1 + 0.1 * i }));
    expect(matchSegments(trace, twice, [{ start: 1.09, bytes: 1500 }]).pairs).toEqual([-1, 0]);
    expect(matchSegments(trace, [], []).f1).toBe(0);
  });
});

describe('comparison', () => {
  test('statistics of one pair', () => {
    const result = compareSamples([1, 2, 3, 4], [2, 3, 4, 5]);
    expect(result).toMatchObject({
      nReal: 4,
      nGenerated: 4,
      meanDelta: -1,
      medianDelta: -1,
      sdDelta: 0,
      ks: 0.25,
      emd: 1,
    });
    expect(result.ksP).toBeCloseTo(1, 9);
    expect(compareSamples([], [1]).ks).toBe(null);
    expect(compareSamples([1], [2]).ad).toBe(null);
  });

  test('KL: shares over the same bins, in nats', () => {
    expect(histogramKl([0, 1], [0, 1], { bins: 2 })).toBeCloseTo(0, 9);
    expect(histogramKl([0, 0, 0, 1], [0, 1, 1, 1], { bins: 2 })).toBeCloseTo(
      0.75 * Math.log(3) - 0.25 * Math.log(3),
      6,
    );
    // Disjoint samples: the epsilon decides, as in the paper's largest values.
    expect(histogramKl([0], [1])).toBeCloseTo(Math.log(1e10), 3);
    expect(histogramKl([5, 5], [5])).toBe(0);
  });

  test('Table 3: medians over the pairs', () => {
    const segmentsOf = (...sizes: number[]): Segment[] =>
      sizes.map((bytes, i) => ({
        flow: 0,
        start: i,
        firstByte: i,
        end: i + 0.5,
        requestBytes: 1,
        bytes,
        packets: 1,
      }));
    const rows = compareSegments([
      { real: segmentsOf(10, 20), generated: segmentsOf(9, 19) },
      { real: segmentsOf(10, 20), generated: segmentsOf(7, 17) },
      { real: segmentsOf(10, 20), generated: segmentsOf(5, 15) },
      { real: segmentsOf(10, 20), generated: [] },
    ]);
    expect(rows.map(({ evaluation }) => evaluation)).toEqual([
      'sizes',
      'meanSizes',
      'counts',
      'durations',
      'interArrivals',
    ]);
    expect(rows[0]).toMatchObject({
      pairs: 3,
      median: { meanDelta: 3, medianDelta: 3, sdDelta: 0, ks: 0.5, emd: 3 },
    });
    expect(rows[0].perPair).toHaveLength(4);
    expect(rows[2].median).toMatchObject({ meanDelta: 0, kl: 0 });
  });
});

describe('sending pattern', () => {
  test('kilobits by flow and slice; slices count all packets', () => {
    const frames = [
      ...Array.from({ length: 3 }, (_, i) => up(i, 1000, 946)), // 1,000 bytes on the wire: 8 kilobits
      ...Array.from({ length: 2 }, (_, i) => up(3 + i, 2000, 446)), // 4 kilobits
    ];
    const series = sliceKilobits(flowTrace(frames), 2);
    expect(series).toMatchObject({ slicePackets: 2, slices: 3, wholeSlices: 2 });
    expect(series.flows).toEqual(['tcp 10.0.0.2:1000 > 10.0.0.1:80', 'tcp 10.0.0.2:2000 > 10.0.0.1:80']);
    const near = (row: number[]) => row.map((value) => Number(value.toFixed(9)));
    expect(series.kilobits.map(near)).toEqual([
      [16, 8, 0],
      [0, 4, 4],
    ]);
    expect(near(series.total)).toEqual([16, 12, 4]);
    expect(() => sliceKilobits(flowTrace(frames), 0)).toThrow(/slicePackets is 0/);
  });

  test('Pearson and warping of the aggregates', () => {
    const series = (...total: number[]) => ({ slices: total.length, flows: ['a'], total });
    expect(compareSlices(series(1, 2, 3, 4), series(2, 4, 6, 8, 10))).toMatchObject({
      slices: 4,
      realFlows: 1,
    });
    expect(compareSlices(series(1, 2, 3, 4), series(2, 4, 6, 8)).pearson).toBeCloseTo(1, 12);
    expect(compareSlices(series(1, 5, 1, 1), series(1, 1, 5, 1)).dtwKilobits).toBe(0);
    expect(compareSlices(series(1, 1, 1), series(1, 2, 3)).pearson).toBe(null);
    expect(compareSlices(series(), series(1)).dtwKilobits).toBe(null);
  });

  test('a short last slice is left out: it would make any two traces run in parallel', () => {
    // Sizes on the wire in three slices of two packets, and one packet more: up, down, up against up, up, down.
    const of = (...bytes: number[]) => sliceKilobits(flowTrace(bytes.map((n, i) => up(i, 1000, n - 54))), 2);
    const [one, two] = [of(1000, 1000, 1100, 1100, 1000, 1000, 60), of(1000, 1000, 900, 900, 1000, 1000, 60)];
    expect([one.slices, one.wholeSlices]).toEqual([4, 3]);
    const comparison = compareSlices(one, two);
    expect(comparison.slices).toBe(3);
    expect(comparison.pearson).toBeCloseTo(-1, 12);
    expect(comparison.dtwKilobits).toBeCloseTo((2 * 1.6) / 3, 12);
    const all = ({ slices, flows, total }: typeof one) => ({ slices, flows, total });
    expect(compareSlices(all(one), all(two)).pearson).toBeGreaterThan(0.9);
  });
});

test('invented five-tuples', () => {
  const real = flowTrace([opening(0, 1000), opening(1, 2000)]);
  const generated = flowTrace([
    opening(0, 1000),
    up(1, 1000, 5),
    opening(2, 3000),
    up(3, 3000, 5),
    up(4, 3000, 5),
  ]);
  expect(flowNovelty(generated, [real])).toEqual({
    flows: 2,
    known: 1,
    invented: 1,
    inventedPackets: 3 / 5,
    newAddresses: 0,
    knownFlows: 2,
  });
  expect(flowNovelty(flowTrace([]), [real])).toMatchObject({ flows: 0, inventedPackets: 0 });
});

/** A query's answer, with its question as a pointer (RFC 1035, section 4.1.4). */
function dnsAnswer(name: string, address: string): Frame {
  const record = Uint8Array.from([
    0xc0,
    12,
    0,
    1,
    0,
    1,
    0,
    0,
    0,
    60,
    0,
    4,
    ...address.split('.').map(Number),
  ]);
  const data = encodePacket(
    [
      layer('ethernet', {}),
      layer('ipv4', { source: '10.0.0.53', destination: '10.0.0.2' }),
      layer('udp', { sourcePort: 53, destinationPort: 5353 + 1 }),
      layer('dns', { id: 1, response: 1, answerCount: 1, questions: [{ name, type: 1, class: 1 }] }),
    ],
    record,
  );
  const query = {
    data,
    wireLen: data.length,
    tsMicros: 1_699_999_999_999_000,
    tsNanos: 0,
    linkType: 1,
    interfaceId: 0,
  };
  return query;
}
