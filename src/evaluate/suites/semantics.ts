import { mean, quantile } from '../../stats';
import {
  compareSegments,
  compareSlices,
  extractSegments,
  flowNovelty,
  flowTrace,
  matchSegments,
  NETFLIX_SEGMENTS,
  segmentSamples,
  serversOf,
  sliceKilobits,
  summarise,
  YOUTUBE_SEGMENTS,
  type FlowTrace,
  type Segment,
  type SegmentRow,
  type SegmentRule,
  type SliceSeries,
  type Summary,
} from '../semantics';
import { labelsIn, pairTraces, reportSource, tracesOf, type SuiteInput, type TracePair } from '../sources';
import { framesOfTrace, type Trace } from '../traces';

/** Any label without a rule of its own: every uplink packet with payload begins a segment, on all servers. */
export const REQUEST_SEGMENTS: SegmentRule = { minRequestBytes: 1, minSegmentBytes: 1 };

/** Table 3 for one label (or `all`) of one source; differences are real - source, medians over the pairs of traces. */
export interface SegmentComparisonRow extends Omit<SegmentRow, 'perPair'> {
  source: string;
  label: string;
  /** `netflix`, `youtube`, `request`, or `given`; `several` for the label `all` where labels differ. */
  rule: string;
  /** Pairs whose trace says whose twin it is. */
  twins: number;
}

/** Segments of one label's traces as they are; of the source `reference`, too. */
export interface SegmentStatsRow {
  source: string;
  label: string;
  traces: number;
  segments: number;
  sizes: Summary | null;
  meanSizes: Summary | null;
  counts: Summary | null;
}

/** Sending patterns: kilobits on the wire by slice of 100 packets. */
export interface PatternRow {
  source: string;
  label: string;
  pairs: number;
  /** Medians over the pairs; null where no pair has three slices. */
  pearson: number | null;
  pearsonP: number | null;
  dtwKilobits: number | null;
  /** Mean active flows of the real and of the other trace of each pair, cut to equal length. */
  realFlows: number | null;
  flows: number | null;
}

/** Flows of one label's traces beside those of the real training traces of the label. */
export interface FlowRow {
  source: string;
  label: string;
  traces: number;
  /** Sums over the traces. */
  flows: number;
  known: number;
  invented: number;
  newAddresses: number;
  /** Means over the traces. */
  flowsPerTrace: number | null;
  inventedPackets: number | null;
}

/** How well segments that are cut from the packets are the objects that were really served. */
export interface TruthRow {
  source: string;
  label: string;
  /** Traces with a ground truth. */
  traces: number;
  segments: number;
  objects: number;
  matched: number;
  /** Means over the traces. */
  precision: number;
  recall: number;
  f1: number;
}

/** One trace's sending pattern, for the figure. */
export interface SlicePattern {
  source: string;
  label: string;
  file: string;
  series: SliceSeries;
}

/** Suite `semantics`. */
export interface SemanticsResult {
  slicePackets: number;
  comparisons: SegmentComparisonRow[];
  segments: SegmentStatsRow[];
  patterns: PatternRow[];
  flows: FlowRow[];
  truth: TruthRow[];
  /** One real trace and what stands against it; the flows with most traffic, the others summed up. */
  slices: SlicePattern[];
}

export interface SemanticsOptions {
  /** Rules by label. Default: the paper's for labels with `netflix` and `youtube` in them, else every request. */
  segmentRules?: Readonly<Record<string, SegmentRule>>;
  /** Packets of a slice; default 100. */
  slicePackets?: number;
}

interface LabelRule {
  name: string;
  rule: SegmentRule;
}

/** Flows and segments of a trace are asked for again and again; both are kept. */
class FlowCache {
  private readonly traces = new Map<Trace, FlowTrace>();

  get(trace: Trace): FlowTrace {
    let flows = this.traces.get(trace);
    if (!flows) {
      const promptPackets = trace.prompt?.length ?? 0;
      flows = flowTrace(framesOfTrace(trace, { withPrompt: true }), { promptPackets });
      this.traces.set(trace, flows);
    }
    return flows;
  }
}

