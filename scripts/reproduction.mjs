// docs/reproduction.md from the results in data/results: every figure and table of the paper, ours beside it.
//   node scripts/reproduction.mjs                      write the page
//   node scripts/reproduction.mjs --check              exit 1 where the page is not that of the results
//   node scripts/reproduction.mjs --add RUN [--name N] keep a finished run's config.json, env.json and metrics.json first
//     --results DIR, --out FILE, --root DIR (built package)
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureBuilt, root } from './ensure.mjs';

const { values: args } = parseArgs({
  options: {
    check: { type: 'boolean', default: false },
    add: { type: 'string' },
    name: { type: 'string' },
    results: { type: 'string', default: join(root, 'data', 'results') },
    out: { type: 'string', default: join(root, 'docs', 'reproduction.md') },
    root: { type: 'string' },
  },
});
if (args.root === undefined) ensureBuilt();
const require = createRequire(import.meta.url);
const { readReproducedRuns, readRunMetrics, reproductionMarkdown } = require(
  resolve(args.root ?? root, 'dist', 'experiments', 'index.js'),
);

if (args.add !== undefined) {
  try {
    readRunMetrics(args.add);
  } catch (error) {
    console.error(`error: ${error.message}\nHint: ${error.hint}`);
    process.exit(error.exitCode ?? 1);
  }
  const to = join(args.results, args.name ?? basename(resolve(args.add)));
  mkdirSync(to, { recursive: true });
  for (const file of ['config.json', 'env.json', 'metrics.json'])
    copyFileSync(join(args.add, file), join(to, file));
  console.log(`${args.add} -> ${to}`);
}

const folders = existsSync(args.results)
  ? readdirSync(args.results)
      .sort()
      .map((name) => join(args.results, name))
  : [];
const page = reproductionMarkdown(readReproducedRuns(folders));
if (args.check) {
  const same = existsSync(args.out) && readFileSync(args.out, 'utf8') === page;
  if (!same) console.error(`${args.out} is not that of ${args.results}: run node scripts/reproduction.mjs`);
  process.exit(same ? 0 : 1);
}
writeFileSync(args.out, page);
console.log(`${args.out}: ${folders.length} runs`);
