import { beforeAll, describe, expect, it } from 'vitest';
import {
  evaluateSources,
  framesOfTrace,
  pairTraces,
  traceOfFrames,
  SUITES,
  type Evaluation,
  type Trace,
} from '../../src/evaluate';
import { trivialBaselines } from '../../src/generators';
import { Rng } from '../../src/util';
import { connection, frame } from './frames';

/** Six connections; what tells the labels apart is TTL, window and size of the answer. */
const session = (seed: number, label: string, connections = 6) => {
  const rng = new Rng(seed);
  const web = label === 'web';
  const more = web ? { ttl: 64, window: 5000 } : { ttl: 128, window: 60000, dport: 1883 };
  let start = 0;
  return Array.from({ length: connections }, () => {
    const answer = web ? 1300 + rng.int(100) : 20 + rng.int(5);
    start += 1e6;
    return connection(40000 + rng.int(20000), rng.int(2 ** 31), answer, more).map((f) => ({
      ...f,
      tsMicros: start + f.tsMicros,
    }));
  }).flat();
};
const trace = (name: string, label: string, seed: number, connections?: number): Trace =>
  traceOfFrames(label, session(seed, label, connections), name);
const traces = (name: string, first: number, count = 4): Trace[] =>
  ['mqtt', 'web'].flatMap((label, k) =>
    Array.from({ length: count }, (_, i) => trace(`${name}-${label}-${i}`, label, first + 50 * k + i)),
  );

const reference = traces('reference', 100);
const floor = traces('floor', 300);
/** A copy of the training traces, and one with sequence numbers that lead nowhere. */
const copy = floor.map((t) => ({ ...t, path: `copy of ${t.path}`, twin: t.path }));
const broken = ['mqtt', 'web'].map((label, k) =>
  traceOfFrames(
    label,
    session(700 + k, label).map(({ tsMicros }, i) => {
      const more = label === 'web' ? { ttl: 64, window: 5000 } : { ttl: 128, window: 60000, dport: 1883 };
      return frame({ ...more, seq: i * 9e6, flags: 0x12 | (i % 2), sport: 50000, payload: 10 }, tsMicros);
    }),
    `broken-${label}`,
  ),
);

let evaluation: Evaluation;
beforeAll(async () => {
  evaluation = await evaluateSources({
    reference,
    floor,
    sources: [
      { name: 'copy', traces: copy },
      { name: 'broken', traces: broken },
    ],
    baselines: trivialBaselines(),
    utility: { trees: 10, seeds: 2, trainItems: 40, testItems: 60, jobs: 1 },
    semantics: { slicePackets: 20 }, // the traces have 54 packets, and only whole slices count
    seed: 1,
  });
}, 60_000);

describe('evaluateSources', () => {
  it('runs all suites on traces in memory', () => {
    expect(evaluation.suites).toEqual(SUITES);
    expect(evaluation.sources.map(({ name, role }) => `${name}: ${role}`).slice(0, 3)).toEqual([
      'copy: synthetic',
      'broken: synthetic',
      'real: floor',
    ]);
    expect(evaluation.reference).toMatchObject({ floorKind: 'given traces' });
    expect(evaluation.notes).toEqual([]);
    expect(JSON.parse(JSON.stringify(evaluation))).toEqual(evaluation);
  });
  it('refuses two sources of one name', async () => {
    const twice = { name: 'real', traces: copy };
    await expect(evaluateSources({ reference, floor, sources: [twice] })).rejects.toThrow(
      'the name "real" is taken',
    );
  });
  it('says of suites that cannot run why not', async () => {
    const one = reference.filter(({ label }) => label === 'web');
    const alone = await evaluateSources({ reference: one, suites: ['memorisation', 'utility'] });
    expect([alone.memorisation, alone.utility]).toEqual([null, null]);
    expect(alone.notes).toHaveLength(2);
    expect(alone.notes[0]).toContain('Memorisation was not measured');
    expect(alone.notes[1]).toContain('there is one');
  });
});

