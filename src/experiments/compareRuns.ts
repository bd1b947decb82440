import type { Cell, ResultTable, RunMetrics } from './experiment';

/** One number of two runs. */
export interface RunDifference {
  table: string;
  /** The cells that name the row. */
  row: string;
  column: string;
  a: Cell;
  b: Cell;
  /** b - a, where both are numbers. */
  difference: number | null;
}

/** Two runs beside each other. */
export interface RunComparison {
  /** Every number that both runs have, in the order of the tables. */
  rows: RunDifference[];
  equal: number;
  /** Tables, and rows as `table: row`, that only one has. */
  onlyA: string[];
  onlyB: string[];
}

/**
 * What two runs' tables say of the same things: rows are matched by their names, columns by their titles. Columns of the
 * paper's values and bars are left out.
 */
export function compareRuns(a: RunMetrics, b: RunMetrics): RunComparison {
  const result: RunComparison = { rows: [], equal: 0, onlyA: [], onlyB: [] };
  for (const table of a.tables) {
    const other = b.tables.find(({ id }) => id === table.id);
    if (other) compareTables(table, other, result);
    else result.onlyA.push(table.id);
  }
  for (const { id } of b.tables) if (!a.tables.some((table) => table.id === id)) result.onlyB.push(id);
  return result;
}

function compareTables(a: ResultTable, b: ResultTable, result: RunComparison): void {
  const [mine, theirs] = [namedRows(a), namedRows(b)];
  for (const [name, row] of mine) {
    const other = theirs.get(name);
    if (!other) {
      result.onlyA.push(`${a.id}: ${name}`);
      continue;
    }
    a.columns.forEach(({ title, kind }, i) => {
      const j = b.columns.findIndex((column) => column.title === title);
      if (kind !== 'ours' || j < 0) return;
      const [x, y] = [row[i], other[j]];
      if (x === y) result.equal++;
      const difference = typeof x === 'number' && typeof y === 'number' ? y - x : null;
      result.rows.push({ table: a.id, row: name, column: title, a: x, b: y, difference });
    });
  }
  for (const name of theirs.keys()) if (!mine.has(name)) result.onlyB.push(`${a.id}: ${name}`);
}

/** Rows by the cells of their name columns; a name that comes twice is numbered. */
function namedRows({ columns, rows }: ResultTable): Map<string, Cell[]> {
  const named = new Map<string, Cell[]>();
  for (const row of rows) {
    const name = row.filter((_, i) => columns[i].kind === 'name').join(', ');
    let unique = name;
    for (let n = 2; named.has(unique); n++) unique = `${name} (${n})`;
    named.set(unique, row);
  }
  return named;
}
