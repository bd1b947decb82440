import { UTILITY_TASKS, type Evaluation, type UtilityRow, type UtilityValue } from '../evaluate';
import { TASK_NAMES, utilityFigure } from './evaluationFigures';
import type { TableSpec } from './html';
import type { ReportPage } from './reportPage';
import { sourceStyle } from './theme';

const COLUMN_TEXTS = {
  all: 'all header bits',
  noaddr: 'header bits without addresses',
  noident: 'header bits without addresses, ports, numbers, checksums and timestamps',
} as const;

/** Suite `utility`. */
export function utilitySection(page: ReportPage, evaluation: Evaluation): void {
  const { utility } = evaluation;
  if (!utility) return;
  page.heading('Use for training classifiers', 'Utility');
  page.text(
    `A random forest (${utility.trees} trees) learns the ${utility.labels.length} labels from each source and is tested on held-out real captures. All sources have ` +
      `equally many items to learn from. Inputs: ${COLUMN_TEXTS[utility.columns]} of one packet, of a flow's first 10 packets, or payload sizes and times only. ` +
      'A classifier forgives much: real packets with 5 % of their bits flipped are nearly as good as real ones where single packets are judged, so read it beside them.',
  );
  page.figure(
    utilityFigure(utility),
    `${utility.seeds === 1 ? 'One seed' : `Mean of ${utility.seeds} seeds`}; the interval (95 %) is over the test captures, drawn again within each label.`,
  );
  page.table(utilityTable(evaluation));
  page.folded('Recall by label', ...UTILITY_TASKS.map(({ name }) => recallTable(evaluation, name)));
}

const points = (value: number, signed = false): string => {
  const text = Math.abs(100 * value).toFixed(1);
  if (!signed) return text;
  return text === '0.0' ? '0.0' : `${value < 0 ? '−' : '+'}${text}`;
};

const interval = (value: UtilityValue | null, signed = false): string =>
  value === null
    ? '–'
    : `${points(value.mean, signed)} [${points(value.low, signed)}, ${points(value.high, signed)}]`;

/** Accuracy of every source and its difference from real training data. */
export function utilityTable(evaluation: Evaluation): TableSpec {
  const { rows = [] } = evaluation.utility ?? {};
  const sum = (items: Record<string, number>): number => Object.values(items).reduce((a, b) => a + b, 0);
  return {
    caption:
      'Mean recall of the labels in % with 95 % intervals; the difference is from real training captures of the same size, on the same test captures. Dashes: the source lacks a label.',
    columns: [
      'classified',
      'trained on',
      'training items',
      'test items',
      'accuracy',
      'difference',
      'sd over seeds',
    ],
    rows: rows.map((row) => [
      TASK_NAMES[row.task],
      sourceStyle(row.source).title,
      sum(row.trainItems),
      sum(row.testItems),
      interval(row.accuracy),
      interval(row.difference, true),
      row.seedSd === null ? '–' : points(row.seedSd),
    ]),
    highlight: rows.flatMap(({ source }, i) =>
      evaluation.sources.some(({ name, role }) => name === source && role === 'synthetic') ? [i] : [],
    ),
  };
}

function recallTable(evaluation: Evaluation, task: UtilityRow['task']): TableSpec {
  const { labels = [], rows = [] } = evaluation.utility ?? {};
  return {
    caption: `Recall in %: ${TASK_NAMES[task]}.`,
    columns: ['trained on', ...labels],
    rows: rows
      .filter((row) => row.task === task && row.recall)
      .map((row) => [sourceStyle(row.source).title, ...labels.map((label) => points(row.recall![label]))]),
  };
}
