// Milliseconds of one training step (forward, loss, backward) and where they go.
//   node bench/train-step.mjs [--engine wasm] [--d_model 128] [--n_layer 4] [--d_state 64] [--headdim 64]
//                             [--chunk_size 64] [--B 1] [--L 1024] [--packed] [--seconds 3] [--profile [--shapes]]
// Needs a build (npm run build).
import { createRequire } from 'node:module';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';

const require = createRequire(import.meta.url);
const { useEngine } = require('../dist/tensor/index.js');
const model = require('../dist/model/index.js');
const { Rng } = require('../dist/util/index.js');

const { values: args } = parseArgs({
  options: {
    engine: { type: 'string', default: 'auto' },
    packed: { type: 'boolean' },
    profile: { type: 'boolean' },
    shapes: { type: 'boolean' },
    seconds: { type: 'string', default: '3' },
    ...Object.fromEntries(
      Object.entries({
        d_model: 128,
        n_layer: 4,
        d_state: 64,
        headdim: 64,
        chunk_size: 64,
        B: 1,
        L: 1024,
      }).map(([name, value]) => [name, { type: 'string', default: String(value) }]),
    ),
  },
});
const n = (name) => Number(args[name]);
const config = model.validateConfig({
  d_model: n('d_model'),
  n_layer: n('n_layer'),
  vocab_size: 264,
  ssm_cfg: { d_state: n('d_state'), headdim: n('headdim'), chunk_size: n('chunk_size') },
});
const [B, L] = [n('B'), n('L')];
const engine = await useEngine(args.engine);
const { tf } = engine;
const rng = new Rng(1);
const params = model.toParams(tf, model.initWeights(config, rng));
const ids = (limit) =>
  tf.tensor2d(
    Int32Array.from({ length: B * L }, () => rng.int(limit)),
    [B, L],
    'int32',
  );
const [tokens, targets, mask] = [ids(256), ids(256), tf.ones([B, L])];
const starts = args.packed
  ? tf.tensor2d(
      Int32Array.from({ length: B * L }, (_, i) => (i % 300 ? 0 : 1)),
      [B, L],
      'int32',
    )
  : undefined;

/** One step; reading a gradient waits for engines that compute later. */
function step() {
  const started = performance.now();
  const cpu = process.cpuUsage();
  const { gradients, states } = model.chunkedLossAndGradients(tf, config, params, tokens, targets, mask, {
    starts,
  });
  gradients['backbone.embedding.weight'].dataSync();
  tf.dispose(Object.values(gradients));
  model.disposeStates(states);
  const { user, system } = process.cpuUsage(cpu);
  return { wall: performance.now() - started, cpu: (user + system) / 1000 };
}

step();
step();
const runs = [];
for (const end = performance.now() + 1000 * n('seconds'); performance.now() < end;) runs.push(step());
const middle = (key) => runs.map((run) => run[key]).sort((a, b) => a - b)[runs.length >> 1];
const median = middle('wall');
const parameters = Object.values(params).reduce((sum, p) => sum + p.size, 0);
const matrix = Object.entries(params).reduce(
  (sum, [name, p]) => sum + (/(proj|embedding)\.weight$/.test(name) ? p.size : 0),
  0,
);
console.log(
  JSON.stringify({
    engine: engine.name,
    gflops: Number(engine.gflops.toFixed(1)),
    d_model: config.d_model,
    n_layer: config.n_layer,
    ...config.ssm_cfg,
    B,
    L,
    packed: Boolean(args.packed),
    parameters,
    steps: runs.length,
    medianMs: Number(median.toFixed(1)),
    medianCpuMs: Number(middle('cpu').toFixed(1)), // what counts on a machine with other work
    tokensPerSecond: Math.round((1000 * B * L) / median),
    matrixGflops: Number(((6 * matrix * B * L) / median / 1e6).toFixed(1)),
    memoryMB: Math.round(process.memoryUsage().rss / 1e6),
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
  const total = step();
  for (const [name, { ms, calls, elements }] of [...spent].sort((a, b) => b[1].ms - a[1].ms)) {
    console.log(
      `${name.padEnd(24)} ${ms.toFixed(1).padStart(8)} ms ${String(calls).padStart(5)} calls ${(elements / 1e6).toFixed(2).padStart(8)} M elements`,
    );
  }
  console.log(`${'all, calls included'.padEnd(24)} ${total.cpu.toFixed(1).padStart(8)} ms`);
}