/** Segments (Table 3), sending patterns (Figure 3), flows, and ground truth where traces have one. */
export function semanticsSuite(input: SuiteInput, options: SemanticsOptions = {}): SemanticsResult {
  const { slicePackets = 100 } = options;
  const cache = new FlowCache();
  const rules = rulesOf(input, options, cache);
  const result: SemanticsResult = {
    slicePackets,
    comparisons: [],
    segments: [],
    patterns: [],
    flows: [],
    truth: [],
    slices: [],
  };
  const sides = [{ name: 'reference', role: 'reference', traces: input.reference }, ...input.sources];
  sides.forEach(({ name, role, traces }, i) => {
    reportSource(input, 'semantics', i, name);
    for (const label of labelsIn(traces)) {
      const group = tracesOf(traces, label);
      const rule = rules.get(label);
      if (!rule) continue;
      result.segments.push(statsRow(name, label, group, rule.rule, cache));
      result.truth.push(...truthRows(name, label, group, rule.rule, cache));
      // Of the training traces themselves all flows are known.
      if (role !== 'floor' && input.training.length > 0)
        result.flows.push(flowRow(name, label, group, tracesOf(input.training, label), cache));
    }
    if (role === 'reference') return;
    const pairs = pairTraces(traces, input.reference, input.training).map((pair) => cutPair(pair, cache));
    result.comparisons.push(...comparisonRows(name, pairs, rules));
    result.patterns.push(...patternRows(name, pairs, slicePackets));
  });
  result.slices = slicesShown(input, cache, slicePackets);
  return result;
}

function rulesOf(
  { reference, training, note }: SuiteInput,
  { segmentRules = {} }: SemanticsOptions,
  cache: FlowCache,
): Map<string, LabelRule> {
  const rules = new Map<string, LabelRule>();
  for (const label of labelsIn(reference)) {
    if (segmentRules[label]) rules.set(label, { name: 'given', rule: segmentRules[label] });
    else if (/youtube/i.test(label)) rules.set(label, { name: 'youtube', rule: YOUTUBE_SEGMENTS });
    else if (/netflix/i.test(label)) {
      const real = tracesOf([...reference, ...training], label).map((trace) => cache.get(trace));
      // Generated captures hold no DNS answers: the networks of the real servers stand in, as in the paper.
      const servers = serversOf(real, NETFLIX_SEGMENTS);
      if (servers.length > 0) rules.set(label, { name: 'netflix', rule: { ...NETFLIX_SEGMENTS, servers } });
      else {
        note(
          `Segments of ${label} are those of all servers: the captures hold no DNS answers with its names.`,
        );
        rules.set(label, { name: 'request', rule: REQUEST_SEGMENTS });
      }
    } else rules.set(label, { name: 'request', rule: REQUEST_SEGMENTS });
  }
  return rules;
}

function statsRow(
  source: string,
  label: string,
  traces: readonly Trace[],
  rule: SegmentRule,
  cache: FlowCache,
): SegmentStatsRow {
  const all = traces.map((trace) => segmentSamples(extractSegments(cache.get(trace), rule)));
  const sizes = all.flatMap((samples) => samples.sizes);
  return {
    source,
    label,
    traces: traces.length,
    segments: sizes.length,
    sizes: summarise(sizes),
    meanSizes: summarise(all.flatMap((samples) => samples.meanSizes)),
    counts: summarise(all.flatMap((samples) => samples.counts)),
  };
}

function truthRows(
  source: string,
  label: string,
  traces: readonly Trace[],
  rule: SegmentRule,
  cache: FlowCache,
): TruthRow[] {
  const matches = traces.flatMap((trace) => {
    if (!trace.truth || trace.truth.length === 0) return [];
    const flows = cache.get(trace);
    return [matchSegments(flows, extractSegments(flows, rule), trace.truth)];
  });
  if (matches.length === 0) return [];
  const sum = (of: (match: (typeof matches)[number]) => number): number =>
    matches.reduce((total, match) => total + of(match), 0);
  return [
    {
      source,
      label,
      traces: matches.length,
      segments: sum((m) => m.segments),
      objects: sum((m) => m.objects),
      matched: sum((m) => m.matched),
      precision: sum((m) => m.precision) / matches.length,
      recall: sum((m) => m.recall) / matches.length,
      f1: sum((m) => m.f1) / matches.length,
    },
  ];
}

