/** Interactive figures that are never blank: plotly where scripts run, the same figure as SVG everywhere else. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { writeFileAtomic, writeJson } from '../util';
import { escapeHtml, showBundle } from './display';
import { staticSvg, type FigureSpec } from './staticFigure';
import { resolveInstalled } from './tslab';

/** What {@link figure} takes besides the figure. */
export interface FigureOptions {
  /** Replaces the figure's own title. */
  title?: string;
  /** One sentence below the figure: what to see in it. */
  caption?: string;
  /** Folder for `<id>.svg` and `<id>.json`; null writes nothing. Default `figures` in the notebook's folder. */
  save?: string | null;
}

/** The figure whose output carries plotly.js for the whole notebook: the first one, also when it is run again. */
let carrier: string | undefined;

/**
 * Shows a plotly figure in the cell and writes it as files. Works without network: plotly.js travels, compressed,
 * inside the notebook's first figure. `id` names the files and should be unique in the notebook.
 */
export function figure(id: string, figureSpec: FigureSpec, options: FigureOptions = {}): void {
  carrier ??= id;
  const spec = options.title === undefined ? figureSpec : withTitle(figureSpec, options.title);
  const svg = staticSvg(spec);
  const folder = options.save === undefined ? 'figures' : options.save;
  if (folder !== null) {
    writeJson(join(folder, `${id}.json`), spec);
    if (svg) writeFileAtomic(join(folder, `${id}.svg`), svg);
  }
  const layout = (spec.layout ?? {}) as { title?: unknown; height?: number };
  const element = `netssm-figure-${id.replace(/[^\w-]/g, '-')}`;
  const caption = options.caption ? `<p style="max-width:44em">${escapeHtml(options.caption)}</p>` : '';
  const json = JSON.stringify({ data: spec.data, layout: { height: 360, ...layout } }).replace(
    /</g,
    '\\u003c',
  );
  showBundle({
    'text/html': `<div id="${element}" style="max-width:760px">${svg ?? ''}</div>${caption}<script>${script(element, json, carrier === id)}</script>`,
    ...(svg ? { 'image/svg+xml': svg } : {}),
    'text/plain': `[figure ${id}${options.caption ? `: ${options.caption}` : ''}]`,
  });
}

function withTitle(spec: FigureSpec, title: string): FigureSpec {
  const layout = (spec.layout ?? {}) as { title?: unknown };
  const before = typeof layout.title === 'object' ? layout.title : {};
  return { ...spec, layout: { ...layout, title: { ...before, text: title } } };
}

/**
 * Draws once plotly is there. The carrier unpacks it first; the others wait for it up to half a minute and keep
 * their SVG if it never comes (the carrying output was cleared, or scripts of it were not allowed to run).
 */
function script(element: string, json: string, carries: boolean): string {
  const draw = `(function(){var el=document.getElementById(${JSON.stringify(element)});var fig=${json};
function draw(){if(!el)return;el.innerHTML='';Plotly.newPlot(el,fig.data,fig.layout,{responsive:true,displaylogo:false});}`;
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
