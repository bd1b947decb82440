/** Rows for {@link table} out of an evaluation: a source a row, a measure a column. */
import {
  framesOfTrace,
  traceOfFrames,
  type AttributeName,
  type Evaluation,
  type SegmentSamples,
  type Trace,
} from '../evaluate';
import { trivialBaselines } from '../generators';
import { earthMoversDistance, kolmogorovSmirnov } from '../stats';
import { sourceStyle } from '../viz';
import { gapsSeconds } from './studies';

/** A row of a table. */
export type TableRow = Record<string, string | number | null | undefined>;

/** Distances of every source from the reference, mean over the labels. `what`: as in {@link Evaluation} `similarity`. */
export function similarityTable({ sources, similarity }: Evaluation, what = 'tcp'): TableRow[] {
  return sources.map(({ name }) => {
    const row = similarity.find(
      (each) => each.source === name && each.label === 'macro' && each.what === what,
    );
    return {
      source: sourceStyle(name).title,
      JSD: row?.jsDistance,
      TVD: row?.totalVariation,
      Hellinger: row?.hellinger,
      packets: row?.nSource,
    };
  });
}

/** The attribute level by each of its definitions, mean over all pairs of traces. */
export function attributeTable({ attributes }: Evaluation, sources: readonly string[]): TableRow[] {
  const names: (AttributeName | 'avg')[] = ['SA', 'DA', 'SP', 'DP', 'PR', 'avg'];
  const definitions = [...new Set(attributes.map(({ definition }) => definition))];
  return definitions.flatMap((definition) =>
    sources.map((source): TableRow => {
      const own = attributes.filter(
        (row) => row.definition === definition && row.source === source && row.label === 'all',
      );
      const value = (name: string): number | null | undefined =>
        own.find(({ attribute }) => attribute === name)?.jsDistance;
      return {
        definition,
        source: sourceStyle(source).title,
        ...Object.fromEntries(names.map((name) => [name, value(name)])),
      };
    }),
  );
}

/** One label's held-out real traces, other real ones, and what generators make that were fitted on those. */
export async function rivalTraces(
  reference: readonly Trace[],
  training: readonly Trace[],
  label: string,
  options: { packets?: number; seed?: number } = {},
): Promise<Record<string, Trace[]>> {
  const { packets = 4000, seed = 1 } = options;
  const own = (traces: readonly Trace[]): Trace[] => traces.filter((trace) => trace.label === label);
  const all: Record<string, Trace[]> = { reference: own(reference), real: own(training) };
  const learnt = own(training).map((trace) => ({ label, frames: framesOfTrace(trace) }));
  for (const rival of trivialBaselines()) {
    await rival.fit(learnt, { seed });
    const { frames } = await rival.generate({ label, packets, seed });
    // The byte bigram makes no packets at all, or hardly any.
    if (frames.length > packets / 10)
      all[rival.card.name] = [traceOfFrames(label, frames, `${rival.card.name}/${label}`)];
  }
  return all;
}

/** Sizes and gaps of each group of traces, beside those of the first group. */
export function compareSizesAndGaps(groups: Readonly<Record<string, readonly Trace[]>>): TableRow[] {
  const decades = (gap: number): number => Math.log10(Math.max(gap, 1e-6));
  const measured = Object.entries(groups).map(([name, traces]) => ({
    name,
    sizes: traces.flatMap(({ packets }) => packets.map(({ wireLen }) => wireLen)),
    gaps: traces.flatMap((trace) => gapsSeconds(framesOfTrace(trace)).map(decades)),
  }));
  const [first, ...others] = measured;
  return others.map(({ name, sizes, gaps }) => ({
    source: sourceStyle(name).title,
    'sizes: KS': kolmogorovSmirnov(first.sizes, sizes).statistic,
    'sizes: EMD, bytes': earthMoversDistance(first.sizes, sizes),
    'gaps: KS': kolmogorovSmirnov(first.gaps, gaps).statistic,
    'gaps: EMD, decades': earthMoversDistance(first.gaps, gaps),
  }));
}

/** Table 3 for one label and one of its evaluations (`sizes`, `meanSizes`, `counts` ...): medians over pairs of traces. */
export function segmentTable(
  { semantics }: Evaluation,
  label: string,
  evaluation: keyof SegmentSamples,
): TableRow[] {
  const rows = semantics?.comparisons ?? [];
  return rows
    .filter((row) => row.label === label && row.evaluation === evaluation)
    .map(({ source, pairs, median }) => ({ source: sourceStyle(source).title, pairs, ...median }));
}

