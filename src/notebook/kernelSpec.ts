/** Registers the kernel with Jupyter by writing its kernelspec folder; no Python is needed for that. */
import { existsSync, mkdirSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { homedir, totalmem } from 'node:os';
import { join } from 'node:path';
import { NetssmError, projectRoot, readJson, writeFileAtomic, writeJson } from '../util';
import { packageFolders } from './tslab';

/** The name that notebooks carry in `metadata.kernelspec.name`. */
export const KERNEL_NAME = 'netssm-ts';
export const KERNEL_DISPLAY_NAME = 'NetSSM (TypeScript)';

/** The content of `kernel.json` as Jupyter reads it. */
export interface KernelSpec {
  argv: string[];
  display_name: string;
  language: string;
  env: Record<string, string>;
  interrupt_mode: 'signal' | 'message';
  metadata: Record<string, unknown>;
}

/** Absolute paths only, so that the kernel starts from any folder and with a bare PATH. */
export function kernelSpec(): KernelSpec {
  const heapMegabytes = Math.max(2048, Math.min(8192, Math.floor((totalmem() * 0.75) / 2 ** 20)));
  return {
    argv: [
      process.execPath,
      // In argv rather than NODE_OPTIONS, which belongs to the user.
      `--max-old-space-size=${heapMegabytes}`,
      join(projectRoot, 'bin', 'kernel.cjs'),
      '--config-path',
      '{connection_file}',
    ],
    display_name: KERNEL_DISPLAY_NAME,
    language: 'typescript',
    env: {
      // For programs that a notebook starts; the kernel itself resolves imports without it.
      NODE_PATH: packageFolders().join(process.platform === 'win32' ? ';' : ':'),
      TF_CPP_MIN_LOG_LEVEL: '1',
    },
    interrupt_mode: 'signal',
    metadata: { debugger: false },
  };
}

/** Shown by JupyterLab's launcher: a packet going up, one coming down, on the colour of TypeScript. */
const LOGO = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" width="64" height="64">
<rect width="64" height="64" rx="8" fill="#3178c6"/>
<g stroke="#fff" stroke-width="5" fill="none" stroke-linecap="round" stroke-linejoin="round">
<path d="M14 40V18m-6 7 6-8 6 8M32 18v22m-6-7 6 8 6-8M50 40V18m-6 7 6-8 6 8"/></g>
<rect x="8" y="49" width="48" height="5" rx="2" fill="#ffd166"/></svg>
`;

/** Jupyter's per-user data folder on this platform, as jupyter_core finds it. */
export function jupyterDataDir(env: NodeJS.ProcessEnv = process.env, platform = process.platform): string {
  if (env.JUPYTER_DATA_DIR) return env.JUPYTER_DATA_DIR;
  if (platform === 'darwin') return join(homedir(), 'Library', 'Jupyter');
  if (platform === 'win32') return join(env.APPDATA ?? join(homedir(), 'AppData', 'Roaming'), 'jupyter');
  return join(env.XDG_DATA_HOME ?? join(homedir(), '.local', 'share'), 'jupyter');
}

/** Where to install: the user's folder unless told otherwise. */
export interface KernelInstallOptions {
  /** Install under `PREFIX/share/jupyter/kernels`. */
  prefix?: string;
  /** Install into the active Python environment (virtualenv, conda). */
  sysPrefix?: boolean;
}

/** Writes the kernelspec and returns its folder. Installing twice overwrites the first. */
export function installKernel(options: KernelInstallOptions = {}): string {
  const base = options.prefix
    ? join(options.prefix, 'share', 'jupyter')
    : options.sysPrefix
      ? join(pythonPrefix(), 'share', 'jupyter')
      : jupyterDataDir();
  const folder = join(base, 'kernels', KERNEL_NAME);
  try {
    mkdirSync(folder, { recursive: true });
    writeJson(join(folder, 'kernel.json'), kernelSpec());
    writeFileAtomic(join(folder, 'logo-svg.svg'), LOGO);
  } catch (cause) {
    throw new NetssmError('kernel_not_written', `cannot write ${folder}: ${(cause as Error).message}`, {
      hint: 'Choose another place with --prefix DIR, and set JUPYTER_PATH=DIR/share/jupyter for Jupyter.',
      cause,
    });
  }
  return folder;
}

/** An installed kernelspec, and whether it starts this copy of the project with this Node. */
export interface InstalledKernel {
  folder: string;
  current: boolean;
}

/** Looks where Jupyter looks: JUPYTER_PATH, the user's folder, the active environment, the system. */
export function findInstalledKernels(env: NodeJS.ProcessEnv = process.env): InstalledKernel[] {
  const separator = process.platform === 'win32' ? ';' : ':';
  const bases = [
    ...(env.JUPYTER_PATH ?? '').split(separator).filter(Boolean),
    jupyterDataDir(env),
    ...[env.VIRTUAL_ENV, env.CONDA_PREFIX]
      .filter((p): p is string => !!p)
      .map((p) => join(p, 'share', 'jupyter')),
    ...(process.platform === 'win32' ? [] : ['/usr/local/share/jupyter', '/usr/share/jupyter']),
  ];
  const wanted = JSON.stringify(kernelSpec().argv.filter((part) => !part.startsWith('--max-old-space-size')));
  const found: InstalledKernel[] = [];
  for (const base of new Set(bases)) {
    const folder = join(base, 'kernels', KERNEL_NAME);
    const file = join(folder, 'kernel.json');
    if (!existsSync(file)) continue;
    found.push({ folder, current: startCommand(file) === wanted });
  }
  return found;
}

/** What an installed kernelspec starts, without the heap size, which follows the machine's memory. */
function startCommand(file: string): string | undefined {
  try {
    const { argv } = readJson<KernelSpec>(file);
    return JSON.stringify(argv.filter((part) => !part.startsWith('--max-old-space-size')));
  } catch {
    return undefined; // written by something else, or cut short: install it again
  }
}

function pythonPrefix(): string {
  const active = process.env.VIRTUAL_ENV ?? process.env.CONDA_PREFIX;
  if (active) return active;
  for (const python of ['python3', 'python']) {
    const run = spawnSync(python, ['-c', 'import sys; print(sys.prefix)'], { encoding: 'utf8' });
    if (run.status === 0 && run.stdout.trim()) return run.stdout.trim();
  }
  throw new NetssmError(
    'python_not_found',
    '--sys-prefix needs Python, and neither python3 nor python runs',
    {
      hint: 'Leave --sys-prefix out to install for the current user, or name a folder with --prefix DIR.',
      exitCode: 2,
    },
  );
}
