import { rmSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { evaluateTraces, loadTraces } from '../../src/evaluate';
import { dirname } from 'node:path';
import { makePackedSet } from '../flows/testbed/packedSet';

const folder = makePackedSet();
afterAll(() => rmSync(dirname(folder), { recursive: true }));

describe('packed sets of sessions', () => {
  it('are known by their manifest, and come with labels, splits and ground truth', async () => {
    const { traces, cut } = await loadTraces(folder);
    expect(traces).toHaveLength(18);
    expect(traces[0]).toMatchObject({
      path: 'dash-train-001',
      label: 'dash',
      service: 'streaming',
      split: 'train',
      truth: [{ start: 0.0075, bytes: 1000, flow: 40000 }],
    });
    expect(cut).toEqual([]);
    expect((await loadTraces(folder, { firstPackets: 5 })).traces.map((t) => t.packets.length)).toEqual(
      Array(18).fill(5),
    );
    expect((await loadTraces(folder, { maxPackets: 8 })).cut).toEqual(['dash', 'hls', 'sip']);
  });
  it('say how well segments are the objects that were served', async () => {
    const { semantics, reference } = await evaluateTraces({
      real: folder,
      synthetic: null,
      suites: ['semantics'],
    });
    expect(reference.floorKind).toBe('manifest split');
    const row = semantics!.truth.find(({ source, label }) => source === 'reference' && label === 'dash')!;
    // Sessions 5 and 6 have 7 and 8 answers, of which the first is the object that is known.
    expect(row).toMatchObject({ traces: 2, segments: 15, objects: 2, matched: 2, recall: 1 });
    expect(row.precision).toBeCloseTo((1 / 7 + 1 / 8) / 2, 12);
  });
});
