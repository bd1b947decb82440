/** Text made safe for HTML. */
export function escapeText(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

/** A cell: text, or a number (right-aligned); null and undefined are shown as a dash. */
export type Cell = string | number | null | undefined;

export interface TableSpec {
  columns: readonly string[];
  rows: readonly (readonly Cell[])[];
  /** Rows to set off, by index. */
  highlight?: readonly number[];
  caption?: string;
}

/** A plain HTML table; numbers are shown with three significant digits, whole numbers as they are. */
export function htmlTable({ columns, rows, highlight = [], caption }: TableSpec): string {
  const right = columns.map((_, i) => i > 0 && rows.every((row) => numeric(row[i])));
  const head = columns.map((c, i) => `<th${right[i] ? ' class="n"' : ''}>${escapeText(c)}</th>`).join('');
  const body = rows
    .map((row, r) => {
      const cells = row.map((cell, i) => {
        const tag = i === 0 ? 'th scope="row"' : `td${right[i] ? ' class="n"' : ''}`;
        return `<${tag}>${escapeText(cellText(cell))}</${i === 0 ? 'th' : 'td'}>`;
      });
      return `<tr${highlight.includes(r) ? ' class="main"' : ''}>${cells.join('')}</tr>`;
    })
    .join('\n');
  const title = caption ? `<caption>${escapeText(caption)}</caption>` : '';
  return `<div class="table"><table>${title}<thead><tr>${head}</tr></thead>\n<tbody>${body}</tbody></table></div>`;
}

function numeric(cell: Cell): boolean {
  return (
    cell === null ||
    cell === undefined ||
    typeof cell === 'number' ||
    /^([<>]? ?[+−-]?[\d.,]+(\s%)?( \([\d, of]+\)| \[[\d., +−-]+\])?|–|)$/.test(cell)
  );
}

function cellText(cell: Cell): string {
  if (cell === null || cell === undefined) return '–';
  if (typeof cell === 'string') return cell;
  if (Number.isInteger(cell)) return cell.toLocaleString('en');
  return Math.abs(cell) >= 100 ? cell.toFixed(0) : cell.toPrecision(3);
}

/** JSON that may stand inside a script element. */
export function scriptJson(value: unknown): string {
  return JSON.stringify(value)
    .replace(/</g, '\\u003c')
    .replace(/\u2028/g, '\\u2028')
    .replace(/\u2029/g, '\\u2029');
}
