import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writePcap } from '../../src/capture';
import { evaluateTraces, loadTraces, splitReal, type Evaluation } from '../../src/evaluate';
import { trivialBaselines } from '../../src/generators';
import { Rng, writeJson } from '../../src/util';
import { connection } from './frames';

const dir = mkdtempSync(join(tmpdir(), 'netssm-evaluate-'));
/** Small, for the tests' time. */
const utility = { trees: 5, seeds: 1, trainItems: 30, testItems: 30, jobs: 1 };
const real = join(dir, 'real');
const synthetic = join(dir, 'synthetic');

/** A session of connections; what tells the labels apart is TTL, window and answer size. */
const session = (seed: number, label: string) => {
  const rng = new Rng(seed);
  const more = label === 'web' ? { ttl: 64, window: 1000 } : { ttl: 128, window: 60000, dport: 1883 };
  return Array.from({ length: 6 }, () =>
    connection(40000 + rng.int(20000), rng.int(2 ** 31), label === 'web' ? 1400 : 20 + rng.int(5), more),
  ).flat();
};

beforeAll(async () => {
  for (const label of ['web', 'mqtt']) {
    mkdirSync(join(real, label), { recursive: true });
    for (let i = 0; i < 6; i++) await writePcap(join(real, label, `${i}.pcap`), session(i, label));
  }
  mkdirSync(synthetic);
  for (const label of ['web', 'mqtt']) {
    // Two packets of prompt at the start, which would ruin the handshake counts if they were counted or forgotten.
    await writePcap(join(synthetic, `${label}-000.pcap`), session(100, label));
  }
  writeJson(join(synthetic, 'generation.json'), {
    files: ['web', 'mqtt'].map((label) => ({
      file: `${label}-000.pcap`,
      label,
      promptPackets: 9,
      // As it was named from another folder. Of the other nothing is said.
      ...(label === 'web' && { prompt: { capture: join('..', 'real', 'web', '3.pcap'), label } }),
      report: { packets: 45, refused: label === 'web' ? { not_ip: 5, unfinished: 1 } : {} },
    })),
  });
});
afterAll(() => rmSync(dir, { recursive: true }));

describe('loadTraces', () => {
  it('takes labels from subfolders, from generation.json and from names, and leaves prompts out', async () => {
    expect(new Set((await loadTraces(real)).traces.map((t) => t.label))).toEqual(new Set(['mqtt', 'web']));
    const folder = await loadTraces(synthetic);
    expect(folder.traces.map((t) => [t.label, t.packets.length, t.promptPackets])).toEqual([
      ['mqtt', 45, 9],
      ['web', 45, 9],
    ]);
    expect(folder.refused.web).toEqual({ not_ip: 5, unfinished: 1 });
    const plain = join(dir, 'plain');
    mkdirSync(plain, { recursive: true });
    await writePcap(join(plain, 'video-call-012.pcap'), session(1, 'web'));
    expect((await loadTraces(plain)).traces[0].label).toBe('video-call');
  });
  it('says which labels were not read to the end', async () => {
    const folder = await loadTraces(real, { maxPackets: 100 });
    expect(folder.cut).toEqual(['mqtt', 'web']);
    expect(folder.traces.map((t) => t.packets.length)).toEqual(Array(12).fill(17));
  });
});

describe('splitReal', () => {
  it('uses a held-out folder, a manifest, halves of captures, halves in time, in this order', async () => {
    const folder = await loadTraces(real);
    expect(splitReal(folder, folder, 0).floorKind).toBe('held-out folder');
    const marked = {
      ...folder,
      traces: folder.traces.map((t, i) => ({ ...t, split: i % 3 === 0 ? 'test' : 'train' })),
    };
    const manifest = splitReal(marked, null, 0);
    expect([manifest.floorKind, manifest.reference.length, manifest.floor.length]).toEqual([
      'manifest split',
      4,
      8,
    ]);
    const halves = splitReal(folder, null, 0);
    expect([halves.floorKind, halves.reference.length, halves.floor.length]).toEqual([
      'halves of the captures',
      6,
      6,
    ]);
    expect(halves.reference.some((t) => halves.floor.includes(t))).toBe(false);
    const single = splitReal({ ...folder, traces: [folder.traces[0]] }, null, 0);
    expect([single.floorKind, single.reference[0].packets.length]).toEqual(['halves in time', 27]);
  });
});

