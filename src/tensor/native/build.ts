import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { availableParallelism, cpus, homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { NetssmError, projectRoot } from '../../util';

/** One translation unit and the instruction-set flags it is compiled with. */
interface Unit {
  file: string;
  flags: string[];
}

const common = ['-std=c++17', '-fPIC', '-fno-math-errno', '-fvisibility=hidden', '-w'];

function units(): Unit[] {
  const x86 = process.arch === 'x64';
  const arm = process.arch === 'arm64';
  const define = x86 ? ['-DNETSSM_X86'] : arm ? ['-DNETSSM_ARM64'] : [];
  const avx2 = ['-mavx2', '-mfma'];
  const avx512 = ['-mavx512f', '-mavx512bw', '-mavx512dq', '-mavx512vl', ...avx2];
  const list: Unit[] = [
    ...(x86 ? [{ file: 'targets/avx512.cpp', flags: ['-O3', ...avx512] }] : []),
    ...(x86 ? [{ file: 'targets/avx2.cpp', flags: ['-O3', ...avx2] }] : []),
    ...(arm ? [{ file: 'targets/neon.cpp', flags: ['-O3'] }] : []),
    { file: 'targets/scalar.cpp', flags: ['-O1'] },
    { file: 'resize.cpp', flags: ['-O2'] },
    { file: 'binding.cpp', flags: ['-O2', '-DNAPI_CPP_EXCEPTIONS', '-DNAPI_VERSION=8', ...includes()] },
    {
      file: 'binding_layers.cpp',
      flags: ['-O2', '-DNAPI_CPP_EXCEPTIONS', '-DNAPI_VERSION=8', ...includes()],
    },
    { file: 'binding_scan.cpp', flags: ['-O2', '-DNAPI_CPP_EXCEPTIONS', '-DNAPI_VERSION=8', ...includes()] },
    { file: 'binding_conv.cpp', flags: ['-O2', '-DNAPI_CPP_EXCEPTIONS', '-DNAPI_VERSION=8', ...includes()] },
    {
      file: 'binding_decoder.cpp',
      flags: ['-O2', '-DNAPI_CPP_EXCEPTIONS', '-DNAPI_VERSION=8', ...includes()],
    },
    { file: 'binding_fused.cpp', flags: ['-O2', '-DNAPI_CPP_EXCEPTIONS', '-DNAPI_VERSION=8', ...includes()] },
    { file: 'adamw.cpp', flags: ['-O3', '-ffp-contract=off'] },
    { file: 'decoder.cpp', flags: ['-O2'] },
    { file: 'dispatch.cpp', flags: ['-O2'] },
    { file: 'thread_pool.cpp', flags: ['-O2'] },
  ];
  return list.map((u) => ({ file: u.file, flags: [...define, ...u.flags] }));
}

function includes(): string[] {
  const addonApi = dirname(require.resolve('node-addon-api/package.json'));
  const headers = dirname(require.resolve('node-api-headers/package.json'));
  return [`-I${addonApi}`, `-I${join(headers, 'include')}`];
}

/** Where the C++ sources are. */
export const sourceFolder: string = join(projectRoot, 'native', 'src');

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((e) => (e.isDirectory() ? sourceFiles(join(folder, e.name)) : [join(folder, e.name)]));
}

/** The first C++ compiler that answers: `CXX` if set, then c++, g++, clang++. */
export async function findCompiler(): Promise<{ command: string; version: string } | null> {
  const names = process.env['CXX'] ? [process.env['CXX']] : ['c++', 'g++', 'clang++'];
  for (const command of names) {
    const { code, output } = await execute(command, ['--version']);
    if (code === 0) return { command, version: output.split('\n')[0] ?? '' };
  }
  return null;
}

function execute(command: string, args: string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (d: Buffer) => (output += d.toString()));
    child.stderr.on('data', (d: Buffer) => (output += d.toString()));
    child.on('error', (e) => resolve({ code: -1, output: e.message }));
    child.on('close', (code) => resolve({ code: code ?? -1, output }));
  });
}

