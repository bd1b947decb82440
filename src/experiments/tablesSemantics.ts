import type { SegmentComparisonRow } from '../evaluate';
import type { Cell, ResultTable } from './experiment';
import type { Measured, PopulationRow } from './measure';
import { PAPER_PATTERNS, PAPER_SEGMENTS } from './paper';
import { column } from './tables';
import type { TimingRow } from './timing';
import type { TableOptions } from './tablesSimilarity';

/** Table 3, the numbers beside Figure 3, flows, populations, and how true the segments are. */
export function semanticsTables(measured: Measured, options: TableOptions): ResultTable[] {
  const truth = truthTable(measured, options);
  return [
    table3(measured, options),
    patterns(measured, options),
    population(measured.populations, options),
    timing(measured.timing, options),
    flows(measured, options),
    ...(truth.rows.length > 0 ? [truth] : []),
  ];
}

const shown = ({ judged }: TableOptions): string => judged ?? 'real';

/** Bytes to the paper's kilobytes; counts stay. */
const scaleOf = (unit: string): number => (unit === 'bytes' ? 1e-3 : 1);

function table3(measured: Measured, options: TableOptions): ResultTable {
  const source = shown(options);
  const ours = (measured.semantics?.comparisons ?? [])
    .filter((row) => row.source === source)
    .map((row): Cell[] => [`${source}, ${row.label}`, row.title, row.pairs, ...statistics(row)]);
  const paper = PAPER_SEGMENTS.map((row): Cell[] => [
    `paper: ${row.application}, ${row.model}`,
    { sizes: 'raw segment size', meanSizes: 'mean segment size per flow', counts: 'segments per flow' }[
      row.evaluation
    ],
    100,
    row.meanDelta,
    row.medianDelta,
    row.sdDelta,
    row.ks,
    row.ksP,
    row.ad,
    row.adP,
    row.kl,
    row.emd,
  ]);
  const titles = ['mean Δ', 'median Δ', 'sd Δ', 'K-S', 'K-S p', 'A-D', 'A-D p', 'KL, nats', 'EMD'];
  return {
    id: `${options.prefix}tab3`,
    title: 'Segments: medians over pairs of a real trace and its counterpart; differences are real - other',
    reproduces: ['tab3'],
    columns: [
      column.name('source'),
      column.name('evaluation'),
      column.ours('pairs'),
      ...titles.map((title) => column.ours(title)),
    ],
    rows: [...ours, ...paper],
    notes: [
      'Sizes in kilobytes, times in seconds. KL: histograms of 50 bins (the paper does not say). Without a rule of its ' +
        'own, every uplink packet with payload begins a segment.',
    ],
  };
}

function statistics({ unit, median: m }: SegmentComparisonRow): Cell[] {
  const scaled = (value: number | null): number | null => (value === null ? null : value * scaleOf(unit));
  return [
    scaled(m.meanDelta),
    scaled(m.medianDelta),
    scaled(m.sdDelta),
    m.ks,
    m.ksP,
    m.ad,
    m.adP,
    m.kl,
    scaled(m.emd),
  ];
}

function patterns(measured: Measured, options: TableOptions): ResultTable {
  const ours = (measured.semantics?.patterns ?? []).map((row): Cell[] => [
    row.source,
    row.label,
    row.pairs,
    row.pearson,
    row.dtwKilobits,
    row.realFlows,
    row.flows,
  ]);
  const paper = Object.entries(PAPER_PATTERNS).map(([name, { pearson, dtwKilobits }]): Cell[] => [
    'paper',
    name,
    100,
    pearson,
    dtwKilobits,
    null,
    null,
  ]);
  return {
    id: `${options.prefix}patterns`,
    title: 'Sending patterns: kilobits by slice of 100 packets, medians over the pairs',
    reproduces: ['fig3'],
    columns: [
      column.name('source'),
      column.name('class'),
      column.ours('pairs'),
      column.ours('Pearson r'),
      column.ours('DTW a slice, kbit'),
      column.ours('active flows, real'),
      column.ours('active flows'),
    ],
    rows: [...ours, ...paper],
    notes: ['Pairs of which no side has three slices count for nothing.'],
  };
}

