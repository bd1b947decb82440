/** What `bin/kernel.cjs` runs: tslab's Jupyter kernel, with this project's packages importable from every folder. */
import { NetssmError } from '../util';
import { loadTslab } from './tslab';

/**
 * Serves the Jupyter protocol until the front end shuts the kernel down.
 * @param argv `--config-path FILE`, the connection file that Jupyter wrote.
 */
export function startKernel(argv: readonly string[]): void {
  const at = argv.indexOf('--config-path');
  const configPath = at >= 0 ? argv[at + 1] : undefined;
  if (!configPath) {
    throw new NetssmError('kernel_arguments', 'the kernel needs --config-path FILE', {
      hint: 'Jupyter starts the kernel by itself: run `netssm notebook`, then choose "NetSSM (TypeScript)".',
      exitCode: 2,
    });
  }
  loadTslab().startKernel({ configPath, enableFindLocal: false });
}
