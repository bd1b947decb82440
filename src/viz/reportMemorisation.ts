import type { Evaluation, MemorisationRow } from '../evaluate';
import { nearestFigure } from './evaluationFigures';
import type { TableSpec } from './html';
import type { ReportPage } from './reportPage';
import { distance, percent, share } from './reportTables';
import { sourceStyle } from './theme';

/** Suite `memorisation`. */
export function memorisationSection(page: ReportPage, evaluation: Evaluation): void {
  const { memorisation } = evaluation;
  if (!memorisation) return;
  page.heading('Memorisation');
  page.text(
    'How near TCP packets are to those that a generator may have learnt from: the header bytes (IPv4 and TCP with options), compared nibble by ' +
      'nibble. Read it beside the held-out real captures: what is nearer to the training packets than new real traffic is copies them.',
  );
  page.table(memorisationTable(evaluation));
  page.figure(
    nearestFigure(memorisation, evaluation),
    `All labels together: up to ${memorisation.maxQueries.toLocaleString('en')} packets of each against ${memorisation.maxReference.toLocaleString('en')} training packets of the label.`,
  );
  const audit = memorisation.membership;
  if (audit)
    page.text(
      `Membership audit: a capture's loss tells training captures from others with an area under the ROC curve of ${distance(audit.auc.estimate)} ` +
        `(95 % interval ${distance(audit.auc.low)} to ${distance(audit.auc.high)}; ${audit.members} and ${audit.nonMembers} captures). 0.5 is nothing to be learnt.`,
    );
  page.folded('By label', labelTable(evaluation));
  page.folded(
    'By place in the capture, and by header field',
    positionTable(evaluation),
    fieldTable(evaluation),
  );
}

function pooled(evaluation: Evaluation): MemorisationRow[] {
  return (evaluation.memorisation?.rows ?? []).filter(({ label, rows }) => label === 'pooled' && rows > 0);
}

function line(row: MemorisationRow): (string | number)[] {
  const { nearest } = row;
  return [
    row.rows,
    row.identical === null ? '–' : share(row.identical, row.rows),
    distance(nearest?.mean),
    distance(nearest?.median),
    nearest ? percent(nearest.within['0.05']) : '–',
    nearest ? percent(nearest.within['0.15']) : '–',
    row.diversityRatio === null ? '–' : row.diversityRatio.toFixed(2),
    row.reusedFlows === null || row.flows === null ? '–' : share(row.reusedFlows, row.flows),
  ];
}

const COLUMNS = [
  'TCP packets',
  'identical to a training packet',
  'nearest: mean',
  'median',
  'within 5 %',
  'within 15 %',
  'diversity ratio',
  'five-tuples used again',
];

/** The suite's numbers, all labels together. */
export function memorisationTable(evaluation: Evaluation): TableSpec {
  const rows = pooled(evaluation);
  return {
    caption:
      'All labels together. Diversity: mean distance of pairs of packets, divided by that of training packets. Published for NetSSM, with the prompt: 2.35 % identical, nearest mean 0.186, diversity 0.53.',
    columns: ['source', ...COLUMNS],
    rows: rows.map((row) => [sourceStyle(row.source).title, ...line(row)]),
    highlight: rows.flatMap(({ source }, i) => (isJudged(evaluation, source) ? [i] : [])),
  };
}

function labelTable(evaluation: Evaluation): TableSpec {
  const rows = (evaluation.memorisation?.rows ?? [])
    .filter(
      ({ source, label, rows: n }) =>
        label !== 'pooled' && n > 0 && (source === 'reference' || isJudged(evaluation, source)),
    )
    .sort((a, b) => (a.label < b.label ? -1 : a.label > b.label ? 1 : 0));
  return {
    columns: ['label', 'source', ...COLUMNS],
    rows: rows.map((row) => [row.label, sourceStyle(row.source).title, ...line(row)]),
    highlight: rows.flatMap(({ source }, i) => (isJudged(evaluation, source) ? [i] : [])),
  };
}

function positionTable(evaluation: Evaluation): TableSpec {
  const rows = pooled(evaluation);
  const positions = rows[0]?.byPosition ?? [];
  return {
    caption: 'Mean distance from the nearest training packet by the place of a packet in its capture.',
    columns: [
      'source',
      ...positions.map(({ from, to }) => (to === null ? `from ${from} on` : `${from} to ${to}`)),
    ],
    rows: rows.map(({ source, byPosition }) => [
      sourceStyle(source).title,
      ...byPosition.map(({ mean }) => distance(mean)),
    ]),
  };
}

function fieldTable(evaluation: Evaluation): TableSpec {
  const rows = pooled(evaluation);
  const fields = rows[0]?.byField ?? [];
  return {
    caption: 'Share of packets in which the field is another than in the nearest training packet.',
    columns: ['field', ...rows.map(({ source }) => sourceStyle(source).title)],
    rows: fields.map(({ field }, k) => [
      field,
      ...rows.map(({ byField }) => {
        const { changed } = byField[k];
        return changed === null ? '–' : percent(changed);
      }),
    ]),
  };
}

function isJudged(evaluation: Evaluation, source: string): boolean {
  return evaluation.sources.some(({ name, role }) => name === source && role === 'synthetic');
}
