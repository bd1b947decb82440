/**
 * The parts of tslab 1.0.22 (pinned) that the kernel and `run-notebook` use, with types, and the three changes made
 * to it. Imports that the notebook's own folder cannot resolve are resolved from this project, at run time and for
 * the type checker: that is what makes `import { ... } from "netssm/tokens"` work from any folder. Cells may use
 * variables of earlier cells as shorthand properties. And captures, packets, flows and tables show themselves as last
 * expression of a cell.
 */
import { existsSync } from 'node:fs';
import Module, { createRequire } from 'node:module';
import { basename, dirname, join, sep } from 'node:path';
import { NetssmError, projectRoot } from '../util';
import { expandShorthandProperties } from './cellSource';

/** What a cell shows: data by MIME type, and an id when a later call replaces it. */
export interface DisplayData {
  data: Record<string, unknown>;
  metadata: Record<string, unknown>;
  transient: { display_id?: string };
}
export type WriteStream = (name: 'stdout' | 'stderr', text: string) => void;
export type WriteDisplayData = (data: DisplayData, update?: boolean) => void;

interface Converter {
  convert(previousDeclarations: string, source: string): unknown;
  close(): void;
}
interface Executor {
  interrupt(): void;
  close(): void;
}
interface JupyterHandler {
  handleExecute(
    request: { code: string },
    writeStream: WriteStream,
    writeDisplayData: WriteDisplayData,
  ): Promise<{ status: 'ok' | 'error' | 'abort'; execution_count?: number }>;
  close(): void;
}
/** The compiler's view of the file system, which decides where types are found. */
interface CompilerSystem {
  fileExists(path: string): boolean;
  directoryExists(path: string): boolean;
  readFile(path: string, encoding?: string): string | undefined;
  readDirectory(path: string, ...rest: unknown[]): string[];
  getDirectories(path: string): string[];
  realpath?(path: string): string;
  getModifiedTime?(path: string): Date | undefined;
  watchFile?(path: string, callback: (path: string, ...what: unknown[]) => void, ...rest: unknown[]): unknown;
}

const requireHere = createRequire(__filename);

/** Folders whose packages notebooks may import wherever they lie: this project's, or the one it is installed in. */
export function packageFolders(root = projectRoot): string[] {
  const parent = dirname(root);
  const folders = [join(root, 'node_modules')];
  if (basename(parent) === 'node_modules') folders.push(parent);
  return folders.filter((folder) => existsSync(folder));
}

/** Where tslab and plotly are, or a {@link NetssmError} `not_installed` that says how to install them. */
export function resolveInstalled(request: string): string {
  try {
    return requireHere.resolve(request);
  } catch (cause) {
    throw new NetssmError('not_installed', `the package ${request.split('/')[0]} is not installed`, {
      hint: `Run \`npm install\` in ${projectRoot}.`,
      cause,
    });
  }
}

/**
 * Loads tslab with the extended import resolution. `createHandler` starts a TypeScript session in the process's
 * current folder: create one a process, after `process.chdir`.
 */
export function loadTslab(): {
  startKernel(options: { configPath: string; enableFindLocal: boolean }): void;
  createHandler(): JupyterHandler;
} {
  resolveInstalled('tslab/dist/main');
  extendTypeResolution();
  extendRequire();
  correctCells();
  showValues();
  stayBusy();
  const { startKernel } = requireHere('tslab/dist/main');
  return {
    startKernel,
    createHandler: () => {
      const { createConverter } = requireHere('tslab/dist/converter');
      const { createExecutor } = requireHere('tslab/dist/executor');
      const { JupyterHandlerImpl } = requireHere('tslab/dist/jupyter');
      const converter: Converter = createConverter({ isJS: false, isBrowser: false });
      const sets = { node: converter, browser: converter, close: () => converter.close() };
      // tslab captures nothing here: console.log of a cell goes through the process's streams, which it redirects.
      const executor: Executor = createExecutor(process.cwd(), sets, {
        log: console.log,
        error: console.error,
      });
      return new JupyterHandlerImpl(executor, false) as JupyterHandler;
    },
  };
}

/**
 * Types: the compiler looks in `node_modules` of the notebook's folder and of each folder above it. The last of them,
 * at the root of the file system, is made to show this project's packages; everything nearer keeps precedence.
 */
