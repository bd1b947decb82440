// Pages around the rendered cells.
import { escape, htmlPage, sourceOf } from './html.mjs';
import { slug } from './render.mjs';

/** @param up `''` or `'../'`: the way to the site's root. */
function page({ title, body, up = '', head = '' }) {
  const assets = `<link rel="stylesheet" href="${up}assets/book.css">
<script src="${up}assets/book.js"></script>
`;
  return htmlPage({ title, head: assets + head, body });
}

const BUTTONS = '<button type="button" data-do="theme" title="light or dark">◐</button>';

/** Sections of a notebook: the headings of second order. */
function sections(notebook) {
  return notebook.cells
    .filter((cell) => cell.cell_type === 'markdown')
    .flatMap((cell) => [...sourceOf(cell).matchAll(/^## (.+)$/gm)].map((match) => match[1]));
}

/** One notebook as a page to read; `plotly` tells whether it has interactive figures. */
export function notebookPage(chapter, { previous, next }, render) {
  const { notebook, title, name } = chapter;
  const parts = notebook.cells.map((cell) =>
    cell.cell_type === 'markdown'
      ? { markdown: render.markdown(sourceOf(cell)) }
      : cell.cell_type === 'code'
        ? render.cell(cell)
        : {},
  );
  const plotly = parts.some(({ output }) => output?.includes('Plotly.newPlot'));
  const head = plotly ? '<script src="assets/plotly.js" async></script>\n' : '';
  const cells = parts
    .map(({ markdown, code, output }) =>
      markdown !== undefined ? `<section>${markdown}</section>` : `${code ?? ''}${output ?? ''}`,
    )
    .join('\n');
  const toc = sections(notebook)
    .map((heading) => `<li><a href="#${slug(render.inline(heading))}">${render.inline(heading)}</a></li>`)
    .join('');
  const link = (to, text) =>
    to ? `<a href="${to.name}.html">${text(escape(to.title))}</a>` : '<span></span>';
  const body = `<header class="bar"><a href="index.html">Contents</a><span>${escape(title)}</span>
<span class="buttons">${chapter.wantsSlides ? `<a href="${name}.slides.html">slides</a> ` : ''}<button type="button" data-do="code">hide code</button> ${BUTTONS}</span></header>
<main>
<details class="toc"><summary>Sections</summary><ol>${toc}</ol></details>
${cells}
<nav class="around">${link(previous, (t) => `← ${t}`)} ${link(next, (t) => `${t} →`)}</nav>
</main>`;
  return { plotly, text: page({ title, body, head }) };
}

/** The landing page. */
export function indexPage(chapters, { version, fast }) {
  const entries = chapters
    .map(({ name, title, summary, time, wantsSlides }) => {
      const number = /^\d+[a-z]?/.exec(name)?.[0] ?? '';
      const slides = wantsSlides ? ` · <a href="${name}.slides.html">slides</a>` : '';
      return `<li><a href="${name}.html"><b>${number}</b> ${escape(title)}</a>
<p>${escape(summary)}</p>
<small>${escape(time)}${slides}</small></li>`;
    })
    .join('\n');
  const mode = fast
    ? '<p class="note">Built in fast mode: the sizes are so small that the numbers show that everything runs, not how good it gets.</p>'
    : '';
  const body = `<header class="bar"><span>netssm ${escape(version)}</span><span></span><span class="buttons">${BUTTONS}</span></header>
<main class="contents">
<h1>Network traces as sequences</h1>
<p class="lead">Can a model learn the language of networks from bytes alone? These notebooks turn packet captures into tokens, train state-space models on them, let them write captures of their own, and measure how close those come to real ones. Every page is a notebook that was run from top to bottom; code can be folded away, and figures answer to the mouse.</p>
${mode}
<ol class="chapters">
${entries}
</ol>
</main>`;
  return page({ title: 'netssm: network traces as sequences', body });
}

/** A document that notebooks refer to. */
export function textPage(markdown, render) {
  const title = /^# (.+)$/m.exec(markdown)?.[1] ?? 'Document';
  const body = `<header class="bar"><a href="../index.html">Contents</a><span>${escape(title)}</span><span class="buttons">${BUTTONS}</span></header>
<main>${render.markdown(markdown)}</main>`;
  return page({ title, body, up: '../' });
}
