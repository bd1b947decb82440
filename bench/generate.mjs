// Generation: tokens/s of the native decoder and of the plain loops, one sequence and many, beside the bound.
//   node bench/generate.mjs [--models demo,S,M,L] [--batches 1,16,32] [--formats float32] [--threads 1]
//                           [--layer Mamba1|Mamba2] [--d_state N] [--seconds 1] [--prompt 512] [--loops] [--json]
// Needs a build (npm run build). S, M, L have random weights. "bound" is max(operations / sgemm, bytes / bandwidth),
// both measured in this run: 2 operations a matrix weight; weights read once a call, states read and written.
import { createRequire } from 'node:module';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { bestSeconds, floats, round } from './measure.mjs';

const require = createRequire(import.meta.url);
const model = require('../dist/model/index.js');
const { packStepper } = require('../dist/generate/index.js');
const { loadNative, nativeFailure } = require('../dist/tensor/native/index.js');
const { projectRoot, Rng } = require('../dist/util/index.js');

const { values: args } = parseArgs({
  options: {
    models: { type: 'string', default: 'demo,S,M,L' },
    batches: { type: 'string', default: '1,16,32' },
    formats: { type: 'string', default: 'float32' },
    layer: { type: 'string', default: 'Mamba2' },
    d_state: { type: 'string' },
    threads: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '1' },
    prompt: { type: 'string', default: '512' },
    loops: { type: 'boolean' },
    json: { type: 'boolean' },
  },
});
const list = (name) => args[name].split(',');
const native = await loadNative();
if (!native) throw nativeFailure();
native.threads(Number(args.threads));

function sgemm(n = 1024) {
  const [a, b, c] = [floats(n * n, 1), floats(n * n, 2), new Float32Array(n * n)];
  native.params.set([0, 0, n, n, n, 1, 1, 1]);
  return (2 * n ** 3) / bestSeconds(() => native.gemm(a, b, c, null), 300) / 1e9;
}

/** GB/s of reading far more than the caches hold. */
function readBandwidth(n = 1 << 26) {
  const [x, sum] = [new Float32Array(n).fill(1), new Float32Array(64)]; // untouched pages would all be one
  return (4 * n) / bestSeconds(() => native.reduce(0, x, sum, 64, n / 64, 1, 1), 600) / 1e9;
}

const shapes = { S: [128, 4], M: [256, 8], L: [768, 24] };
function load(name) {
  if (name === 'demo') return model.loadModelFiles(`${projectRoot}/data/models/demo`);
  const [d_model, n_layer] = shapes[name];
  const config = model.validateConfig({
    d_model,
    n_layer,
    vocab_size: 272,
    ssm_cfg: { layer: args.layer, ...(args.d_state && { d_state: Number(args.d_state) }) },
  });
  return { config, weights: model.initWeights(config, new Rng(1)) };
}

/** Rounds of `tokens` tokens each for `--seconds`; per token: median wall time, and processor time of all threads. */
function measure(tokens, run) {
  run();
  const walls = [];
  const cpu = process.cpuUsage();
  const end = performance.now() + 1000 * Number(args.seconds);
  do {
    const started = performance.now();
    run();
    walls.push(performance.now() - started);
  } while (performance.now() < end || walls.length < 3);
  const { user, system } = process.cpuUsage(cpu);
  walls.sort((a, b) => a - b);
  return {
    tokensPerSecond: round((1000 * tokens) / walls[walls.length >> 1]),
    best: round((1000 * tokens) / walls[0]),
    tokensPerCpuSecond: round((1e6 * walls.length * tokens) / (user + system)),
  };
}

const machine = { isa: native.isa(), threads: native.threads(), sgemm: sgemm(), read: readBandwidth() };
const rows = [];
for (const name of list('models')) {
  const { config, weights } = load(name);
  const matrix = Object.entries(weights).reduce(
    (sum, [key, { data }]) => sum + (/(proj|embedding)\.weight$/.test(key) ? data.length : 0),
    0,
  );
  const rng = new Rng(1);
  const tokens = Array.from({ length: 4096 }, () => rng.int(256));
  const add = (what, batch, figures, bound) => {
    const row = { model: name, what, batch, ...figures, bound: bound && round(bound) };
    rows.push(row);
    if (args.json) return;
    if (rows.length === 1)
      console.log(
        `${machine.isa}, ${machine.threads} thread(s), sgemm ${round(machine.sgemm)} GFLOP/s, reads ${round(machine.read)} GB/s\n` +
          'model what                  batch   tokens/s     best  /cpu-second    bound',
      );
    console.log(
      `${name.padEnd(5)} ${what.padEnd(22)} ${String(batch).padStart(4)} ${[row.tokensPerSecond, row.best, row.tokensPerCpuSecond, row.bound ?? ''].map((v) => String(v).padStart(10)).join(' ')}`,
    );
  };
  let at = 0;
  if (args.loops) {
    const stepper = new model.StepModel(config, weights);
    const state = stepper.newState();
    const logits = new Float32Array(stepper.vocabSize);
    const run = () => {
      for (let i = 0; i < 8; i++) stepper.step(state, tokens[at++ & 4095], logits);
    };
    add('loops', 1, measure(8, run));
  }
  for (const format of list('formats')) {
    const stepper = await packStepper(native, config, weights, { format });
    const bytes = stepper.bytes;
    for (const batch of list('batches').map(Number)) {
      const states = Array.from({ length: batch }, () => stepper.newState());
      const logits = states.map(() => new Float32Array(stepper.vocabSize));
      const next = states.map(() => 0);
      const calls = Math.max(1, Math.round(16 / batch));
      const run = () => {
        for (let i = 0; i < calls; i++) {
          for (let b = 0; b < batch; b++) next[b] = tokens[at++ & 4095];
          stepper.stepMany(states, next, logits);
        }
      };
      const seconds = Math.max(
        (2e-9 * matrix * batch) / machine.sgemm,
        (bytes.weights + 2 * batch * bytes.state) / machine.read / 1e9,
      );
      add(`native ${format}`, batch, measure(calls * batch, run), batch / seconds);
    }
    const n = Number(args.prompt);
    if (n > 0) {
      const state = stepper.newState();
      const logits = new Float32Array(stepper.vocabSize);
      const run = () => stepper.prefill(state, tokens.slice(0, n), logits);
      add(`native ${format} prompt`, 1, measure(n, run), machine.sgemm / (2e-9 * matrix));
    }
  }
}
if (args.json) console.log(JSON.stringify({ machine, rows }, null, 2));