function flowRow(
  source: string,
  label: string,
  traces: readonly Trace[],
  training: readonly Trace[],
  cache: FlowCache,
): FlowRow {
  const known = training.map((trace) => cache.get(trace));
  const each = traces.map((trace) => flowNovelty(cache.get(trace), known));
  const sum = (of: (novelty: (typeof each)[number]) => number): number =>
    each.reduce((total, novelty) => total + of(novelty), 0);
  return {
    source,
    label,
    traces: traces.length,
    flows: sum((n) => n.flows),
    known: sum((n) => n.known),
    invented: sum((n) => n.invented),
    newAddresses: sum((n) => n.newAddresses),
    flowsPerTrace: each.length === 0 ? null : mean(each.map((n) => n.flows)),
    inventedPackets: each.length === 0 ? null : mean(each.map((n) => n.inventedPackets)),
  };
}

interface CutPair {
  label: string;
  twins: boolean;
  real: FlowTrace;
  other: FlowTrace;
}

/** Both sides with as many packets: a longer session has more of everything. */
function cutPair({ real, other, twins, skip }: TracePair, cache: FlowCache): CutPair {
  const [a, b] = [cache.get(real), cache.get(other)];
  const prompt = other.prompt?.length ?? 0;
  const n = Math.min(real.packets.length - skip, other.packets.length);
  const offset = real.prompt?.length ?? 0;
  return {
    label: other.label,
    twins,
    real: between(a, offset + skip, offset + skip + n),
    other: between(b, prompt, prompt + n),
  };
}

function between(trace: FlowTrace, from: number, to: number): FlowTrace {
  return { ...trace, packets: trace.packets.filter(({ index }) => index >= from && index < to) };
}

function comparisonRows(
  source: string,
  pairs: readonly CutPair[],
  rules: ReadonlyMap<string, LabelRule>,
): SegmentComparisonRow[] {
  const cut = pairs.flatMap(({ label, twins, real, other }) => {
    const found = rules.get(label);
    if (!found) return [];
    const sides = { real: segmentsOf(real, found.rule), generated: segmentsOf(other, found.rule) };
    return [{ label, rule: found.name, twins, ...sides }];
  });
  const rowsOf = (label: string, group: typeof cut): SegmentComparisonRow[] => {
    if (group.length === 0) return [];
    const names = new Set(group.map(({ rule }) => rule));
    const rule = names.size === 1 ? group[0].rule : 'several';
    const twins = group.filter((pair) => pair.twins).length;
    return compareSegments(group).map(({ perPair: _, ...row }) => ({ source, label, rule, twins, ...row }));
  };
  const labels = [...new Set(cut.map(({ label }) => label))];
  return [
    ...labels.flatMap((label) =>
      rowsOf(
        label,
        cut.filter((pair) => pair.label === label),
      ),
    ),
    ...rowsOf('all', cut),
  ];
}

function segmentsOf(trace: FlowTrace, rule: SegmentRule): Segment[] {
  return extractSegments(trace, rule);
}

function patternRows(source: string, pairs: readonly CutPair[], slicePackets: number): PatternRow[] {
  const compared = pairs.map(({ label, real, other }) => ({
    label,
    ...compareSlices(sliceKilobits(real, slicePackets), sliceKilobits(other, slicePackets)),
  }));
  const middle = (values: readonly (number | null)[]): number | null => {
    const known = values.filter((value) => value !== null);
    return known.length === 0 ? null : quantile(Float64Array.from(known).sort(), 0.5);
  };
  const row = (label: string, group: typeof compared): PatternRow => ({
    source,
    label,
    pairs: group.length,
    pearson: middle(group.map((each) => each.pearson)),
    pearsonP: middle(group.map((each) => each.pearsonP)),
    dtwKilobits: middle(group.map((each) => each.dtwKilobits)),
    realFlows: group.length === 0 ? null : mean(group.map((each) => each.realFlows)),
    flows: group.length === 0 ? null : mean(group.map((each) => each.generatedFlows)),
  });
  const labels = [...new Set(compared.map(({ label }) => label))];
  if (labels.length === 0) return [];
  return [
    ...labels.map((label) =>
      row(
        label,
        compared.filter((each) => each.label === label),
      ),
    ),
    row('all', compared),
  ];
}

/** Flows of a figure; what is beyond is summed up as `others`. */
const SHOWN_FLOWS = 6;

/** The longest judged trace (without one the longest of the floor) and its real counterpart. */
function slicesShown(input: SuiteInput, cache: FlowCache, slicePackets: number): SlicePattern[] {
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
