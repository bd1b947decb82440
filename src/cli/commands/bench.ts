import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { projectRoot } from '../../util';
import { newCommand, runAction, type Register } from '../command';
import { wholeNumber } from '../options';

/** `netssm bench`: bench/run.mjs in a process of its own, so that the number of threads can be set. */
export const registerBench: Register = (program, finish) => {
  newCommand(program, 'bench', 'the benchmarks, each beside the measured ceiling of this machine', [
    'netssm bench --quick',
    'netssm bench --threads 1 --json > bench.json',
  ])
    .option('--quick', 'shorter measurements: noisier')
    .option('--threads <n>', 'threads of the native engine (default: all cores)', wholeNumber)
    .action((options: { quick?: boolean; threads?: number; json?: boolean }) =>
      runAction(options, finish, async () => {
        const args = [join(projectRoot, 'bench', 'run.mjs')];
        if (options.quick) args.push('--quick');
        if (options.json) args.push('--json');
        if (options.threads !== undefined) args.push('--threads', String(options.threads));
        return spawnSync(process.execPath, args, { stdio: 'inherit' }).status ?? 1;
      }),
    );
};