describe('pairs of traces', () => {
  it('are twins where the trace says so, else in order, starting over', () => {
    const pairs = pairTraces(copy, reference, floor);
    expect(pairs.every(({ twins, real, other }) => twins && real.path === other.twin)).toBe(true);
    const short = reference.filter(({ label }) => label === 'web').slice(0, 2);
    expect(pairTraces(floor, short).map(({ real, twins }) => [real.path, twins])).toEqual(
      [0, 1, 0, 1].map((i) => [`reference-web-${i}`, false]),
    );
  });
});

describe('compliance', () => {
  const row = (source: string) =>
    evaluation.compliance!.rows.find((r) => r.source === source && r.label === 'pooled')!;
  it('finds nothing in real traffic and much in broken one', () => {
    expect(row('reference').tcp).toMatchObject({ flows: 48, handshakes: 48, handshakesClosed: 48 });
    expect([row('reference').violatingPackets, row('real').flows.violating]).toEqual([0, 0]);
    expect(row('broken').violatingPackets).toBeGreaterThan(50);
    expect(row('broken').rules.map(({ rule }) => rule)).toContain('tcp-flags-conflict');
  });
  it("has the paper's metrics of each source beside the reference", () => {
    const metric = (source: string, name: string) =>
      evaluation.compliance!.paper.find(
        (r) => r.source === source && r.label === 'pooled' && r.metric === name,
      )!;
    expect(metric('copy', 'handshakes')).toMatchObject({ realSeen: 100, syntheticSeen: 100, seenChange: 0 });
    expect(metric('broken', 'handshakes')).toMatchObject({ seenChange: -100, rateChange: -100 });
    expect(metric('broken', 'conflictingFlags')).toMatchObject({
      realSeen: 0,
      seenChange: 100,
      rateChange: null,
    });
  });
  it('follows the prompt and does not judge it', async () => {
    // The handshake is in the prompt: without it the rest would be a connection that began before the capture.
    const cut = traceOfFrames('web', connection(40000), 'cut', { promptPackets: 3 });
    expect([cut.packets.length, cut.prompt!.length, framesOfTrace(cut, { withPrompt: true }).length]).toEqual(
      [6, 3, 9],
    );
    const { compliance } = await evaluateSources({
      reference,
      sources: [{ name: 'cut', traces: [cut] }],
      suites: ['compliance'],
    });
    const [judged] = compliance!.rows.filter(({ source }) => source === 'cut');
    expect([judged.packets, judged.promptPackets, judged.tcp.handshakes]).toEqual([6, 3, 1]);
  });
});

describe('semantics', () => {
  it('has segments by label: one answer to one request a connection', () => {
    const { segments } = evaluation.semantics!;
    const row = segments.find(({ source, label }) => source === 'reference' && label === 'web')!;
    expect(row).toMatchObject({ traces: 4, segments: 24 });
    expect(row.counts).toMatchObject({ mean: 1, max: 1 });
    expect(row.sizes!.min).toBeGreaterThanOrEqual(1300);
  });
  it('finds no difference between a trace and its copy', () => {
    const rows = evaluation.semantics!.comparisons.filter(
      ({ source, label }) => source === 'copy' && label === 'all',
    );
    expect(rows.map(({ pairs, twins }) => [pairs, twins])).toEqual(
      ['sizes', 'meanSizes', 'counts', 'durations'].map(() => [8, 8]).concat([[0, 8]]),
    );
    expect(rows[0].median).toMatchObject({ meanDelta: 0, ks: 0, ksP: 1, kl: 0, emd: 0 });
    const pattern = evaluation.semantics!.patterns.find(
      ({ source, label }) => source === 'copy' && label === 'all',
    )!;
    expect(pattern).toMatchObject({ dtwKilobits: 0, realFlows: 6, flows: 6 });
  });
  it('counts five-tuples that were copied and that were invented', () => {
    const row = (source: string) =>
      evaluation.semantics!.flows.find((r) => r.source === source && r.label === 'web')!;
    expect(row('copy')).toMatchObject({ flows: 24, known: 24, invented: 0, inventedPackets: 0 });
    expect(row('reference').invented).toBeGreaterThan(20);
    expect(row('reference').newAddresses).toBe(0);
  });
  it("takes the paper's rules for labels that are named so", async () => {
    const small = [trace('x', 'youtube-web', 1), trace('y', 'my-netflix', 2)].map((t) => ({ ...t }));
    const { semantics, notes } = await evaluateSources({ reference: small, suites: ['semantics'] });
    // 80,000 bytes are needed for a segment.
    expect(semantics!.segments.map(({ label, segments }) => [label, segments])).toEqual([
      ['my-netflix', 6],
      ['youtube-web', 0],
    ]);
    expect(notes[0]).toContain('Segments of my-netflix are those of all servers');
  });
});