describe('evaluateTraces', () => {
  let evaluation: Evaluation;
  beforeAll(async () => {
    evaluation = await evaluateTraces({
      real,
      synthetic,
      baselines: trivialBaselines(),
      seed: 3,
      utility,
      provenance: { engine: 'none' },
    });
  });
  const value = (source: string, what: string, label = 'macro'): number =>
    evaluation.similarity.find((r) => r.source === source && r.what === what && r.label === label)
      ?.jsDistance ?? NaN;

  it('records what it was made of', () => {
    expect(evaluation).toMatchObject({ format: 'netssm-evaluation', version: 2, seed: 3 });
    expect(evaluation.notes).toEqual([
      expect.stringMatching(/^1 of 2 captures of synthetic are held against/),
    ]);
    expect(evaluation.provenance.engine).toBe('none');
    expect(evaluation.reference).toMatchObject({ floorKind: 'halves of the captures' });
    expect(evaluation.reference.perLabel.web).toEqual({ captures: 3, packets: 162, tcp: 162, udp: 0 });
    expect(evaluation.sources.map((s) => `${s.name}: ${s.role}`)).toEqual([
      'synthetic: synthetic',
      'real: floor',
      'byte marginals: baseline',
      'byte bigram: baseline',
      'shuffled fields: baseline',
      'flipped bits: baseline',
      'sampling: yardstick',
      'other labels: yardstick',
      'constant: yardstick',
    ]);
  });
  it('pairs a trace with the capture that its prompt is from', async () => {
    const { traces } = await loadTraces(synthetic);
    expect(traces.map(({ twin }) => twin)).toEqual([undefined, join('..', 'real', 'web', '3.pcap')]);
    const twins = (label: string) =>
      evaluation.attributes.find(
        (row) => row.source === 'synthetic' && row.label === label && row.definition === 'twins',
      )!.twins;
    expect([twins('mqtt'), twins('web')]).toEqual([0, 1]);
    const only = await evaluateTraces({ real, synthetic, suites: ['validity'] });
    expect(only.notes).toEqual([]);
  });
  it('counts neither prompts nor the unfinished last run', () => {
    const [s] = evaluation.sources;
    expect([s.promptPackets, s.perLabel.web.packets, s.refused.web.not_ip]).toEqual([18, 45, 5]);
    expect(s.decodeRate).toBeCloseTo(90 / 95, 12);
  });
  it('puts traffic like the real near the floor, and trivial packets and other labels far from it', () => {
    expect(value('synthetic', 'tcp')).toBeLessThan(0.1);
    expect(value('constant', 'tcp')).toBeGreaterThan(value('synthetic', 'tcp'));
    expect(value('other labels', 'ip.ttl')).toBeCloseTo(1, 12);
    expect(value('synthetic', 'ip.ttl')).toBe(0);
    expect(value('byte marginals', 'mean')).toBeGreaterThan(value('real', 'mean'));
    expect(value('synthetic', 'tcp', 'pooled')).toBeLessThan(0.1);
  });
  it('finds every handshake of real traffic and none in shuffled fields', () => {
    const tcp = (source: string) =>
      evaluation.validity.find((r) => r.source === source && r.label === 'pooled')!.tcp;
    expect(tcp('reference')).toMatchObject({ flows: 36, handshakes: 36, closedByFin: 36 });
    expect(tcp('synthetic')).toMatchObject({ flows: 10, handshakes: 10, seqExpected: 70 });
    expect(tcp('shuffled fields').handshakes).toBe(0);
  });
  it('has the data of the figures', () => {
    const { bitsOne, histograms, lanes } = evaluation.figures;
    expect(bitsOne.synthetic.length).toBe(1024);
    expect(histograms['tcp.flags']!.reference.reduce((sum, [, share]) => sum + share, 0)).toBeCloseTo(1, 3);
    expect(lanes.map((l) => [l.source, l.label])).toEqual([
      ['reference', 'mqtt'],
      ['synthetic', 'mqtt'],
    ]);
    expect(lanes[0].packets.slice(0, 2)).toEqual([
      { size: 54, flow: 0 },
      { size: -54, flow: 0 },
    ]);
  });
  it('is the same for the same seed, and survives JSON', async () => {
    const again = await evaluateTraces({
      real,
      synthetic,
      baselines: trivialBaselines(),
      seed: 3,
      utility,
      provenance: { engine: 'none' },
    });
    expect({ ...again, date: '' }).toEqual({ ...evaluation, date: '' });
    expect(JSON.parse(JSON.stringify(evaluation))).toEqual(evaluation);
  });
  it('measures what is asked for, on real traffic alone', async () => {
    const only = await evaluateTraces({ real, synthetic: null, suites: ['validity'] });
    expect([only.similarity.length, only.validity.length, only.sources.length]).toEqual([0, 6, 1]);
  });
  it('compares starts with starts when asked to, and says when it should be', async () => {
    const starts = await evaluateTraces({
      real,
      synthetic,
      firstPackets: 18,
      seed: 3,
      suites: ['similarity'],
    });
    expect(starts.reference.perLabel.web).toEqual({ captures: 3, packets: 54, tcp: 54, udp: 0 });
    expect(starts.sources[0].perLabel.web.packets).toBe(18);
    expect(starts.provenance['packets a capture']).toBe('the first 18');
    const short = join(dir, 'short');
    mkdirSync(short, { recursive: true });
    await writePcap(join(short, 'web-000.pcap'), connection(40000));
    const { notes } = await evaluateTraces({ real, synthetic: short, suites: ['validity'] });
    expect(notes.some((n) => n.includes('median 9 and 54 packets'))).toBe(true);
  });
  it('refuses unknown suites and folders without a common label', async () => {
    await expect(evaluateTraces({ real, synthetic: null, suites: ['beauty'] })).rejects.toThrow(
      'unknown suite "beauty"',
    );
    const plain = join(dir, 'plain');
    await expect(evaluateTraces({ real, synthetic: plain })).rejects.toThrow('no label is in both folders');
  });
});
