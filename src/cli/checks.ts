/** The checks of `netssm doctor`, one function each. None throws: what goes wrong is what they report. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { totalmem } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { formatBytes, formatNumber, projectRoot, readJson } from '../util';

/** One line of the report. */
export interface Check {
  name: string;
  status: 'OK' | 'WARN' | 'FAIL';
  detail: string;
  /** What to do, where the status is not OK. */
  remedy?: string;
}

const requireHere = createRequire(__filename);
const ok = (name: string, detail: string): Check => ({ name, status: 'OK', detail });
const warn = (name: string, detail: string, remedy: string): Check => ({
  name,
  status: 'WARN',
  detail,
  remedy,
});
const fail = (name: string, detail: string, remedy: string): Check => ({
  name,
  status: 'FAIL',
  detail,
  remedy,
});

export function checkNode(): Check {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const detail = `${process.version} (${process.execPath}), ${formatBytes(totalmem())} of memory`;
  if (major < 20 || (major === 20 && minor < 19))
    return fail('Node.js', detail, 'Install Node 20.19 or newer from https://nodejs.org.');
  return ok('Node.js', detail);
}

export function checkNpm(): Check {
  const run = spawnSync('npm', ['--version'], { encoding: 'utf8', shell: process.platform === 'win32' });
  if (run.status !== 0)
    return warn('npm', 'not on the PATH', 'npm comes with Node.js; it is needed for installing only.');
  return ok('npm', run.stdout.trim());
}

export function checkBuild(): Check {
  const stamp = join(projectRoot, 'dist', '.build-stamp');
  const source = join(projectRoot, 'src');
  if (!existsSync(source)) return ok('build', 'as installed (no sources here)');
  const remedy = 'Run `npm run build`.';
  if (!existsSync(stamp)) return warn('build', 'dist/ was not built by the build script', remedy);
  const newest = newestFile(source);
  if (newest.mtimeMs > statSync(stamp).mtimeMs)
    return warn('build', `dist/ is older than ${newest.path.slice(projectRoot.length + 1)}`, remedy);
  return ok('build', 'dist/ is up to date');
}

function newestFile(folder: string): { path: string; mtimeMs: number } {
  let newest = { path: folder, mtimeMs: 0 };
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    const candidate = entry.isDirectory() ? newestFile(path) : { path, mtimeMs: statSync(path).mtimeMs };
    if (candidate.mtimeMs > newest.mtimeMs) newest = candidate;
  }
  return newest;
}

export async function checkKernel(): Promise<Check[]> {
  const { findEditor, findFrontEnd, findInstalledKernels, FRONT_END_HINT } =
    await import('../notebook/index.js');
  const checks: Check[] = [];
  try {
    const { version } = requireHere('tslab/package.json') as { version: string };
    const tested = '1.0.22';
    checks.push(
      version === tested
        ? ok('tslab', version)
        : warn('tslab', `${version}; the kernel was made for ${tested}`, `npm install tslab@${tested}`),
    );
  } catch {
    checks.push(fail('tslab', 'not installed', `Run \`npm install\` in ${projectRoot}.`));
  }
  const kernels = findInstalledKernels();
  const current = kernels.find((kernel) => kernel.current);
  const install = 'Run `netssm kernel install`.';
  if (current) checks.push(ok('kernel', current.folder));
  else if (kernels.length > 0)
    checks.push(
      warn('kernel', `${kernels[0].folder} starts another copy of netssm or another Node`, install),
    );
  else checks.push(warn('kernel', 'not registered with Jupyter', install));
  const frontEnd = findFrontEnd();
  const editor = findEditor();
  const canEdit = editor?.jupyterExtension !== undefined;
  if (frontEnd) {
    const name = frontEnd.name === 'lab' ? 'JupyterLab' : 'Notebook';
    checks.push(ok('Jupyter', `${name} ${frontEnd.version} (${frontEnd.command.join(' ')})`));
  } else if (canEdit) checks.push(ok('Jupyter', 'not found; VS Code shows notebooks without it'));
  else
    checks.push(
      warn('Jupyter', 'neither JupyterLab nor Notebook found (for notebooks in a browser)', FRONT_END_HINT),
    );
  if (!editor) checks.push(ok('VS Code', 'no command `code` here (optional)'));
  else if (canEdit)
    checks.push(ok('VS Code', `${editor.version}, Jupyter extension ${editor.jupyterExtension}`));
  else
    checks.push(
      warn(
        'VS Code',
        `${editor.version}, without the Jupyter extension`,
        '`code --install-extension ms-toolsai.jupyter`, to open notebooks in it.',
      ),
    );
  return checks;
}

