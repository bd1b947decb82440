/* global fetch */
// Drives JupyterLab and classic Notebook in headless Chromium as a reader would: opens notebooks, runs all cells,
// watches bars and charts move, interrupts training, points at figures, and takes pictures at 1280 px.
// Usage: node scripts/drive-jupyter.mjs [--with lab|notebook] [--out DIR] [NOTEBOOK...]
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Chromium, sleep } from './browser/chromium.mjs';
import { ENDINGS, writeCopy } from './browser/endings.mjs';
import { ADAPTERS } from './browser/jupyter.mjs';

const HELP = `Drives Jupyter in headless Chromium and checks what a reader would see.

  node scripts/drive-jupyter.mjs                      JupyterLab and Notebook, five notebooks
  node scripts/drive-jupyter.mjs --with lab notebooks/03_bytes_to_tokens.ipynb

Options:
  --with NAME     only this front end: lab or notebook
  --out DIR       report.json and pictures (default out/jupyter)
  --minutes N     how long a notebook may take (default 10)
  --dark          JupyterLab's dark theme

Copies of 00_quickstart, 06_train_netssm and 07_generate_traces have a cell that trains or draws without end. It is
interrupted once it runs; cells behind it use the model or the packets that it left. Exits 1 if anything is not as it
should be.`;

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    with: { type: 'string' },
    out: { type: 'string', default: join(root, 'out', 'jupyter') },
    minutes: { type: 'string', default: '10' },
    dark: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
const SECONDS = Number(values.minutes) * 60;
const notebooks = (
  positionals.length > 0
    ? positionals
    : ['00_quickstart', '02_flows_and_sessions', '03_bytes_to_tokens', ...Object.keys(ENDINGS).slice(1)]
        .map((name) => join(root, 'notebooks', `${name}.ipynb`))
        .filter((path) => existsSync(path))
).map((path) => resolve(path));
mkdirSync(values.out, { recursive: true });

function freePort() {
  return new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

/** Copies of the notebooks. */
function workFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'netssm-jupyter-'));
  for (const path of notebooks) writeCopy(path, folder);
  return folder;
}

/** Jupyter as `netssm notebook` starts it, with a kernel registered for this run alone. */
async function startJupyter(name, folder) {
  const port = await freePort();
  const argv = [join(root, 'bin', 'netssm.cjs'), 'notebook', folder, '--with', name, '--', '--no-browser'];
  if (process.getuid?.() === 0) argv.push('--allow-root');
  argv.push(`--port=${port}`, ...ADAPTERS[name].argv);
  const data = join(folder, '.jupyter-data');
  const settings = join(folder, '.jupyter-config');
  // JupyterLab asks newcomers whether they want news, across the cells.
  const apputils = join(settings, 'lab', 'user-settings', '@jupyterlab', 'apputils-extension');
  mkdirSync(apputils, { recursive: true });
  const set = (name, value) =>
    writeFileSync(join(apputils, `${name}.jupyterlab-settings`), JSON.stringify(value));
  set('notification', { fetchNews: 'false', checkForUpdates: false });
  if (values.dark) set('themes', { theme: 'JupyterLab Dark' });
  const child = spawn(process.execPath, argv, {
    cwd: root,
    detached: true, // a group of its own, so that kernels end with it
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, NETSSM_FAST: '1', JUPYTER_DATA_DIR: data, JUPYTER_CONFIG_DIR: settings },
  });
  let log = '';
  child.stderr.on('data', (chunk) => (log = (log + chunk).slice(-4000)));
  const url = `http://127.0.0.1:${port}`;
  for (let tries = 0; tries < 300; tries++) {
    const answers = await fetch(`${url}/api`).then(
      (response) => response.ok,
      () => false,
    );
    if (answers) return { url, stop: () => stop(child) };
    if (child.exitCode !== null) break;
    await sleep(400);
  }
  stop(child);
  throw new Error(`${name} did not start:\n${log}`);
}

function stop(child) {
  try {
    process.kill(-child.pid, 'SIGTERM');
  } catch {
    // it has ended by itself
  }
}

