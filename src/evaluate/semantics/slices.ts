import { dynamicTimeWarping, pearson } from '../../stats';
import { NetssmError } from '../../util';
import type { FlowTrace } from './flowPackets';

/** Kilobits (1,000 bits on the wire) by slice and flow: Figure 3. */
export interface SliceSeries {
  slicePackets: number;
  slices: number;
  /** Those that have all their packets: all, or all but the last. */
  wholeSlices: number;
  /** Flows that have packets, by name, most kilobits first. */
  flows: string[];
  /** kilobits[flow][slice]. */
  kilobits: number[][];
  /** Over all flows, by slice. */
  total: number[];
}

/**
 * Cuts a trace into slices of `slicePackets` packets (of all packets of the capture; the last may be shorter) and adds
 * up each flow's bytes on the wire in each.
 *
 * @throws NetssmError `option_invalid`
 */
export function sliceKilobits(trace: FlowTrace, slicePackets = 100): SliceSeries {
  if (!(Number.isInteger(slicePackets) && slicePackets > 0)) {
    throw new NetssmError('option_invalid', `slicePackets is ${slicePackets}; a whole number of at least 1`, {
      exitCode: 2,
    });
  }
  const first = trace.packets[0]?.index ?? 0;
  const lastIndex = trace.packets[trace.packets.length - 1]?.index ?? -1;
  const length = lastIndex + 1 - first;
  const slices = Math.ceil(length / slicePackets);
  // Flows by their five-tuple: one that is opened anew goes on.
  const rows = new Map<string, number[]>();
  const total = new Array<number>(slices).fill(0);
  for (const { flow, wireLen, index } of trace.packets) {
    const { name } = trace.flows[flow];
    let row = rows.get(name);
    if (!row) rows.set(name, (row = new Array<number>(slices).fill(0)));
    const slice = Math.floor((index - first) / slicePackets);
    row[slice] += wireLen * 0.008;
    total[slice] += wireLen * 0.008;
  }
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  const ordered = [...rows].sort((a, b) => sum(b[1]) - sum(a[1]) || (a[0] < b[0] ? -1 : 1));
  return {
    slicePackets,
    slices,
    wholeSlices: Math.floor(length / slicePackets),
    flows: ordered.map(([name]) => name),
    kilobits: ordered.map(([, row]) => row),
    total,
  };
}

/** What {@link compareSlices} needs of a {@link SliceSeries}; without `wholeSlices` all slices are whole. */
export type SliceTotals = Pick<SliceSeries, 'slices' | 'flows' | 'total'> & { wholeSlices?: number };

/** How alike two traces' sending patterns are, over all flows together. */
export interface PatternComparison {
  /** Whole slices that both have; what is longer is cut. */
  slices: number;
  /** Null for fewer than three slices or a constant series. */
  pearson: number | null;
  pearsonP: number | null;
  /** Dynamic time warping of the aggregate, divided by the number of slices, in kilobits. Null without slices. */
  dtwKilobits: number | null;
  /** Active flows. */
  realFlows: number;
  generatedFlows: number;
}

/**
 * The two numbers of section 5.3 beside Figure 3. Only whole slices count: traces that are cut to one length have a last
 * slice of as few packets, and two series that drop together at the end correlate whatever went before.
 */
export function compareSlices(real: SliceTotals, generated: SliceTotals): PatternComparison {
  const whole = ({ slices, wholeSlices = slices }: SliceTotals): number => wholeSlices;
  const slices = Math.min(whole(real), whole(generated));
  const [a, b] = [real, generated].map(({ total }) => total.slice(0, slices));
  const varies = (values: readonly number[]): boolean => values.some((value) => value !== values[0]);
  const correlation = slices > 2 && varies(a) && varies(b) ? pearson(a, b) : undefined;
  return {
    slices,
    pearson: correlation?.r ?? null,
    pearsonP: correlation?.pValue ?? null,
    dtwKilobits: slices === 0 ? null : dynamicTimeWarping(a, b) / slices,
    realFlows: real.flows.length,
    generatedFlows: generated.flows.length,
  };
}