function writable(folder: string): boolean {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** `node_modules/.cache/netssm` of this package, or `~/.cache/netssm` where that cannot be written. */
export function cacheFolder(): string {
  const near = join(projectRoot, 'node_modules', '.cache', 'netssm');
  return writable(near) ? near : join(homedir(), '.cache', 'netssm');
}

/** Name of the library for these sources, this compiler, this Node ABI and this processor. */
function libraryPath(compiler: string): string {
  const hash = createHash('sha256');
  for (const file of sourceFiles(sourceFolder))
    hash.update(file.slice(sourceFolder.length)).update(readFileSync(file));
  for (const u of units()) hash.update(u.file).update(u.flags.filter((f) => !f.startsWith('-I')).join(' '));
  hash.update([compiler, process.platform, process.arch, cpus()[0]?.model ?? ''].join('|'));
  const abi = process.versions.modules;
  return join(cacheFolder(), `native-abi${abi}-${process.arch}-${hash.digest('hex').slice(0, 16)}.node`);
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (e) {
    return (e as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Runs `work` while holding a lock file; a lock whose owner is gone, or older than ten minutes, is taken over. */
async function locked<T>(path: string, waiting: () => void, work: () => Promise<T>): Promise<T> {
  const give = Date.now() + 15 * 60_000;
  for (let said = false; ;) {
    try {
      const fd = openSync(path, 'wx');
      writeSync(fd, String(process.pid));
      closeSync(fd);
      break;
    } catch (e) {
      if ((e as NodeJS.ErrnoException).code !== 'EEXIST') throw e;
    }
    try {
      const owner = Number(readFileSync(path, 'utf8'));
      const age = Date.now() - statSync(path).mtimeMs;
      if ((owner > 0 && !alive(owner)) || age > 600_000) rmSync(path, { force: true });
    } catch {
      // released in the meantime
    }
    if (Date.now() > give)
      throw new NetssmError('native_locked', `another process has held ${path} for a quarter of an hour`, {
        hint: `Delete ${path} and try again.`,
      });
    if (!said) waiting();
    said = true;
    await new Promise((r) => setTimeout(r, 200));
  }
  try {
    return await work();
  } finally {
    rmSync(path, { force: true });
  }
}

async function compile(compiler: string, path: string, report: (line: string) => void): Promise<void> {
  const folder = `${path}.${process.pid}.build`;
  mkdirSync(folder, { recursive: true });
  const started = Date.now();
  try {
    const all = units();
    const queue = [...all];
    const objects: string[] = [];
    let done = 0;
    const worker = async () => {
      for (let unit = queue.shift(); unit; unit = queue.shift()) {
        const object = join(folder, `${basename(unit.file, '.cpp')}.o`);
        const source = join(sourceFolder, unit.file);
        const { code, output } = await execute(compiler, [
          ...common,
          ...unit.flags,
          '-c',
          source,
          '-o',
          object,
        ]);
        if (code !== 0)
          throw new NetssmError(
            'native_compile',
            `${compiler} could not compile ${source}:\n${output.slice(0, 4000)}`,
          );
        objects.push(object);
        report(
          `native: compiled ${++done} of ${all.length} files, ${Math.round((Date.now() - started) / 1000)} s`,
        );
      }
    };
    await Promise.all(Array.from({ length: Math.min(8, availableParallelism()) }, worker));
    const shared =
      process.platform === 'darwin'
        ? ['-bundle', '-undefined', 'dynamic_lookup']
        : ['-shared', '-Wl,-z,nodelete', '-pthread'];
    const library = join(folder, 'library.node');
    const { code, output } = await execute(compiler, [...shared, '-o', library, ...objects.sort()]);
    if (code !== 0)
      throw new NetssmError('native_compile', `${compiler} could not link:\n${output.slice(0, 4000)}`);
    renameSync(library, path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What {@link ensureNative} found or made. */
export interface NativeBuild {
  path: string;
  compiled: boolean;
  seconds: number;
}

/**
 * Path of the compiled library, compiling it first where these sources have not been compiled for this Node and
 * processor yet: about half a minute on two cores, with a line per file on `report`, under a lock file.
 *
 * @throws NetssmError `native_no_compiler`, `native_compile`, `native_locked`, `native_platform`, with the remedy as hint.
 */
export async function ensureNative(
  report: (line: string) => void = (line) => process.stderr.write(`${line}\n`),
): Promise<NativeBuild> {
  const started = Date.now();
  if (process.platform === 'win32')
    throw new NetssmError('native_platform', 'the native kernels are not built on Windows', {
      hint: 'Use the Windows Subsystem for Linux for full speed; the wasm engine works here.',
    });
  const compiler = await findCompiler();
  if (!compiler)
    throw new NetssmError('native_no_compiler', 'no C++ compiler was found (c++, g++, clang++, or $CXX)', {
      hint: 'Install one (Debian, Ubuntu: apt install g++; macOS: xcode-select --install); the wasm engine is used until then.',
    });
  const path = libraryPath(compiler.version);
  if (existsSync(path)) return { path, compiled: false, seconds: 0 };
  mkdirSync(dirname(path), { recursive: true });
  let compiled = false;
  await locked(
    `${path}.lock`,
    () => report('native: another process is compiling the kernels; waiting for it'),
    async () => {
      if (existsSync(path)) return;
      report(
        `native: compiling the C++ kernels with ${compiler.version} (first use only, about half a minute)`,
      );
      await compile(compiler.command, path, report);
      compiled = true;
      report(`native: ready in ${Math.round((Date.now() - started) / 1000)} s`);
    },
  );
  return { path, compiled, seconds: (Date.now() - started) / 1000 };
}
