import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { traceOfFrames } from '../../src/evaluate';
import {
  findExperiment,
  gapDistance,
  gapSamples,
  InProcessEngine,
  LAGS,
  meanAutocorrelation,
  runExperiment,
  type RunMetrics,
} from '../../src/experiments';
import { tcpFlow } from '../tokens/flows';
import { temporaryFolder } from './toy';

/** A flow's packets, so many microseconds after one another. */
function trace(gaps: readonly number[], promptPackets = 0) {
  let at = 5_000_000;
  const frames = tcpFlow(40000, gaps.length - 2, 'none').map((frame, i) => {
    if (i > 0) at += gaps[i - 1];
    return { ...frame, tsMicros: at };
  });
  return traceOfFrames('web', frames, 'trace', { promptPackets });
}

describe('gaps of traces', () => {
  it('by side, in bursts, the one behind the prompt included', () => {
    // SYN, SYN+ACK, ACK, client, server: the flow's sides in turn.
    const whole = gapSamples([trace([100, 1000, 50_000, 10_000])], 10_000);
    const rounded = (values: number[]) => values.map((v) => Math.round(10 ** v * 1e6));
    expect(rounded(whole.all)).toEqual([100, 1000, 50_000, 10_000]);
    expect(rounded(whole.client)).toEqual([1000, 50_000]);
    expect(rounded(whole.server)).toEqual([100, 10_000]);
    expect(whole.burstPackets).toEqual([3, 2]);
    expect(rounded(whole.burstLogSeconds)).toEqual([1100, 10_000]);
    expect(whole.autocorrelation).toEqual([]); // too short
    const behind = gapSamples([trace([100, 1000, 50_000, 10_000], 1)], 10_000);
    expect(rounded(behind.all)).toEqual(rounded(whole.all));
    expect(behind.burstPackets).toEqual([2, 2]);
    expect(rounded(gapSamples([trace([-5, 0, 0])], 1).all)).toEqual([1, 1, 1]);
  });

  it('how they follow one another: long and short in turn', () => {
    const gaps = Array.from({ length: 60 }, (_, i) => (i % 2 ? 100 : 10_000));
    const [one, two, five] = meanAutocorrelation(gapSamples([trace(gaps)], 1000)) as number[];
    expect(LAGS).toEqual([1, 2, 5, 10]);
    expect([one, two, five]).toEqual(
      [-59 / 60, 58 / 60, -55 / 60].map((v) => expect.closeTo(v, 9) as number),
    );
    expect(meanAutocorrelation(gapSamples([], 1000))).toEqual([null, null, null, null]);
  });

  it('distances in decades', () => {
    expect(gapDistance([-3, -2], [-2, -1])).toEqual({ gaps: 2, ks: 0.5, decades: 1 });
    expect(gapDistance([], [1])).toBe(null);
  });
});

it('the experiment trains, generates, and has a row for every source', async () => {
  const out = join(temporaryFolder(), 'run');
  const { metrics } = await runExperiment({
    experiment: findExperiment('times'),
    data: 'bundled',
    fast: true,
    out,
    options: {
      classes: ['dns', 'ssh'],
      trainSessions: 2,
      testSessions: 1,
      packets: 30,
      tries: 1,
      train: {
        model: { d_model: 16, n_layer: 1, ssm_cfg: { d_state: 8, headdim: 16 } },
        mode: 'packed',
        contextLen: 64,
        batchSize: 1,
        steps: 2,
        evalEvery: 0,
      },
    },
    engine: new InProcessEngine(findExperiment),
  });
  const { tables } = metrics as RunMetrics;
  const [distances, order] = tables;
  expect(distances.rows.map(([scope]) => scope)).toEqual(['all', 'client', 'server', 'dns', 'ssh']);
  const column = distances.columns.findIndex(
    ({ title }) => title === 'decades, real, drawn again within bins',
  );
  // What bins cost: less than a bin, a quarter of a decade, of which real gaps are drawn.
  for (const row of distances.rows) expect(row[column]).toBeLessThan(0.25);
  expect(order.rows.map(([scope]) => scope)).toEqual([
    ...Array(5).fill('all'),
    ...Array(5).fill('dns'),
    ...Array(5).fill('ssh'),
  ]);
  expect(() =>
    findExperiment('times').check?.({ ...findExperiment('times').options, train: { mode: 'x' } } as never),
  ).toThrow('mode must be one of stream, packed');
});
