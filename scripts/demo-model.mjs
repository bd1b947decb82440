// Makes data/models/demo: tokenise data/captures, train with configs/demo.json (under an hour on one core with the
// native engine; Ctrl-C and the same command go on), judge on every token of the test captures, export.
//   node scripts/demo-model.mjs [--data out/demo-model/tokens] [--run runs/demo] [--out data/models/demo]
import { copyFileSync, existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureBuilt, root } from './ensure.mjs';

const { values: args } = parseArgs({
  options: {
    data: { type: 'string', default: join(root, 'out', 'demo-model', 'tokens') },
    run: { type: 'string', default: join(root, 'runs', 'demo') },
    out: { type: 'string', default: join(root, 'data', 'models', 'demo') },
  },
});

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
  await step('tokenize', 'data/captures', '--out', args.data);
}
const resume = existsSync(join(args.run, 'checkpoint')) ? ['--resume'] : [];
await step(
  'train',
  '--data',
  args.data,
  '--out',
  args.run,
  '--config',
  'configs/demo.json',
  '--seed',
  '1',
  ...resume,
);

const { useEngine } = require('../dist/tensor/index.js');
const { openDataset } = require('../dist/tokens/index.js');
const { loadModelFiles, toParams } = require('../dist/model/index.js');
const { evaluateLoss, exportModel } = require('../dist/train/index.js');
const { fitTokenBaselines } = require('../dist/evaluate/index.js');
const { TerminalProgress } = require('../dist/util/index.js');

const engine = await useEngine();
const dataset = openDataset(args.data);
const { config, weights } = loadModelFiles(args.run);
const progress = new TerminalProgress('judge');
const loss = await evaluateLoss(engine, config, toParams(engine.tf, weights), dataset, 'test', {
  onProgress: progress.report,
});
progress.finish();
const fitting = new TerminalProgress('baselines');
const baselines = fitTokenBaselines(dataset, { onProgress: fitting.report });
fitting.finish();
exportModel(args.run, args.out, {
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
  copyFileSync(join(args.run, name), join(args.out, name));
const bar = Math.min(...baselines.filter(({ role }) => role === 'baseline').map((b) => b.lossNats));
console.log(
  `${args.out}: ${loss.lossNats.toFixed(4)} nats a token on ${loss.tokens.toLocaleString('en')} held-out tokens`,
);
for (const b of baselines) console.log(`  ${b.role.padEnd(8)} ${b.name.padEnd(18)} ${b.lossNats.toFixed(4)}`);
console.log(`  ${(100 * (1 - loss.lossNats / bar)).toFixed(1)} % below the best baseline`);
process.exit(0);