describe('memorisation', () => {
  const row = (source: string) =>
    evaluation.memorisation!.rows.find((r) => r.source === source && r.label === 'pooled')!;
  it('knows a copy, and does not take new real traffic for one', () => {
    expect(row('copy')).toMatchObject({ identicalShare: 1, reusedFlows: 48, flows: 48 });
    expect(row('copy').nearest).toMatchObject({ mean: 0, max: 0 });
    expect(row('reference').identical).toBe(0);
    expect(row('reference').nearest!.mean).toBeGreaterThan(0.03);
    expect(row('training')).toMatchObject({ identical: null, diversityRatio: 1 });
    expect(row('copy').nearest!.histogram.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 4);
  });
  it('audits the losses of a model where they can be had', async () => {
    const known = new Set(floor);
    const { memorisation } = await evaluateSources({
      reference,
      floor,
      suites: ['memorisation'],
      memorisation: { lossOf: (t) => (known.has(t) ? 1 : 2), maxQueries: 50 },
    });
    expect(memorisation!.membership).toMatchObject({ members: 8, nonMembers: 8, advantage: 1 });
    expect(memorisation!.membership!.auc.estimate).toBe(1);
    expect(evaluation.memorisation!.membership).toBeNull();
  });
});

describe('utility', () => {
  const row = (source: string, task: string) =>
    evaluation.utility!.rows.find((r) => r.source === source && r.task === task)!;
  it('trains on equally many items of each source and tests on the reference', () => {
    expect(evaluation.utility).toMatchObject({ labels: ['mqtt', 'web'], chance: 0.5, columns: 'noaddr' });
    expect(row('real', 'packet').trainItems).toEqual({ mqtt: 40, web: 40 });
    // `broken` has one flow of each label, so that all train on one.
    expect(row('real', 'flow')).toMatchObject({
      trainItems: { mqtt: 1, web: 1 },
      testItems: { mqtt: 24, web: 24 },
    });
  });
  it('tells labels apart after real traffic, and gives an interval', () => {
    const { accuracy, recall, difference } = row('real', 'packet');
    expect(accuracy!.mean).toBeGreaterThan(0.98);
    expect(accuracy!.low).toBeLessThanOrEqual(accuracy!.mean);
    expect(accuracy!.high).toBeGreaterThanOrEqual(accuracy!.mean);
    expect(recall!.web).toBeGreaterThan(0.95);
    expect(difference).toBeNull();
    // The copy is the floor: the paired difference is that of the draws alone.
    expect(Math.abs(row('copy', 'packet').difference!.mean)).toBeLessThan(0.03);
  });
  it('leaves a source without packets without a number', () => {
    expect(row('byte bigram', 'packet').accuracy === null).toBe(
      evaluation.sources.find(({ name }) => name === 'byte bigram')!.decodeRate === 0,
    );
  });
});
