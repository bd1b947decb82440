// Cells to HTML: Markdown with mathematics, highlighted code, outputs in their richest form.
import { createRequire } from 'node:module';
import { escape, sourceOf } from './html.mjs';

const load = createRequire(import.meta.url);

function library(name) {
  try {
    return load(name);
  } catch {
    console.error(`book: the package ${name} is not installed. Run \`npm install\` (without --omit=dev).`);
    process.exit(1);
  }
}

const joined = (text) => (Array.isArray(text) ? text.join('') : String(text));

/** `## 2. Packets are tokens` can be linked as `#2-packets-are-tokens`, as on GitHub. */
export function slug(text) {
  return text
    .toLowerCase()
    .replace(/<[^>]+>|&[#\w]+;|[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replace(/\s/g, '-');
}

/** The notebook's title, and the first paragraph below it as summary. */
export function titleAndSummary(notebook) {
  const text = notebook.cells
    .filter((cell) => cell.cell_type === 'markdown')
    .map(sourceOf)
    .join('\n\n');
  const title = /^# (.+)$/m.exec(text)?.[1] ?? 'Notebook';
  const after = text.slice(text.indexOf(title) + title.length);
  const summary = after.split(/\n\s*\n/).find((part) => /^\s*[^\s#*|>-]/.test(part)) ?? '';
  const time = /^\*Time: ([^.]*)\./m.exec(text)?.[1] ?? '';
  const plain = (markdown) => markdown.replace(/[*`]/g, '').replace(/\s+/g, ' ').trim();
  return { title: plain(title), summary: plain(summary), time };
}

/** @param pageOf turns a link of the source into one of the site, or undefined where it leads nowhere. */
export function renderer(pageOf) {
  const { Marked } = library('marked');
  const temml = library('temml');
  const mathematics = (tex, displayMode) =>
    temml.renderToString(tex.trim(), { displayMode, throwOnError: false, annotate: false });
  const math = (name, level, pattern, displayMode) => ({
    name,
    level,
    // A block begins with its line; looking for one further on would cut paragraphs at every dollar.
    start: (text) => text.match(level === 'block' ? /^ {0,3}\$\$/m : /\$/)?.index,
    tokenizer(text) {
      const match = pattern.exec(text);
      return match ? { type: name, raw: match[0], tex: match[1] } : undefined;
    },
    renderer: (token) => mathematics(token.tex, displayMode),
  });
  const marked = new Marked({
    gfm: true,
    renderer: {
      heading({ tokens, depth }) {
        const inner = this.parser.parseInline(tokens);
        const id = slug(inner);
        return `<h${depth} id="${id}">${inner} <a class="here" href="#${id}" aria-label="link to this section">#</a></h${depth}>\n`;
      },
      link({ href, title, tokens }) {
        const inner = this.parser.parseInline(tokens);
        const target = pageOf(href);
        if (target === undefined) return inner;
        return `<a href="${escape(target)}"${title ? ` title="${escape(title)}"` : ''}>${inner}</a>`;
      },
      image({ href, text }) {
        const target = pageOf(href);
        return target === undefined ? escape(text) : `<img src="${escape(target)}" alt="${escape(text)}">`;
      },
      codespan({ text }) {
        const target = /^[\w./-]+\.(ipynb|md)$/.test(text) ? pageOf(text) : undefined;
        const code = `<code>${escape(text)}</code>`;
        return target === undefined ? code : `<a href="${escape(target)}">${code}</a>`;
      },
      code({ text, lang }) {
        const known = /^(ts|typescript|js|javascript)$/.test(lang ?? '');
        return `<pre class="source"><code>${known ? highlight(text) : escape(text)}</code></pre>\n`;
      },
      table(token) {
        const row = (cells, tag) =>
          `<tr>${cells
            .map((cell, i) => {
              const align = token.align[i] ? ` style="text-align:${token.align[i]}"` : '';
              return `<${tag}${align}>${this.parser.parseInline(cell.tokens)}</${tag}>`;
            })
            .join('')}</tr>`;
        const body = token.rows.map((cells) => row(cells, 'td')).join('');
        return `<div class="wide"><table><thead>${row(token.header, 'th')}</thead><tbody>${body}</tbody></table></div>\n`;
      },
    },
    extensions: [
      math('mathBlock', 'block', /^ {0,3}\$\$([\s\S]+?)\$\$[ \t]*(?:\n|$)/, true),
      math('mathDisplay', 'inline', /^\$\$([\s\S]+?)\$\$/, true),
      // Not "$5 and $6": no blank inside the dollars, no digit behind them.
      math('mathInline', 'inline', /^\$(?![\s$])((?:\\.|[^\\$\n])*?(?:\\.|[^\\$\s]))\$(?!\d)/, false),
    ],
  });
  return { markdown: (text) => marked.parse(text), inline: (text) => marked.parseInline(text), cell };
}

const WORDS =
  'abstract as async await break case catch class const continue default delete do else enum export extends false finally for from function if implements import in instanceof interface let new null of return satisfies static super switch this throw true try type typeof undefined var void while yield';
const TOKENS = new RegExp(
  [
    '(?<comment>//[^\\n]*|/\\*[\\s\\S]*?\\*/)',
    '(?<string>"(?:\\\\.|[^"\\\\\\n])*"|\'(?:\\\\.|[^\'\\\\\\n])*\'|`(?:\\\\.|[^`\\\\])*`)',
    '(?<number>\\b(?:0x[\\da-f_]+|\\d[\\d_]*(?:\\.\\d+)?(?:e[+-]?\\d+)?)n?\\b)',
    `(?<word>\\b(?:${WORDS.replaceAll(' ', '|')})\\b)`,
  ].join('|'),
  'gi',
);

/** TypeScript with comments, strings, numbers and keywords marked. */
export function highlight(text) {
  let html = '';
  let at = 0;
  for (const match of text.matchAll(TOKENS)) {
    const kind = Object.entries(match.groups).find(([, value]) => value !== undefined)[0];
    html += `${escape(text.slice(at, match.index))}<span class="${kind}">${escape(match[0])}</span>`;
    at = match.index + match[0].length;
  }
  return html + escape(text.slice(at));
}

/** A code cell and its outputs: `{ code, outputs, output }`, all of them also as one; any may be empty. */
function cell(each) {
  const text = sourceOf(each);
  const lines = text.split('\n').length;
  const first = text.split('\n').find((line) => line.trim() !== '') ?? '';
  const code =
    text.trim() === ''
      ? ''
      : `<details class="cell" open><summary><span>${lines} line${lines === 1 ? '' : 's'} of code</span> <code>${escape(first)}</code></summary><pre class="source"><code>${highlight(text)}</code></pre></details>`;
  const outputs = (each.outputs ?? []).map(showOutput).filter(Boolean);
  return {
    code,
    outputs,
    output: outputs.length > 0 ? `<div class="output">${outputs.join('\n')}</div>` : '',
  };
}

// eslint-disable-next-line no-control-regex
const ANSI = /\u001b\[[\d;]*m/g;

function showOutput(output) {
  if (output.output_type === 'stream') {
    const name = output.name === 'stderr' ? ' class="warning"' : '';
    return `<pre${name}>${escape(joined(output.text).replace(ANSI, ''))}</pre>`;
  }
  if (output.output_type === 'error')
    return `<pre class="warning">${escape(joined(output.traceback ?? output.evalue).replace(ANSI, ''))}</pre>`;
  const { data = {} } = output;
  if (data['text/html'] !== undefined)
    return `<div class="rich">${withoutPlotly(joined(data['text/html']))}</div>`;
  if (data['image/svg+xml'] !== undefined) return `<div class="rich">${joined(data['image/svg+xml'])}</div>`;
  for (const type of ['image/png', 'image/jpeg'])
    if (data[type] !== undefined)
      return `<img alt="" src="data:${type};base64,${joined(data[type]).replaceAll('\n', '')}">`;
  if (data['text/plain'] !== undefined) return `<pre>${escape(joined(data['text/plain']))}</pre>`;
  return '';
}

/** The site has plotly.js once: a figure that carries it waits for it instead, like all others. */
function withoutPlotly(html) {
  const from = html.indexOf('if(window.Plotly){draw();return;}');
  if (from < 0) return html;
  const to = html.indexOf('</script>', from);
  const wait =
    'var tries=0;(function wait(){if(window.Plotly)draw();else if(tries++<150)setTimeout(wait,200);})();})();';
  return `${html.slice(0, from)}${wait}${html.slice(to)}`;
}
