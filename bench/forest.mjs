/*
 * Random forest on ternary features, beside scikit-learn in the same run.
 *
 *   node bench/forest.mjs [--rows 5000] [--columns 1024] [--classes 10] [--trees 100] [--jobs 2] [--repeat 3]
 *                         [--python PYTHON] [--json] [--dist DIR]
 *
 * scikit-learn is measured where PYTHON (default python3) has it. The runs alternate; each figure is the best of its
 * repeats. CPU seconds disturb less than wall seconds on a busy machine. The features are made like nPrint rows: class
 * templates with absent headers (-1), bits that follow the class more or less, and noise.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { cpuUsage } from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '5000' },
    columns: { type: 'string', default: '1024' },
    classes: { type: 'string', default: '10' },
    trees: { type: 'string', default: '100' },
    jobs: { type: 'string', default: '2' },
    repeat: { type: 'string', default: '3' },
    python: { type: 'string', default: 'python3' },
    json: { type: 'boolean' },
    dist: { type: 'string', default: join(root, 'dist') },
  },
});
const [rows, columns, classes, trees, jobs, repeat] = [
  'rows',
  'columns',
  'classes',
  'trees',
  'jobs',
  'repeat',
].map((name) => Number(values[name]));
const require = createRequire(import.meta.url);
const { accuracy, matrix, RandomForestClassifier, takeRows } = require(resolve(values.dist, 'stats'));
const { Rng } = require(resolve(values.dist, 'util'));

/** Half as many items again, for testing. */
function makeData() {
  const rng = new Rng('bench/forest');
  const n = rows + (rows >> 1);
  const data = new Int8Array(n * columns);
  const labels = Array.from({ length: n }, () => rng.int(classes));
  // Per column: constant, noise, or following the class; per class and block of 32: present or absent.
  const kind = Array.from({ length: columns }, () => rng.uniform());
  const bit = Array.from({ length: classes * columns }, () => rng.int(2));
  const absent = Array.from({ length: classes * Math.ceil(columns / 32) }, () => rng.uniform());
  for (let i = 0; i < n; i++)
    for (let c = 0; c < columns; c++) {
      const k = labels[i];
      const missing = absent[k * Math.ceil(columns / 32) + (c >> 5)];
      const at = i * columns + c;
      if (missing < 0.3 || (missing < 0.5 && rng.uniform() < 0.5)) data[at] = -1;
      else if (kind[c] < 0.3) data[at] = 0;
      else if (kind[c] < 0.7) data[at] = rng.int(2);
      else data[at] = rng.uniform() < 0.75 ? bit[k * columns + c] : rng.int(2);
    }
  return { all: matrix(data, n, columns), labels };
}

const { all, labels } = makeData();
// A fifth of the labels is wrong, so that trees grow deep, as they do on packets.
const noise = new Rng('bench/labels');
const noisy = labels.map((k) => (noise.uniform() < 0.2 ? noise.int(classes) : k));
const indices = (from, to) => Uint32Array.from({ length: to - from }, (_, i) => from + i);
const train = takeRows(all, indices(0, rows));
const test = takeRows(all, indices(rows, all.rows));
const [yTrain, yTest] = [noisy.slice(0, rows), labels.slice(rows)];

async function ours(seed) {
  const forest = new RandomForestClassifier({ nEstimators: trees, jobs, seed });
  const cpu = cpuUsage();
  const started = performance.now();
  await forest.fit(train, yTrain);
  const wall = (performance.now() - started) / 1000;
  const used = cpuUsage(cpu);
  return { wall, cpu: (used.user + used.system) / 1e6, accuracy: accuracy(yTest, forest.predict(test)) };
}

const PYTHON = `
import json, os, sys, time
import numpy as np
from sklearn.ensemble import RandomForestClassifier
folder, rows, columns, trees, jobs, seed = sys.argv[1], *map(int, sys.argv[2:])
x = np.fromfile(os.path.join(folder, "x.bin"), np.int8).reshape(-1, columns).astype(np.float32)
y = np.fromfile(os.path.join(folder, "y.bin"), np.uint8)
forest = RandomForestClassifier(trees, n_jobs=jobs, random_state=seed)
RandomForestClassifier(2, n_jobs=jobs).fit(x[:50], y[:50])
a, b = time.perf_counter(), time.process_time()
forest.fit(x[:rows], y[:rows])
print(json.dumps({"wall": time.perf_counter() - a, "cpu": time.process_time() - b,
                  "accuracy": float((forest.predict(x[rows:]) == y[rows:]).mean())}))
`;

const folder = mkdtempSync(join(tmpdir(), 'forest-'));
function theirs(seed) {
  const { status, stdout } = spawnSync(
    values.python,
    ['-c', PYTHON, folder, ...[rows, columns, trees, jobs, seed].map(String)],
    { encoding: 'utf8' },
  );
  return status === 0 ? JSON.parse(stdout) : undefined;
}

const best = (runs) => ({
  wallSeconds: Number(Math.min(...runs.map((r) => r.wall)).toFixed(3)),
  cpuSeconds: Number(Math.min(...runs.map((r) => r.cpu)).toFixed(3)),
  accuracy: Number((runs.reduce((sum, r) => sum + r.accuracy, 0) / runs.length).toFixed(4)),
});
try {
  writeFileSync(join(folder, 'x.bin'), all.data);
  writeFileSync(join(folder, 'y.bin'), Uint8Array.from([...yTrain, ...yTest]));
  const runs = { netssm: [], sklearn: [] };
  await ours(99);
  for (let i = 0; i < repeat; i++) {
    runs.netssm.push(await ours(i));
    const other = theirs(i);
    if (other) runs.sklearn.push(other);
  }
  const result = { rows, columns, classes, trees, jobs, repeat, netssm: best(runs.netssm) };
  if (runs.sklearn.length > 0) {
    result.sklearn = best(runs.sklearn);
    result.speedup = Number((result.sklearn.wallSeconds / result.netssm.wallSeconds).toFixed(2));
    result.cpuSpeedup = Number((result.sklearn.cpuSeconds / result.netssm.cpuSeconds).toFixed(2));
  }
  if (values.json) console.log(JSON.stringify(result, null, 2));
  else {
    console.log(`${rows} x ${columns} ternary features, ${classes} classes, ${trees} trees, ${jobs} jobs`);
    for (const name of ['netssm', 'sklearn']) {
      const r = result[name];
      if (r)
        console.log(`${name.padEnd(9)} ${r.wallSeconds} s, ${r.cpuSeconds} CPU s, accuracy ${r.accuracy}`);
      else
        console.log(`${name.padEnd(9)} not measured: ${values.python} cannot import scikit-learn (--python)`);
    }
    if (result.speedup) console.log(`${result.speedup} times as fast (CPU ${result.cpuSpeedup})`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
