import { beforeAll, describe, expect, test } from 'vitest';
import { mixingJob, openExperimentData, realTraces, type ExperimentData } from '../../src/experiments';
import { assignSplits, collectInputs } from '../../src/tokens';
import { CLASSES, makePackedSet, TEST, TRAIN } from '../flows/testbed/packedSet';

describe('a packed set as data', () => {
  let data: ExperimentData;
  beforeAll(() => {
    const all = { classes: null, trainSessions: null, testSessions: null };
    data = openExperimentData(makePackedSet(), all, 1);
  });

  test('has classes, services and the set’s own splits', () => {
    expect(data).toMatchObject({ kind: 'packed', classes: Object.keys(CLASSES), notes: [] });
    for (const [label, service] of Object.entries(CLASSES)) {
      const own = data.sessions.filter((session) => session.label === label);
      expect(own.map(({ split }) => split).sort()).toEqual([
        ...Array<string>(TEST).fill('test'),
        ...Array<string>(TRAIN).fill('train'),
      ]);
      expect(new Set(own.map((session) => session.service))).toEqual(new Set([service]));
    }
  });

  test(':validation puts in the place of the test sessions what a data set of tokens holds back', () => {
    const set = makePackedSet();
    const all = { classes: null, trainSessions: null, testSessions: null };
    const { name, sessions } = openExperimentData(`${set}:validation`, all, 1);
    expect(name).toBe(`${set}:validation`);
    const inputs = collectInputs([set]);
    const splits = assignSplits(inputs, { validationShare: 0.15, testShare: 0, seed: 0 });
    const of = (split: string) => inputs.filter((_, i) => splits[i] === split).map((input) => input.name);
    const here = (split: string) => sessions.filter((s) => s.split === split).map(({ id }) => id);
    expect(here('test').sort()).toEqual(of('validation').sort());
    expect(here('train').sort()).toEqual(of('train').sort());
    expect(here('test').length).toBeGreaterThan(0);
  });

  test('sessions and flows become traces; objects that a cut leaves in two are no truth', async () => {
    const of = (unit: 'session' | 'flow', packets: number | null) =>
      realTraces(data, { split: 'test', unit, labels: ['dash'], packets });
    const whole = await of('session', null);
    expect(whole.map(({ path, service }) => [path, service])).toEqual([
      ['dash-test-001', 'streaming'],
      ['dash-test-002', 'streaming'],
    ]);
    // Four training sessions come first: the test sessions are of 7 and 8 answers; 6 packets around them.
    expect(whole.map(({ packets }) => packets.length)).toEqual([20, 22]);
    expect(whole[0].truth).toEqual([{ start: 0.0075, bytes: 1000, flow: 40_004 }]);
    const cut = await of('session', 4);
    expect(cut.map(({ packets, truth }) => [packets.length, truth])).toEqual([
      [4, []],
      [4, []],
    ]);
    const flows = await of('flow', 10);
    expect(flows.map(({ path, packets }) => [path, packets.length])).toEqual([
      ['dash-test-001#0', 10],
      ['dash-test-002#0', 10],
    ]);
  });

  test('classes and services are told apart; a source that lacks a class is left out', async () => {
    const of = (split: 'train' | 'test') => realTraces(data, { split, unit: 'session', packets: null });
    const real = { train: await of('train'), test: await of('test') };
    const without = { ...real, train: real.train.filter(({ label }) => label !== 'sip') };
    const request = {
      real,
      synthetic: { netssm: real, poor: without },
      judged: 'netssm',
      features: 'packet' as const,
      columns: 'noports' as const,
      labels: Object.keys(CLASSES),
      services: CLASSES,
      tasks: ['app', 'service'] as const,
      classifiers: ['tree', 'svm'] as const,
      rates: [0.5, 1],
      trainItems: 12,
      testItems: 9,
      trees: 3,
      seed: 1,
      seeds: 2,
      threads: 1,
    };
    const results = await mixingJob({ ...request, source: 'netssm' });
    expect(results.map(({ seed }) => seed)).toEqual([0, 1]);
    const [result] = results;
    expect(result.items).toEqual({ dash: 12, hls: 12, sip: 12 });
    expect([result.testItems, result.syntheticTestItems]).toEqual([27, { netssm: 27 }]);
    expect(result.points.map(({ task, classifier, rate }) => [task, classifier, rate])).toHaveLength(8);
    const mean = (task: string): number => {
      const own = result.points.filter((point) => point.task === task);
      return own.reduce((sum, { real: score }) => sum + score.balanced, 0) / own.length;
    };
    // Two services are easier than three classes.
    expect(mean('service')).toBeGreaterThan(mean('app'));
    expect(await mixingJob({ ...request, source: 'poor' })).toEqual([]);
    // The first of two seeds is that of one.
    expect(await mixingJob({ ...request, source: 'netssm', seeds: 1 })).toEqual([result]);
  });
});
