import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { NetssmError, projectRoot } from '../../util';
import { newCommand, runAction, type Register } from '../command';

/** Front ends in the order in which they are tried: as `python -m`-like programs on the PATH. */
const FRONT_ENDS = ['lab', 'notebook'];

/** `netssm notebook`. */
export const registerNotebook: Register = (program, finish) => {
  newCommand(program, 'notebook', 'start Jupyter in the notebooks folder, with the kernel installed', [
    'netssm notebook',
    'netssm notebook ~/my-notebooks',
  ])
    .argument('[dir]', "folder to open (default: the project's notebooks)")
    .action((dir: string | undefined, options: { json?: boolean }) =>
      runAction(options, finish, async (io) => {
        const { findInstalledKernels, findJupyter, installKernel } = await import('../../notebook/index.js');
        const folder = dir ?? join(projectRoot, 'notebooks');
        if (!existsSync(folder)) {
          throw new NetssmError('folder_missing', `${folder} does not exist`, { exitCode: 2 });
        }
        if (!findInstalledKernels().some((kernel) => kernel.current)) {
          io.note(`Registering the kernel in ${installKernel()}`);
        }
        const jupyter = findJupyter();
        const frontEnd = jupyter && FRONT_ENDS.find((name) => answers(jupyter, name));
        if (!jupyter || !frontEnd) {
          throw new NetssmError('jupyter_missing', 'no Jupyter front end (lab or notebook) was found', {
            hint:
              'Open the folder in VS Code with the Jupyter extension, or install one: `pip install jupyterlab` ' +
              '(Debian, Ubuntu: `apt install jupyter-notebook`). Without any: `netssm run-notebook NOTEBOOK`.',
          });
        }
        io.note(`Starting ${[...jupyter, frontEnd].join(' ')} in ${folder}; Ctrl-C ends it.`);
        return new Promise<number>((resolve) => {
          const child = spawn(jupyter[0], [...jupyter.slice(1), frontEnd], { cwd: folder, stdio: 'inherit' });
          const wait = (): void => {}; // Jupyter asks what Ctrl-C means; this process waits for its answer
          process.on('SIGINT', wait);
          child.on('exit', (code) => {
            process.removeListener('SIGINT', wait);
            resolve(code === 0 ? 0 : 1);
          });
        });
      }),
    );
};

function answers(jupyter: string[], frontEnd: string): boolean {
  const run = spawnSync(jupyter[0], [...jupyter.slice(1), frontEnd, '--version'], { stdio: 'ignore' });
  return run.status === 0;
}
