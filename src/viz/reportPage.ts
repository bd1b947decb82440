import { readFileSync } from 'node:fs';
import { escapeText, htmlTable, scriptJson, type TableSpec } from './html';
import { REPORT_STYLE } from './reportStyle';
import { DARK_COLORS, type FigureSpec } from './theme';

/** Pixels that a figure needs less because its title stands above it. */
const TITLE_HEIGHT = 20;

/** A page under way: sections with text, tables and figures, in order. */
export class ReportPage {
  private readonly parts: string[] = [];
  private readonly sections: { id: string; title: string }[] = [];
  readonly figures: Record<string, FigureSpec> = {};

  /** Begins a section; `short` is its name in the contents. */
  heading(title: string, short = title): void {
    const id = `s${this.sections.length + 1}-${short.toLowerCase().replace(/[^a-z0-9]+/g, '-')}`;
    this.sections.push({ id, title: short });
    this.parts.push(`<h2 id="${id}">${escapeText(title)}</h2>`);
  }

  subheading(title: string): void {
    this.parts.push(`<h3>${escapeText(title)}</h3>`);
  }

  text(text: string): void {
    for (const paragraph of text.split('\n\n')) this.parts.push(`<p>${escapeText(paragraph)}</p>`);
  }

  list(items: readonly string[]): void {
    if (items.length === 0) return;
    this.parts.push(`<ul>${items.map((item) => `<li>${escapeText(item)}</li>`).join('')}</ul>`);
  }

  html(html: string): void {
    this.parts.push(html);
  }

  table(spec: TableSpec): void {
    if (spec.rows.length > 0 && spec.columns.length > 1) this.parts.push(htmlTable(spec));
  }

  /** A table that is shown when asked for. */
  folded(summary: string, ...specs: TableSpec[]): void {
    const tables = specs.filter(({ rows, columns }) => rows.length > 0 && columns.length > 1);
    if (tables.length === 0) return;
    this.parts.push(
      `<details><summary>${escapeText(summary)}</summary>${tables.map(htmlTable).join('\n')}</details>`,
    );
  }

  /** The figure's title becomes text above it, so that it wraps on narrow screens. */
  figure(spec: FigureSpec | undefined, caption: string): void {
    if (!spec || spec.data.length === 0) return;
    const id = `figure-${Object.keys(this.figures).length + 1}`;
    this.figures[id] = spec;
    const title = (spec.layout.title as { text?: string } | undefined)?.text ?? '';
    const height = ((spec.layout.height as number | undefined) ?? 380) - TITLE_HEIGHT;
    this.parts.push(
      `<figure><p class="ft">${escapeText(title)}</p><div class="plot" id="${id}" style="min-height:${height}px"><p class="fallback">` +
        `This figure needs JavaScript. Its numbers are in the tables of this report and in the result file.</p></div>` +
        `<figcaption>${escapeText(caption)}</figcaption></figure>`,
    );
  }