/** Segments of one label's traces as they are. */
export function segmentStatsTable({ semantics }: Evaluation, label: string): TableRow[] {
  const rows = semantics?.segments ?? [];
  return rows
    .filter((row) => row.label === label)
    .map(({ source, traces, segments, sizes, counts }) => ({
      source: sourceStyle(source).title,
      traces,
      segments,
      'median size, kB': sizes && sizes.median / 1000,
      'mean size, kB': sizes && sizes.mean / 1000,
      'segments a flow': counts?.mean,
    }));
}

/** Sending patterns of one label beside the reference's: section 5.3 of the paper. */
export function patternTable({ semantics }: Evaluation, label: string): TableRow[] {
  const rows = semantics?.patterns ?? [];
  return rows
    .filter((row) => row.label === label)
    .map(({ source, pairs, pearson, dtwKilobits, realFlows, flows }) => ({
      source: sourceStyle(source).title,
      pairs,
      "Pearson's r": pearson,
      'DTW, kilobits a slice': dtwKilobits,
      'flows, real': realFlows,
      'flows, source': flows,
    }));
}

/** Flows of each source beside those of the real training traces of the label. */
export function noveltyTable({ semantics }: Evaluation, label: string): TableRow[] {
  const rows = semantics?.flows ?? [];
  return rows
    .filter((row) => row.label === label)
    .map((row) => ({
      source: sourceStyle(row.source).title,
      traces: row.traces,
      'flows a trace': row.flowsPerTrace,
      'flows invented': row.flows === 0 ? null : row.invented / row.flows,
      'of the packets': row.inventedPackets,
      'with a new address': row.flows === 0 ? null : row.newAddresses / row.flows,
    }));
}

/** Table 4: percent of the captures that show a thing, the reference first. */
export function paperTable({ compliance }: Evaluation, sources: readonly string[]): TableRow[] {
  const rows = (compliance?.paper ?? []).filter(({ label }) => label === 'pooled');
  const metrics = [...new Map(rows.map(({ metric, title }) => [metric, title]))];
  return metrics.map(([metric, title]) => {
    const own = rows.filter((row) => row.metric === metric);
    const seen = sources.map((source) => [
      sourceStyle(source).title,
      own.find((row) => row.source === source)?.syntheticSeen,
    ]);
    return { metric: title, 'held-out real': own[0]?.realSeen, ...Object.fromEntries(seen) };
  });
}

/** Rules that are broken, in packets out of 1,000, by source; the most broken first. */
export function ruleTable(
  { compliance }: Evaluation,
  sources: readonly string[],
  options: { severity?: 'violation' | 'oddity'; most?: number } = {},
): TableRow[] {
  const { severity = 'violation', most = 12 } = options;
  const pooled = (compliance?.rows ?? []).filter(({ label }) => label === 'pooled');
  const rate = (source: string, rule: string): number => {
    const row = pooled.find((each) => each.source === source);
    const found = row?.rules.find((each) => each.rule === rule);
    return found && row ? (1000 * found.packets) / row.packets : 0;
  };
  const shown = pooled.filter(({ source }) => sources.includes(source));
  const rules = shown.flatMap(({ rules: own }) => own.filter((each) => each.severity === severity));
  return [...new Set(rules.map(({ rule }) => rule))]
    .map((rule) => ({ rule, rates: sources.map((source) => rate(source, rule)) }))
    .sort((a, b) => Math.max(...b.rates) - Math.max(...a.rates))
    .slice(0, most)
    .map(({ rule, rates }) => ({
      rule,
      ...Object.fromEntries(sources.map((source, i) => [sourceStyle(source).title, rates[i]])),
    }));
}

/** The paper's appendix table on memorisation, all labels together: a source a row. */
export function memorisationTable({ memorisation }: Evaluation): TableRow[] {
  return (memorisation?.rows ?? [])
    .filter(({ label }) => label === 'pooled')
    .map((row) => ({
      source: sourceStyle(row.source).title,
      rows: row.rows,
      identical: row.identicalShare,
      'nearest, mean': row.nearest?.mean,
      'within 5 %': row.nearest?.within['0.05'],
      'within 15 %': row.nearest?.within['0.15'],
      'pairwise diversity, ratio': row.diversityRatio,
      'five-tuples reused': row.flows ? (row.reusedFlows ?? 0) / row.flows : null,
    }));
}
