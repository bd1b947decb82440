// The notebooks as a web site that needs no network: executes them, and writes pages, a landing page and slides.
// Development dependencies: marked (Markdown) and temml (TeX to MathML). Plotly comes from plotly.js-dist.
// Usage: node scripts/book.mjs [--full] [--out DIR] [--slides 04,05] [--from DIR] [--check DIR] [NOTEBOOK...]
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { checkLinks } from './book/links.mjs';
import { indexPage, notebookPage, textPage } from './book/pages.mjs';
import { renderer, titleAndSummary } from './book/render.mjs';

const HELP = `Builds a static site of the executed notebooks, which works offline.

  npm run book                        all notebooks, small sizes
  npm run book -- --full              all notebooks, as they are meant to run
  npm run book -- --from out/ci/notebooks   notebooks that were executed already
  npm run book -- --slides 04,05      these as slides, too
  npm run book -- --check out/book    only look for dead links in a site

Options:
  --out DIR      where the site goes (default out/book)
  --full         full sizes instead of fast mode
  --from DIR     take executed notebooks from DIR instead of running them
  --slides LIST  beginnings of names, separated by commas
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
        out: { type: 'string', default: join(root, 'out', 'book') },
        from: { type: 'string' },
        slides: { type: 'string', default: '' },
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

const notebooks = (
  positionals.length > 0
    ? positionals
    : readdirSync(join(root, 'notebooks'))
        .filter((name) => name.endsWith('.ipynb'))
        .sort()
        .map((name) => join(root, 'notebooks', name))
).map((path) => resolve(path));
const missing = notebooks.find((path) => !existsSync(path));
if (missing) fail(`${missing} does not exist`, 2);

const out = resolve(values.out);
const marker = join(out, '.netssm-book');
if (existsSync(out) && readdirSync(out).length > 0 && !existsSync(marker))
  fail(`${out} holds something else than a book; choose another --out, or empty it`, 2);
rmSync(out, { recursive: true, force: true });
mkdirSync(join(out, 'assets'), { recursive: true });
writeFileSync(marker, '');
for (const file of ['book.css', 'book.js', 'slides.js'])
  cpSync(join(here, 'book', file), join(out, 'assets', file));

const slides = values.slides.split(',').filter(Boolean);
const unknown = slides.find((start) => !notebooks.some((path) => basename(path).startsWith(start)));
if (unknown) fail(`--slides ${unknown}: no notebook begins with it`, 2);

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
  const wantsSlides =
    slides.some((start) => name.startsWith(start)) || notebook.metadata.netssm?.slides === true;
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

let plotly = false;
for (const [i, chapter] of chapters.entries()) {
  const page = `${chapter.name}.html`;
  const render = renderer(pageOf({ source: chapter.path, page }));
  const around = { previous: chapters[i - 1], next: chapters[i + 1] };
  const html = notebookPage(chapter, around, render, { slides: false });
  plotly ||= html.plotly;
  writeFileSync(join(out, page), html.text);
  if (chapter.wantsSlides)
    writeFileSync(
      join(out, `${chapter.name}.slides.html`),
      notebookPage(chapter, around, render, { slides: true }).text,
    );
}
for (let next; (next = [...documents.values()].find((document) => !document.done)); next.done = true) {
  const render = renderer(pageOf(next));
  mkdirSync(join(out, dirname(next.page)), { recursive: true });
  writeFileSync(join(out, next.page), textPage(readFileSync(next.source, 'utf8'), render));
}
if (plotly) cpSync(load.resolve('plotly.js-dist'), join(out, 'assets', 'plotly.js'));
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
writeFileSync(
  join(out, 'index.html'),
  indexPage(chapters, { version, fast: !values.full && values.from === undefined }),
);
rmSync(join(out, '.executed'), { recursive: true, force: true });
report(out);

/** Says what is in the site, and fails where a link leads nowhere or a page needs the network. */
function report(folder) {
  const { pages, links, external, problems } = checkLinks(folder);
  for (const problem of problems) console.error(`book: ${problem}`);
  console.error(
    `book: ${pages} pages, ${links} links within, ${external} to the outside, ${problems.length} dead`,
  );
  console.log(join(folder, 'index.html'));
  process.exitCode = problems.length > 0 ? 1 : 0;
}
