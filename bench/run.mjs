// Speed of the native kernels on this machine, as absolute figures and as shares of what the machine can do.
//   node bench/run.mjs [--quick] [--json] [--threads n] [--engines native,wasm,cpu]
// Needs a build (npm run build). `runBench` is the same as a function.
import { createRequire } from 'node:module';
import { performance } from 'node:perf_hooks';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { measureCeilings } from './ceilings.mjs';
import { bestSeconds, floats, round } from './measure.mjs';
import { products } from './shapes.mjs';

const require = createRequire(import.meta.url);

/** Matrix products, GFLOP/s and share of the sgemm ceiling (one row: of the read bandwidth instead). */
function benchProducts(addon, ceilings, budgetMs) {
  return products.map(([name, transA, transB, m, n, k, batch]) => {
    const [a, b, c] = [floats(batch * m * k, 1), floats(batch * k * n, 2), new Float32Array(batch * m * n)];
    const repeat = Math.max(1, Math.floor(2e6 / (batch * m * n * k)));
    const seconds =
      bestSeconds(() => {
        for (let i = 0; i < repeat; i++) {
          addon.params.set([transA, transB, m, n, k, batch, batch, batch]);
          addon.gemm(a, b, c, null);
        }
      }, budgetMs) / repeat;
    const gflops = (2 * batch * m * n * k) / seconds / 1e9;
    return {
      name,
      m,
      n,
      k,
      batch,
      gflops: round(gflops),
      shareOfSgemm: round(gflops / ceilings.sgemmGflops, 2),
      ...(m === 1 ? { readGBs: round((4 * n * k) / seconds / 1e9) } : {}),
    };
  });
}

/** tfjs operations on an engine: GB/s of memory read and written (the arrays named in the shapes, once each). */
function benchElementwise(tf, budgetMs) {
  const n = 1024;
  const x = tf.tensor2d(floats(n * n, 1), [n, n]);
  const y = tf.tensor2d(floats(n * n, 2), [n, n]);
  const row = tf.tensor2d(floats(n, 3), [1, n]);
  const column = tf.tensor2d(floats(n, 4), [n, 1]);
  const ids = tf.tensor1d(
    Int32Array.from({ length: n }, (_, i) => (i * 37) % n),
    'int32',
  );
  const cases = {
    'add [1024,1024]': [() => tf.add(x, y), 12],
    'mul by a row': [() => tf.mul(x, row), 8],
    'mul by a column': [() => tf.mul(x, column), 8],
    exp: [() => tf.exp(x), 8],
    sigmoid: [() => tf.sigmoid(x), 8],
    'sum of all': [() => tf.sum(x), 4],
    'sum of rows': [() => tf.sum(x, 1), 4],
    'sum of columns': [() => tf.sum(x, 0), 4],
    softmax: [() => tf.softmax(x), 8],
    transpose: [() => tf.transpose(x), 8],
    concat: [() => tf.concat([x, y], 1), 16],
    'gather 1,024 rows': [() => tf.gather(x, ids), 8],
    'segment sum of 1,024 rows': [() => tf.unsortedSegmentSum(x, ids, n), 8],
  };
  // Elsewhere this one is a thousand passes over the input.
  if (tf.getBackend() !== 'native') delete cases['segment sum of 1,024 rows'];
  const result = Object.entries(cases).map(([name, [run, bytes]]) => {
    const seconds = bestSeconds(() => tf.dispose(run()), budgetMs);
    return { name, microseconds: round(seconds * 1e6), GBs: round((n * n * bytes) / seconds / 1e9) };
  });
  tf.dispose([x, y, row, column, ids]);
  return result;
}

