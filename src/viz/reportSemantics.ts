import { SEGMENT_EVALUATIONS, type Evaluation, type SegmentComparisonRow } from '../evaluate';
import { sliceFigure } from './evaluationFigures';
import type { TableSpec } from './html';
import type { ReportPage } from './reportPage';
import { percent } from './reportTables';
import { sourceStyle } from './theme';

/** Suite `semantics`. */
export function semanticsSection(page: ReportPage, evaluation: Evaluation): void {
  const { semantics } = evaluation;
  if (!semantics) return;
  page.heading('What the sessions brought', 'Semantics');
  page.text(
    'A segment is what one request brought: it begins with an uplink packet with data, and the later downlink bytes of its flow are its ' +
      "own until the next request. Labels with netflix or youtube in their name have the paper's rules, all others count every request. " +
      'Traces are compared in pairs, cut to as many packets.',
  );
  page.table(segmentTable(evaluation, ['sizes', 'meanSizes', 'counts']));
  page.folded(
    'Durations and times between segments',
    segmentTable(evaluation, ['durations', 'interArrivals']),
  );
  page.folded('Segments of each label as they are', segmentStatsTable(evaluation));
  page.table(truthTable(evaluation));
  page.figure(
    sliceFigure(semantics.slices, semantics.slicePackets),
    'Bits on the wire in each slice; a colour is a flow of its trace.',
  );
  page.table(patternTable(evaluation));
  page.table(flowTable(evaluation));
}

const number = (value: number | null | undefined): string => {
  if (value === null || value === undefined) return '–';
  const size = Math.abs(value);
  if (size < 5e-4) return size === 0 ? '0' : value < 0 ? '> −0.001' : '< 0.001';
  const text = size >= 100 ? Math.round(size).toLocaleString('en') : Number(size.toPrecision(3)).toString();
  return value < 0 ? `−${text}` : text;
};

/** Table 3: medians over the pairs. */
export function segmentTable(
  evaluation: Evaluation,
  shown: readonly SegmentComparisonRow['evaluation'][],
): TableSpec {
  const all = (evaluation.semantics?.comparisons ?? []).filter(
    ({ label, pairs, evaluation: name }) => label === 'all' && pairs > 0 && shown.includes(name),
  );
  const order = SEGMENT_EVALUATIONS.map(({ name }) => name as string);
  const rows = [...all].sort((a, b) => order.indexOf(a.evaluation) - order.indexOf(b.evaluation));
  return {
    caption:
      'Table 3: segments of real and compared traces, medians over the pairs; differences are real - compared. KS, AD: two-sample Kolmogorov-Smirnov and Anderson-Darling; KL in nats over 50 bins; EMD in the unit of the values.',
    columns: [
      'segments',
      'source',
      'pairs',
      'mean Δ',
      'median Δ',
      'sd Δ',
      'KS',
      'p (KS)',
      'AD',
      'p (AD)',
      'KL',
      'EMD',
    ],
    rows: rows.map((row: SegmentComparisonRow, i) => [
      rows[i - 1]?.evaluation === row.evaluation ? '' : `${row.title} (${row.unit})`,
      sourceStyle(row.source).title,
      row.pairs,
      ...(['meanDelta', 'medianDelta', 'sdDelta', 'ks', 'ksP', 'ad', 'adP', 'kl', 'emd'] as const).map(
        (key) => number(row.median[key]),
      ),
    ]),
    highlight: rows.flatMap(({ source }, i) => (isJudged(evaluation, source) ? [i] : [])),
  };
}

