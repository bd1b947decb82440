import { formatNumber } from '../util';
import type { Cell, ResultColumn, ResultTable } from './experiment';

/** Short ways to write columns. */
export const column = {
  name: (title: string): ResultColumn => ({ title, kind: 'name' }),
  ours: (title: string, digits?: number): ResultColumn => ({
    title,
    kind: 'ours',
    ...(digits && { digits }),
  }),
  paper: (title: string, digits?: number): ResultColumn => ({
    title,
    kind: 'paper',
    ...(digits && { digits }),
  }),
  bar: (title: string, digits?: number): ResultColumn => ({ title, kind: 'bar', ...(digits && { digits }) }),
};

/** A cell as text; `–` where there is none. */
export function cellText(cell: Cell, { digits = 3 }: Partial<ResultColumn> = {}): string {
  if (cell === null || (typeof cell === 'number' && !Number.isFinite(cell))) return '–';
  return typeof cell === 'number' ? formatNumber(cell, digits) : cell;
}

/** Title, head, rows and sides, for `textTable` of netssm/notebook. */
export function tableText(table: ResultTable): {
  title: string;
  head: string[];
  rows: string[][];
  align: ('left' | 'right')[];
} {
  const { title, columns, rows } = table;
  return {
    title,
    head: columns.map((each) => each.title),
    rows: rows.map((row) => row.map((cell, i) => cellText(cell, columns[i]))),
    align: columns.map(({ kind }, i) =>
      kind === 'name' || rows.some((row) => typeof row[i] === 'string') ? 'left' : 'right',
    ),
  };
}

/** The table in Markdown, notes below it. */
export function markdownTable(table: ResultTable): string {
  const { head, rows, align } = tableText(table);
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [
    line(head),
    `|${align.map((side) => (side === 'left' ? '---' : '--:')).join('|')}|`,
    ...rows.map(line),
    ...table.notes.flatMap((note) => ['', note]),
  ].join('\n');
}

/**
 * Mean and 95 % interval (Student's t) of a few runs, cut to what the values can be (`range`; of shares 0 to 1); the
 * interval is null for fewer than two.
 */
export function meanInterval(
  values: readonly number[],
  [lowest, highest]: readonly [number, number] = [0, 1],
): {
  mean: number | null;
  low: number | null;
  high: number | null;
} {
  const n = values.length;
  if (n === 0) return { mean: null, low: null, high: null };
  const mean = values.reduce((a, b) => a + b, 0) / n;
  if (n === 1) return { mean, low: null, high: null };
  const sd = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (n - 1));
  const half = (T_975[n - 2] ?? 1.96) * (sd / Math.sqrt(n));
  return { mean, low: Math.max(lowest, mean - half), high: Math.min(highest, mean + half) };
}

/** 97.5 % quantiles of Student's t with 1 to 30 degrees of freedom. */
// prettier-ignore
const T_975 = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131,
  2.12, 2.11, 2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042,
];