/** Every engine that starts, with its measured speed; the first that `auto` would take is named so. */
export async function checkEngines(): Promise<Check[]> {
  const checks: Check[] = [];
  try {
    const { useEngine } = await import('../tensor/index.js');
    const chosen = (await useEngine()).name;
    for (const name of ['native', 'wasm', 'cpu'] as const) {
      const engine = await useEngine(name);
      const mark = name === chosen ? ', the one used' : '';
      const line = `${formatNumber(engine.gflops, 2)} GFLOP/s${mark}`;
      if (engine.name === name) checks.push(ok(`engine ${name}`, line));
      else checks.push(warn(`engine ${name}`, engine.note ?? 'not available', compilerRemedy()));
    }
    await useEngine(chosen);
  } catch (error) {
    checks.push(fail('engines', (error as Error).message, `Run \`npm install\` in ${projectRoot}.`));
  }
  return checks;
}

function compilerRemedy(): string {
  if (process.platform === 'darwin') return 'Install a C++ compiler: `xcode-select --install`.';
  if (process.platform === 'win32') return 'Install LLVM (clang++), or go on with the slower wasm engine.';
  return 'Install a C++ compiler (`apt install g++`), or go on with the slower wasm engine.';
}

export function checkCompiler(): Check {
  for (const compiler of [process.env.CXX, 'c++', 'g++', 'clang++'].filter((c): c is string => !!c)) {
    const run = spawnSync(compiler, ['--version'], { encoding: 'utf8' });
    if (run.status === 0) return ok('C++ compiler', `${compiler}: ${run.stdout.split('\n')[0]}`);
  }
  return warn('C++ compiler', 'none of c++, g++, clang++ runs', compilerRemedy());
}

/** In a process of its own, because loading tfjs-node-gpu takes over tfjs. */
export function checkGpu(): Check {
  const name = 'GPU engine';
  const visible = existsSync('/dev/nvidiactl') || existsSync('/dev/nvidia0') || existsSync('/dev/dxg');
  try {
    requireHere.resolve('@tensorflow/tfjs-node-gpu/package.json');
  } catch {
    const detail = 'tfjs-node-gpu is not installed (optional)';
    if (!visible) return ok(name, `${detail}; no GPU seen`);
    return warn(
      name,
      detail,
      'With CUDA 11.2 and cuDNN 8.1: `npm install @tensorflow/tfjs-node-gpu@4.22.0`.',
    );
  }
  const probe =
    "const u=require('util');u.isNullOrUndefined??=v=>v==null;" +
    "const tf=require('@tensorflow/tfjs-node-gpu');" +
    "process.stdout.write(String(!!tf.findBackend('tensorflow')?.isUsingGpuDevice))";
  const run = spawnSync(process.execPath, ['-e', probe], {
    cwd: projectRoot,
    encoding: 'utf8',
    timeout: 60_000,
  });
  if (run.status === 0 && run.stdout.endsWith('true')) return ok(name, 'tfjs-node-gpu uses the GPU');
  if (!visible) return ok(name, 'tfjs-node-gpu is installed; no GPU seen, so it is not used');
  const reason = /Error: .*|Could not load .*/.exec(run.stderr)?.[0] ?? 'it sees no GPU';
  return warn(name, `tfjs-node-gpu cannot be used: ${reason}`, 'environment.md lists the known messages.');
}

export function checkData(): Check[] {
  const manifest = join(projectRoot, 'data', 'captures', 'manifest.json');
  const model = join(projectRoot, 'data', 'models', 'demo');
  const checks: Check[] = [];
  const remedy =
    'It is part of the repository: `git status` shows what is missing, `git checkout -- data` restores it.';
  try {
    const { files } = readJson<{ files: { path: string }[] }>(manifest);
    const missing = files.filter((file) => !existsSync(join(dirname(manifest), file.path)));
    if (missing.length > 0) throw new Error(`${missing.length} of ${files.length} captures are missing`);
    checks.push(ok('captures', `${files.length} in data/captures`));
  } catch (error) {
    checks.push(warn('captures', (error as Error).message, remedy));
  }
  const needed = ['config.json', 'model.safetensors', 'tokenizer.json', 'netssm.json'];
  const absent = needed.filter((file) => !existsSync(join(model, file)));
  if (absent.length === 0) checks.push(ok('demo model', 'data/models/demo'));
  else checks.push(warn('demo model', `data/models/demo lacks ${absent.join(', ')}`, remedy));
  return checks;
}

export function checkWriteAccess(folder = process.cwd()): Check {
  const place = resolve(folder);
  try {
    accessSync(place, constants.W_OK);
    return ok('write access', place);
  } catch {
    return fail(
      'write access',
      `${place} cannot be written to`,
      'Change to another folder, or give --out DIR.',
    );
  }
}
