/** Finding a Jupyter front end, wherever Python put it. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../util';

/** The two programs that show notebooks in a browser. */
export type FrontEndName = 'lab' | 'notebook';
export const FRONT_ENDS: readonly FrontEndName[] = ['lab', 'notebook'];

/** A front end that answered. */
export interface FrontEnd {
  name: FrontEndName;
  /** Program and first arguments: `['jupyter', 'lab']`, `['/usr/bin/python3', '-m', 'notebook']`. */
  command: string[];
  version: string;
}

/** Runs a program and gives what it printed, or undefined where it does not run or fails. */
export type RunProgram = (command: readonly string[]) => string | undefined;

const runProgram: RunProgram = ([program, ...argv]) => {
  const run = spawnSync(program, argv, {
    encoding: 'utf8',
    timeout: 30_000,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return run.status === 0 ? run.stdout : undefined;
};

/**
 * Ways to start a front end, in the order in which they are tried: `jupyter` of the PATH; then Python as module, first
 * of the active environment, of a `.venv` in the project, and of the PATH (a Python that is not first may have it).
 */
export function frontEndCommands(
  name: FrontEndName,
  env: NodeJS.ProcessEnv = process.env,
  platform = process.platform,
): string[][] {
  const windows = platform === 'win32';
  const module = name === 'lab' ? 'jupyterlab' : 'notebook';
  const inside = (folder: string): string =>
    windows ? join(folder, 'Scripts', 'python.exe') : join(folder, 'bin', 'python');
  const environments = [env.VIRTUAL_ENV, env.CONDA_PREFIX, join(projectRoot, '.venv')].filter(
    (folder): folder is string => !!folder && existsSync(inside(folder)),
  );
  const pythons = [
    ...environments.map(inside),
    ...(windows ? ['py', 'python'] : ['python3', 'python', '/usr/bin/python3']),
  ];
  return [['jupyter', name], ...pythons.map((python) => [python, '-m', module])];
}

/**
 * The front end to use: JupyterLab where there is one, else Notebook; undefined without either.
 * @param wanted only this one.
 */
export function findFrontEnd(
  wanted: readonly FrontEndName[] = FRONT_ENDS,
  run: RunProgram = runProgram,
  env: NodeJS.ProcessEnv = process.env,
): FrontEnd | undefined {
  for (const name of wanted) {
    for (const command of frontEndCommands(name, env)) {
      const version = run([...command, '--version'])
        ?.trim()
        .split('\n')
        .pop();
      if (version !== undefined) return { name, command, version };
    }
  }
  return undefined;
}

/** What to do without a front end. */
export const FRONT_END_HINT =
  'Open the folder in VS Code with the Jupyter extension, or install one: `pip install jupyterlab` ' +
  '(Debian, Ubuntu: `apt install jupyter-notebook`). Without any: `netssm run-notebook NOTEBOOK`.';

/** VS Code on this machine, as its command `code` tells. */
export interface Editor {
  version: string;
  /** Version of the extension that shows notebooks, if it is there. */
  jupyterExtension?: string;
}

/** Undefined where there is no command `code`. */
export function findEditor(run: RunProgram = runProgram): Editor | undefined {
  const program = process.platform === 'win32' ? 'code.cmd' : 'code';
  const version = run([program, '--version'])?.split('\n')[0];
  if (version === undefined) return undefined;
  const extensions = run([program, '--list-extensions', '--show-versions']) ?? '';
  const extension = /^ms-toolsai\.jupyter@(.+)$/m.exec(extensions)?.[1];
  return { version, ...(extension ? { jupyterExtension: extension } : {}) };
}
