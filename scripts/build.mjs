// Compiles src/ to dist/ with the project's own TypeScript. `--if-stale`: only when a source changed since.
// (node_modules/.bin/tsc is tslab's TypeScript 5.0: never call it by name.)
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { spawnSync } from 'node:child_process';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(root, 'dist');
const stampFile = join(dist, '.build-stamp');
const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');

/** Names and contents of everything the build reads, as one hash. */
function sourceStamp() {
  const hash = createHash('sha256');
  const visit = (path) => {
    for (const entry of readdirSync(path, { withFileTypes: true }).sort((a, b) =>
      a.name < b.name ? -1 : 1,
    )) {
      const child = join(path, entry.name);
      if (entry.isDirectory()) visit(child);
      else hash.update(child.slice(root.length)).update(readFileSync(child));
    }
  };
  visit(join(root, 'src'));
  hash.update(readFileSync(join(root, 'tsconfig.json')));
  return hash.digest('hex');
}

const stamp = sourceStamp();
const upToDate = existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp;
if (process.argv.includes('--if-stale') && upToDate) process.exit(0);
if (!existsSync(tsc)) {
  if (existsSync(join(dist, 'index.js'))) process.exit(0); // a production install runs the dist it was shipped with
  console.error('build: TypeScript is not installed. Run `npm install` (without --omit=dev) first.');
  process.exit(1);
}
const started = Date.now();
console.error('build: compiling src/ to dist/ ...');
if (existsSync(dist) && statSync(dist).isDirectory()) rmSync(dist, { recursive: true, force: true });
const run = spawnSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.json')], {
  cwd: root,
  stdio: 'inherit',
});
if (run.status !== 0) process.exit(run.status ?? 1);
mkdirSync(dist, { recursive: true });
writeFileSync(stampFile, stamp);
console.error(`build: done in ${((Date.now() - started) / 1000).toFixed(1)} s`);