/** One notebook in one front end; throws nothing: what is wrong is in `problems`. */
async function drive(browser, jupyter, adapter, path) {
  const name = basename(path, '.ipynb');
  const report = { frontEnd: adapter.name, notebook: name, problems: [] };
  const picture = (what) => join(values.out, `${adapter.name}-${name}-${what}.png`);
  const expect = (holds, problem) => {
    if (!holds) report.problems.push(problem);
  };
  const page = await browser.page({ width: 1280, height: 900, dark: values.dark });
  const started = Date.now();
  try {
    await page.goto(`${jupyter.url}${adapter.path(basename(path))}`);
    await page.until(adapter.ready, 180, 'the notebook is open and its kernel ready');
    report.kernel = await page.value(adapter.kernel);
    expect(report.kernel === 'netssm-ts', `opened with the kernel ${report.kernel}`);
    await page.value(adapter.runAll);
    const ending = ENDINGS[name];
    const interrupted = await watch(page, adapter, report, picture, ending);
    report.seconds = Math.round((Date.now() - started) / 1000);
    const cells = await page.value(adapter.cells);
    const code = cells.filter((cell) => cell.code);
    report.cells = code.length;
    report.executed = code.filter((cell) => cell.count > 0).length;
    expect(report.executed === code.length, `${report.executed} of ${code.length} cells ran`);
    const failed = code.filter((cell) => cell.error);
    expect(failed.length === 0, `cells with errors: ${failed.map((cell) => cell.error).join('; ')}`);
    if (ending) {
      expect(interrupted, 'nothing was interrupted');
      report.kept = (await page.value(adapter.ask(ending.ask))).trim();
      expect(ending.answer.test(report.kept), `after the interrupt, ${ending.ask} is: ${report.kept}`);
    }
    await look(page, adapter, report, picture, expect);
  } catch (error) {
    report.problems.push(error.message);
    await page.screenshot(picture('problem')).catch(() => {});
  }
  const outside = page.requests.filter((url) => /^https?:/.test(url) && !url.startsWith(jupyter.url));
  report.outside = [...new Set(outside)];
  await page.value(adapter.shutdown).catch(() => {});
  return report;
}

/** Waits until all cells have run. What would never end is interrupted once it has shown a few states of itself. */
async function watch(page, adapter, report, picture, ending) {
  const states = new Set();
  const endless = new Set();
  const show = async (what) => {
    await page.value(`[...document.querySelectorAll('progress')].at(-1).scrollIntoView()`).catch(() => {});
    await sleep(400);
    await page.screenshot(picture(what));
  };
  let interrupted = false;
  const started = Date.now();
  for (;;) {
    const now = await page.value(adapter.state);
    if (now.live) {
      states.add(now.live);
      if (states.size === 3) await show('training');
      if (ending?.live.test(now.live)) endless.add(now.live);
      if (!interrupted && endless.size >= (ending?.states ?? Infinity)) {
        await show('endless');
        await page.value(adapter.interrupt);
        interrupted = true;
        report.interruptedAfterSeconds = Math.round((Date.now() - started) / 1000);
      }
    }
    report.liveStates = states.size;
    if (now.idle) return interrupted;
    if (Date.now() - started > SECONDS * 1000) throw new Error(`not done within ${SECONDS} s`);
    await sleep(now.live ? 250 : 600);
  }
}

/** Where the mouse looks for something that answers: coarse first, then closer; bars may be thin. */
const SPOTS = [4, 9, 40].flatMap((columns) =>
  [0.5, 0.75, 0.3, 0.9, 0.62].flatMap((y) =>
    Array.from({ length: columns }, (_, i) => [(i + 0.5) / columns, y]),
  ),
);

/**
 * The executed notebook as nbconvert makes a page of it, opened with scripts forbidden: every figure must be seen.
 * @returns how many figures there are, and how many are seen; undefined without nbconvert.
 */
async function staticViewer(browser, path, picture) {
  const html = path.replace(/\.ipynb$/, '.html');
  const ways = [
    ['jupyter', 'nbconvert'],
    ['/usr/bin/python3', '-m', 'nbconvert'],
  ];
  const made = ways.some(
    ([program, ...argv]) =>
      spawnSync(program, [...argv, '--to', 'html', path], { stdio: 'ignore' }).status === 0,
  );
  if (!made || !existsSync(html)) return undefined;
  const page = await browser.page({ width: 1280, height: 900 });
  await page.send('Emulation.setScriptExecutionDisabled', { value: true });
  await page.goto(`file://${html}`);
  const seen = await page.value(`[...document.querySelectorAll('[id^=netssm-figure-]')].map((figure) => {
    const svg = figure.querySelector('svg'); return svg ? svg.getBoundingClientRect().height : 0; })`);
  await page.value(`document.querySelector('[id^=netssm-figure-]')?.scrollIntoView({ block: 'center' })`);
  await page.screenshot(picture);
  return { figures: seen.length, seen: seen.filter((height) => height > 60).length };
}