function population(rows: readonly PopulationRow[], options: TableOptions): ResultTable {
  const bar = (change: number | null, limit: number): string | null =>
    change === null ? null : Math.abs(change) <= limit ? 'met' : 'missed';
  return {
    id: `${options.prefix}population`,
    title: 'Flow population against held-out real: relative changes of per-trace means, in percent',
    reproduces: [],
    columns: [
      column.name('source'),
      column.name('class'),
      column.ours('traces'),
      column.ours('length'),
      column.ours('TCP share'),
      column.bar('within 5 %'),
      column.ours('packets per flow'),
      column.bar('within 10 %'),
      column.ours('flows'),
      column.bar('within 10 %'),
      column.ours('flows per trace, K-S'),
      column.bar('at most 0.3'),
      column.ours('packets per flow, K-S'),
    ],
    rows: rows.map(({ source, label, comparison: c }): Cell[] => {
      const percent = (change: number | null): number | null => (change === null ? null : 100 * change);
      return [
        source,
        label,
        c.traces.other,
        percent(c.packets.change),
        percent(c.tcpShare.change),
        bar(c.tcpShare.change, 0.05),
        percent(c.packetsPerFlow.change),
        bar(c.packetsPerFlow.change, 0.1),
        percent(c.flows.change),
        bar(c.flows.change, 0.1),
        c.flows.ks,
        c.flows.ks <= 0.3 ? 'met' : 'missed',
        c.packetsPerFlow.ks,
      ];
    }),
    notes: [
      'TCP share: of TCP and UDP packets. Few traces have a large K-S distance by themselves: see "real". "all": means ' +
        'over the traces of all classes.',
    ],
  };
}

/** Earth mover's distances may be so many times those of real traffic. */
const TIMING_BAR = 1.5;

function timing(rows: readonly TimingRow[], { judged, prefix }: TableOptions): ResultTable {
  const find = (source: string, label: string): TimingRow | undefined =>
    rows.find((row) => row.source === source && row.label === label);
  const labels = [...new Set(rows.map(({ label }) => label))];
  const pair = (own: number | undefined, floor: number | undefined): Cell[] =>
    own === undefined || floor === undefined
      ? [null, null]
      : [own, own <= TIMING_BAR * floor ? 'met' : 'missed'];
  return {
    id: `${prefix}timing`,
    title: 'Times between packets, and sizes on the wire: distances from held-out real',
    reproduces: [],
    columns: [
      column.name('class'),
      column.ours('inter-arrivals, decades: real'),
      ...(judged === null ? [] : [column.ours(judged), column.bar(`at most ${TIMING_BAR} x real`)]),
      column.ours('K-S: real'),
      ...(judged === null ? [] : [column.ours(`K-S: ${judged}`)]),
      column.ours('sizes, bytes: real'),
      ...(judged === null
        ? []
        : [column.ours(`sizes: ${judged}`), column.bar(`sizes: at most ${TIMING_BAR} x real`)]),
    ],
    rows: labels.map((label): Cell[] => {
      const floor = find('real', label);
      const own = judged === null ? undefined : find(judged, label);
      const shown = judged !== null;
      return [
        label,
        floor?.gapDecades ?? null,
        ...(shown ? pair(own?.gapDecades, floor?.gapDecades) : []),
        floor?.gapKs ?? null,
        ...(shown ? [own?.gapKs ?? null] : []),
        floor?.sizeBytes ?? null,
        ...(shown ? pair(own?.sizeBytes, floor?.sizeBytes) : []),
      ];
    }),
    notes: [
      "Earth mover's distances, of inter-arrivals after their base-10 logarithm; prompt packets left out.",
    ],
  };
}

function flows(measured: Measured, options: TableOptions): ResultTable {
  return {
    id: `${options.prefix}invented-flows`,
    title: 'Five-tuples that no training session has',
    reproduces: [],
    columns: [
      column.name('source'),
      column.name('class'),
      column.ours('traces'),
      column.ours('flows a trace'),
      column.ours('invented, % of flows'),
      column.ours('invented, % of packets'),
      column.ours('with an unknown address, %'),
    ],
    rows: (measured.semantics?.flows ?? []).map((row): Cell[] => [
      row.source,
      row.label,
      row.traces,
      row.flowsPerTrace,
      row.flows === 0 ? null : (100 * row.invented) / row.flows,
      row.inventedPackets === null ? null : 100 * row.inventedPackets,
      row.flows === 0 ? null : (100 * row.newAddresses) / row.flows,
    ]),
    notes: ['Of real sessions of another day nearly all are new, too: copying shows as a small share.'],
  };
}

function truthTable(measured: Measured, options: TableOptions): ResultTable {
  return {
    id: `${options.prefix}segment-truth`,
    title: 'Segments cut from the packets beside the objects that were really served',
    reproduces: [],
    columns: [
      column.name('source'),
      column.name('class'),
      column.ours('traces'),
      column.ours('segments'),
      column.ours('objects'),
      column.ours('precision'),
      column.ours('recall'),
      column.ours('F1'),
    ],
    rows: (measured.semantics?.truth ?? []).map((row): Cell[] => [
      row.source,
      row.label,
      row.traces,
      row.segments,
      row.objects,
      row.precision,
      row.recall,
      row.f1,
    ]),
    notes: [],
  };
}
