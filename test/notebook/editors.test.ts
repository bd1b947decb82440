/** The ways to open the notebooks: Jupyter found or explained; VS Code, dev container and Binder name what exists. */
import { accessSync, constants, existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  findEditor,
  findFrontEnd,
  findInstalledKernels,
  frontEndCommands,
  installKernel,
  KERNEL_NAME,
  readNotebook,
} from '../../src/notebook';
import { netssm } from '../cli/helpers';

const root = join(__dirname, '..', '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const json = <T>(path: string): T => JSON.parse(read(path)) as T;
const scripts = json<{ scripts: Record<string, string> }>('package.json').scripts;

/** Paths and scripts of the project that a shell script or command names. */
function namesWhatExists(text: string): void {
  const files = [...text.matchAll(/\b(?:node|bash) ([\w./-]+\.(?:c?mjs|cjs|sh))/g)].map((match) => match[1]);
  expect(files.length).toBeGreaterThan(0);
  for (const file of files) expect(existsSync(join(root, file)), file).toBe(true);
  for (const [, script] of text.matchAll(/npm run ([\w:-]+)/g)) expect(scripts).toHaveProperty(script);
}

describe('Jupyter', () => {
  const answers =
    (...commands: string[]) =>
    (command: readonly string[]): string | undefined =>
      commands.includes(command.slice(0, -1).join(' ')) ? 'warning: x\n4.2.0\n' : undefined;

  test('JupyterLab goes before Notebook, the PATH before Python modules', () => {
    expect(findFrontEnd(undefined, answers('jupyter notebook', 'jupyter lab'))).toEqual({
      name: 'lab',
      command: ['jupyter', 'lab'],
      version: '4.2.0',
    });
    const module = findFrontEnd(undefined, answers('python3 -m notebook'), {});
    expect(module).toMatchObject({ name: 'notebook', command: ['python3', '-m', 'notebook'] });
    expect(findFrontEnd(['notebook'], answers('jupyter lab'), {})).toBe(undefined);
    expect(findFrontEnd(undefined, answers())).toBe(undefined);
  });

  test('the Python of the active environment is asked before that of the PATH', () => {
    const environment = mkdtempSync(join(tmpdir(), 'netssm-venv-'));
    const python = process.platform === 'win32' ? join('Scripts', 'python.exe') : join('bin', 'python');
    const commands = frontEndCommands('lab', { VIRTUAL_ENV: environment, CONDA_PREFIX: join(root, 'none') });
    expect(commands.map(([program]) => program)).not.toContain(join(environment, python));
    const missing = frontEndCommands('lab', {}, 'win32').map((command) => command.join(' '));
    expect(missing).toEqual(['jupyter lab', 'py -m jupyterlab', 'python -m jupyterlab']);
  });

  test('VS Code, with and without the extension for notebooks', () => {
    const code = process.platform === 'win32' ? 'code.cmd' : 'code';
    const said: Record<string, string> = { [`${code} --version`]: '1.99.0\nabc\nx64\n' };
    const run = (command: readonly string[]): string | undefined => said[command.join(' ')];
    expect(findEditor(run)).toEqual({ version: '1.99.0' });
    said[`${code} --list-extensions --show-versions`] = 'a.b@1.0.0\nms-toolsai.jupyter@2025.3.0\n';
    expect(findEditor(run)).toEqual({ version: '1.99.0', jupyterExtension: '2025.3.0' });
    expect(findEditor(() => undefined)).toBe(undefined);
  });
});

describe('netssm notebook', () => {
  afterEach(() => vi.unstubAllEnvs());

  test.skipIf(process.platform === 'win32')(
    'starts what it finds in the folder, with the kernel as default and the arguments after --',
    async () => {
      const bin = mkdtempSync(join(tmpdir(), 'netssm-bin-'));
      const called = join(bin, 'called');
      const script = `#!/bin/sh\ncase "$*" in *--version) echo 4.9.9;; *) echo "$PWD $*" >${called};; esac\n`;
      writeFileSync(join(bin, 'jupyter'), script, { mode: 0o755 });
      vi.stubEnv('PATH', `${bin}:/usr/bin:/bin`);
      vi.stubEnv('JUPYTER_DATA_DIR', join(bin, 'data'));
      const { code, stderr } = await netssm('notebook', bin, '--', '--no-browser', '--port', '8890');
      expect(stderr).toContain('Registering the kernel in');
      expect(stderr).toContain('Starting jupyter lab (4.9.9)');
      expect(code).toBe(0);
      expect(readFileSync(called, 'utf8').trim()).toBe(
        `${bin} lab --MultiKernelManager.default_kernel_name=netssm-ts --no-browser --port 8890`,
      );
    },
  );

  test('without Jupyter: says how to get it, exit 1', async () => {
    const nothing = mkdtempSync(join(tmpdir(), 'netssm-empty-'));
    vi.stubEnv('PATH', nothing);
    vi.stubEnv('VIRTUAL_ENV', nothing);
    vi.stubEnv('CONDA_PREFIX', nothing);
    vi.stubEnv('JUPYTER_DATA_DIR', nothing);
    const lab = findFrontEnd(['lab']);
    if (lab) return; // a /usr/bin/python3 with JupyterLab: nothing is missing on this machine
    const { code, stderr } = await netssm('notebook', '--with', 'lab');
    expect(code).toBe(1);
    expect(stderr).toContain('no Jupyter front end (lab) was found');
    expect(stderr).toContain('pip install jupyterlab');
    expect(stderr).toContain('netssm run-notebook');
    // The kernel is registered all the same: VS Code needs nothing more.
    expect(existsSync(join(nothing, 'kernels', KERNEL_NAME, 'kernel.json'))).toBe(true);
  });
});

describe('the kernelspec', () => {
  afterEach(() => vi.unstubAllEnvs());

  test('is installed with a logo, found again, and told apart from another copy', () => {
    const data = mkdtempSync(join(tmpdir(), 'netssm-jupyter-'));
    vi.stubEnv('JUPYTER_DATA_DIR', data);
    const folder = installKernel();
    expect(folder).toBe(join(data, 'kernels', KERNEL_NAME));
    expect(readFileSync(join(folder, 'logo-svg.svg'), 'utf8')).toMatch(/^<svg [^>]*viewBox="0 0 64 64"/);
    const mine = (): { current: boolean } | undefined =>
      findInstalledKernels().find((kernel) => kernel.folder === folder);
    expect(mine()).toEqual({ folder, current: true });
    writeFileSync(join(folder, 'kernel.json'), '{"argv": ["/elsewhere/node", "kernel.cjs"]}');
    expect(mine()).toEqual({ folder, current: false });
    writeFileSync(join(folder, 'kernel.json'), '{"argv"');
    expect(mine()).toEqual({ folder, current: false });
  });

  test('is the one that every notebook of the project names', () => {
    const { metadata } = readNotebook(join(root, 'notebooks', '00_quickstart.ipynb'));
    expect(metadata.kernelspec).toMatchObject({ name: KERNEL_NAME, display_name: 'NetSSM (TypeScript)' });
  });
});

describe('editor files', () => {
  interface Tasks {
    tasks: { type: string; command?: string; script?: string }[];
  }

  test('VS Code: the TypeScript, the scripts and the extensions that are named', () => {
    const settings = json<Record<string, unknown>>('.vscode/settings.json');
    expect(existsSync(join(root, String(settings['typescript.tsdk']), 'typescript.js'))).toBe(true);
    const { recommendations } = json<{ recommendations: string[] }>('.vscode/extensions.json');
    expect(recommendations).toContain('ms-toolsai.jupyter');
    for (const id of recommendations) expect(id).toMatch(/^[\w-]+\.[\w-]+$/);
    const formatter = (settings['[typescript]'] as Record<string, string>)['editor.defaultFormatter'];
    expect(recommendations).toContain(formatter);
    for (const task of json<Tasks>('.vscode/tasks.json').tasks) {
      if (task.type === 'npm') expect(scripts).toHaveProperty(task.script!);
      else namesWhatExists(task.command!);
    }
  });

  interface DevContainer {
    image: string;
    postCreateCommand: string;
    customizations: { vscode: { extensions: string[] }; codespaces: { openFiles: string[] } };
  }

  test('dev container and Codespaces: a Node that suffices, a setup that exists', () => {
    const container = json<DevContainer>('.devcontainer/devcontainer.json');
    expect(Number(/typescript-node:(\d+)/.exec(container.image)![1])).toBeGreaterThanOrEqual(20);
    namesWhatExists(container.postCreateCommand);
    namesWhatExists(read('.devcontainer/setup.sh'));
    for (const file of container.customizations.codespaces.openFiles)
      expect(existsSync(join(root, file)), file).toBe(true);
    expect(container.customizations.vscode.extensions).toEqual(
      json<{ recommendations: string[] }>('.vscode/extensions.json').recommendations,
    );
  });

  test('Binder: Node, JupyterLab and a compiler; the kernel is the default', () => {
    const packages = [...read('.binder/environment.yml').matchAll(/^ {2}- ([\w-]+)(?:=(\S+))?$/gm)];
    const versions = Object.fromEntries(packages.map(([, name, version]) => [name, version]));
    expect(Number(versions.nodejs)).toBeGreaterThanOrEqual(20);
    expect(Object.keys(versions)).toEqual(expect.arrayContaining(['python', 'jupyterlab', 'cxx-compiler']));
    const postBuild = read('.binder/postBuild');
    namesWhatExists(postBuild);
    expect(postBuild).toContain(`"default_kernel_name": "${KERNEL_NAME}"`);
    expect(() => accessSync(join(root, '.binder', 'postBuild'), constants.X_OK)).not.toThrow();
  });

  test('the subcommands that they call exist', async () => {
    const texts = ['.devcontainer/setup.sh', '.binder/postBuild', '.vscode/tasks.json'].map(read).join('\n');
    const commands = new Set([...texts.matchAll(/bin\/netssm\.cjs (\w+)/g)].map((match) => match[1]));
    expect([...commands].sort()).toEqual(['doctor', 'kernel']);
    for (const command of commands) expect((await netssm(command, '--help')).code).toBe(0);
  });
});
