// One training step (forward, backward, clip, AdamW: what `netssm train` does for an update), beside the roofline.
//   node bench/train-step.mjs [--size S|M|L] [--layer Mamba1|Mamba2] [--L 1024] [--B 1] [--threads n] [--engine native]
//                             [--recompute auto|always|never] [--chunk n] [--memory GB] [--precision float32|bf16]
//                             [--d_model 128 --n_layer 4 --d_state 64 --headdim 64 --chunk_size 64] [--packed]
//                             [--seconds 3] [--warmup 2] [--profile [--shapes]] [--dist DIR]
// Prints one line of JSON. Needs a build (npm run build). The roofline is 6 operations a matrix parameter and token over
// the speed of square matrix products, measured in the same process before and after.
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { median, round } from './measure.mjs';
import { sizes } from './shapes.mjs';

const { values: args } = parseArgs({
  options: {
    size: { type: 'string' },
    layer: { type: 'string', default: 'Mamba2' },
    engine: { type: 'string', default: 'auto' },
    threads: { type: 'string' },
    recompute: { type: 'string', default: 'auto' },
    chunk: { type: 'string' },
    memory: { type: 'string' },
    precision: { type: 'string', default: 'float32' },
    packed: { type: 'boolean' },
    profile: { type: 'boolean' },
    shapes: { type: 'boolean' },
    seconds: { type: 'string', default: '3' },
    warmup: { type: 'string', default: '2' },
    d_model: { type: 'string' },
    n_layer: { type: 'string' },
    d_state: { type: 'string' },
    headdim: { type: 'string' },
    chunk_size: { type: 'string' },
    B: { type: 'string', default: '1' },
    L: { type: 'string', default: '1024' },
    dist: { type: 'string', default: join(dirname(dirname(fileURLToPath(import.meta.url))), 'dist') },
  },
});
if (args.threads) process.env.NETSSM_THREADS = args.threads;
const require = createRequire(import.meta.url);
const module = (name) => require(resolve(args.dist, name));
const { useEngine } = module('tensor/index.js');
const { loadNative } = module('tensor/native/index.js');
const model = module('model/index.js');
const { planMemory, validateTrainConfig } = module('train/index.js');
const { Learner } = module('train/learner.js');
const { Rng } = module('util/index.js');

const number = (name) => (args[name] === undefined ? undefined : Number(args[name]));
const [B, L] = [number('B'), number('L')];
const shape = sizes[args.size ?? 'S'];
const own = (names) =>
  Object.fromEntries(names.filter((name) => args[name] !== undefined).map((name) => [name, number(name)]));
const config = model.validateConfig({
  ...shape,
  vocab_size: 272,
  ...own(['d_model', 'n_layer']),
  ssm_cfg: {
    layer: args.layer,
    ...(args.layer === 'Mamba2' ? { d_state: 64, headdim: 64, chunk_size: 64 } : {}),
    ...own(args.layer === 'Mamba2' ? ['d_state', 'headdim', 'chunk_size'] : ['d_state']),
  },
});
const engine = await useEngine(args.engine);
const { tf } = engine;
const train = validateTrainConfig({
  batchSize: B,
  contextLen: L,
  recompute: args.recompute,
  chunkLen: number('chunk') ?? null,
  memoryBudgetGB: number('memory') ?? null,
  precision: args.precision,
});
const memory = planMemory(engine, config, train);
const rng = new Rng(1);
const weights = model.initWeights(config, rng);
const learner = new Learner(engine, config, train, weights, memory.chunkLen);
const ids = () => Int32Array.from({ length: B * L }, () => rng.int(256));
const batch = {
  tokens: ids(),
  targets: ids(),
  mask: new Float32Array(B * L).fill(1),
  starts: Int32Array.from({ length: B * L }, (_, i) => (args.packed && i % 300 === 0 ? 1 : 0)),
  lossTokens: B * L,
};

/** Milliseconds of one update, of the clock and of all processors together. */
async function step() {
  const started = performance.now();
  const cpu = process.cpuUsage();
  await learner.update([{ batch, fresh: true }], 1e-4);
  const { user, system } = process.cpuUsage(cpu);
  return { wall: performance.now() - started, cpu: (user + system) / 1000 };
}

