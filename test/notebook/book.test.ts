/** `scripts/book.mjs`: a small notebook as a site; links, mathematics, figures, slides, and nothing from a network. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Output } from '../../src/notebook';

const root = join(__dirname, '..', '..');
const built = existsSync(join(root, 'dist', 'notebook', 'runNotebook.js'));
const installed = ['marked', 'temml'].every((name) => {
  try {
    return createRequire(join(root, 'package.json')).resolve(name) !== '';
  } catch {
    return false;
  }
});

interface LinkReport {
  pages: number;
  links: number;
  external: number;
  problems: string[];
}

/** The link checker is a script of its own, so that it also runs without this package. */
function checkLinks(folder: string): LinkReport {
  const code = `import { checkLinks } from ${JSON.stringify(`file://${join(root, 'scripts', 'book', 'links.mjs')}`)};
    console.log(JSON.stringify(checkLinks(process.argv[1])));`;
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', code, folder], { encoding: 'utf8' });
  return JSON.parse(run.stdout) as LinkReport;
}

function book(...argv: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [join(root, 'scripts', 'book.mjs'), ...argv], { encoding: 'utf8' });
}

const temporaryFolder = (): string => mkdtempSync(join(tmpdir(), 'netssm-book-'));

describe('the link check', () => {
  test('finds dead links, dead anchors, and whatever would be loaded from a network', () => {
    const site = temporaryFolder();
    writeFileSync(
      join(site, 'index.html'),
      `<a href="two.html#there">ok</a> <a href="two.html#nowhere">x</a> <a href="three.html">x</a>
       <a href="https://example.org/">outside</a> <script>var s = '<a href="not-a-link.html">';</script>
       <script src="https://cdn.example.org/plotly.js"></script><img src="data:image/png;base64,AA==">
       <style>@import "https://fonts.example.org/x.css";</style>`,
    );
    writeFileSync(join(site, 'two.html'), '<h2 id="there">There</h2><a href="index.html">back</a>');
    const report = checkLinks(site);
    expect(report).toMatchObject({ pages: 2, links: 4, external: 1 });
    expect(report.problems).toEqual([
      'index.html: two.html#nowhere: no such place on that page',
      'index.html: three.html does not exist',
      'index.html: <script src> loads https://cdn.example.org/plotly.js from the network',
      'index.html: a style loads https://fonts.example.org/x.css from the network',
    ]);
  });
});

describe.skipIf(!built || !installed)('the book (needs dist/, marked and temml)', () => {
  const folder = temporaryFolder();
  const out = join(folder, 'site');
  let built: ReturnType<typeof book>;
  let page: string;

  beforeAll(() => {
    // A figure as a notebook shows its first one, which carries plotly.js.
    const carrier = `<div id="f"></div><script>(function(){var fig={};function draw(){Plotly.newPlot('f',[]);}
if(window.Plotly){draw();return;}
var bytes=atob("${'A'.repeat(300_000)}");})();</script>`;
    const cell = (source: string, ...outputs: Output[]): object => ({
      cell_type: 'code',
      id: 'c',
      metadata: {},
      execution_count: 1,
      source,
      outputs,
    });
    const text = (source: string): object => ({ cell_type: 'markdown', id: 'm', metadata: {}, source });
    const notebook = {
      cells: [
        text('# A small **book**\n\nWhat is in it?\n\n*Time: one second. Hardware: any.*'),
        text(
          '## 1. Mathematics & money\n\nA state $h_t = \\bar{A} h_{t-1}$, two prices ($5 and $6), and\n\n$$y_t = C_t h_t$$\n\nSee `00_quickstart.ipynb`, `docs/formats.md` and [below](#2-code).',
        ),
        text('## 2. Code\n\n| a | b |\n|--:|---|\n| 1 | `x` |'),
        cell('const a = "<b>"; // a comment\nfor (let i = 0; i < 10; i++) f(i);', {
          output_type: 'stream',
          name: 'stdout',
          text: ['\u001b[32mgreen\u001b[0m & <plain>\n'],
        }),
        cell('figure("f")', {
          output_type: 'display_data',
          data: { 'text/html': carrier, 'text/plain': 'f' },
          metadata: {},
        }),
      ],
      metadata: {},
      nbformat: 4,
      nbformat_minor: 5,
    };
    const executed = join(folder, 'executed');
    mkdirSync(executed);
    const path = join(folder, '04_small.ipynb');
    for (const file of [path, join(executed, '04_small.ipynb')])
      writeFileSync(file, JSON.stringify(notebook));
    built = book('--from', executed, '--slides', '04', '--out', out, path);
    page = built.status === 0 ? readFileSync(join(out, '04_small.html'), 'utf8') : '';
  });

  test('is built, with a landing page, and no link of it is dead', () => {
    expect(built.stderr).toMatch(/\d+ pages, \d+ links within, \d+ to the outside, 0 dead/);
    expect(built.status).toBe(0);
    expect(built.stdout.trim()).toBe(join(out, 'index.html'));
    expect(checkLinks(out).problems).toEqual([]);
    const index = readFileSync(join(out, 'index.html'), 'utf8');
    expect(index).toContain('<a href="04_small.html"><b>04</b> A small book</a>');
    expect(index).toContain('What is in it?');
    expect(index).toContain('one second');
    // Besides the pictures of the documents that are linked.
    const assets = readdirSync(join(out, 'assets')).filter((name) => !name.endsWith('.svg'));
    expect(assets.sort()).toEqual(['book.css', 'book.js', 'plotly.js']);
    expect(page).toContain('<a href="04_small.slides.html">slides</a>');
  });

  test('mathematics is MathML, code is marked and folds, outputs are safe text', () => {
    expect(page.match(/<math/g)).toHaveLength(2);
    expect(page).toContain('two prices ($5 and $6)');
    expect(page).toContain(
      '<span class="string">&#34;&#60;b&#62;&#34;</span>; <span class="comment">// a comment</span>',
    );
    expect(page).toContain('<span class="word">for</span>');
    expect(page).toContain('<details class="cell" open><summary><span>2 lines of code</span>');
    expect(page).toContain('<pre>green &#38; &#60;plain&#62;\n</pre>');
    expect(page).toContain('<th style="text-align:right">a</th>');
  });

  test('sections and documents are linked; a notebook that is not in the book is not', () => {
    expect(page).toContain('<a href="#1-mathematics--money">');
    expect(page).toContain('<a href="docs/formats.html"><code>docs/formats.md</code></a>');
    expect(page).toContain('See <code>00_quickstart.ipynb</code>');
    expect(existsSync(join(out, 'docs', 'formats.html'))).toBe(true);
  });

  test('plotly.js is there once, for all pages', () => {
    expect(page).toContain('<script src="assets/plotly.js" async></script>');
    expect(page).not.toContain('A'.repeat(1000));
    expect(page).toContain('else if(tries++<150)setTimeout(wait,200)');
    expect(page.length).toBeLessThan(50_000);
  });

  test('refuses what it would destroy, and names that it does not know', () => {
    const other = temporaryFolder();
    writeFileSync(join(other, 'thesis.txt'), 'all of it');
    expect(book('--out', other).stderr).toContain('holds something else than a book');
    expect(readdirSync(other)).toEqual(['thesis.txt']);
    const unknown = book(
      '--slides',
      '99',
      '--from',
      folder,
      '--out',
      join(folder, 'x'),
      join(folder, '04_small.ipynb'),
    );
    expect(unknown.status).toBe(2);
    expect(unknown.stderr).toContain('--slides 99: no notebook begins with it');
  });
});
