import { Rng } from '../util';
import type { FloorKind } from './evaluation';
import type { Trace, TraceFolder } from './traces';

/** Real captures in two parts: what everything is compared with, and what is compared to give the floor. */
export interface RealParts {
  reference: Trace[];
  floor: Trace[];
  floorKind: FloorKind;
}

/**
 * The first that applies: a held-out folder is the reference and `real` the floor; a manifest's `test` captures are
 * the reference and the others the floor; the captures of each label are dealt into halves (seeded); each capture is
 * cut in the middle, which gives too low a floor, because the same connections are on both sides.
 */
export function splitReal(real: TraceFolder, heldOut: TraceFolder | null, seed: number): RealParts {
  const { traces } = real;
  if (heldOut) return { reference: heldOut.traces, floor: traces, floorKind: 'held-out folder' };
  const test = traces.filter((t) => t.split === 'test');
  if (test.length > 0 && test.length < traces.length) {
    return { reference: test, floor: traces.filter((t) => t.split !== 'test'), floorKind: 'manifest split' };
  }
  const labels = [...new Set(traces.map((t) => t.label))];
  if (labels.every((label) => traces.filter((t) => t.label === label).length > 1)) {
    const reference: Trace[] = [];
    const floor: Trace[] = [];
    for (const label of labels) {
      const group = traces.filter((t) => t.label === label);
      new Rng(seed).split(`halves/${label}`).shuffle(group);
      group.forEach((trace, i) => (i % 2 === 0 ? reference : floor).push(trace));
    }
    return { reference, floor, floorKind: 'halves of the captures' };
  }
  const half = (second: boolean): Trace[] =>
    traces.map((t) => {
      const middle = t.packets.length >> 1;
      return { ...t, packets: second ? t.packets.slice(middle) : t.packets.slice(0, middle) };
    });
  return { reference: half(true), floor: half(false), floorKind: 'halves in time' };
}
