/** From `src/` to `dist/` while a kernel runs: only what changed, with the project's own TypeScript. */
import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative, sep } from 'node:path';
import type * as typescript from 'typescript';
import { NetssmError } from '../util';

/** What was compiled, as paths below the project, and what the reader should know. */
export interface Compilation {
  compiled: string[];
  notes: string[];
}

/** Sources that are newer than their output, or have none. */
export function changedSources(root: string): string[] {
  const files = readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true });
  return files
    .filter((entry) => entry.isFile() && /(?<!\.d)\.ts$/.test(entry.name))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .filter((file) => {
      const output = outputOf(root, file, '.js');
      return !existsSync(output) || statSync(output).mtimeMs < statSync(file).mtimeMs;
    })
    .sort();
}

function outputOf(root: string, source: string, extension: string): string {
  return join(root, 'dist', relative(join(root, 'src'), source)).replace(/\.ts$/, extension);
}

/**
 * Translates each changed source by itself: a second for the first, milliseconds for the others. Declarations are
 * written where they follow from the file alone, which the style of this project makes the rule.
 * @throws NetssmError `reload_failed` when one does not parse; then nothing is written.
 */
export function compileChanged(root: string): Compilation {
  const files = changedSources(root);
  if (files.length === 0) return { compiled: [], notes: [] };
  const ts = loadTypeScript(root);
  const { options } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(join(root, 'tsconfig.json'), (path) => readFileSync(path, 'utf8')).config,
    ts.sys,
    root,
  );
  const writes: [path: string, text: string][] = [];
  const wrong: typescript.Diagnostic[] = [];
  const untyped: string[] = [];
  for (const file of files) {
    const text = readFileSync(file, 'utf8');
    const job = { fileName: file, compilerOptions: options, reportDiagnostics: true };
    const code = ts.transpileModule(text, job);
    wrong.push(...(code.diagnostics ?? []));
    const output = outputOf(root, file, '.js');
    writes.push([output, code.outputText]);
    if (code.sourceMapText) writes.push([`${output}.map`, mapOf(code.sourceMapText, output, file)]);
    const types = ts.transpileDeclaration(text, job);
    if (types.diagnostics?.length) untyped.push(relative(root, file));
    else {
      const declaration = outputOf(root, file, '.d.ts');
      writes.push([declaration, types.outputText]);
      if (types.sourceMapText)
        writes.push([`${declaration}.map`, mapOf(types.sourceMapText, declaration, file)]);
    }
  }
  if (wrong.length > 0) throw failed(formatted(ts, root, wrong));
  for (const [path, text] of writes) {
    mkdirSync(dirname(path), { recursive: true });
    // In place: the type checker of the running kernel watches these files.
    writeFileSync(path, text);
  }
  const notes =
    untyped.length > 0
      ? [`types of ${untyped.join(', ')} as before: reload({ types: true }) writes the new ones`]
      : [];
  return { compiled: files.map((file) => relative(root, file)), notes };
}

/**
 * The whole project through the compiler in a process of its own; what it knows is kept in `dist/.tsbuildinfo`, so
 * that the next time costs less.
 * @throws NetssmError `reload_failed` with the compiler's messages; then nothing is written.
 */
export async function compileEverything(root: string): Promise<Compilation> {
  const files = changedSources(root);
  loadTypeScript(root);
  const argv = [
    join(root, 'node_modules', 'typescript', 'bin', 'tsc'),
    ...['-p', join(root, 'tsconfig.json'), '--noEmitOnError', '--incremental'],
    ...['--tsBuildInfoFile', join(root, 'dist', '.tsbuildinfo')],
  ];
  const child = spawn(process.execPath, argv, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (code !== 0) throw failed(output.trim());
  // An edit that changes nothing (a comment in a type) leaves the output as it was: it is as new as its source now.
  const now = new Date();
  for (const file of files) utimesSync(outputOf(root, file, '.js'), now, now);
  return { compiled: files.map((file) => relative(root, file)), notes: [] };
}

function loadTypeScript(root: string): typeof typescript {
  try {
    return createRequire(join(root, 'package.json'))('typescript') as typeof typescript;
  } catch (cause) {
    throw new NetssmError('reload_no_compiler', `TypeScript is not installed in ${root}`, {
      hint: 'Run `npm install` there, without --omit=dev.',
      cause,
    });
  }
}

function failed(messages: string): NetssmError {
  return new NetssmError('reload_failed', `the sources do not compile; nothing was reloaded\n${messages}`, {
    hint: 'Correct the file and call reload() again.',
  });
}

function formatted(ts: typeof typescript, root: string, diagnostics: typescript.Diagnostic[]): string {
  return ts
    .formatDiagnostics(diagnostics, {
      getCanonicalFileName: (name) => name,
      getCurrentDirectory: () => root,
      getNewLine: () => '\n',
    })
    .trim();
}

/** Translated alone, a file believes that its source lies beside its output. */
function mapOf(map: string, output: string, source: string): string {
  const parsed = JSON.parse(map) as { sources: string[] };
  parsed.sources = [relative(dirname(output), source).split(sep).join('/')];
  return JSON.stringify(parsed);
}
