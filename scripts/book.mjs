// The notebooks as a web site that needs no network: executes them, and writes pages, a landing page and slides.
// Development dependencies: marked (Markdown) and temml (TeX to MathML). Plotly comes from plotly.js-dist.
// Usage: node scripts/book.mjs [--full] [--out DIR] [--slides 04,05 [--slides-only]] [--from DIR] [--check DIR] [NOTEBOOK...]
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, extname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { deckPage } from './book/deck.mjs';
import { checkLinks } from './book/links.mjs';
import { indexPage, notebookPage, textPage } from './book/pages.mjs';
import { renderer, titleAndSummary } from './book/render.mjs';

const HELP = `Builds a static site of the executed notebooks, which works offline.

  npm run book                        all notebooks, small sizes
  npm run book -- --full              all notebooks, as they are meant to run
  npm run book -- --from out/ci/notebooks   notebooks that were executed already
  npm run book -- --slides 04,05      these as slides, too: NAME.slides.html, a file that needs no other
  npm run book -- --slides 04,05 --slides-only --full   nothing but these slides
  npm run book -- --check out/book    only look for dead links in a site

Options:
  --out DIR      where the site goes (default out/book; out/slides with --slides-only)
  --full         full sizes instead of fast mode
  --from DIR     take executed notebooks from DIR instead of running them
  --slides LIST  beginnings of names, separated by commas (04 is not 04b)
  --slides-only  run and write only what --slides names, without pages
  --check DIR    check the links of a site and build nothing`;

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..');
const load = createRequire(import.meta.url);

function fail(message, code = 1) {
  console.error(`book: ${message}`);
  process.exit(code);
}

function options() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        full: { type: 'boolean', default: false },
        out: { type: 'string' },
        from: { type: 'string' },
        slides: { type: 'string', default: '' },
        'slides-only': { type: 'boolean', default: false },
        check: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    return fail(`${error.message}\n\n${HELP}`, 2);
  }
}

const { values, positionals } = options();
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
if (values.check !== undefined) {
  if (!existsSync(values.check)) fail(`${values.check} does not exist`, 2);
  report(values.check);
  process.exit();
}

const built = join(root, 'dist', 'notebook', 'runNotebook.js');
if (!existsSync(built)) fail('dist/ is missing. Run `npm run build` first.');
const { runNotebook } = load(built);
const { readNotebook } = load(join(root, 'dist', 'notebook', 'ipynb.js'));

const slides = values.slides.split(',').filter(Boolean);
/** `04` is the notebook of that number, not 04b; anything else the beginning of a name. */
const meant = (name) => (start) =>
  /^\d+[a-z]?$/.test(start) ? /^\d+[a-z]?/.exec(name)?.[0] === start : name.startsWith(start);
const isNamed = (path) => slides.some(meant(basename(path)));
if (values['slides-only'] && slides.length === 0) fail('--slides-only needs --slides 04,05', 2);

const found = (
  positionals.length > 0
    ? positionals
    : readdirSync(join(root, 'notebooks'))
        .filter((name) => name.endsWith('.ipynb'))
        .sort()
        .map((name) => join(root, 'notebooks', name))
).map((path) => resolve(path));
const unknown = slides.find((start) => !found.some((path) => meant(basename(path))(start)));
if (unknown) fail(`--slides ${unknown}: no notebook begins with it`, 2);
const notebooks = values['slides-only'] ? found.filter(isNamed) : found;
const missing = notebooks.find((path) => !existsSync(path));
if (missing) fail(`${missing} does not exist`, 2);

const out = resolve(values.out ?? join(root, 'out', values['slides-only'] ? 'slides' : 'book'));
const marker = join(out, '.netssm-book');
if (existsSync(out) && readdirSync(out).length > 0 && !existsSync(marker))
  fail(`${out} holds something else than a book; choose another --out, or empty it`, 2);
rmSync(out, { recursive: true, force: true });
mkdirSync(join(out, 'assets'), { recursive: true });
writeFileSync(marker, '');
if (!values['slides-only'])
  for (const file of ['book.css', 'book.js']) cpSync(join(here, 'book', file), join(out, 'assets', file));

