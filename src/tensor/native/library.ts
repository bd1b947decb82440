import type { Addon } from './addon';

let library: Addon | undefined;

/** The compiled library where this process has loaded it (`loadNative`), without loading anything. */
export function loadedNative(): Addon | undefined {
  return library;
}

/** What {@link loadedNative} answers from now on. */
export function rememberNative(addon: Addon): void {
  library = addon;
}
