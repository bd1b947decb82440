import { readFileSync } from 'node:fs';
import type { FigureSpec } from './theme';

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
    /^([<>]? ?[\d.,]+(\s%)?( \([\d, of]+\))?|–|)$/.test(cell)
  );
}

function cellText(cell: Cell): string {
  if (cell === null || cell === undefined) return '–';
  if (typeof cell === 'string') return cell;
  if (Number.isInteger(cell)) return cell.toLocaleString('en');
  return Math.abs(cell) >= 100 ? cell.toFixed(0) : cell.toPrecision(3);
}

/** A figure's place: what it shows in words, until the script has drawn it, and where it cannot. */
export function figurePlace(id: string, spec: FigureSpec, caption: string): string {
  const height = (spec.layout.height as number | undefined) ?? 380;
  return (
    `<figure><div class="plot" id="${id}" style="min-height:${height}px"><p class="fallback">` +
    `This figure needs JavaScript. Its numbers are in the tables of this report and in the result file.</p></div>` +
    `<figcaption>${escapeText(caption)}</figcaption></figure>`
  );
}

/** JSON that may stand inside a script element. */
export function scriptJson(value: unknown): string {
  return JSON.stringify(value)
    .replace(/</g, '\\u003c')
    .replace(/\u2028/g, '\\u2028')
    .replace(/\u2029/g, '\\u2029');
}

/** Draws every figure; one that fails says why in its own place and leaves the others alone. */
export function drawScript(figures: Readonly<Record<string, FigureSpec>>): string {
  return `<script>
(function () {
  var figures = ${scriptJson(figures)};
  var Plotly = window.Plotly || (window.moduleName && window.moduleName.newPlot ? window.moduleName : null);
  function fail(place, error) {
    place.innerHTML = '';
    var p = document.createElement('p');
    p.className = 'fallback';
    p.textContent = 'This figure could not be drawn (' + error + '). Its numbers are in the tables of this report and in the result file.';
    place.appendChild(p);
  }
  Object.keys(figures).forEach(function (id) {
    var place = document.getElementById(id);
    if (!Plotly) return fail(place, 'plotly did not load');
    var fallback = place.innerHTML;
    place.innerHTML = '';
    try {
      Promise.resolve(
        Plotly.newPlot(place, figures[id].data, figures[id].layout, { responsive: true, displaylogo: false })
      ).catch(function (error) { fail(place, error); });
    } catch (error) { fail(place, error); }
    if (!place.firstChild) place.innerHTML = fallback;
  });
})();
</script>`;
}

/** plotly.js as a script element, so that a report needs no network. */
export function plotlyScript(): string {
  const code = readFileSync(require.resolve('plotly.js-dist/plotly.js'), 'utf8');
  // Inside strings, where alone they can occur, both spellings are the same; in HTML only the first ends the element.
  return `<script>${code.replace(/<\/script/gi, '<\\/script').replace(/<!--/g, '\\x3c!--')}</script>`;
}

export const STYLE = `
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: #1a1a1a; font: 16px/1.5 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
main { max-width: 1160px; margin: 0 auto; padding: 24px 32px 64px; }
h1 { font-size: 1.8rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.3rem; margin: 2.5rem 0 .5rem; padding-top: .75rem; border-top: 2px solid #1a1a1a; }
h3 { font-size: 1.05rem; margin: 1.5rem 0 .25rem; }
p, li { max-width: 48rem; }
.sub { color: #555; margin: 0 0 1rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(300px, 1fr)); gap: 12px; margin: 1rem 0 1.5rem; }
.card { border: 1px solid #ccc; border-radius: 6px; padding: 10px 14px; }
.card b { display: block; font-size: 1.6rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.card span { display: block; font-size: .85rem; color: #444; }
.card i { display: block; font-style: normal; font-size: .8rem; color: #666; margin-top: .2rem; }
figure { margin: 1rem 0 1.5rem; }
figcaption { font-size: .88rem; color: #444; max-width: 52rem; }
.plot { width: 100%; }
.fallback { padding: 1rem; border: 1px dashed #999; color: #444; }
.table { overflow-x: auto; margin: .75rem 0 1.25rem; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-size: .88rem; color: #444; padding-bottom: .35rem; }
th, td { padding: .28rem .7rem; border-bottom: 1px solid #e0e0e0; text-align: left; vertical-align: top; }
thead th { border-bottom: 2px solid #777; vertical-align: bottom; }
tbody th { font-weight: 400; }
.n { text-align: right; }
td.n { white-space: nowrap; }
thead th.n { text-align: right; }
td.n { white-space: nowrap; }
tr.main th, tr.main td { font-weight: 650; background: #eef5fa; }
code { font-size: .88em; overflow-wrap: anywhere; }
pre { background: #f6f6f6; padding: .75rem 1rem; overflow-x: auto; font-size: .85rem; }
@media (max-width: 700px) { main { padding: 16px; } }
@media print {
  /* Figures keep the width that they were drawn with; the page as a whole is made to fit A4. */
  body { zoom: .6; }
  main { width: 1160px; max-width: none; padding: 0; }
  figure, table, .card { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
}
`;