function extendTypeResolution(): void {
  const { sys } = requireHere('@tslab/typescript-for-tslab') as { sys: CompilerSystem };
  const folders = packageFolders();
  const candidates = (path: string): string[] => {
    const match = /^(?:[A-Za-z]:)?\/node_modules(\/.*)?$/.exec(path.replace(/\\/g, '/'));
    if (!match) return [];
    const rest = (match[1] ?? '').slice(1);
    // The package itself needs no link to be importable by its name.
    if (rest === 'netssm' || rest.startsWith('netssm/'))
      return [join(projectRoot, rest.slice('netssm/'.length))];
    return folders.map((folder) => join(folder, rest));
  };
  const original = { ...sys };
  const isReal = (path: string): boolean => original.fileExists(path) || original.directoryExists(path);
  const mapped = (path: string, exists: (p: string) => boolean): string =>
    exists(path) ? path : (candidates(path).find(exists) ?? path);
  sys.fileExists = (path) => original.fileExists(mapped(path, original.fileExists));
  sys.directoryExists = (path) => original.directoryExists(mapped(path, original.directoryExists));
  sys.readFile = (path, encoding) => original.readFile(mapped(path, original.fileExists), encoding);
  sys.readDirectory = (path, ...rest) =>
    original.readDirectory(mapped(path, original.directoryExists), ...rest);
  sys.getDirectories = (path) => original.getDirectories(mapped(path, original.directoryExists));
  sys.getModifiedTime = (path) => original.getModifiedTime?.(mapped(path, existsSync));
  sys.watchFile = (path, callback, ...rest) => {
    const target = mapped(path, original.fileExists);
    const tell = (_: string, ...what: unknown[]): void => callback(path, ...what);
    return original.watchFile?.(target, tell, ...rest);
  };
  const realpath = (path: string): string => original.realpath?.(path) ?? path;
  sys.realpath = (path) => {
    if (isReal(path)) return realpath(path);
    const real = realpath(mapped(path, existsSync));
    // Where the compiler is told of such a file, it must be below a node_modules folder that it would look into:
    // only then can it write down types of a cell's variables as import("@tensorflow/tfjs").
    const drive = /^[A-Za-z]:/.exec(path)?.[0] ?? '';
    const places: [from: string, to: string][] = folders.map((folder) => [realpath(folder), '']);
    places.push([realpath(projectRoot), '/netssm']);
    const place = places.find(([from]) => real.startsWith(`${from}${sep}`) || real.startsWith(`${from}/`));
    return place
      ? `${drive}/node_modules${place[1]}${real.slice(place[0].length).replace(/\\/g, '/')}`
      : real;
  };
}

/** Every cell passes through {@link expandShorthandProperties} on its way to the compiler. */
function correctCells(): void {
  const module = requireHere('tslab/dist/converter') as { createConverter(options?: object): Converter };
  const original = module.createConverter;
  module.createConverter = (options) => {
    const converter = original(options);
    const { convert } = converter;
    converter.convert = (declarations, source) => convert(declarations, expandShorthandProperties(source));
    return converter;
  };
}

/** tslab prints a cell's last expression; values that have a picture show it instead. */
function showValues(): void {
  interface Console {
    log(...values: unknown[]): void;
    error(...values: unknown[]): void;
  }
  const module = requireHere('tslab/dist/executor') as {
    createExecutor(folder: string, converters: object, output: Console): Executor;
  };
  const original = module.createExecutor;
  module.createExecutor = (folder, converters, output) =>
    original(folder, converters, {
      ...output,
      log: (...values) => {
        // Found anew each time: after reload() these are other modules.
        const { richBundle } = requireHere('./richValues') as typeof import('./richValues');
        const bundle = values.length === 1 ? richBundle(values[0]) : undefined;
        if (bundle) (requireHere('./display') as typeof import('./display')).showBundle(bundle);
        else output.log(...values);
      },
    });
}

/**
 * A front end sends all cells at once, and asks for other things while they run. tslab reports "idle" after each
 * answer, also while a cell goes on: as long as one does, "busy" is said again.
 */
function stayBusy(): void {
  interface Message {
    header: { msg_type: string };
  }
  type Publish = (this: unknown, status: 'busy' | 'idle', parent: Message) => void;
  const { ZmqServer } = requireHere('tslab/dist/jupyter') as {
    ZmqServer: { prototype: { publishStatus: Publish } };
  };
  const { publishStatus } = ZmqServer.prototype;
  const running = new Set<Message>();
  ZmqServer.prototype.publishStatus = function (status, parent) {
    publishStatus.call(this, status, parent);
    if (status === 'busy' && parent.header.msg_type === 'execute_request') running.add(parent);
    if (status === 'busy') return;
    running.delete(parent);
    const [first] = running;
    if (first) publishStatus.call(this, 'busy', first);
  };
}

/** Run time: a package that the notebook's folder does not have is required from this project. */
function extendRequire(): void {
  type Resolve = (request: string, parent: unknown, ...rest: unknown[]) => string;
  const loader = Module as unknown as { _resolveFilename: Resolve };
  const original = loader._resolveFilename;
  const fromProject = createRequire(join(projectRoot, 'package.json'));
  loader._resolveFilename = function (request, parent, ...rest) {
    try {
      return original.call(this, request, parent, ...rest);
    } catch (error) {
      const missing = (error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND';
      if (!missing || request.startsWith('.') || request.startsWith('/')) throw error;
      try {
        return original.call(this, request, fromProjectModule(fromProject), ...rest);
      } catch {
        throw error;
      }
    }
  };
}

/** A stand-in for "a module in the project's root folder", which is all that resolution looks at. */
function fromProjectModule(fromProject: NodeJS.Require): unknown {
  const filename = join(projectRoot, 'package.json');
  return { id: filename, filename, paths: fromProject.resolve.paths('x') ?? [] };
}
