/** Showing things in a notebook. Outside one (a script, a test) the plain-text form is printed instead. */
import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import type { WriteDisplayData } from './tslab';

/** The same thing by MIME type; a front end shows the richest form it knows, so give several. */
export interface MimeBundle {
  'text/plain'?: string;
  'text/html'?: string;
  'image/svg+xml'?: string;
  [mime: string]: unknown;
}

const requireHere = createRequire(__filename);

/** tslab's "show this in the current cell", read at call time because each cell sets its own. */
function currentWriter(): WriteDisplayData | undefined {
  // Only if tslab is running us: asking must not load it, nor its compiler.
  const path = Object.keys(requireHere.cache).find((file) =>
    /[\\/]tslab[\\/]dist[\\/]jupyter\.js$/.test(file),
  );
  const module = path === undefined ? undefined : requireHere.cache[path];
  return (module?.exports as { lastWriteDisplayData?: WriteDisplayData } | undefined)?.lastWriteDisplayData;
}

/** True in a notebook's cell. */
export function inNotebook(): boolean {
  return !!currentWriter();
}

/** Shows a bundle in the current cell. */
export function showBundle(bundle: MimeBundle): void {
  const write = currentWriter();
  if (write) write({ data: bundle, metadata: {}, transient: {} });
  else if (bundle['text/plain']) console.log(bundle['text/plain']);
}

/** Shows HTML; `text` is what front ends without HTML, and terminals, show. */
export function html(
  markup: string,
  text = '(an HTML view: open the notebook in Jupyter or a browser)',
): void {
  showBundle({ 'text/html': markup, 'text/plain': text });
}

/** One place in a cell's output that is shown once and then replaced. */
export class LiveDisplay {
  private readonly id = randomBytes(8).toString('hex');
  private shown = false;

  /** Shows the bundle, in place of the one before. Outside notebooks nothing is printed. */
  update(bundle: MimeBundle): void {
    const write = currentWriter();
    if (!write) return;
    write({ data: bundle, metadata: {}, transient: { display_id: this.id } }, this.shown);
    this.shown = true;
  }
}

/** Text made safe for HTML. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

/** Options of {@link table}. */
export interface TableViewOptions {
  caption?: string;
  /** Names and order of the columns; default: the first record's keys. */
  columns?: readonly string[];
}

/** Shows records as a table, HTML and text; numbers stand on the right, with four digits; what is missing is blank. */
export function table(rows: readonly Record<string, unknown>[], options: TableViewOptions = {}): void {
  showBundle(tableBundle(rows, options));
}

/** What {@link table} shows. */
export function tableBundle(
  rows: readonly Record<string, unknown>[],
  options: TableViewOptions = {},
): MimeBundle {
  const caption = options.caption ?? '';
  if (rows.length === 0) {
    const text = [caption, 'no rows'].filter(Boolean).join(': ');
    return { 'text/html': `<i>${escapeHtml(text)}</i>`, 'text/plain': text };
  }
  const columns = options.columns ?? Object.keys(rows[0]);
  const cell = (value: unknown): string =>
    typeof value === 'number' && !Number.isInteger(value)
      ? String(Number(value.toPrecision(4)))
      : String(value ?? '');
  // What is missing is neither number nor text; a column of nothing else stays on the left.
  const isMissing = (value: unknown): boolean => value === undefined || value === null || value === '';
  const numeric = (column: string): boolean => {
    const values = rows.map((row) => row[column]).filter((value) => !isMissing(value));
    return values.length > 0 && values.every(isNumber);
  };
  const align = columns.map((column) => (numeric(column) ? 'right' : 'left'));
  const head = columns.map((c, i) => `<th style="text-align:${align[i]}">${escapeHtml(c)}</th>`).join('');
  const body = rows
    .map(
      (row) =>
        `<tr>${columns.map((c, i) => `<td style="text-align:${align[i]}">${escapeHtml(cell(row[c]))}</td>`).join('')}</tr>`,
    )
    .join('');
  const title = caption ? `<div style="max-width:70em;margin-bottom:.2em">${escapeHtml(caption)}</div>` : '';
  // Not a caption element: that is as narrow as the table.
  const label = caption ? ` aria-label="${escapeHtml(caption)}"` : '';
  const text = textTable(
    columns,
    rows.map((row) => columns.map((c) => cell(row[c]))),
    align,
  );
  return {
    'text/html': `<div style="overflow-x:auto">${title}<table style="border-collapse:collapse"${label}><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`,
    'text/plain': caption ? `${caption}\n${text}` : text,
  };
}

/** A number, also one that was written out: `73,728`, `0.0207`. */
function isNumber(value: unknown): boolean {
  if (typeof value === 'string') return /^[-−]?\d[\d,]*(\.\d+)?$/.test(value);
  return typeof value === 'number' || typeof value === 'bigint';
}

/** Columns padded to their widest cell. */
export function textTable(
  columns: readonly string[],
  rows: readonly (readonly string[])[],
  align: readonly string[] = [],
): string {
  const widths = columns.map((c, i) => Math.max(c.length, ...rows.map((row) => row[i].length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((c, i) => (align[i] === 'right' ? c.padStart(widths[i]) : c.padEnd(widths[i])))
      .join('  ')
      .trimEnd();
  return [line(columns), line(widths.map((w) => '-'.repeat(w))), ...rows.map(line)].join('\n');
}
