/** A slider over pictures that were all made beforehand: it moves without the kernel, and in saved copies, too. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { NetssmError, writeFileAtomic, writeJson } from '../util';
import { escapeHtml, showBundle } from './display';
import { placeholderSvg, staticSvg, titleOf, type FigureSpec } from './staticFigure';

/** One position of a {@link slider}: what it is called, and its picture or text. */
export interface SliderFrame {
  /** Beside the slider: `temperature 0.5`. */
  label: string;
  /** A plotly figure (drawn as SVG), the text of an SVG, or HTML. */
  show: FigureSpec | string;
}

export interface SliderOptions {
  /** In front of the slider. */
  title?: string;
  caption?: string;
  /** Position at the beginning. Default: the last one. */
  start?: number;
  /** Folder for `<id>.html` and `<id>.json`; null writes nothing. Default `figures` in the notebook's folder. */
  save?: string | null;
}

/**
 * Shows one of several pictures and a slider to choose which: training steps, temperatures, mixing rates. Where scripts
 * do not run, all of them are there, one below the other, behind their names.
 * @throws NetssmError `slider_empty` without a frame.
 */
export function slider(id: string, frames: readonly SliderFrame[], options: SliderOptions = {}): void {
  if (frames.length === 0) {
    throw new NetssmError('slider_empty', `slider ${id}: there is nothing to choose from`, {
      hint: 'Give at least one frame: { label, show }.',
    });
  }
  const markup = sliderHtml(id, frames, options);
  const folder = options.save === undefined ? 'figures' : options.save;
  if (folder !== null) {
    writeFileAtomic(
      join(folder, `${id}.html`),
      `<!doctype html><meta charset="utf-8"><title>${escapeHtml(options.title ?? id)}</title>${markup}\n`,
    );
    writeJson(join(folder, `${id}.json`), frames);
  }
  const names = frames.map((frame) => frame.label).join(', ');
  showBundle({
    'text/html': markup,
    'text/plain': `[slider ${id}: ${names}${options.caption ? `. ${options.caption}` : ''}]`,
  });
}

/** The markup of {@link slider}: one element with everything in it. */
export function sliderHtml(id: string, frames: readonly SliderFrame[], options: SliderOptions = {}): string {
  const start = Math.min(Math.max(0, options.start ?? frames.length - 1), frames.length - 1);
  const hash = createHash('sha256').update(id).digest('hex').slice(0, 8);
  const element = `netssm-slider-${id.replace(/[^\w-]/g, '-')}-${hash}`;
  const parts = frames.map(
    ({ label, show }, i) =>
      `<details${i === start ? ' open' : ''}><summary>${escapeHtml(label)}</summary><div class="netssm-frame">${frameMarkup(show, label)}</div></details>`,
  );
  const title = options.title ? `<b>${escapeHtml(options.title)}</b> ` : '';
  const caption = options.caption ? `<p style="max-width:44em">${escapeHtml(options.caption)}</p>` : '';
  const labels = JSON.stringify(frames.map((frame) => frame.label)).replace(/</g, '\\u003c');
  // The control is made by the script: where there is none, the names open and close their pictures.
  return (
    `<div id="${element}"><div class="netssm-control"></div>${parts.join('')}${caption}</div>` +
    `<script>(function(){var root=document.getElementById(${JSON.stringify(element)});if(!root)return;var labels=${labels};
var all=root.querySelectorAll(':scope > details');var place=root.querySelector('.netssm-control');
place.innerHTML='<label>'+${JSON.stringify(title)}+'<input type="range" min="0" max="'+(labels.length-1)+'" step="1" value="${start}" style="width:18em;max-width:50%;vertical-align:middle"> <output></output></label>';
var input=place.querySelector('input');var output=place.querySelector('output');
function choose(){for(var i=0;i<all.length;i++){all[i].open=true;all[i].style.display=i===Number(input.value)?'':'none';all[i].querySelector('summary').style.display='none';}output.textContent=labels[Number(input.value)];input.setAttribute('aria-valuetext',output.textContent);}
input.addEventListener('input',choose);choose();})();</script>`
  );
}

function frameMarkup(show: FigureSpec | string, label: string): string {
  if (typeof show === 'string') return show;
  return (
    staticSvg(show, { standalone: false }) ??
    placeholderSvg(titleOf((show.layout as { title?: unknown } | undefined)?.title) || label, false)
  );
}
