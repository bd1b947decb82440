/**
 * `reload()`: edited sources take effect in a running notebook. The changed files of `src/` are compiled to `dist/`,
 * `dist/` is dropped from the module cache, and functions that cells have imported are replaced by their new selves.
 */
import { existsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, sep } from 'node:path';
import { inspect } from 'node:util';
import { formatDuration, NetssmError, projectRoot } from '../util';
import { compileChanged, compileEverything } from './compile';

/** What {@link reload} takes. */
export interface ReloadOptions {
  /**
   * Type-check all sources and write all declarations, as `npm run build` does: some ten seconds. Without it only
   * the changed files are translated, one by one, which finds syntax errors but no type errors.
   */
  types?: boolean;
  /** The project's folder; default: the one this library belongs to. */
  root?: string;
}

/** What {@link reload} did. As last expression of a cell it shows itself as one line. */
export interface ReloadReport {
  /** The sources that were compiled, as paths below the project. */
  compiled: string[];
  /** Names in cells that now stand for the new code. */
  renewed: string[];
  /** Names in cells whose export is gone; they keep the old code. */
  gone: string[];
  seconds: number;
  /** What to know besides. */
  notes: string[];
}

const requireHere = createRequire(__filename);

/**
 * Makes edited sources take effect without restarting the kernel: models, data and everything else that cells hold
 * stays. Functions and classes that cells have imported are replaced in place, so the import cell need not be run
 * again; objects made before keep the methods they were made with. The tensor engine is not replaced, because the
 * tensors of held models live in it.
 * @throws NetssmError `reload_no_sources` in an installed package, `reload_no_compiler` without TypeScript,
 * `reload_failed` where a source has errors: then nothing was replaced.
 * @example
 * // after saving an edit in src/
 * await reload()
 */
export async function reload(options: ReloadOptions = {}): Promise<ReloadReport> {
  const started = Date.now();
  const root = options.root ?? projectRoot;
  if (!existsSync(join(root, 'src')) || !existsSync(join(root, 'tsconfig.json'))) {
    throw new NetssmError(
      'reload_no_sources',
      `${root} is an installed package: it has no sources to reload`,
      {
        hint: 'Clone the repository, `npm start` in it, and `netssm kernel install` from there: then edit its src/.',
      },
    );
  }
  const { compiled, notes } = options.types ? await compileEverything(root) : compileChanged(root);
  const dist = join(root, 'dist') + sep;
  const engine = join(dist, 'tensor') + sep;
  if (compiled.some((file) => file.startsWith(join('src', 'tensor') + sep)))
    notes.push('src/tensor is part of the running engine: restart the kernel to see its changes');
  const stale = compiled.length > 0 || rebuilt(dist);
  const { renewed, gone } = stale ? renew(dist, engine) : { renewed: [], gone: [] };
  if (stale && compiled.length === 0)
    notes.push('dist/ was built anew since it was loaded; it is loaded again');
  // The type checker learns of new declarations from the file system, between two turns of the event loop.
  await new Promise((resolve) => setTimeout(resolve, stale ? 60 : 0));
  return shown({ compiled, renewed, gone, seconds: (Date.now() - started) / 1000, notes });
}

/** Adds the one-line form, outside of what `Object.keys` and JSON see. */
function shown(report: ReloadReport): ReloadReport {
  const { compiled, renewed, gone, seconds, notes } = report;
  const names = (list: string[], most: number): string =>
    list.slice(0, most).join(', ') + (list.length > most ? ` and ${list.length - most} more` : '');
  const lines = [
    compiled.length === 0 && notes.length === 0
      ? 'nothing to reload: dist/ is as new as src/'
      : `reloaded ${names(compiled, 3) || 'dist/'} in ${formatDuration(seconds)}` +
        (renewed.length > 0 ? `; new in cells: ${names(renewed, 8)}` : ''),
    ...(gone.length > 0 ? [`no longer exported, kept as before: ${gone.join(', ')}`] : []),
    ...notes,
  ];
  return Object.defineProperty(report, inspect.custom, { value: () => lines.join('\n'), enumerable: false });
}

/** Kept where a reload does not reach: when the modules in use were loaded. */
const times = globalThis as { [key: symbol]: unknown };
const LOADED = Symbol.for('netssm.loaded');

/** Whether `npm run build` (or another kernel's reload) has written modules that are loaded here. */
function rebuilt(dist: string): boolean {
  const since = (times[LOADED] as number | undefined) ?? Date.now() - process.uptime() * 1000;
  const loaded = Object.keys(requireHere.cache).filter((file) => file.startsWith(dist));
  return loaded.some((file) => !existsSync(file) || statSync(file).mtimeMs > since);
}

/** Drops the modules below `dist`, but those below `keep`, and puts new exports where cells hold old ones. */
function renew(dist: string, keep: string): { renewed: string[]; gone: string[] } {
  const { cache } = requireHere;
  const dropped = Object.keys(cache).filter((file) => file.startsWith(dist) && !file.startsWith(keep));
  const owners = new Map<unknown, { file: string; name?: string }>();
  for (const file of dropped) {
    const exports = cache[file]?.exports as Record<string, unknown>;
    owners.set(exports, { file });
    for (const [name, value] of Object.entries(exports))
      if ((typeof value === 'function' || typeof value === 'object') && value && !owners.has(value))
        owners.set(value, { file, name });
  }
  for (const file of dropped) delete cache[file];
  times[LOADED] = Date.now();
  replaceDynamicImports(dist);

  const cells = cellVariables();
  const renewed: string[] = [];
  const gone: string[] = [];
  for (const [variable, value] of Object.entries(cells ?? {})) {
    const owner = owners.get(value);
    if (!owner) continue;
    const exports = requireHere(owner.file) as Record<string, unknown>;
    const fresh = owner.name === undefined ? exports : exports[owner.name];
    if (fresh === undefined) gone.push(variable);
    else if (fresh !== value) {
      (cells as Record<string, unknown>)[variable] = fresh;
      renewed.push(variable);
    }
  }
  return { renewed, gone };
}

/** Where tslab keeps what cells have declared and imported. */
function cellVariables(): Record<string, unknown> | undefined {
  const { __tslab__: tslab } = globalThis as { __tslab__?: { exports: Record<string, unknown> } };
  return tslab?.exports;
}

const hooked = new Set<string>();

/**
 * `await import('../model')` inside the library would find the modules of before: what was imported that way is
 * remembered where nothing can be dropped. From now on such imports of the library's own files are `require`d.
 */
function replaceDynamicImports(dist: string): void {
  if (hooked.has(dist)) return;
  hooked.add(dist);
  interface Loader {
    prototype: { _compile(code: string, file: string, ...rest: unknown[]): unknown };
  }
  const { prototype } = requireHere('node:module') as Loader;
  const { _compile } = prototype;
  prototype._compile = function (code, file, ...rest) {
    const own = file.startsWith(dist)
      ? code.replace(
          /\bimport\((['"])(\.{1,2}\/[^'"]+)\1\)/g,
          'Promise.resolve().then(() => require($1$2$1))',
        )
      : code;
    return _compile.call(this, own, file, ...rest);
  };
}
