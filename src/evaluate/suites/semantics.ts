import { mean, quantile } from '../../stats';
import {
  compareSegments,
  compareSlices,
  extractSegments,
  flowNovelty,
  matchSegments,
  NETFLIX_SEGMENTS,
  segmentSamples,
  serversOf,
  sliceKilobits,
  summarise,
  YOUTUBE_SEGMENTS,
  type SegmentRule,
} from '../semantics';
import { labelsIn, pairTraces, reportSource, tracesOf, type SuiteInput } from '../sources';
import type { Trace } from '../traces';
import { cutPair, FlowCache, type CutPair } from './flowCache';
import {
  REQUEST_SEGMENTS,
  type FlowRow,
  type PatternRow,
  type SegmentComparisonRow,
  type SegmentStatsRow,
  type SemanticsOptions,
  type SemanticsResult,
  type TruthRow,
} from './semanticsRows';
import { slicesShown } from './slicesShown';

interface LabelRule {
  name: string;
  rule: SegmentRule;
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

function comparisonRows(
  source: string,
  pairs: readonly CutPair[],
  rules: ReadonlyMap<string, LabelRule>,
): SegmentComparisonRow[] {
  const cut = pairs.flatMap(({ label, twins, real, other }) => {
    const found = rules.get(label);
    if (!found) return [];
    const sides = { real: extractSegments(real, found.rule), generated: extractSegments(other, found.rule) };
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
