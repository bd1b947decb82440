import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import type * as tfTypes from '@tensorflow/tfjs';
import { NetssmError } from '../util';
import { registerConv1d } from './conv1d';
import { registerWasm } from './wasm';

/** The tfjs module, as {@link useEngine} hands it out. Nothing imports tfjs on its own: loading it takes a second. */
export type TF = typeof tfTypes;

/** What can be asked for. */
export type EngineName = 'auto' | 'native' | 'wasm' | 'cpu' | 'tensorflow';

/** A tfjs backend that is loaded, active and measured. */
export interface Engine {
  name: Exclude<EngineName, 'auto'>;
  tf: TF;
  /** Measured speed of a 256 x 256 x 256 float32 `matMul`, in 1e9 operations per second. */
  gflops: number;
  /** Why this engine and not a faster one, where there is something to say. */
  note?: string;
}

const ENGINE_NAMES: readonly EngineName[] = ['auto', 'native', 'wasm', 'cpu', 'tensorflow'];
const load = createRequire(__filename);
const ready = new Map<Engine['name'], Engine>();

/**
 * Loads tfjs, makes one of its backends active and measures it.
 *
 * `auto` (also without argument) takes the environment variable NETSSM_ENGINE, and without it the first that works
 * of `tensorflow` (only with tfjs-node-gpu, a GPU, and a probe that is faster than the next), `native`, `wasm`, `cpu`.
 * A second call with the same name costs nothing but switching.
 *
 * @throws NetssmError `engine_unknown` for another name, `engine_unavailable` if the one asked for by name cannot run
 * (`native` falls back to `wasm` with a `note` instead: the results are the same, only later).
 * @example
 * const { tf, name, gflops } = await useEngine();
 * tf.tensor1d([1, 2, 3]).sum().print();
 */
export async function useEngine(name: EngineName = 'auto'): Promise<Engine> {
  const asked = name === 'auto' ? ((process.env.NETSSM_ENGINE || 'auto') as EngineName) : name;
  if (!ENGINE_NAMES.includes(asked)) {
    throw new NetssmError('engine_unknown', `there is no engine "${asked}"`, {
      hint: `Engines: ${ENGINE_NAMES.join(', ')}.`,
      exitCode: 2,
    });
  }
  if (asked === 'cpu' || asked === 'wasm') return activate(asked);
  if (asked === 'native') return nativeOrWasm();
  if (asked === 'tensorflow') {
    const engine = await tensorflow();
    if ('reason' in engine) {
      throw new NetssmError('engine_unavailable', `the engine "tensorflow" cannot run: ${engine.reason}`, {
        hint: 'npm install @tensorflow/tfjs-node-gpu on a machine with CUDA, or use another engine.',
      });
    }
    return engine;
  }
  const local = await nativeOrWasm();
  if (!gpuVisible()) return local;
  const localSeconds = probeStep(local.tf);
  const gpu = await tensorflow();
  if (!('reason' in gpu) && probeStep(gpu.tf) < localSeconds) return gpu;
  return finish(local.name, local.tf, local.note);
}

/** Loads and switches to a backend; `cpu` is what remains when WebAssembly is refused. */
async function activate(name: 'native' | 'wasm' | 'cpu', note?: string): Promise<Engine> {
  const tf = loadTf();
  if (name === 'wasm' && !ready.has('wasm')) {
    const reason = await registerWasm(tf, load);
    if (reason)
      return activate(
        'cpu',
        `WebAssembly is not usable (${reason}); the plain cpu backend is 30 times slower`,
      );
  }
  return finish(name, tf, note);
}

async function finish(name: Engine['name'], tf: TF, note?: string): Promise<Engine> {
  if (!(await tf.setBackend(name))) {
    throw new NetssmError('engine_unavailable', `tfjs refused the backend "${name}"`);
  }
  await tf.ready();
  silenceBanner(tf);
  const known = ready.get(name);
  if (known) return note && !known.note ? { ...known, note } : known;
  const engine: Engine = { name, tf, gflops: measureGflops(tf), ...(note ? { note } : {}) };
  ready.set(name, engine);
  return engine;
}