/** Numbers and sizes of segments, label by label. */
export function segmentStatsTable(evaluation: Evaluation): TableSpec {
  const rows = (evaluation.semantics?.segments ?? []).filter(
    ({ source, traces }) =>
      traces > 0 && (source === 'reference' || isJudged(evaluation, source) || source === 'real'),
  );
  return {
    columns: [
      'label',
      'source',
      'traces',
      'segments',
      'bytes: median',
      'mean',
      '75 %',
      'largest',
      'segments a flow, mean',
    ],
    rows: [...rows]
      .sort((a, b) => (a.label < b.label ? -1 : a.label > b.label ? 1 : 0))
      .map(({ label, source, traces, segments, sizes, counts }) => [
        label,
        sourceStyle(source).title,
        traces,
        segments,
        number(sizes?.median),
        number(sizes?.mean),
        number(sizes?.q75),
        number(sizes?.max),
        number(counts?.mean),
      ]),
  };
}

/** Extracted segments against the objects that were really served. */
export function truthTable(evaluation: Evaluation): TableSpec {
  return {
    caption:
      'How well segments that are cut from packets alone are the objects that were really served, in captures with a ground truth: ' +
      'same connection, start within 0.5 s, size within 10 %. It bounds what the segment statistics can tell.',
    columns: ['label', 'source', 'traces', 'objects', 'segments', 'matched', 'precision', 'recall', 'F1'],
    rows: (evaluation.semantics?.truth ?? []).map((row) => [
      row.label,
      sourceStyle(row.source).title,
      row.traces,
      row.objects,
      row.segments,
      row.matched,
      row.precision.toFixed(3),
      row.recall.toFixed(3),
      row.f1.toFixed(3),
    ]),
  };
}

/** Sending patterns, all labels together. */
export function patternTable(evaluation: Evaluation): TableSpec {
  const semantics = evaluation.semantics;
  const rows = (semantics?.patterns ?? []).filter(({ label, pairs }) => label === 'all' && pairs > 0);
  return {
    caption: `Sending patterns: kilobits by slice of ${semantics?.slicePackets ?? 100} packets, medians over the pairs. DTW: dynamic time warping, by slice. Published: Netflix r 0.52, YouTube 0.31.`,
    columns: [
      'source',
      'pairs',
      'Pearson r',
      'p',
      'DTW, kilobits',
      'flows of the real trace',
      'flows of the compared one',
    ],
    rows: rows.map((row) => [
      sourceStyle(row.source).title,
      row.pairs,
      number(row.pearson),
      number(row.pearsonP),
      number(row.dtwKilobits),
      number(row.realFlows),
      number(row.flows),
    ]),
    highlight: rows.flatMap(({ source }, i) => (isJudged(evaluation, source) ? [i] : [])),
  };
}

/** Flows and five-tuples beside those of the training captures. */
export function flowTable(evaluation: Evaluation): TableSpec {
  const rows = evaluation.semantics?.flows ?? [];
  const sources = [...new Set(rows.map(({ source }) => source))];
  const sum = (source: string, of: (row: (typeof rows)[number]) => number): number =>
    rows.filter((row) => row.source === source).reduce((total, row) => total + of(row), 0);
  const shown = sources.filter((source) => sum(source, (row) => row.flows) > 0);
  return {
    caption:
      'Flows, all labels together. Of the captures that generators learnt from the same five-tuples are known; new sessions have new ones, so real traffic invents them too. ' +
      'Addresses that no such capture knows are another matter.',
    columns: [
      'source',
      'captures',
      'flows',
      'flows a capture',
      'five-tuples of the training captures',
      'with an unknown address',
    ],
    rows: shown.map((source) => {
      const flows = sum(source, (row) => row.flows);
      const captures = sum(source, (row) => row.traces);
      return [
        sourceStyle(source).title,
        captures,
        flows,
        number(flows / captures),
        percent(sum(source, (row) => row.known) / flows),
        percent(sum(source, (row) => row.newAddresses) / flows),
      ];
    }),
    highlight: shown.flatMap((source, i) => (isJudged(evaluation, source) ? [i] : [])),
  };
}

function isJudged(evaluation: Evaluation, source: string): boolean {
  return evaluation.sources.some(({ name, role }) => name === source && role === 'synthetic');
}
