import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Option } from 'commander';
import type { FrontEndName } from '../../notebook';
import { NetssmError, projectRoot } from '../../util';
import { newCommand, runAction, type Register } from '../command';

interface NotebookOptions {
  with?: FrontEndName;
  json?: boolean;
}

/** `netssm notebook`. */
export const registerNotebook: Register = (program, finish) => {
  newCommand(program, 'notebook', 'start Jupyter in the notebooks folder, with the kernel installed', [
    'netssm notebook',
    'netssm notebook ~/my-notebooks',
    'netssm notebook --with notebook . -- --no-browser --port 8890',
  ])
    .argument('[dir]', "folder to open (default: the project's notebooks)")
    .argument('[args...]', "Jupyter's own arguments, after --")
    .addOption(
      new Option('--with <front end>', 'JupyterLab or classic Notebook (default: what is there)').choices([
        'lab',
        'notebook',
      ]),
    )
    .action((dir: string | undefined, args: string[], options: NotebookOptions) =>
      runAction(options, finish, async (io) => {
        const { findFrontEnd, findInstalledKernels, FRONT_END_HINT, installKernel, KERNEL_NAME } =
          await import('../../notebook/index.js');
        // `netssm notebook -- --no-browser`: no folder, then arguments.
        const own = dir?.startsWith('-') ? [dir, ...args] : args;
        const folder = dir === undefined || dir.startsWith('-') ? join(projectRoot, 'notebooks') : dir;
        if (!existsSync(folder)) {
          throw new NetssmError('folder_missing', `${folder} does not exist`, { exitCode: 2 });
        }
        if (!findInstalledKernels().some((kernel) => kernel.current)) {
          io.note(`Registering the kernel in ${installKernel()}`);
        }
        const frontEnd = findFrontEnd(options.with && [options.with]);
        if (!frontEnd) {
          const what = options.with ?? 'lab or notebook';
          throw new NetssmError('jupyter_missing', `no Jupyter front end (${what}) was found`, {
            hint: FRONT_END_HINT,
          });
        }
        // New notebooks get this kernel too; those of the project name it themselves.
        const argv = [
          ...frontEnd.command.slice(1),
          `--MultiKernelManager.default_kernel_name=${KERNEL_NAME}`,
        ];
        io.note(`Starting ${frontEnd.command.join(' ')} (${frontEnd.version}) in ${folder}; Ctrl-C ends it.`);
        return new Promise<number>((resolve, reject) => {
          const child = spawn(frontEnd.command[0], [...argv, ...own], { cwd: folder, stdio: 'inherit' });
          const wait = (): void => {}; // Jupyter asks what Ctrl-C means; this process waits for its answer
          process.on('SIGINT', wait);
          child.on('error', reject);
          child.on('exit', (code) => {
            process.removeListener('SIGINT', wait);
            resolve(code === 0 ? 0 : 1);
          });
        });
      }),
    );
};
