/** The first cell of every notebook. */
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { version } from '..';
import type { Engine, EngineName } from '../tensor';
import { formatNumber, projectRoot, Rng } from '../util';
import { showBundle } from './display';
import { fastMode } from './params';

/** What {@link setup} takes; everything has a default. */
export interface SetupOptions {
  /** Root of every random number in the notebook. */
  seed?: number;
  /** Smaller sizes; the default is what `run-notebook --fast` asks for. */
  fast?: boolean;
  /** A tfjs engine to start, or `none` for notebooks that only read captures. */
  engine?: EngineName | 'none';
}

/** What {@link setup} gives. */
export interface NotebookContext {
  seed: number;
  rng: Rng;
  fast: boolean;
  /** Undefined with `engine: 'none'`. */
  engine: Engine | undefined;
  /** The project's folder, for paths to `data/` from wherever the notebook lies. */
  root: string;
  /** What was printed: versions, engine, seed, commit. */
  environment: Record<string, string>;
}

/** Starts the engine and shows what this notebook runs on, so that a saved copy says how its numbers came about. */
export async function setup(options: SetupOptions = {}): Promise<NotebookContext> {
  const seed = options.seed ?? 1;
  const fast = options.fast ?? fastMode();
  let engine: Engine | undefined;
  if (options.engine !== 'none') {
    // Here and not above: importing the tensor part costs a second, and notebooks without a model need none of it.
    const { useEngine } = await import('../tensor/index.js');
    engine = await useEngine(options.engine);
  }
  const environment: Record<string, string> = {
    netssm: `${version}${commit()}`,
    node: process.version,
    tslab: packageVersion('tslab'),
    ...(engine ? { tfjs: engine.tf.version_core, engine: describeEngine(engine) } : {}),
    seed: String(seed),
    mode: fast ? 'fast (small sizes: the numbers show that it runs, not how good it gets)' : 'full',
    platform: `${process.platform} ${process.arch}`,
  };
  const lines = Object.entries(environment).map(([name, value]) => `${name.padEnd(9)} ${value}`);
  showBundle({ 'text/plain': lines.join('\n') });
  return { seed, rng: new Rng(seed), fast, engine, root: projectRoot, environment };
}

/** `native, 92 GFLOP/s`, with the engine's own remark. */
export function describeEngine(engine: Engine): string {
  const note = engine.note ? ` (${engine.note})` : '';
  return `${engine.name}, ${formatNumber(engine.gflops, 2)} GFLOP/s${note}`;
}

function packageVersion(name: string): string {
  const requireHere = createRequire(__filename);
  return (requireHere(`${name}/package.json`) as { version: string }).version;
}

/** ` (abc1234)` in a git checkout that has git; nothing elsewhere. */
function commit(): string {
  if (!existsSync(join(projectRoot, '.git'))) return '';
  try {
    const hash = execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      cwd: projectRoot,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return ` (${hash.trim()})`;
  } catch {
    return ''; // the commit is a courtesy, not a need
  }
}
