import type { Addon } from './addon';
import { ensureNative } from './build';
import { rememberNative } from './library';
import { NetssmError } from '../../util';

export type { Addon, NativeDecoder, Values } from './addon';
export type { NativeBackend, NativeMemory } from './backend';
export { fusedLayers } from './layers';
export { cacheFolder, ensureNative, findCompiler, sourceFolder, type NativeBuild } from './build';

/** The tfjs module, as `import('@tensorflow/tfjs')` gives it. */
export type Tf = typeof import('@tensorflow/tfjs');

let failure: NetssmError | undefined;
let pending: Promise<Addon | null> | undefined;

/** The compiled library, built at first use; null where that fails ({@link nativeFailure} says why). */
export function loadNative(report?: (line: string) => void): Promise<Addon | null> {
  pending ??= (async () => {
    try {
      const { path } = await ensureNative(report);
      const holder = { exports: {} as Addon };
      process.dlopen(holder, path);
      const addon = holder.exports;
      rememberNative(addon);
      if (!process.env['NETSSM_THREADS']) {
        const { physicalCores } = await import('./cores.js');
        addon.threads(physicalCores());
      }
      return addon;
    } catch (e) {
      failure =
        e instanceof NetssmError
          ? e
          : new NetssmError(
              'native_load',
              `the native kernels could not be loaded: ${(e as Error).message}`,
              {
                cause: e,
              },
            );
      return null;
    }
  })();
  return pending;
}

/** Why {@link loadNative} answered null. */
export function nativeFailure(): NetssmError | undefined {
  return failure;
}

/**
 * Registers the backend `native` with tfjs (it is not made the current one) and answers true; or prints one warning
 * with the remedy to stderr and answers false. Safe to call again.
 */
export async function registerNative(tf: Tf): Promise<boolean> {
  if (tf.findBackendFactory('native') !== null) return true;
  const first = pending === undefined;
  const library = await loadNative();
  if (!library) {
    const hint = failure?.hint ? ` ${failure.hint}` : '';
    if (first)
      process.stderr.write(`warning: native engine not available: ${failure?.message ?? ''}.${hint}\n`);
    return false;
  }
  if (tf.findBackendFactory('native') !== null) return true;
  const { installBackend } = await import('./register.js');
  installBackend(tf, library);
  return true;
}