/** conv2d 3x3, 32 -> 32 channels, 32x32, batch 8: forward, and forward with both gradients. */
function benchConv(tf, ceilings, budgetMs) {
  const x = tf.tensor4d(floats(8 * 32 * 32 * 32, 1), [8, 32, 32, 32]);
  const f = tf.tensor4d(floats(9 * 32 * 32, 2), [3, 3, 32, 32]);
  const flops = 2 * 8 * 32 * 32 * 9 * 32 * 32;
  const forward = () => tf.conv2d(x, f, 1, 'same');
  const step = tf.grads((a, b) => tf.sum(tf.conv2d(a, b, 1, 'same')));
  const report = (name, n, seconds) => {
    const gflops = n / seconds / 1e9;
    return {
      name,
      gflops: round(gflops),
      shareOfSgemm: ceilings ? round(gflops / ceilings.sgemmGflops, 2) : null,
    };
  };
  const result = [
    report(
      'forward',
      flops,
      bestSeconds(() => tf.dispose(forward()), budgetMs),
    ),
    report(
      'forward and both gradients',
      3 * flops,
      bestSeconds(() => tf.dispose(tf.tidy(() => step([x, f]))), budgetMs),
    ),
  ];
  tf.dispose([x, f]);
  return result;
}

/** One training step of small tf.layers models, milliseconds. */
async function benchLayers(tf, budgetMs) {
  const models = {
    dense: () => [
      tf.layers.dense({ inputShape: [256], units: 512, activation: 'relu' }),
      tf.layers.dense({ units: 10 }),
    ],
    lstm: () => [
      tf.layers.lstm({ inputShape: [32, 64], units: 128, recurrentInitializer: 'glorotUniform' }),
      tf.layers.dense({ units: 10 }),
    ],
    gru: () => [
      tf.layers.gru({ inputShape: [32, 64], units: 128, recurrentInitializer: 'glorotUniform' }),
      tf.layers.dense({ units: 10 }),
    ],
  };
  const result = [];
  for (const [name, layers] of Object.entries(models)) {
    const model = tf.sequential({ layers: layers() });
    model.compile({ optimizer: 'adam', loss: 'meanSquaredError' });
    const shape = [64, ...model.inputs[0].shape.slice(1)];
    const x = tf.tensor(
      floats(
        shape.reduce((a, b) => a * b),
        1,
      ),
      shape,
    );
    const y = tf.zeros([64, 10]);
    await model.trainOnBatch(x, y);
    let best = Infinity;
    const end = performance.now() + 2 * budgetMs;
    do {
      const started = performance.now();
      await model.trainOnBatch(x, y);
      best = Math.min(best, performance.now() - started);
    } while (performance.now() < end);
    result.push({ name, milliseconds: round(best) });
    model.dispose();
    tf.dispose([x, y]);
  }
  return result;
}

/** Tokens per second of a training step of model S (d_model 128, 4 layers, Mamba-2, 1,024 tokens). */
function benchTraining(tf, ceilings, budgetMs) {
  const model = require('../dist/model/index.js');
  const { Rng } = require('../dist/util/index.js');
  const config = model.validateConfig({
    d_model: 128,
    n_layer: 4,
    vocab_size: 264,
    ssm_cfg: { d_state: 64, headdim: 64, chunk_size: 64 },
  });
  const L = 1024;
  const rng = new Rng(1);
  const params = model.toParams(tf, model.initWeights(config, rng));
  const ids = () =>
    tf.tensor2d(
      Int32Array.from({ length: L }, () => rng.int(256)),
      [1, L],
      'int32',
    );
  const [tokens, targets, mask] = [ids(), ids(), tf.ones([1, L])];
  const step = () => {
    const { gradients, states } = model.chunkedLossAndGradients(tf, config, params, tokens, targets, mask);
    gradients['backbone.embedding.weight'].dataSync();
    tf.dispose(Object.values(gradients));
    model.disposeStates(states);
  };
  step();
  const seconds = bestSeconds(step, 5 * budgetMs, 2);
  const matrix = Object.entries(params).reduce(
    (sum, [name, p]) => sum + (/(proj|embedding)\.weight$/.test(name) ? p.size : 0),
    0,
  );
  tf.dispose([...Object.values(params), tokens, targets, mask]);
  const gflops = (6 * matrix * L) / seconds / 1e9;
  return {
    name: 'S, 1,024 tokens',
    milliseconds: round(1000 * seconds),
    tokensPerSecond: Math.round(L / seconds),
    matrixGflops: round(gflops),
    shareOfSgemm: ceilings ? round(gflops / ceilings.sgemmGflops, 2) : null,
  };
}

