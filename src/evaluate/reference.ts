import { Rng } from '../util';
import type { FloorKind } from './evaluation';
import type { Trace, TraceFolder } from './traces';

/** Real captures in two parts: what everything is compared with, and what is compared to give the floor. */
export interface RealParts {
  reference: Trace[];
  floor: Trace[];
  floorKind: FloorKind;
  /** Sentences about what is not as it should be. */
  notes: string[];
}

/**
 * The first that applies: a held-out folder is the reference and `real` the floor; a manifest's `test` captures are
 * the reference and the others the floor; the captures of each label are dealt into halves (seeded), and a label's only
 * capture is cut in the middle, which gives too low a floor, because the same connections are on both sides.
 */
export function splitReal(real: TraceFolder, heldOut: TraceFolder | null, seed: number): RealParts {
  const { traces } = real;
  if (heldOut) return { reference: heldOut.traces, floor: traces, floorKind: 'held-out folder', notes: [] };
  const test = traces.filter((t) => t.split === 'test');
  if (test.length > 0 && test.length < traces.length) {
    return {
      reference: test,
      floor: traces.filter((t) => t.split !== 'test'),
      floorKind: 'manifest split',
      notes: [],
    };
  }
  const reference: Trace[] = [];
  const floor: Trace[] = [];
  const single: string[] = [];
  const labels = [...new Set(traces.map((t) => t.label))];
  for (const label of labels) {
    const group = traces.filter((t) => t.label === label);
    if (group.length === 1) {
      const [trace] = group;
      const middle = trace.packets.length >> 1;
      floor.push({ ...trace, packets: trace.packets.slice(0, middle) });
      reference.push({ ...trace, packets: trace.packets.slice(middle) });
      single.push(label);
      continue;
    }
    new Rng(seed).split(`halves/${label}`).shuffle(group);
    group.forEach((trace, i) => (i % 2 === 0 ? reference : floor).push(trace));
  }
  const inTime = single.length === labels.length;
  return {
    reference,
    floor,
    floorKind: inTime ? 'halves in time' : 'halves of the captures',
    notes:
      single.length > 0
        ? [`Single captures, cut in the middle, which gives too low a floor: ${single.join(', ')}.`]
        : [],
  };
}
