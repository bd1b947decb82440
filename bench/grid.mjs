// Training over length, size, threads, engine and precision, and peers beside it: a process of its own for every point.
//   node bench/grid.mjs [--quick] [--sizes S,M,L] [--lengths 512,2048,...] [--layers Mamba1,Mamba2] [--threads 1,2]
//                       [--engines native,wasm] [--precisions float32,bf16] [--peers mamba.py,mamba.py-tuned,gpt,gpt-params]
//                       [--generate] [--python python3] [--seconds 3] [--limit 300] [--name NAME] [--out FILE] [--figures DIR]
//                       [--json] [--dist DIR]
// Writes all points as JSON (--out), prints a table, and draws figures (--figures). Peers need a Python with PyTorch
// (--python) and, for mamba.py, the package mambapy; what is absent is said and left out. A point that would take longer
// than --limit seconds, judged by the length before it, is left out as well. Needs a build (npm run build).
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { drawFigures } from './figures.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const TUNED = { MALLOC_MMAP_MAX_: '0', MALLOC_TRIM_THRESHOLD_: '100000000000' };
/** Engines without vector units of their own are measured where they end within a minute. */
const LONGEST = { wasm: 4096, cpu: 512 };
const WARMUP_STEPS = 2;

/** Runs one program and reads the JSON object it prints; a string says why there is none. */
function point(command, args, env, limitSeconds) {
  const { status, signal, stdout, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    env: { ...process.env, ...env },
    timeout: 1000 * limitSeconds,
    maxBuffer: 1 << 26,
  });
  const line = stdout?.split('\n').find((text) => text.startsWith('{'));
  if (status === 0 && line) return JSON.parse(line);
  if (status === 3) return `not installed: ${stderr.trim().split('\n').at(-1)}`;
  if (signal === 'SIGTERM') return `longer than ${limitSeconds} s`;
  return `failed: ${(stderr ?? '').trim().split('\n').at(-1) || (signal ?? status)}`;
}

/** All series of the grid: what changes along one is the length. */
function series(options) {
  const all = [];
  for (const size of options.sizes)
    for (const threads of options.threads) {
      for (const engine of options.engines) {
        // The other engines have one thread.
        if (engine !== 'native' && threads !== options.threads[0]) continue;
        for (const layer of options.layers)
          for (const precision of options.precisions) {
            if (precision !== 'float32' && engine !== 'native') continue;
            all.push({ what: 'netssm', engine, size, threads, layer, precision });
          }
      }
      for (const peer of options.peers) all.push({ what: peer, size, threads });
    }
  return all;
}

function measure(own, L, options) {
  if (own.what === 'netssm') {
    const { size, layer, engine, precision, threads } = own;
    const args = Object.entries({ size, layer, engine, precision, threads, L, seconds: options.seconds });
    const words = args.flatMap(([name, value]) => [`--${name}`, String(value)]);
    const script = join(here, 'train-step.mjs');
    return point(process.execPath, [script, ...words, '--dist', options.dist], {}, options.limit);
  }
  const [model, tuned] = own.what.split('-tuned');
  const words = [
    model,
    own.size,
    String(L),
    '--threads',
    String(own.threads),
    '--seconds',
    String(options.seconds),
  ];
  const script = join(here, 'peers', 'train_step.py');
  return point(options.python, [script, ...words], tuned === undefined ? {} : TUNED, options.limit);
}

/**
 * Measures the grid length by length, so that points to be compared lie close in time. `report` hears each point, and each
 * thing left out, as a line; `save` all points so far after each of them.
 */
export function runGrid(options, report = () => {}, save = () => {}) {
  const rows = [];
  const gone = new Map(); // series that are over, and why
  for (const L of options.lengths)
    for (const own of series(options)) {
      const key = JSON.stringify(own);
      const name = label(own);
      if (gone.has(key)) continue;
      const last = rows.findLast((row) => row.key === key);
      const ahead = last ? ((WARMUP_STEPS + 1) * last.medianMs * (L / last.L)) / 1000 : 0;
      const memory = last ? last.peakMB * 1e6 * (L / last.L) : 0;
      if (L > (LONGEST[own.engine] ?? Infinity)) continue;
      if (ahead > options.limit || (own.what !== 'netssm' && memory > 0.9 * totalmem())) {
        gone.set(key, `left out from ${L} tokens on`);
        report(
          `${name}, ${L} tokens and more: left out (about ${Math.round(ahead)} s, ${Math.round(memory / 1e9)} GB)`,
        );
        continue;
      }
      const result = measure(own, L, options);
      if (typeof result === 'string') {
        gone.set(key, result);
        report(`${name}, ${L} tokens: ${result}`);
        continue;
      }
      const row = { ...own, ...result, what: own.what, key };
      rows.push(row);
      report(line(row));
      save(rows.map(withoutKey));
    }
  return rows.map(withoutKey);
}