/**
 * Measures this machine. `quick`: a tenth of the time, rougher figures. `engines`: of native, wasm, cpu (cpu is slow).
 * Everything runs in this process, one after the other; other work on the machine lowers all of it.
 */
export async function runBench({ quick = false, engines = ['native', 'wasm'], threads } = {}) {
  const budgetMs = quick ? 30 : 300;
  const { useEngine } = require('../dist/tensor/index.js');
  const { loadNative } = require('../dist/tensor/native/index.js');
  const addon = engines.includes('native') ? await loadNative() : null;
  const before = addon?.threads();
  if (addon && threads) addon.threads(threads);
  const result = {
    date: new Date().toISOString(),
    node: process.version,
    cpu: require('node:os').cpus()[0]?.model ?? '',
    loadAverage: round(require('node:os').loadavg()[0]),
    quick,
    ceilings: addon ? measureCeilings(addon, { budgetMs }) : null,
    products: [],
    engines: {},
  };
  if (addon) result.products = benchProducts(addon, result.ceilings, budgetMs);
  for (const name of engines) {
    const engine = await useEngine(name);
    if (engine.name !== name) continue;
    const { tf } = engine;
    process.stderr.write(`bench: engine ${name} ...\n`);
    const own = name === 'native' ? result.ceilings : null;
    result.engines[name] = {
      matmul256Gflops: round(engine.gflops),
      elementwise: benchElementwise(tf, budgetMs),
      conv2d: name === 'native' ? benchConv(tf, own, budgetMs) : [],
      layers: await benchLayers(tf, budgetMs),
      training: benchTraining(tf, own, budgetMs),
    };
  }
  if (addon) addon.threads(before);
  return result;
}

function print(r) {
  const line = (...cells) =>
    console.log(cells.map((c, i) => (i ? String(c).padStart(12) : String(c).padEnd(32))).join(''));
  console.log(`${r.cpu}, Node ${r.node}, load ${r.loadAverage}${r.quick ? ', quick' : ''}`);
  if (r.ceilings) {
    const { sgemmGflops, copyGBs, readGBs, expGs, isa, threads } = r.ceilings;
    console.log(`\nCeilings (${isa}, ${threads} threads)`);
    line('sgemm', `${sgemmGflops} GFLOP/s`);
    for (const [size, v] of Object.entries(copyGBs)) line(`copy, ${size}`, `${v} GB/s`);
    for (const [size, v] of Object.entries(readGBs)) line(`read, ${size}`, `${v} GB/s`);
    line('exp', `${expGs} G/s`);
    console.log('\nMatrix products');
    line('', 'GFLOP/s', 'of sgemm');
    for (const p of r.products) line(p.name, p.gflops, p.readGBs ? `${p.readGBs} GB/s` : p.shareOfSgemm);
  }
  for (const [name, e] of Object.entries(r.engines)) {
    console.log(`\nEngine ${name}: tf.matMul 256^3 ${e.matmul256Gflops} GFLOP/s`);
    for (const x of e.elementwise) line(x.name, `${x.microseconds} us`, `${x.GBs} GB/s`);
    for (const x of e.conv2d) line(`conv2d 3x3, ${x.name}`, `${x.gflops} GF/s`, x.shareOfSgemm ?? '');
    for (const x of e.layers) line(`training step, ${x.name}`, `${x.milliseconds} ms`);
    line(
      `training step, ${e.training.name}`,
      `${e.training.milliseconds} ms`,
      `${e.training.tokensPerSecond} tok/s`,
    );
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean' },
      json: { type: 'boolean' },
      threads: { type: 'string' },
      engines: { type: 'string', default: 'native,wasm' },
    },
  });
  const result = await runBench({
    quick: values.quick,
    engines: values.engines.split(','),
    threads: values.threads ? Number(values.threads) : undefined,
  });
  if (values.json) console.log(JSON.stringify(result, null, 2));
  else print(result);
}
