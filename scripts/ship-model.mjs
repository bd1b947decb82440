// Makes a model of data/models: tokenise captures, train with a config (an hour on one core with the native engine;
// Ctrl-C and the same command go on), export it as bfloat16, judge what is exported on every token of the test captures.
//   node scripts/ship-model.mjs demo                   data/captures,     configs/demo.json,    data/models/demo
//   node scripts/ship-model.mjs testbed                data/testbed/set,  configs/testbed,      data/models/testbed
//     --captures DIR --config FILE|DIR --data DIR (tokens) --run DIR --out DIR
// The configs of a folder are steps, in order of their names: each starts from the weights of the one before.
import { copyFileSync, existsSync, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureBuilt, root } from './ensure.mjs';

const text = { type: 'string' };
const { values, positionals } = parseArgs({
  options: { captures: text, config: text, data: text, run: text, out: text },
  allowPositionals: true,
});
const [name = 'demo'] = positionals;
const args = {
  captures: name === 'testbed' ? 'data/testbed/set' : 'data/captures',
  config: join('configs', name === 'testbed' ? name : `${name}.json`),
  data: join(root, 'out', 'models', name, 'tokens'),
  run: join(root, 'runs', name),
  out: join(root, 'data', 'models', name),
  ...values,
};

ensureBuilt();
process.chdir(root);
const require = createRequire(import.meta.url);
const { main } = require('../dist/cli/main.js');
const step = async (...words) => {
  console.error(`$ netssm ${words.join(' ')}`);
  const code = await main(words);
  if (code !== 0) process.exit(code);
};

if (!existsSync(join(args.data, 'meta.json'))) {
  await step('tokenize', args.captures, '--out', args.data);
}
const train = (run, config, ...more) => {
  const resume = existsSync(join(run, 'checkpoint')) ? ['--resume'] : more;
  return step('train', '--data', args.data, '--out', run, '--config', config, '--seed', '1', ...resume);
};
const configs = statSync(args.config).isDirectory()
  ? readdirSync(args.config)
      .sort()
      .map((file) => join(args.config, file))
  : [args.config];
let run;
for (const [i, config] of configs.entries()) {
  const from = run;
  run = i === 0 ? args.run : `${args.run}-${i + 1}`;
  await train(run, config, ...(from ? ['--init', from] : []));
}

const { useEngine } = require('../dist/tensor/index.js');
const { openDataset } = require('../dist/tokens/index.js');
const { loadModelFiles, toParams } = require('../dist/model/index.js');
const { evaluateLoss, exportModel } = require('../dist/train/index.js');
const { fitTokenBaselines } = require('../dist/evaluate/index.js');
const { TerminalProgress } = require('../dist/util/index.js');

const engine = await useEngine();
const dataset = openDataset(args.data);
exportModel(run, args.out, { bf16: true });
const { config, weights } = loadModelFiles(args.out);
const progress = new TerminalProgress('judge');
const loss = await evaluateLoss(engine, config, toParams(engine.tf, weights), dataset, 'test', {
  onProgress: progress.report,
});
progress.finish();
const fitting = new TerminalProgress('baselines');
const baselines = fitTokenBaselines(dataset, { onProgress: fitting.report });
fitting.finish();
exportModel(run, args.out, {
  bf16: true,
  card: {
    heldOutLossNats: loss.lossNats,
    heldOutTokens: loss.tokens,
    heldOutPerLabel: Object.fromEntries(
      Object.entries(loss.perLabel).map(([label, l]) => [label, l.lossNats]),
    ),
    baselines: baselines.map(({ name, role, description, lossNats }) => ({
      name,
      role,
      description,
      lossNats,
    })),
  },
});
for (const name of ['train.json', 'env.json', 'metrics.jsonl'])
  copyFileSync(join(run, name), join(args.out, name));
const bar = Math.min(...baselines.filter(({ role }) => role === 'baseline').map((b) => b.lossNats));
console.log(
  `${args.out}: ${loss.lossNats.toFixed(4)} nats a token on ${loss.tokens.toLocaleString('en')} held-out tokens`,
);
for (const b of baselines) console.log(`  ${b.role.padEnd(8)} ${b.name.padEnd(18)} ${b.lossNats.toFixed(4)}`);
console.log(`  ${(100 * (1 - loss.lossNats / bar)).toFixed(1)} % below the best baseline`);
process.exit(0);
