/** Slides of the book: which cells become which slide, and a page that needs no other file. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { cellSource, readNotebook, type Cell } from '../../src/notebook';

const root = join(__dirname, '..', '..');
const built = existsSync(join(root, 'dist', 'notebook', 'runNotebook.js'));
const installed = ['marked', 'temml', 'plotly.js-dist'].every((name) => {
  try {
    return createRequire(join(root, 'package.json')).resolve(name) !== '';
  } catch {
    return false;
  }
});

interface Slide {
  heading: boolean;
  title: string;
  text: string[];
  shown: { code: string; output: string }[];
  notes: string[];
}

const script = (name: string): string =>
  JSON.stringify(`file://${join(root, 'scripts', 'book', `${name}.mjs`)}`);

/** The scripts run without this package, so they are asked in a process of their own. */
function slidesOf(cells: readonly Partial<Cell>[]): Slide[] {
  const code = `import { slidesOf } from ${script('deck')}; import { renderer } from ${script('render')};
    import { readFileSync } from 'node:fs';
    console.log(JSON.stringify(slidesOf(JSON.parse(readFileSync(0, 'utf8')), renderer(() => undefined))));`;
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    encoding: 'utf8',
    input: JSON.stringify(cells),
  });
  if (run.status !== 0) throw new Error(run.stderr);
  return JSON.parse(run.stdout) as Slide[];
}

const text = (source: string, metadata = {}): Partial<Cell> => ({ cell_type: 'markdown', metadata, source });
const shows = (source: string, printed = 'out', metadata = {}): Partial<Cell> => ({
  cell_type: 'code',
  metadata,
  source,
  outputs: [{ output_type: 'stream', name: 'stdout', text: printed }],
});

