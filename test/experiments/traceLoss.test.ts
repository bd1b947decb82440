import { describe, expect, test } from 'vitest';
import { traceOfFrames } from '../../src/evaluate';
import { openExperimentData, packetLosses, traceLoss, traceLosses } from '../../src/experiments';
import { loadModel } from '../../src/generate';

describe('losses of the shipped model', () => {
  test('packet by packet, and of a trace cut to one length', async () => {
    const model = await loadModel('demo', { engine: 'loops' });
    const some = { classes: ['dns'], trainSessions: 1, testSessions: 1 };
    const session = openExperimentData('bundled', some, 1).sessions.find(({ split }) => split === 'test')!;
    const frames = (await session.frames()).slice(0, 30);
    const { nats, tokens, refused } = packetLosses(model, 'dns', frames);
    expect([nats.length + refused, tokens.length]).toEqual([30, nats.length]);
    const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
    const mean = sum(nats) / sum(tokens);
    expect(mean).toBeGreaterThan(0.1);
    expect(mean).toBeLessThan(3); // a uniform guess is 5.6
    const trace = traceOfFrames('dns', frames, 'x');
    expect(traceLoss(model, trace)).toBeCloseTo(mean, 6);
    // The same first packets, the same loss, however long the trace is.
    const short = traceOfFrames('dns', frames.slice(0, 10), 'y');
    expect(traceLoss(model, trace, { packets: 10 })).toBe(traceLoss(model, short));
    expect(traceLoss(model, { ...trace, label: 'unknown' })).toBeUndefined();
    // Another label costs more.
    expect(sum(packetLosses(model, 'voip', frames).nats)).toBeGreaterThan(sum(nats));
  });

  test('of many traces together the same as one by one', async () => {
    const model = await loadModel('demo'); // native where it is built, which steps many at once; else the loops
    const some = { classes: ['dns', 'ssh'], trainSessions: 1, testSessions: 2 };
    const traces = [];
    for (const { id, label, frames } of openExperimentData('bundled', some, 1).sessions)
      traces.push(traceOfFrames(label, (await frames()).slice(0, 6 + 3 * traces.length), id));
    const asked = { packets: 15, tokens: 60 };
    const one = traces.map((trace) => traceLoss(model, trace, asked)!);
    const together = traceLosses(model, [...traces, { ...traces[0], label: 'unknown' }], asked);
    expect(together).toHaveLength(traces.length + 1);
    expect(together.at(-1)).toBeUndefined();
    one.forEach((loss, i) => expect(together[i]).toBeCloseTo(loss, 5));
    expect(new Set(one.map((loss) => loss.toFixed(4))).size).toBe(traces.length);
  });
});
