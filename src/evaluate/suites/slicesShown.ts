import { sliceKilobits, type FlowTrace, type SliceSeries } from '../semantics';
import { pairTraces, type SuiteInput, type TracePair } from '../sources';
import type { Trace } from '../traces';
import { cutPair, type FlowCache } from './flowCache';
import type { SlicePattern } from './semanticsRows';

/** Flows of a figure; what is beyond is summed up as `others`. */
const SHOWN_FLOWS = 6;

/** The longest judged trace (without one the longest of the floor) and its real counterpart. */
export function slicesShown(input: SuiteInput, cache: FlowCache, slicePackets: number): SlicePattern[] {
  const judged =
    input.sources.find(({ role }) => role === 'synthetic') ??
    input.sources.find(({ role }) => role === 'floor');
  if (!judged) return [];
  const pairs = pairTraces(judged.traces, input.reference, input.training);
  const longest = pairs.reduce<TracePair | undefined>((best, pair) => {
    const n = Math.min(pair.real.packets.length, pair.other.packets.length);
    const most = best ? Math.min(best.real.packets.length, best.other.packets.length) : 0;
    return n > most ? pair : best;
  }, undefined);
  if (!longest) return [];
  const { real, other } = cutPair(longest, cache);
  const pattern = (source: string, trace: Trace, flows: FlowTrace): SlicePattern => ({
    source,
    label: trace.label,
    file: trace.path.split('/').pop() as string,
    series: shortened(sliceKilobits(flows, slicePackets)),
  });
  return [pattern('reference', longest.real, real), pattern(judged.name, longest.other, other)];
}

function shortened(series: SliceSeries): SliceSeries {
  const rounded = series.kilobits.map((row) => row.map((value) => Number(value.toFixed(1))));
  const rest = rounded.slice(SHOWN_FLOWS);
  const flows = series.flows.slice(0, SHOWN_FLOWS);
  const kilobits = rounded.slice(0, SHOWN_FLOWS);
  if (rest.length > 0) {
    flows.push(`${rest.length} others`);
    kilobits.push(series.total.map((_, i) => Number(rest.reduce((sum, row) => sum + row[i], 0).toFixed(1))));
  }
  return { ...series, flows, kilobits, total: series.total.map((value) => Number(value.toFixed(1))) };
}
