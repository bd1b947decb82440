import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { projectRoot } from '../../util';
import { newCommand, runAction, type Register } from '../command';
import { positiveNumber, wholeNumber } from '../options';

interface BenchOptions {
  quick?: boolean;
  grid?: boolean;
  threads?: number;
  sizes?: string;
  lengths?: string;
  limit?: number;
  python?: string;
  out?: string;
  figures?: string;
  json?: boolean;
}

/** `netssm bench`: the programs of bench/ in a process of their own, so that the number of threads can be set. */
export const registerBench: Register = (program, finish) => {
  newCommand(program, 'bench', 'the benchmarks, each beside the measured ceiling of this machine', [
    'netssm bench --quick',
    'netssm bench --threads 1 --json > bench.json',
    'netssm bench --grid --quick                    # training of S and M at two lengths, peers beside it',
    'netssm bench --grid --sizes M --out grid.json --figures figures',
  ])
    .option('--quick', 'shorter measurements: noisier; with --grid fewer points')
    .option('--grid', 'training over length, size, threads, engine and precision, and peers where PyTorch is')
    .option(
      '--threads <n>',
      'threads of the native engine (default: all cores; with --grid 1 and 2)',
      wholeNumber,
    )
    .option('--sizes <list>', 'with --grid: of S, M, L')
    .option('--lengths <list>', 'with --grid: tokens a row, 512,2048,...')
    .option('--limit <s>', 'with --grid: leave out points that take longer', positiveNumber)
    .option('--python <command>', 'with --grid: a Python that has PyTorch, and mambapy for mamba.py')
    .option('--out <file>', 'with --grid: all points as JSON')
    .option('--figures <dir>', 'with --grid: figures as SVG')
    .action((options: BenchOptions) => runAction(options, finish, async () => bench(options)));
};

function bench(options: BenchOptions): number {
  const { quick, json, grid, ...rest } = options;
  const args = [join(projectRoot, 'bench', grid ? 'grid.mjs' : 'run.mjs')];
  if (quick) args.push('--quick');
  if (json) args.push('--json');
  const names = [
    'threads',
    ...(grid ? (['sizes', 'lengths', 'limit', 'python', 'out', 'figures'] as const) : []),
  ] as const;
  for (const name of names) if (rest[name] !== undefined) args.push(`--${name}`, String(rest[name]));
  return spawnSync(process.execPath, args, { stdio: 'inherit' }).status ?? 1;
}