/** Every output has something to see, nothing sticks out, and figures answer to the mouse. */
async function look(page, adapter, report, picture, expect) {
  const figures = await page.value(`document.querySelectorAll('.js-plotly-plot').length`);
  report.figures = figures;
  report.hover = 0;
  for (let i = 0; i < figures; i++) {
    const spot = `(() => { const f = document.querySelectorAll('.js-plotly-plot')[${i}]; f.scrollIntoView({ block: 'center' });
      const r = f.querySelector('.plot, .gl-container, .main-svg').getBoundingClientRect(); return [r.x, r.y, r.width, r.height]; })()`;
    await page.value(spot);
    await sleep(400);
    const [x, y, width, height] = await page.value(spot);
    let answered = false;
    for (const [fx, fy] of SPOTS) {
      await page.mouse(x + width * fx, y + height * fy);
      await sleep(40);
      answered = await page.value(
        `document.querySelectorAll('.js-plotly-plot')[${i}].querySelectorAll('.hoverlayer > *').length > 0`,
      );
      if (answered) break;
    }
    if (answered) report.hover++;
    await page.screenshot(picture(`figure-${i + 1}`));
  }
  expect(
    report.hover === figures,
    `${figures - report.hover} of ${figures} figures do not answer to the mouse`,
  );
  const seen = await page.value(adapter.outputs);
  report.outputs = seen.length;
  expect(
    seen.every((output) => output.height > 4),
    `${seen.filter((output) => output.height <= 4).length} outputs are blank`,
  );
  const wide = seen.filter((output) => output.overflow > 2);
  expect(wide.length === 0, `outputs wider than the page: ${wide.map((o) => o.text).join(' | ')}`);
  await page.value(adapter.top);
  await sleep(500);
  await page.screenshot(picture('top'));
  const steps = await page.value(adapter.pages);
  for (let i = 1; i <= Math.min(steps, 12); i++) {
    await page.value(adapter.scroll(i));
    await sleep(400);
    await page.screenshot(picture(`page-${String(i).padStart(2, '0')}`));
  }
}

const names = values.with === undefined ? Object.keys(ADAPTERS) : [values.with];
const reports = [];
const browser = new Chromium();
try {
  for (const name of names) {
    const folder = workFolder();
    const jupyter = await startJupyter(name, folder);
    try {
      for (const path of notebooks) {
        const report = await drive(browser, jupyter, ADAPTERS[name], path);
        reports.push(report);
        const what = report.problems.length === 0 ? 'ok' : report.problems.join('; ');
        console.log(
          `${name} ${report.notebook}: ${report.executed ?? 0}/${report.cells ?? '?'} cells, ` +
            `${report.liveStates ?? 0} live states, ${report.hover ?? 0}/${report.figures ?? 0} figures answer, ${report.seconds ?? '?'} s: ${what}`,
        );
      }
    } finally {
      jupyter.stop();
      await sleep(1000);
      cpSync(folder, join(values.out, name), { recursive: true, filter: (file) => !/\.jupyter-/.test(file) });
      for (const report of reports.filter(({ frontEnd }) => frontEnd === name)) {
        const path = join(values.out, name, `${report.notebook}.ipynb`);
        const picture = join(values.out, `${name}-${report.notebook}-static.png`);
        report.static = await staticViewer(browser, resolve(path), picture);
        if (report.static && report.static.seen < report.static.figures)
          report.problems.push(
            `a static page shows ${report.static.seen} of ${report.static.figures} figures`,
          );
        console.log(
          `${name} ${report.notebook}, static page without scripts: ${JSON.stringify(report.static) ?? 'no nbconvert'}`,
        );
      }
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    }
  }
} finally {
  await browser.close();
  writeFileSync(join(values.out, 'report.json'), `${JSON.stringify(reports, null, 2)}\n`);
}
process.exitCode = reports.some((report) => report.problems.length > 0) ? 1 : 0;
