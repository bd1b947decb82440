import { spawnSync } from 'node:child_process';

/** Ways to call Jupyter, first the one on the PATH; a Python that is not first on the PATH may have it. */
const CANDIDATES: readonly string[][] =
  process.platform === 'win32'
    ? [['jupyter'], ['py', '-m', 'jupyter'], ['python', '-m', 'jupyter']]
    : [['jupyter'], ['python3', '-m', 'jupyter'], ['/usr/bin/python3', '-m', 'jupyter']];

/** The command that calls Jupyter here, as program and first arguments, or undefined without one. */
export function findJupyter(): string[] | undefined {
  return CANDIDATES.find((command) => {
    const run = spawnSync(command[0], [...command.slice(1), '--version'], { stdio: 'ignore' });
    return run.status === 0;
  });
}
