import { newCommand, runAction, type Register } from '../command';

interface InstallOptions {
  prefix?: string;
  sysPrefix?: boolean;
  json?: boolean;
}

/** `netssm kernel install`. */
export const registerKernel: Register = (program, finish) => {
  const kernel = program.command('kernel').description('the Jupyter kernel "NetSSM (TypeScript)"');
  newCommand(kernel, 'install', 'register the kernel with Jupyter (and with VS Code)', [
    'netssm kernel install',
    'netssm kernel install --sys-prefix      # into the active virtualenv or conda environment',
    'netssm kernel install --prefix ~/here   # then: export JUPYTER_PATH=~/here/share/jupyter',
  ])
    .option('--prefix <dir>', 'install under DIR/share/jupyter/kernels')
    .option('--sys-prefix', 'install into the active Python environment')
    .action((options: InstallOptions) =>
      runAction(options, finish, async (io) => {
        const { installKernel, kernelSpec, KERNEL_NAME, KERNEL_DISPLAY_NAME } =
          await import('../../notebook/index.js');
        const folder = installKernel({ prefix: options.prefix, sysPrefix: options.sysPrefix });
        io.print(`Installed the kernel "${KERNEL_DISPLAY_NAME}" (${KERNEL_NAME}) in`);
        io.print(`  ${folder}`);
        io.print(
          'It starts from any folder. Open a notebook with `netssm notebook`, or in VS Code choose it with',
        );
        io.print('"Select Kernel" > "Jupyter Kernel..." (reload the window if it is not listed yet).');
        if (options.prefix) io.print(`Jupyter finds it with JUPYTER_PATH=${options.prefix}/share/jupyter`);
        io.result({ kernel: KERNEL_NAME, folder, argv: kernelSpec().argv });
      }),
    );
};
