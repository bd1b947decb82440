/** Interactive figures that are never blank: plotly where scripts run, the same figure as SVG everywhere else. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { writeFileAtomic, writeJson } from '../util';
import { DARK_COLORS, roomForLegend } from '../viz';
import { escapeHtml, showBundle } from './display';
import { dataLink, toCsv } from './download';
import { placeholderSvg, staticSvg, titleOf, type FigureSpec } from './staticFigure';
import { resolveInstalled } from './tslab';

/** What {@link figure} takes besides the figure. */
export interface FigureOptions {
  /** Replaces the figure's own title. */
  title?: string;
  /** One sentence below the figure: what to see in it. */
  caption?: string;
  /**
   * Folder for `<id>.svg`, `<id>.json` (the plotly figure) and `<id>.csv` (its numbers); null writes nothing. Default
   * `figures` in the notebook's folder.
   */
  save?: string | null;
  /** For SVG figures: the numbers behind them, written as `<id>.json` and `<id>.csv`. */
  data?: readonly Record<string, unknown>[];
  /** Links below the figure that save it as SVG and CSV. Default true; files above 200 kB have none. */
  links?: boolean;
}

/** The figure whose output carries plotly.js for the whole notebook: the first one, also when it is run again. */
let carrier: string | undefined;

/**
 * Shows a figure in the cell and writes it as files, with its numbers: a plotly figure or the text of an SVG. Works
 * without network: plotly.js travels, compressed, inside the notebook's first plotly figure. `id` names the files and
 * should be unique in the notebook; a figure of a paper has the paper's (`fig2a`).
 */
export function figure(id: string, figureSpec: FigureSpec | string, options: FigureOptions = {}): void {
  if (typeof figureSpec === 'string') {
    present(id, figureSpec, figureSpec, options.data && toCsv(options.data), '', options);
    const folder = folderOf(options);
    if (folder !== null && options.data) writeJson(join(folder, `${id}.json`), options.data);
    return;
  }
  carrier ??= id;
  const spec = options.title === undefined ? figureSpec : withTitle(figureSpec, options.title);
  const label = titleOf((spec.layout as { title?: unknown } | undefined)?.title);
  const folder = folderOf(options);
  if (folder !== null) writeJson(join(folder, `${id}.json`), spec);
  const { data, layout } = roomForLegend(spec);
  const json = JSON.stringify({ data, layout: { height: 360, ...layout } }).replace(/</g, '\\u003c');
  const inline = staticSvg(spec, { standalone: false }) ?? placeholderSvg(label, false);
  const drawn = script(elementId(id), json, carrier === id);
  present(id, inline, staticSvg(spec) ?? placeholderSvg(label), figureCsv(spec), drawn, options);
}

/** Shows a figure's page form with caption and links, and writes its file form. */
function present(
  id: string,
  inline: string,
  file: string,
  csv: string | undefined,
  drawn: string,
  options: FigureOptions,
): void {
  const folder = folderOf(options);
  if (folder !== null) {
    writeFileAtomic(join(folder, `${id}.svg`), file);
    if (csv) writeFileAtomic(join(folder, `${id}.csv`), csv);
  }
  const caption = options.caption ? `<p style="max-width:44em">${escapeHtml(options.caption)}</p>` : '';
  const links =
    options.links === false
      ? ''
      : [dataLink(`${id}.svg`, file, 'image/svg+xml'), csv && dataLink(`${id}.csv`, csv, 'text/csv')]
          .filter(Boolean)
          .join(' · ');
  showBundle({
    'text/html':
      `<div id="${elementId(id)}" style="max-width:${drawn ? '760px' : '100%'};overflow-x:auto">${inline}</div>` +
      `${caption}${links && `<p style="font-size:.82em;opacity:.75;margin:.2em 0">save as ${links}</p>`}` +
      (drawn && `<script>${drawn}</script>`),
    'image/svg+xml': file,
    'text/plain': `[figure ${id}${options.caption ? `: ${options.caption}` : ''}]`,
  });
}

function folderOf({ save }: FigureOptions): string | null {
  return save === undefined ? 'figures' : save;
}

function elementId(id: string): string {
  return `netssm-figure-${id.replace(/[^\w-]/g, '-')}`;
}