const chapters = [];
for (const path of notebooks) {
  const name = basename(path, '.ipynb');
  let run;
  let executed = path;
  if (values.from !== undefined) {
    executed = join(values.from, `${name}.ipynb`);
    if (!existsSync(executed)) fail(`${executed} does not exist`, 2);
  } else {
    executed = join(out, '.executed', `${name}.ipynb`);
    process.stderr.write(`book: ${name} ... `);
    run = await runNotebook(path, { output: executed, fast: !values.full });
    const cost = `${run.seconds.toFixed(0)} s, ${Math.round(run.peakBytes / 1e6)} MB`;
    console.error(run.failure ? `FAILED after ${cost}` : cost);
    if (run.failure) fail(`${path}: code cell ${run.failure.cell + 1} failed:\n${run.failure.message}`);
  }
  const notebook = readNotebook(executed);
  const wantsSlides = isNamed(path) || notebook.metadata.netssm?.slides === true;
  chapters.push({ name, path, notebook, run, wantsSlides, ...titleAndSummary(notebook) });
}

/** Documents that pages link to become pages, too; found while rendering. */
const documents = new Map();
const pageOf = (from) => (target) => {
  const [file, anchor] = target.split('#');
  const hash = anchor === undefined ? '' : `#${anchor}`;
  if (/^[a-z]+:/.test(target) || file === '') return target;
  const candidates = [
    resolve(dirname(from.source), file),
    resolve(root, file),
    resolve(root, 'notebooks', file),
  ];
  const found = candidates.find((path) => existsSync(path) && path.startsWith(root));
  if (found === undefined) return undefined;
  const link = (page) => `${relative(dirname(from.page), page).replaceAll('\\', '/')}${hash}`;
  const chapter = chapters.find(({ path }) => path === found);
  if (chapter) return link(`${chapter.name}.html`);
  if (/\.(svg|png|jpe?g)$/.test(found)) {
    const page = join('assets', basename(found));
    cpSync(found, join(out, page));
    return link(page);
  }
  if (!found.endsWith('.md')) return undefined;
  const page = join('docs', `${basename(found, '.md').toLowerCase()}.html`);
  if (!documents.has(found)) documents.set(found, { source: found, page, done: false });
  return link(page);
};

for (const chapter of chapters.filter(({ wantsSlides }) => wantsSlides)) writeDeck(chapter);
if (values['slides-only']) {
  rmSync(join(out, 'assets'), { recursive: true, force: true });
} else {
  writePages();
}
rmSync(join(out, '.executed'), { recursive: true, force: true });
report(out);

/** One file that needs no other: links into the site become plain text, pictures part of the file. */
function writeDeck(chapter) {
  const picture = (target) => {
    if (/^(https?|data):/.test(target) || target.startsWith('#')) return target;
    const path = resolve(dirname(chapter.path), target);
    const type = { '.svg': 'image/svg+xml', '.png': 'image/png', '.jpg': 'image/jpeg' }[extname(path)];
    if (type === undefined || !path.startsWith(root) || !existsSync(path)) return undefined;
    return `data:${type};base64,${readFileSync(path).toString('base64')}`;
  };
  const file = join(out, `${chapter.name}.slides.html`);
  writeFileSync(file, deckPage(chapter, renderer(picture), new URL('./book/', import.meta.url)));
  if (values['slides-only']) console.log(file);
}

function writePages() {
  let plotly = false;
  for (const [i, chapter] of chapters.entries()) {
    const page = `${chapter.name}.html`;
    const render = renderer(pageOf({ source: chapter.path, page }));
    const html = notebookPage(chapter, { previous: chapters[i - 1], next: chapters[i + 1] }, render);
    plotly ||= html.plotly;
    writeFileSync(join(out, page), html.text);
  }
  for (let next; (next = [...documents.values()].find((document) => !document.done)); next.done = true) {
    const render = renderer(pageOf(next));
    mkdirSync(join(out, dirname(next.page)), { recursive: true });
    writeFileSync(join(out, next.page), textPage(readFileSync(next.source, 'utf8'), render));
  }
  if (plotly) cpSync(load.resolve('plotly.js-dist'), join(out, 'assets', 'plotly.js'));
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const fast = !values.full && values.from === undefined;
  writeFileSync(join(out, 'index.html'), indexPage(chapters, { version, fast }));
}

/** Says what is in the site, and fails where a link leads nowhere or a page needs the network. */
function report(folder) {
  const { pages, links, external, problems } = checkLinks(folder);
  for (const problem of problems) console.error(`book: ${problem}`);
  console.error(
    `book: ${pages} pages, ${links} links within, ${external} to the outside, ${problems.length} dead`,
  );
  const index = join(folder, 'index.html');
  if (existsSync(index)) console.log(index);
  process.exitCode = problems.length > 0 ? 1 : 0;
}
