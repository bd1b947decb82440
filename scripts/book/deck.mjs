// Slides: one page a notebook that holds everything it needs (styles, scripts, plotly.js, pictures), for any browser.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { gzipSync } from 'node:zlib';
import { htmlPage, sourceOf } from './html.mjs';

/** What Jupyter calls the slide type; committed notebooks, which keep only tags, say `slide-skip` and so on. */
export function slideType({ metadata = {} }) {
  const tag = (metadata.tags ?? []).find((each) => /^slide-(slide|subslide|fragment|skip|notes)$/.test(each));
  return metadata.slideshow?.slide_type ?? tag?.slice('slide-'.length);
}

/**
 * A notebook's cells as slides. A heading of first or second order begins one; a new question below an output goes on a
 * slide of its own, with the heading above it, and so does what has no room any more. What cells show comes a key later
 * than the text, after a guess; the section's last words a key later still. Quotations that begin "For the teacher" are
 * speaker notes. Slide types override this.
 *
 * @returns slides: `{ heading, id, title, text, shown, notes }`, all HTML but `heading` (false for a continuation) and `id`.
 */
export function slidesOf(cells, render) {
  const slides = [];
  let section = '';
  const begin = (heading) => {
    slides.push({ heading, title: section, text: [], shown: [], notes: [] });
    return slides.at(-1);
  };
  const current = () => slides.at(-1) ?? begin(false);
  for (const [at, cell] of cells.entries()) {
    const type = slideType(cell);
    if (type === 'skip') continue;
    if (cell.cell_type === 'markdown') {
      const { html, notes } = withoutNotes(render.markdown(sourceOf(cell)));
      if (type === 'notes') {
        current().notes.push(html, ...notes);
        continue;
      }
      const pieces = html.split(/(?=<h[12] )/).filter((piece) => piece.trim() !== '');
      for (const [i, piece] of pieces.entries()) {
        const heading = /^<h[12] [^>]*>(.*?)<a class="here"/s.exec(piece)?.[1].trim();
        if (heading !== undefined) section = heading;
        const goesOn = type === 'fragment' || type === '-';
        const below = heading === undefined && slides.length > 0 && current().shown.length > 0;
        const room = below && lettersOf([...current().text, piece]) < LETTERS;
        if (room && type === undefined && answers(cells, at, i < pieces.length - 1)) {
          current().text.push(`<div class="step">${piece}</div>`);
          continue;
        }
        const isNew =
          heading !== undefined ||
          (i === 0 && (type === 'slide' || type === 'subslide')) ||
          (!goesOn && below) ||
          slides.length === 0;
        (isNew ? begin(heading !== undefined) : current()).text.push(piece);
      }
      current().notes.push(...notes);
    } else if (cell.cell_type === 'code') {
      const { code, outputs } = render.cell(cell);
      if (!code && outputs.length === 0) continue;
      const goesOn = type === 'fragment' || type === '-';
      const full = slides.length > 0 && current().shown.length > 0 && isFull(current(), outputs[0] ?? '');
      if (type === 'slide' || type === 'subslide' || (full && !goesOn)) begin(false);
      const step = {
        code: code.replace('<details class="cell" open>', '<details class="cell">'),
        output: '',
      };
      current().shown.push(step);
      let last = step;
      for (const output of outputs) {
        if (!goesOn && last.output !== '' && isFull(current(), output)) {
          last = { code: '', output: '' };
          begin(false).shown.push(last);
        }
        last.output += output;
      }
    }
  }
  return slides;
}

/** Lines of a screen of 1280 by 720 that pictures may take, and letters of text beside them. */
const LINES = 30;
const LETTERS = 1000;

/** About how many lines high it is what a cell shows: a figure has 17. */
function linesOf(output) {
  const figure = /<svg|Plotly\.newPlot|<img/.test(output);
  const rows = (output.match(/<tr\b/g) ?? []).length + 0.7 * (output.match(/✔/g) ?? []).length;
  return rows + (figure ? 17 : (output.match(/\n/g) ?? []).length);
}

function isFull({ shown }, output) {
  return shown.reduce((sum, each) => sum + 1 + linesOf(each.output), linesOf(output)) > LINES;
}

const lettersOf = (parts) => parts.join(' ').replace(/<[^>]*>/g, '').length;

/** Text below what a cell shows is the answer, not the next question, where a heading or the end follows it. */
function answers(cells, at, headingFollows) {
  if (headingFollows) return true;
  const next = cells.slice(at + 1).find((cell) => slideType(cell) !== 'skip');
  return next?.cell_type === 'markdown' && /^##? /.test(sourceOf(next));
}

/** Notes for the teacher stand in notebooks as quotations. */
function withoutNotes(html) {
  const notes = [];
  const rest = html.replace(
    /<blockquote>\s*(<p><strong>For the teacher[\s\S]*?)<\/blockquote>\s*/g,
    (_, note) => {
      notes.push(note.trim());
      return '';
    },
  );
  return { html: rest, notes };
}

/** The page. `assets` is the folder with the style and the scripts. */
export function deckPage({ title, notebook }, render, assets) {
  const slides = slidesOf(notebook.cells, render);
  const body = slides.map(slide).join('\n');
  const file = (name) => readFileSync(new URL(name, assets), 'utf8');
  const plotly = body.includes('Plotly.newPlot') ? `\n<script>${plotlyLoader()}</script>` : '';
  const head = `<style>
${file('book.css')}
${file('slides.css')}
</style>
<script>
${file('book.js')}
</script>
`;
  const controls = `<nav class="deck"><span class="keys">← → steps · n notes · c code</span><button type="button" data-do="back" title="back (←)">‹</button> <output></output> <button type="button" data-do="on" title="on (→)">›</button> <button type="button" data-do="notes" title="speaker notes (n)">notes</button> <button type="button" data-do="theme" title="light or dark">◐</button></nav>`;
  const scripts = `<script>
${file('slides.js')}
</script>${plotly}`;
  return htmlPage({ title, head, body: `${body}\n${controls}\n${scripts}`, bodyClass: 'slides' });
}

function slide({ heading, title, text, shown, notes }, i) {
  const above = heading ? '' : `<p class="section">${title}</p>`;
  const steps = shown.map(
    ({ code, output }) =>
      `${code}${output ? `<div class="step"><div class="output">${output}</div></div>` : ''}`,
  );
  const [words, pictures] = [text.join('\n'), steps.join('\n')];
  const parts = [
    `<div class="words">${above}${words}</div>`,
    pictures && `<div class="pictures">${pictures}</div>`,
    notes.length > 0 && `<aside class="notes">${notes.join('\n')}</aside>`,
  ].filter(Boolean);
  const kind = words === '' ? ' bare' : pictures === '' ? ' plain' : '';
  return `<section class="slide${kind}" id="slide-${i + 1}">${parts.join('\n')}</section>`;
}

/** plotly.js travels compressed, 10 MB as 3, and unpacks itself; figures wait for it. */
function plotlyLoader() {
  const path = createRequire(import.meta.url).resolve('plotly.js-dist');
  const packed = gzipSync(readFileSync(path), { level: 6 }).toString('base64');
  return `(function(){var bytes=Uint8Array.from(atob("${packed}"),function(c){return c.charCodeAt(0);});
new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))).text().then(function(code){
var s=document.createElement('script');s.textContent=code;document.head.appendChild(s);});})();`;
}