/** The native backend; where it cannot be built, wasm, and the reason in `note` (the warning was printed once). */
async function nativeOrWasm(): Promise<Engine> {
  const tf = loadTf();
  const { registerNative, nativeFailure } = await import('./native/index.js');
  if (await registerNative(tf)) return activate('native');
  const failure = nativeFailure();
  return activate(
    'wasm',
    `native is not available (${failure?.message ?? 'unknown reason'}). ${failure?.hint ?? ''}`.trim(),
  );
}

/** tfjs itself, once. */
function loadTf(): TF {
  const tf = load('@tensorflow/tfjs') as TF;
  registerConv1d(tf);
  silenceBanner(tf);
  return tf;
}

/** tfjs greets Node users with a suggestion to install tfjs-node, at the first write to a cpu-like backend. */
function silenceBanner(tf: TF): void {
  for (const name of ['cpu', 'native']) {
    if (name in tf.engine().registryFactory) {
      const backend = tf.findBackend(name) as { firstUse?: boolean } | null;
      if (backend) backend.firstUse = false;
    }
  }
}

function gpuVisible(): boolean {
  return existsSync('/dev/nvidiactl') || existsSync('/dev/dxg') || existsSync('/dev/nvidia0');
}

/** tfjs-node-gpu makes itself the active backend when it is loaded, GPU or not: hence loaded last, and rarely. */
async function tensorflow(): Promise<Engine | { reason: string }> {
  if (ready.has('tensorflow')) {
    const engine = ready.get('tensorflow') as Engine;
    return finish('tensorflow', engine.tf);
  }
  const util = load('node:util') as { isNullOrUndefined?: (value: unknown) => boolean };
  util.isNullOrUndefined ??= (value) => value === null || value === undefined; // gone since Node 23
  try {
    const tf = load('@tensorflow/tfjs-node-gpu') as TF;
    const backend = tf.findBackend('tensorflow') as { isUsingGpuDevice?: boolean } | null;
    if (!backend) return { reason: 'tfjs-node-gpu registered no backend' };
    if (!backend.isUsingGpuDevice) return { reason: 'tfjs-node-gpu is installed but sees no GPU' };
    return await finish('tensorflow', tf);
  } catch (error) {
    return { reason: (error as Error).message.split('\n')[0] };
  }
}

/**
 * The values of a float32 tensor, to be read and forgotten: where the engine keeps them in an array they are that array,
 * not a copy, and its memory is used again once the tensor is disposed.
 */
export function valuesOf(tf: TF, tensor: tfTypes.Tensor): Float32Array {
  const backend = tf.backend() as { floats?(x: tfTypes.Tensor): Float32Array };
  return backend.floats ? backend.floats(tensor) : (tensor.dataSync() as Float32Array);
}

/** Best of a few products within a tenth of a second. */
export function measureGflops(tf: TF, n = 256, budgetMs = 100): number {
  return tf.tidy(() => {
    const a = tf.randomUniform([n, n], -1, 1, 'float32', 1);
    const b = tf.randomUniform([n, n], -1, 1, 'float32', 2);
    tf.matMul(a, b).dataSync();
    let best = Infinity;
    const end = performance.now() + budgetMs;
    do {
      const started = performance.now();
      const c = tf.matMul(a, b);
      c.dataSync();
      c.dispose();
      best = Math.min(best, performance.now() - started);
    } while (performance.now() < end);
    return (2 * n ** 3) / best / 1e6;
  });
}

/** Seconds of one forward and backward pass through two wide layers: the shape of a training step, for comparing engines. */
function probeStep(tf: TF, budgetMs = 500): number {
  const [x, w1, w2] = [
    [512, 128],
    [128, 640],
    [640, 128],
  ].map((shape, i) => tf.randomNormal(shape, 0, 0.05, 'float32', i));
  const step = tf.grads((a, b) =>
    tf
      .matMul(tf.sigmoid(tf.matMul(x, a)), b)
      .square()
      .sum(),
  );
  const once = () => {
    const started = performance.now();
    tf.tidy(() => step([w1, w2]).map((g) => g.dataSync()));
    return (performance.now() - started) / 1000;
  };
  once();
  let best = Infinity;
  const end = performance.now() + budgetMs;
  do best = Math.min(best, once());
  while (performance.now() < end);
  tf.dispose([x, w1, w2]);
  return best;
}