  /** The whole file. */
  toHtml(title: string, subtitle: string, date: string, withPlotly: boolean): string {
    const contents = this.sections.map(
      ({ id, title: name }) => `<li><a href="#${id}">${escapeText(name)}</a></li>`,
    );
    return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:">
<title>${escapeText(title)}</title>
<style>${REPORT_STYLE}</style>
</head>
<body>
<nav aria-label="contents"><ol>${contents.join('')}</ol></nav>
<main>
<h1>${escapeText(title)}</h1>
<p class="sub">${subtitle ? `${escapeText(subtitle)}<br>` : ''}${escapeText(date)}</p>
${this.parts.join('\n')}
</main>
${withPlotly && Object.keys(this.figures).length > 0 ? plotlyScript() : ''}
<script>
${pageScript(this.figures)}
</script>
</body>
</html>
`;
  }
}

/** plotly.js as a script element, so that a report needs no network. */
function plotlyScript(): string {
  const code = readFileSync(require.resolve('plotly.js-dist/plotly.js'), 'utf8');
  // Inside strings, where alone they can occur, both spellings are the same; in HTML only the first ends the element.
  return `<script>${code.replace(/<\/script/gi, '<\\/script').replace(/<!--/g, '\\x3c!--')}</script>`;
}

/**
 * Draws every figure, in the page's colours and for its width; one that fails says why in its own place and leaves the
 * others alone. `layout.meta.narrow` is
 * merged over the layout on screens of less than 640 pixels.
 */
function pageScript(figures: Readonly<Record<string, FigureSpec>>): string {
  return `(function () {
  var figures = ${scriptJson(figures)};
  var colors = ${scriptJson(DARK_COLORS)};
  var Plotly = window.Plotly || (window.moduleName && window.moduleName.newPlot ? window.moduleName : null);
  var root = document.documentElement;
  var preference = window.matchMedia('(prefers-color-scheme: dark)');
  var printing = false;
  var drawn = {};
  function isDark() {
    var chosen = root.getAttribute('data-theme');
    return !printing && (chosen ? chosen === 'dark' : preference.matches);
  }
  function recolour(value, dark) {
    if (typeof value === 'string') return dark && colors[value.toLowerCase()] || value;
    if (Array.isArray(value)) return value.map(function (each) { return recolour(each, dark); });
    if (value && typeof value === 'object') {
      var copy = {};
      Object.keys(value).forEach(function (key) { copy[key] = recolour(value[key], dark); });
      return copy;
    }
    return value;
  }
  function layoutOf(spec, width) {
    var layout = recolour(spec.layout, isDark());
    delete layout.title;
    // The title stands above the figure, as text.
    layout.margin.t = Math.max(16, layout.margin.t - ${TITLE_HEIGHT});
    layout.height -= ${TITLE_HEIGHT};
    var narrow = layout.meta && layout.meta.narrow;
    var entries = spec.data.filter(function (trace) { return trace.showlegend !== false && trace.type !== 'heatmap'; }).length;
    // A legend of two lines, below the buttons.
    if (entries > 5 && width >= 640) {
      layout.margin.t += 22;
      layout.height += 22;
    }
    if (width < 640) {
      layout.margin.l = Math.min(layout.margin.l, 48);
      layout.margin.r = Math.min(layout.margin.r, 10);
      layout.font.size = 11;
      // The legend has one line for each of long names.
      if (entries > 1) layout.height += 14 * entries;
      if (narrow) Object.keys(narrow).forEach(function (key) { layout[key] = narrow[key]; });
    }
    return layout;
  }
  function fail(place, error) {
    place.innerHTML = '';
    var p = document.createElement('p');
    p.className = 'fallback';
    p.textContent = 'This figure could not be drawn (' + error + '). Its numbers are in the tables of this report and in the result file.';
    place.appendChild(p);
  }
  function draw(id) {
    var place = document.getElementById(id);
    if (!Plotly) return fail(place, 'plotly did not load');
    var fallback = place.innerHTML;
    if (!drawn[id]) place.innerHTML = '';
    drawn[id] = true;
    try {
      var layout = layoutOf(figures[id], place.clientWidth);
      place.style.minHeight = layout.height + 'px';
      Promise.resolve(
        Plotly.react(place, recolour(figures[id].data, isDark()), layout, { responsive: true, displaylogo: false, displayModeBar: place.clientWidth < 640 ? false : 'hover' })
      ).catch(function (error) { fail(place, error); });
    } catch (error) { fail(place, error); }
    if (!place.firstChild) place.innerHTML = fallback;
  }
  function redraw() { Object.keys(drawn).forEach(draw); }
  var ids = Object.keys(figures);
  // One after the other, so that the page can be scrolled meanwhile.
  (function next(i) {
    if (i >= ids.length) return;
    if (!drawn[ids[i]]) draw(ids[i]);
    setTimeout(next, 0, i + 1);
  })(0);
  preference.addEventListener('change', redraw);
  window.addEventListener('beforeprint', function () { printing = true; ids.forEach(draw); });
  window.addEventListener('afterprint', function () { printing = false; redraw(); });
  var button = document.createElement('button');
  button.className = 'look';
  button.type = 'button';
  function name() { button.textContent = isDark() ? 'Light' : 'Dark'; }
  button.addEventListener('click', function () {
    root.setAttribute('data-theme', isDark() ? 'light' : 'dark');
    name();
    redraw();
  });
  preference.addEventListener('change', name);
  name();
  document.querySelector('nav').appendChild(button);
  var links = Array.prototype.slice.call(document.querySelectorAll('nav a'));
  function mark() {
    var here = links[0];
    links.forEach(function (link) {
      link.className = '';
      if (document.getElementById(link.getAttribute('href').slice(1)).getBoundingClientRect().top < 140) here = link;
    });
    if (here) here.className = 'here';
  }
  window.addEventListener('scroll', mark, { passive: true });
  mark();
})();`;
}
