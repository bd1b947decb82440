import { UTILITY_TASKS } from '../evaluate';
import type { Cell, ResultTable } from './experiment';
import type { Measured } from './measure';
import { column } from './tables';

/** What a forest learns from each source, tested on held-out real items. Empty where it could not be measured. */
export function utilityTables(measured: Measured): ResultTable[] {
  const { utility } = measured;
  if (!utility) return [];
  const title = (task: string): string => UTILITY_TASKS.find(({ name }) => name === task)?.title ?? task;
  return [
    {
      id: 'utility',
      title: `Class-balanced accuracy of a random forest (${utility.trees} trees, ${utility.seeds} seeds) on held-out real items`,
      reproduces: [],
      columns: [
        column.name('features'),
        column.name('trained on'),
        column.ours('items'),
        column.ours('accuracy'),
        column.ours('low'),
        column.ours('high'),
        column.ours('sd over seeds'),
        column.ours('less than real'),
      ],
      rows: utility.rows.map((row): Cell[] => [
        title(row.task),
        row.source,
        Object.values(row.trainItems).reduce((a, b) => a + b, 0),
        row.accuracy?.mean ?? null,
        row.accuracy?.low ?? null,
        row.accuracy?.high ?? null,
        row.seedSd,
        row.difference ? -row.difference.mean : null,
      ]),
      notes: [
        `Guessing scores ${(1 / utility.labels.length).toPrecision(2)}. Intervals: test captures drawn anew, 95 %.`,
      ],
    },
  ];
}