describe.skipIf(!installed)('slides (needs marked and temml)', () => {
  test('a heading begins one, text below an output another; teachers’ notes are not on them', () => {
    const slides = slidesOf([
      text('# Title\n\nA question.'),
      text('## 1. Box\n\nText.\n\n> **For the teacher** (slide 5). Draw it.\n\nMore text.'),
      shows('a = 1', 'one'),
      text('What was that?'),
      shows('b = 2', 'two'),
      shows('c = 3', 'three'),
      text('End of it.\n\n## 2. Next\n\n> A quotation that is none of ours.'),
    ]);
    expect(slides.map(({ heading, title }) => `${heading ? '' : '… '}${title}`)).toEqual([
      'Title',
      '1. Box',
      '… 1. Box',
      '2. Next',
    ]);
    expect(slides[1].notes).toHaveLength(1);
    expect(slides[1].notes[0]).toContain('Draw it.');
    expect(slides[1].text.join('')).not.toContain('Draw it.');
    expect(slides[1].text.join('')).toContain('More text.');
    expect(slides[2].shown.map(({ output }) => /two|three/.exec(output)?.[0])).toEqual(['two', 'three']);
    expect(slides[2].shown[0].code).toContain('<details class="cell"><summary>');
    // The last words of a section are a step of its last slide.
    expect(slides[2].text[1]).toBe('<div class="step"><p>End of it.</p>\n</div>');
    expect(slides[3].text.join('')).toContain('A quotation that is none of ours.');
  });

  test('pictures that do not fit on one screen follow each other', () => {
    const table = `<table>${'<tr><td>1</td></tr>'.repeat(13)}</table>`;
    const tall = (html: string): Partial<Cell> => ({
      ...shows('f'),
      outputs: [{ output_type: 'display_data', data: { 'text/html': html }, metadata: {} }],
    });
    const slides = slidesOf([
      text('## A'),
      tall('<svg></svg>'),
      tall(table),
      tall(table),
      tall('<p>✔ ok</p>'),
    ]);
    expect(slides.map(({ shown }) => shown.length)).toEqual([1, 3]);
    const two = {
      ...tall(''),
      outputs: [...tall('<svg>1</svg>').outputs!, ...tall('<svg>2</svg>').outputs!],
    };
    const apart = slidesOf([text('## A'), two]);
    expect(apart.map(({ shown }) => shown.map(({ output }) => /<svg>\d/.exec(output)?.[0]))).toEqual([
      ['<svg>1'],
      ['<svg>2'],
    ]);
    expect(apart[1].shown[0].code).toBe('');
  });

  test('slide types of Jupyter, and the tags of stripped notebooks', () => {
    const slides = slidesOf([
      text('## A'),
      shows('x', 'x'),
      text('left out', { slideshow: { slide_type: 'skip' } }),
      shows('y', 'y', { tags: ['slide-skip'] }),
      text('goes on', { slideshow: { slide_type: 'fragment' } }),
      text('said, not shown', { tags: ['slide-notes'] }),
      text('its own', { tags: ['slide-subslide'] }),
    ]);
    expect(slides.map((slide) => slide.text.length)).toEqual([2, 1]);
    expect(slides[0].text[1]).toContain('goes on');
    expect(slides[0].notes[0]).toContain('said, not shown');
    expect(JSON.stringify(slides)).not.toContain('left out');
    expect(slides[0].shown).toHaveLength(1);
  });

  test('every heading of the lecture’s notebook is a slide', () => {
    const { cells } = readNotebook(join(root, 'notebooks', '04_state_space_models.ipynb'));
    const headings = cells
      .filter((cell) => cell.cell_type === 'markdown')
      .flatMap((cell) => [...cellSource(cell).matchAll(/^##? (.+)$/gm)].map(([, heading]) => heading));
    expect(headings.length).toBeGreaterThan(10);
    const slides = slidesOf(cells);
    expect(slides.filter(({ heading }) => heading).map(({ title }) => title)).toEqual(headings);
    expect(slides.flatMap(({ notes }) => notes).length).toBeGreaterThanOrEqual(4);
  });
});

describe.skipIf(!built || !installed)('a deck (needs dist/, marked, temml and plotly.js)', () => {
  test('is one file, with styles, scripts, figures and pictures in it, and nothing to load', () => {
    const folder = mkdtempSync(join(tmpdir(), 'netssm-slides-'));
    const [executed, out] = [join(folder, 'executed'), join(folder, 'slides')];
    mkdirSync(executed);
    const carrier = `<div id="f"></div><script>(function(){function draw(){Plotly.newPlot('f',[]);}
if(window.Plotly){draw();return;}
var bytes=atob("${'A'.repeat(300_000)}");})();</script>`;
    const figure = {
      ...shows('figure("f")'),
      outputs: [{ output_type: 'display_data', data: { 'text/html': carrier }, metadata: {} }],
    };
    writeFileSync(join(folder, 'p.svg'), '<svg xmlns="http://www.w3.org/2000/svg"/>');
    const cells = [
      text(
        '# Small\n\nSee `00_quickstart.ipynb`, [formats](../docs/formats.md), [below](#2-b) and [a site](https://example.org/).',
      ),
      text('## 1. A'),
      figure,
      text('## 2. B\n\n$x^2$'),
    ];
    for (const path of [
      join(folder, '04_small.ipynb'),
      join(folder, '04b_other.ipynb'),
      join(executed, '04_small.ipynb'),
    ])
      writeFileSync(path, JSON.stringify({ cells, metadata: {}, nbformat: 4, nbformat_minor: 5 }));
    const argv = ['--slides', '04', '--slides-only', '--from', executed, '--out', out];
    const notebooks = [join(folder, '04_small.ipynb'), join(folder, '04b_other.ipynb')];
    const run = spawnSync(process.execPath, [join(root, 'scripts', 'book.mjs'), ...argv, ...notebooks], {
      encoding: 'utf8',
    });
    expect(run.stderr).toMatch(/1 pages, \d+ links within, 1 to the outside, 0 dead/);
    expect(run.status).toBe(0);
    expect(run.stdout.trim()).toBe(join(out, '04_small.slides.html'));
    expect(readdirSync(out).filter((name) => !name.startsWith('.'))).toEqual(['04_small.slides.html']);
    const deck = readFileSync(join(out, '04_small.slides.html'), 'utf8');
    expect(deck.match(/<section class="slide/g)).toHaveLength(3);
    expect(deck.match(/<div class="step">/g)).toHaveLength(1);
    expect(deck).not.toMatch(/<(script|img|link|iframe)\b[^>]*\s(src|href)=["'](?!data:)/);
    expect(deck).not.toMatch(/url\(\s*["']?(?!data:)[\w./]/);
    expect(deck).toContain('@page {');
    expect(deck).toContain('<math');
    // plotly.js is there once: the loader's copy, not the figure's.
    expect(deck).not.toContain('A'.repeat(1000));
    expect(deck).toContain("DecompressionStream('gzip')");
    expect(deck).toContain('else if(tries++<150)setTimeout(wait,200)');
    expect(deck).toContain('<a href="#2-b">below</a>');
    expect(deck).toContain('See <code>00_quickstart.ipynb</code>, formats,');
  });

  test('--slides-only needs to know which', () => {
    const run = spawnSync(process.execPath, [join(root, 'scripts', 'book.mjs'), '--slides-only'], { encoding: 'utf8' }); // prettier-ignore
    expect(run.status).toBe(2);
    expect(run.stderr).toContain('--slides-only needs --slides 04,05');
  });
});
