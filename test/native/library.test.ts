import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ensureNative, loadNative, nativeFailure } from '../../src/tensor/native';

const run = promisify(execFile);
const addon = await loadNative();
const reason = addon ? '' : ` (skipped: ${nativeFailure()?.message.split('\n')[0]})`;

/** Runs a script in a Node process of its own, `library` being the path of the compiled kernels. */
async function node(script: string): Promise<{ code: number; out: string }> {
  const { path } = await ensureNative();
  const folder = mkdtempSync(join(tmpdir(), 'netssm-native-'));
  const file = join(folder, 'script.cjs');
  writeFileSync(
    file,
    `const library = ${JSON.stringify(path)};
const load = () => { const m = { exports: {} }; process.dlopen(m, library); return m.exports; };
const work = (n) => {
  const N = load(), a = new Float32Array(n * n).fill(1), c = new Float32Array(n * n);
  return () => { N.params.set([0, 0, n, n, n, 1, 1, 1]); N.gemm(a, a, c, null); return c[0]; };
};
${script}`,
  );
  try {
    const { stdout } = await run(process.execPath, [file], { timeout: 50_000 });
    return { code: 0, out: stdout.trim() };
  } catch (e) {
    const { code, stdout, stderr, signal } = e as Record<string, string | number>;
    return { code: Number(code ?? -1), out: `${stdout}${stderr}${signal ?? ''}` };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe.skipIf(!addon)(`the compiled library${reason}`, () => {
  const N = addon as NonNullable<typeof addon>;
  const f = (n: number) => new Float32Array(n);

  it('refuses arrays that are too short, of the wrong type, or detached', () => {
    const gemm = () => N.params.set([0, 0, 4, 4, 4, 1, 1, 1]);
    gemm();
    expect(() => N.gemm(f(15), f(16), f(16), null)).toThrow(RangeError);
    gemm();
    expect(() => N.gemm(f(16), f(16), f(15), null)).toThrow(/16 are needed/);
    gemm();
    expect(() => N.gemm(new Int32Array(16) as never, f(16), f(16), null)).toThrow(TypeError);
    gemm();
    expect(() => N.gemm([1, 2] as never, f(16), f(16), null)).toThrow(TypeError);
    const gone = f(16);
    structuredClone(gone, { transfer: [gone.buffer] });
    gemm();
    expect(() => N.gemm(gone, f(16), f(16), null)).toThrow(/detached/);
    expect(() => N.unary(0, f(9), f(8), 0, 0)).toThrow(RangeError);
    expect(() => N.unary(999, f(8), f(8), 0, 0)).toThrow(/does not exist/);
    expect(() => N.reduce(0, f(10), f(1), 1, 11, 1, 1)).toThrow(RangeError);
    expect(() => N.transpose2d(f(10), f(12), 1, 3, 4)).toThrow(RangeError);
  });

  it('refuses strides that lead out of an array', () => {
    N.params.set([2, 3, 4, 4, 1, 4, 1]);
    expect(() => N.binary(0, f(12), f(11), f(12))).toThrow(RangeError);
    N.params.set([2, 3, 4, 5, 1, 4, 1]);
    expect(() => N.stridedCopy(f(12), 0, f(12), 0)).toThrow(RangeError);
    N.params.set([2, 3, 4, 4, 1, 4, 1]);
    expect(() => N.stridedCopy(f(12), 1, f(12), 0)).toThrow(RangeError);
    N.params.set([99]);
    expect(() => N.binary(0, f(12), f(12), f(12))).toThrow(/rank/);
    expect(() => N.gather(f(12), Int32Array.of(3), f(4), 1, 1, 3, 4)).toThrow(/not in/);
    N.params.set([1, 5, 5, 1, 5, 5, 1, 3, 3, 0, 1, 1, 1, 1, 1]);
    expect(() => N.conv2d(0, f(25), f(9), f(25))).toThrow(/strides/);
    N.params.set([1, 5, 5, 1, 5, 5, 1, 3, 3, 1, 1, 1, 1, 1, 1]);
    expect(() => N.conv2d(0, f(24), f(9), f(25))).toThrow(RangeError);
  });

  it('two workers and the main thread at once', async () => {
    const { code, out } = await node(`
const { Worker, isMainThread, parentPort } = require('node:worker_threads');
const once = work(160);
let sum = 0;
for (let i = 0; i < 60; i++) sum += once();
if (!isMainThread) parentPort.postMessage(sum);
else {
  const workers = [1, 2].map(() => new Promise((ok, no) => new Worker(__filename).on('message', ok).on('error', no)));
  for (let i = 0; i < 60; i++) sum += once();
  Promise.all(workers).then((sums) => console.log(sum, ...sums));
}`);
    expect(out).toBe('19200 9600 9600');
    expect(code).toBe(0);
  });

  it('a worker that loads the library alone may end, and be stopped in the middle of work', async () => {
    const { code, out } = await node(`
const { Worker, isMainThread, workerData } = require('node:worker_threads');
if (!isMainThread) {
  const once = work(200);
  for (let i = 0; i < (workerData === 'forever' ? Infinity : 20); i++) once();
} else {
  (async () => {
    for (let i = 0; i < 3; i++) await new Promise((r) => new Worker(__filename).on('exit', r));
    const w = new Worker(__filename, { workerData: 'forever' });
    await new Promise((r) => setTimeout(r, 150));
    await w.terminate();
    console.log('done');
  })();
}`);
    expect(out).toBe('done');
    expect(code).toBe(0);
  });

  it('process.exit while a worker is at work', async () => {
    const { code } = await node(`
const { Worker, isMainThread } = require('node:worker_threads');
const once = work(300);
if (!isMainThread) for (;;) once();
else { new Worker(__filename); setTimeout(() => { once(); process.exit(7); }, 200); }`);
    expect(code).toBe(7);
  });

  it('a second process finds it compiled', async () => {
    const lines: string[] = [];
    const build = await ensureNative((line) => lines.push(line));
    expect(build.compiled).toBe(false);
    expect(lines).toEqual([]);
  });
});

describe('without a compiler', () => {
  const before = process.env['CXX'];
  afterEach(() => {
    if (before === undefined) delete process.env['CXX'];
    else process.env['CXX'] = before;
    vi.restoreAllMocks();
  });

  it('registerNative answers false with one warning and the remedy', async () => {
    process.env['CXX'] = '/nowhere/c++';
    vi.resetModules();
    const fresh = await import('../../src/tensor/native/index.js');
    const said: string[] = [];
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      said.push(String(text));
      return true;
    });
    const tf = { findBackendFactory: () => null } as never;
    expect(await fresh.registerNative(tf)).toBe(false);
    expect(await fresh.registerNative(tf)).toBe(false);
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(/no C\+\+ compiler/);
    expect(said[0]).toMatch(/apt install g\+\+/);
    expect(fresh.nativeFailure()?.code).toBe('native_no_compiler');
  });
});