/** GFLOP/s of square products by the clock, and of one processor's second. */
const addon = engine.name === 'native' ? await loadNative() : null;
async function ceiling() {
  const n = 1024;
  const [a, b] = [1, 2].map((seed) => tf.randomUniform([n, n], -1, 1, 'float32', seed));
  const runs = [];
  const end = performance.now() + 250;
  do {
    const cpu = process.cpuUsage();
    const started = performance.now();
    const c = tf.matMul(a, b);
    await c.data();
    c.dispose();
    const wall = performance.now() - started;
    const { user, system } = process.cpuUsage(cpu);
    runs.push({ wall, cpu: (user + system) / 1000 });
  } while (performance.now() < end || runs.length < 4);
  tf.dispose([a, b]);
  const work = (2 * n ** 3) / 1e6;
  return { wall: work / Math.min(...runs.map((r) => r.wall)), cpu: work / median(runs.map((r) => r.cpu)) };
}

const before = await ceiling();
for (let i = 0; i < number('warmup'); i++) await step();
const runs = [];
const end = performance.now() + 1000 * number('seconds');
do runs.push(await step());
while (performance.now() < end);
const after = await ceiling();

const parameters = Object.values(weights).reduce((sum, { data }) => sum + data.length, 0);
const matrix = Object.entries(weights).reduce(
  (sum, [name, { data }]) => sum + (/(proj|embedding)\.weight$/.test(name) ? data.length : 0),
  0,
);
const wall = median(runs.map((r) => r.wall));
const cpu = median(runs.map((r) => r.cpu));
const work = (6 * matrix * B * L) / 1e6; // per millisecond: GFLOP/s
const sgemm = Math.max(before.wall, after.wall);
console.log(
  JSON.stringify({
    what: 'netssm',
    engine: engine.name,
    threads: addon ? addon.threads() : 1,
    size: args.size ?? null,
    layer: args.layer,
    d_model: config.d_model,
    n_layer: config.n_layer,
    d_state: config.ssm_cfg.d_state,
    B,
    L,
    packed: Boolean(args.packed),
    precision: args.precision,
    bf16: addon ? ['rounded', 'vdpbf16ps', 'amx'][addon.gemmBf16Level()] : 'rounded',
    chunkLen: memory.chunkLen,
    recomputes: memory.recomputes,
    parameters,
    matrixParameters: matrix,
    steps: runs.length,
    medianMs: round(wall, 4),
    bestMs: round(Math.min(...runs.map((r) => r.wall)), 4),
    medianCpuMs: round(cpu, 4),
    tokensPerSecond: round((1000 * B * L) / wall, 4),
    bestTokensPerSecond: round((1000 * B * L) / Math.min(...runs.map((r) => r.wall)), 4),
    tokensPerCpuSecond: round((1000 * B * L) / cpu, 4),
    matrixGflops: round(work / wall),
    sgemmGflops: round(sgemm),
    sgemmGflopsPerCpu: round((before.cpu + after.cpu) / 2),
    shareOfRoofline: round(work / wall / sgemm),
    shareOfRooflineCpu: round(work / cpu / ((before.cpu + after.cpu) / 2)),
    estimatedMB: Math.round(memory.estimate.total / 1e6),
    peakMB: Math.round(process.resourceUsage().maxRSS / 1e3),
    load: round(loadavg()[0]),
  }),
);

if (args.profile) {
  // Every kernel of a step, timed where it is called: exact for engines that compute at once (wasm, native, cpu).
  const spent = new Map();
  const shapes = args.shapes
    ? (call) =>
        ` ${Object.values(call.inputs).map((x) => `[${x?.shape}]`)}${call.attrs?.transposeA ? ' TA' : ''}${call.attrs?.transposeB ? ' TB' : ''}`
    : () => '';
  for (const kernel of tf.getKernelsForBackend(engine.name)) {
    const { kernelName, kernelFunc } = kernel;
    tf.unregisterKernel(kernelName, engine.name);
    tf.registerKernel({
      ...kernel,
      kernelFunc: (call) => {
        const started = process.cpuUsage();
        const result = kernelFunc(call);
        const key = kernelName + shapes(call);
        const entry = spent.get(key) ?? { ms: 0, calls: 0, elements: 0 };
        const { user, system } = process.cpuUsage(started);
        entry.ms += (user + system) / 1000;
        entry.calls++;
        for (const out of [result].flat()) entry.elements += out.shape.reduce((a, b) => a * b, 1);
        spent.set(key, entry);
        return result;
      },
    });
  }
  const total = await step();
  for (const [name, { ms, calls, elements }] of [...spent].sort((a, b) => b[1].ms - a[1].ms)) {
    console.log(
      `${name.padEnd(24)} ${ms.toFixed(1).padStart(8)} ms ${String(calls).padStart(5)} calls ${(elements / 1e6).toFixed(2).padStart(8)} M elements`,
    );
  }
  console.log(`${'all, calls included'.padEnd(24)} ${total.cpu.toFixed(1).padStart(8)} ms`);
}
learner.dispose();
