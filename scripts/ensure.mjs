// Brings a checkout to a runnable state: dependencies as package-lock.json says, dist/ as src/ says.
// Does nothing, and needs no network, when both are already so.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { spawn, spawnSync } from 'node:child_process';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..');

const lockFile = join(root, 'package-lock.json');
const installedStamp = join(root, 'node_modules', '.netssm-installed');

function lockStamp() {
  const hash = createHash('sha256').update(process.version.split('.')[0]);
  for (const file of [lockFile, join(root, 'package.json')])
    if (existsSync(file)) hash.update(readFileSync(file));
  return hash.digest('hex');
}

/** Runs npm with a line every few seconds, because npm itself is silent for minutes. */
function npm(args) {
  return new Promise((resolve) => {
    const started = Date.now();
    const child = spawn('npm', args, {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      shell: process.platform === 'win32',
    });
    const timer = setInterval(() => {
      console.error(
        `install: npm ${args[0]} still running, ${Math.round((Date.now() - started) / 1000)} s (about a minute in all)`,
      );
    }, 5000);
    child.on('exit', (code) => {
      clearInterval(timer);
      resolve(code ?? 1);
    });
    child.on('error', (error) => {
      clearInterval(timer);
      console.error(
        `install: npm could not be started: ${error.message}. Install Node.js with npm from https://nodejs.org.`,
      );
      resolve(1);
    });
  });
}

export async function ensureInstalled() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    console.error(`netssm needs Node 20.19 or newer; this is ${process.version}. See environment.md.`);
    process.exit(1);
  }
  const stamp = lockStamp();
  if (existsSync(installedStamp) && readFileSync(installedStamp, 'utf8') === stamp) return;
  console.error(
    'install: installing the dependencies (first run only; about a minute with a good connection) ...',
  );
  const code = await npm([
    existsSync(lockFile) ? 'ci' : 'install',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ]);
  if (code !== 0) {
    console.error('install: npm failed. environment.md lists the known messages and what to do.');
    process.exit(code);
  }
  writeFileSync(installedStamp, lockStamp());
}

export function ensureBuilt() {
  const run = spawnSync(process.execPath, [join(root, 'scripts', 'build.mjs'), '--if-stale'], {
    cwd: root,
    stdio: 'inherit',
  });
  if (run.status !== 0) process.exit(run.status ?? 1);
}
