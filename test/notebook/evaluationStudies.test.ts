/** What the notebooks on evaluation measure: broken connections, sampling error, rows of tables. */
import { describe, expect, test } from 'vitest';
import { evaluateSources, statsOf } from '../../src/evaluate';
import { loadDataset, toSession } from '../../src/flows';
import { ShuffledFieldsGenerator } from '../../src/generators';
import {
  brokenRules,
  compareSizesAndGaps,
  headerDistance,
  judgeSegments,
  memorisationTable,
  modelTraces,
  noveltyTable,
  paperTable,
  rivalTraces,
  ruleTable,
  samplingError,
  segmentTable,
  sessionTraces,
  similarityTable,
  varyingBits,
} from '../../src/notebook';

const dataset = loadDataset('testbed', { classes: ['dash', 'mqtt'] });
const film = dataset.sessions[0];

describe('a broken connection', () => {
  const session = toSession(film.id, film.frames());
  const flow = session.flows
    .filter((f) => f.tcp?.handshake)
    .sort((a, b) => b.frames.length - a.frames.length)[0];
  const frames = flow.frames.map((i) => session.frames[i]);

  test('is found broken by the rule in question, each time', () => {
    const broken = brokenRules(frames);
    expect(broken.length).toBeGreaterThanOrEqual(35);
    expect(new Set(broken.map(({ rule }) => rule)).size).toBe(broken.length);
    expect(broken.filter(({ caught }) => !caught).map(({ rule }) => rule)).toEqual([]);
    const flags = broken.find(({ rule }) => rule === 'tcp-flags-conflict')!;
    expect(flags.finding!.message).toContain('SYN');
    expect(flags.packet!.layers.map(({ protocol }) => protocol)).toContain('tcp');
  });

  test('must have a handshake', () => {
    expect(() => brokenRules(frames.slice(3))).toThrow(/no SYN/);
    expect(() => brokenRules([])).toThrow(/no SYN/);
  });
});

describe('distances', () => {
  const { training, reference } = sessionTraces(dataset, 2, 300);

  test('traces are the first packets of so many sessions', () => {
    expect([training.length, reference.length]).toEqual([4, 4]);
    expect(Math.max(...training.map(({ packets }) => packets.length))).toBe(300);
    expect(reference.every(({ split }) => split === 'test')).toBe(true);
    expect(reference[0].truth!.length).toBeGreaterThan(0);
  });

  test('the sampling error falls with the packets', () => {
    const packets = reference.flatMap((trace) => trace.packets);
    const errors = samplingError(packets, [20, 200, 100_000], { draws: 3 });
    expect(errors.map((e) => e.packets)).toEqual([20, 200]);
    expect(errors[1].mean).toBeLessThan(errors[0].mean / 1.5);
    expect(errors[0].low).toBeLessThanOrEqual(errors[0].mean);
  });

  test('constant bits only dilute the mean', () => {
    const [a, b] = [training, reference].map((traces) => statsOf(traces.flatMap(({ packets }) => packets)));
    const varying = varyingBits(a, b);
    expect(varying.length).toBeLessThan(480);
    const all = headerDistance(a, b);
    expect((headerDistance(a, b, varying) * varying.length) / 480).toBeCloseTo(all, 9);
    // All packets of one kind: nothing varies.
    const one = statsOf([reference[0].packets.find(({ role }) => role)!]);
    expect(varyingBits(one, one)).toEqual([]);
  });

  test('tables have a row for each source', async () => {
    const evaluation = await evaluateSources({
      reference,
      floor: training,
      sources: [{ name: 'copy', traces: training }],
      baselines: [new ShuffledFieldsGenerator()],
      baselinePackets: 400,
      suites: ['similarity', 'compliance', 'semantics', 'memorisation'],
      semantics: { segmentRules: { dash: { minRequestBytes: 1, minSegmentBytes: 4096 } } },
      seed: 1,
    });
    const similarity = similarityTable(evaluation);
    expect(similarity.map(({ source }) => source)).toEqual([
      'copy',
      'other real (floor)',
      'shuffled fields',
      'sampling alone',
      'other labels',
      'constant',
    ]);
    expect(similarity[0].JSD).toBe(similarity[1].JSD);
    const memory = memorisationTable(evaluation);
    expect(memory.find(({ source }) => source === 'copy')!.identical).toBe(1);
    expect(memory.find(({ source }) => source === 'held-out real')!.identical).toBe(0);
    const paper = paperTable(evaluation, ['copy', 'shuffled fields']);
    expect(paper).toHaveLength(11);
    expect(paper[0]).toHaveProperty('shuffled fields');
    const rules = ruleTable(evaluation, ['reference', 'shuffled fields']);
    expect(rules.every((row) => row['held-out real'] === 0)).toBe(true);
    expect(segmentTable(evaluation, 'dash', 'sizes').map(({ source }) => source)).toContain('copy');
    expect(noveltyTable(evaluation, 'dash').find(({ source }) => source === 'copy')!['flows invented']).toBe(
      0,
    );
  });

  test('rivals that make no packets are left out', async () => {
    const groups = await rivalTraces(reference, training, 'mqtt', { packets: 300 });
    expect(Object.keys(groups)).toEqual([
      'reference',
      'real',
      'byte marginals',
      'shuffled fields',
      'flipped bits',
    ]);
    const rows = compareSizesAndGaps({ reference: reference.slice(0, 2), same: reference.slice(0, 2) });
    expect(rows[0].source).toBe('same');
    for (const value of Object.values(rows[0]).slice(1)) expect(value).toBeCloseTo(0, 9);
  });
});

test('segments of a film are the objects that were served', () => {
  const judged = judgeSegments(film, { minRequestBytes: 1, minSegmentBytes: 4096 });
  expect(judged.f1).toBeGreaterThan(0.85);
  expect(judged.sizes).toHaveLength(judged.segments);
  expect(judged.served).toHaveLength(judged.objects);
});

test('a model that is not there makes no traces', async () => {
  expect(await modelTraces('/nowhere/model', ['dash'])).toEqual([]);
});