function withoutKey({ key: _, ...row }) {
  return row;
}

function label({ what, engine, size, threads, layer, precision }) {
  const own = [engine, layer, precision].filter(Boolean).join(' ');
  return `${size} ${what === 'netssm' ? own : what}, ${threads} thread${threads > 1 ? 's' : ''}`;
}

const cell = (value, width = 10) => String(value ?? '').padStart(width);

function line(row) {
  const share = row.shareOfRoofline === undefined ? ['', ''] : [row.shareOfRoofline, row.shareOfRooflineCpu];
  return (
    label(row).padEnd(38) +
    [row.L, row.tokensPerSecond, row.tokensPerCpuSecond, ...share, row.chunkLen ?? '', row.peakMB, row.load]
      .map((value) => cell(value))
      .join('')
  );
}

export const HEADING =
  ''.padEnd(38) +
  ['tokens', 'tokens/s', '/CPU s', 'roofline', '..by CPU', 'chunk', 'peak MB', 'load']
    .map((name) => cell(name))
    .join('');

/** Everything a reader of the figures needs to know. */
export function describeMachine() {
  return {
    date: new Date().toISOString().slice(0, 10),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGB: Math.round(totalmem() / 1e9),
    node: process.version,
    load: loadavg().map((x) => Number(x.toFixed(1))),
  };
}

const GRID = {
  sizes: ['S', 'M', 'L'],
  lengths: [512, 2048, 8192, 32_768, 131_072],
  layers: ['Mamba1', 'Mamba2'],
  threads: [1, 2],
  engines: ['native', 'wasm'],
  precisions: ['float32', 'bf16'],
  peers: ['mamba.py', 'mamba.py-tuned', 'gpt', 'gpt-params'],
  seconds: 3,
  limit: 300,
};
const QUICK = { ...GRID, sizes: ['S', 'M'], lengths: [512, 2048], threads: [2], seconds: 1, limit: 60 };

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const text = { type: 'string' };
  const { values } = parseArgs({
    options: {
      ...Object.fromEntries(Object.keys(GRID).map((name) => [name, text])),
      quick: { type: 'boolean' },
      generate: { type: 'boolean' },
      json: { type: 'boolean' },
      python: { type: 'string', default: 'python3' },
      name: { type: 'string', default: 'training' },
      out: text,
      figures: text,
      dist: { type: 'string', default: join(here, '..', 'dist') },
    },
  });
  const base = values.quick ? QUICK : GRID;
  const options = { python: values.python, dist: resolve(values.dist) };
  for (const [name, value] of Object.entries(base)) {
    const given = values[name];
    if (given === undefined) options[name] = value;
    else if (!Array.isArray(value)) options[name] = Number(given);
    else
      options[name] =
        given === '' ? [] : given.split(',').map((x) => (typeof value[0] === 'number' ? Number(x) : x));
  }
  const say = values.json ? (text) => process.stderr.write(`${text}\n`) : (text) => console.log(text);
  const machine = describeMachine();
  say(`${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, load ${machine.load[0]}\n${HEADING}`);
  const write = (result) => {
    if (!values.out) return;
    mkdirSync(dirname(resolve(values.out)), { recursive: true });
    writeFileSync(values.out, `${JSON.stringify(result, null, 1)}\n`);
  };
  const result = { machine, rows: runGrid(options, say, (rows) => write({ machine, rows })) };
  if (values.generate) {
    say('generation: bench/generate.mjs');
    const { stdout } = spawnSync(
      process.execPath,
      [join(here, 'generate.mjs'), '--json', '--layer', 'Mamba1'],
      {
        encoding: 'utf8',
        maxBuffer: 1 << 26,
      },
    );
    if (stdout?.trim().startsWith('{')) result.generation = JSON.parse(stdout);
  }
  write(result);
  if (values.figures) for (const file of drawFigures(result, values.figures, values.name)) say(file);
  if (values.json) console.log(JSON.stringify(result, null, 2));
}
