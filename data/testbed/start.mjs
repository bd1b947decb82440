/**
 * Compiles `src/` (TypeScript) into node_modules/.cache/netssm-testbed when it has changed, and runs
 * one of its programs. The testbed is no part of the `netssm` package's build: it runs as root, on
 * machines that make captures, and nobody else needs it.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..', '..');
const build = join(root, 'node_modules', '.cache', 'netssm-testbed');
const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');

/** Runs the compiled `src/NAME.ts` in this process. */
export function startProgram(name) {
  if (!existsSync(compiler)) {
    console.error('The TypeScript compiler is missing. Run: npm install');
    process.exit(2);
  }
  const stamp = join(build, '.compiled');
  if (!existsSync(stamp) || newest(here) > statSync(stamp).mtimeMs) {
    const { status } = spawnSync(process.execPath, [compiler, '-p', join(here, 'tsconfig.json')], {
      stdio: ['ignore', 2, 2],
    });
    if (status !== 0) process.exit(2);
    writeFileSync(stamp, '');
  }
  createRequire(import.meta.url)(join(build, `${name}.js`));
}

/** When a source was last changed, in ms. */
const newest = (folder) =>
  Math.max(
    statSync(join(folder, 'tsconfig.json')).mtimeMs,
    ...readdirSync(join(folder, 'src'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.name.endsWith('.ts'))
      .map((entry) => statSync(join(entry.parentPath ?? entry.path, entry.name)).mtimeMs),
  );
