// tfjs's own published expectations (the jasmine specs inside @tensorflow/tfjs-core), run on this project's backends.
//   node scripts/tfjs-expectations.mjs [--engines native,cpu] [--files regex] [--package folder] [--json]
// `--files` chooses spec files by their path; `--package` is where a built dist/ lies (default: this package).
// Ends with status 1 if a spec fails on native and not on cpu, unless `exceptions` below says why it may.
import { readFileSync } from 'node:fs';
import Module, { createRequire } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * Specs that may fail on native though they pass on cpu: a pattern for the name, and the reason. On wasm about 190 of
 * them fail, most because tfjs's wasm backend has no complex numbers, strings, channels-first images or integer products.
 */
export const exceptions = [];

/** Lets Node load tfjs-core's unbundled files, which are ES modules in a package that does not say so. */
function transpileOnLoad(require, folder) {
  const ts = require('typescript');
  const plain = Module._extensions['.js'];
  Module._extensions['.js'] = (module, file) => {
    if (!file.startsWith(folder) || file.includes('.node.')) return plain(module, file);
    const source = readFileSync(file, 'utf8').replace(/^\/\/# sourceMappingURL=.*$/m, '');
    const { outputText } = ts.transpileModule(source, {
      compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.CommonJS },
    });
    module._compile(outputText, file);
  };
  // jasmine_util.js wants the copy of jasmine that it was built for, only to set a time-out on it.
  const load = Module._load;
  Module._load = (request, ...rest) =>
    request === 'jasmine-core/lib/jasmine-core/jasmine.js' ? { core: () => ({}) } : load(request, ...rest);
}

/** The spec files that have something to say about a backend in Node, in tfjs's order. */
function specFiles(dist) {
  const list = readFileSync(join(dist, 'tests.js'), 'utf8');
  const files = [...list.matchAll(/^import '\.\/(.+)';$/gm)].map(([, path]) => join(dist, `${path}.js`));
  return files.filter((file) => /\b(ALL_ENVS|NODE_ENVS|SYNC_BACKEND_ENVS),/.test(readFileSync(file, 'utf8')));
}

/**
 * Runs the specs on each engine and answers, for each, how many passed and which failed. Specs that ask for a browser,
 * or for no engine at all, are not run.
 */
export async function runExpectations({ engines = ['native', 'cpu'], files = /./, folder = root } = {}) {
  const require = createRequire(join(folder, 'package.json'));
  const dist = join(dirname(require.resolve('@tensorflow/tfjs-core/package.json')), 'dist');
  transpileOnLoad(require, dist);
  const jasmine = require('jasmine-core').installGlobals() ?? globalThis.jasmine;
  const env = (globalThis.jasmine ?? jasmine).getEnv();
  const { useEngine } = require(join(folder, 'dist', 'tensor', 'index.js'));
  const missing = [];
  for (const name of engines) {
    const engine = await useEngine(name);
    if (engine.name !== name) missing.push(name);
  }
  const present = engines.filter((name) => !missing.includes(name));
  const warn = console.warn;
  const { log, error } = console;
  console.log = () => {}; // what specs print
  console.error = () => {}; // jasmine's deprecations
  console.warn = () => {}; // tfjs says that kernels and gradients exist already: they do, once for each copy of tfjs-core
  const core = require(join(dist, 'index.js'));
  require(join(dist, 'public', 'chained_ops', 'register_all_chained_ops.js'));
  require(join(dist, 'register_all_gradients.js'));
  if (present.includes('native')) {
    // The optimisers under test are this copy's.
    require(join(folder, 'dist', 'tensor', 'native', 'layers', 'index.js')).installLayers(core);
  }
  const util = require(join(dist, 'jasmine_util.js'));
  util.setTestEnvs(present.map((name) => ({ name, backendName: name, flags: {}, isDataSync: true })));
  const chosen = specFiles(dist).filter((file) => files.test(relative(dist, file)));
  env.configure({ forbidDuplicateNames: false });
  for (const file of chosen)
    globalThis.describe(relative(dist, file).replace(/_test\.js$/, ':'), () => void require(file));
  // A suite carries the name of its engine; one inside another carries two, and runs where they agree.
  const marks = present.map((name) => ` ${name} {} `);
  const engineOf = (fullName) => {
    const found = present.filter((_, i) => fullName.includes(marks[i]));
    return found.length === 1 ? found[0] : undefined;
  };
  const result = Object.fromEntries(present.map((name) => [name, { passed: 0, failed: [] }]));
  env.configure({
    random: false,
    stopSpecOnExpectationFailure: true,
    specFilter: (spec) => engineOf(spec.getFullName()) !== undefined,
  });
  env.addReporter({
    specDone({ fullName, status, failedExpectations }) {
      const engine = engineOf(fullName);
      if (!engine || status === 'excluded' || status === 'pending') return;
      const of = result[engine];
      const name = fullName.replaceAll(` ${engine} {} `, ' ');
      if (status === 'failed') of.failed.push({ name, message: failedExpectations[0]?.message ?? '' });
      else of.passed++;
    },
  });
  await env.execute();
  Object.assign(console, { log, warn, error });
  return { files: chosen.length, missing, engines: result };
}

/** What fails on an engine and not on cpu; for native, apart from the exceptions. */
export function regressions(result, name) {
  const reference = new Set(result.engines.cpu?.failed.map((f) => f.name) ?? []);
  const excused = (f) => name === 'native' && exceptions.some(([pattern]) => pattern.test(f.name));
  return result.engines[name].failed.filter((f) => !reference.has(f.name) && !excused(f));
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({
    options: {
      engines: { type: 'string', default: 'native,cpu' },
      files: { type: 'string', default: '' },
      package: { type: 'string', default: root },
      json: { type: 'boolean' },
    },
  });
  const started = Date.now();
  const result = await runExpectations({
    engines: values.engines.split(','),
    files: new RegExp(values.files),
    folder: resolve(values.package),
  });
  const names = Object.keys(result.engines).filter((name) => name !== 'cpu');
  const bad = Object.fromEntries(names.map((name) => [name, regressions(result, name)]));
  if (values.json) {
    console.log(JSON.stringify({ ...result, regressions: bad }));
  } else {
    console.log(`${result.files} spec files, ${Math.round((Date.now() - started) / 1000)} s`);
    for (const name of result.missing) console.log(`${name}: not available here`);
    for (const [name, { passed, failed }] of Object.entries(result.engines)) {
      console.log(`${name}: ${passed} passed, ${failed.length} failed`);
      for (const { name: spec, message } of bad[name] ?? [])
        console.log(`  only on ${name}: ${spec}\n    ${message.slice(0, 300)}`);
    }
  }
  process.exit(bad.native?.length > 0 ? 1 : 0);
}