function withTitle(spec: FigureSpec, title: string): FigureSpec {
  const layout = (spec.layout ?? {}) as { title?: unknown };
  const before = typeof layout.title === 'object' ? layout.title : {};
  return { ...spec, layout: { ...layout, title: { ...before, text: title } } };
}

/** A figure's numbers, one row a point: `trace,x,y`, and `z` for heat maps. */
export function figureCsv(spec: FigureSpec): string {
  const rows = (spec.data as PlainTrace[]).flatMap((trace, i): Record<string, unknown>[] => {
    const name = trace.name ?? `trace ${i + 1}`;
    if (trace.z) {
      return Array.from(trace.z).flatMap((row, j) =>
        Array.from(row, (z, k) => ({ trace: name, x: trace.x?.[k] ?? k, y: trace.y?.[j] ?? j, z })),
      );
    }
    const length = Math.max(trace.x?.length ?? 0, trace.y?.length ?? 0);
    return Array.from({ length }, (_, k) => ({ trace: name, x: trace.x?.[k] ?? k, y: trace.y?.[k] ?? '' }));
  });
  return toCsv(rows, rows.some((row) => 'z' in row) ? ['trace', 'x', 'y', 'z'] : ['trace', 'x', 'y']);
}

interface PlainTrace {
  name?: string;
  x?: ArrayLike<unknown>;
  y?: ArrayLike<unknown>;
  z?: ArrayLike<ArrayLike<unknown>>;
}

/**
 * Draws once plotly is there. The carrier unpacks it first; the others wait for it up to half a minute and keep
 * their SVG if it never comes (the carrying output was cleared, or scripts of it were not allowed to run). On a dark
 * page the figure is dark, too, and follows when the page changes.
 */
function script(element: string, json: string, carries: boolean): string {
  const draw = `(function(){var el=document.getElementById(${JSON.stringify(element)}),fig=${json},colours=${JSON.stringify(DARK_COLORS)},was;
function dark(){for(var n=el;n;n=n.parentElement){var m=/rgba?\\((\\d+), ?(\\d+), ?(\\d+)(?:, ?([\\d.]+))?/.exec(getComputedStyle(n).backgroundColor);
if(m&&(m[4]===undefined||Number(m[4])>0.5))return 0.3*m[1]+0.6*m[2]+0.1*m[3]<110;}return false;}
function recolour(v){if(typeof v==='string')return was&&colours[v.toLowerCase()]||v;if(Array.isArray(v))return v.map(recolour);
if(!v||typeof v!=='object')return v;var c={};Object.keys(v).forEach(function(k){c[k]=recolour(v[k]);});return c;}
function draw(){if(!el)return;was=dark();var f=recolour(fig),l=f.layout;
if(was){var ink='#e8e8e8',grid='#454a52';l.paper_bgcolor=l.plot_bgcolor='rgba(0,0,0,0)';l.font=Object.assign({},l.font,{color:ink});
Object.keys(Object.assign({xaxis:0,yaxis:0},l)).forEach(function(k){if(/^[xy]axis/.test(k))l[k]=Object.assign({},l[k],{gridcolor:grid,linecolor:ink,zerolinecolor:grid,tickcolor:ink});});}
if(el._fullLayout)Plotly.purge(el);el.innerHTML='';Plotly.newPlot(el,f.data,l,{responsive:true,displaylogo:false});}
function look(){setTimeout(function(){if(was!==undefined&&el.isConnected&&dark()!==was)draw();},300);}
if(el){[document.documentElement,document.body].forEach(function(n){new MutationObserver(look).observe(n,{attributes:true});});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change',look);}`;
  if (!carries) {
    return `${draw}
var tries=0;(function wait(){if(window.Plotly)draw();else if(tries++<150)setTimeout(wait,200);})();})();`;
  }
  return `${draw}
if(window.Plotly){draw();return;}
if(typeof DecompressionStream==='undefined')return;
var bytes=Uint8Array.from(atob(${JSON.stringify(packedPlotly())}),function(c){return c.charCodeAt(0);});
new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))).text().then(function(code){
var s=document.createElement('script');s.textContent=code;document.head.appendChild(s);if(window.Plotly)draw();});})();`;
}

let packed: string | undefined;

/** plotly.js, gzipped and in base64: 10 MB become about 3. */
function packedPlotly(): string {
  packed ??= gzipSync(readFileSync(resolveInstalled('plotly.js-dist')), { level: 6 }).toString('base64');
  return packed;
}
