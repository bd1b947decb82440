import { spawnSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { projectRoot, readJson } from '../util';

/** env.json: where and how a run was made. Nothing here decides its numbers, as far as one machine and engine go. */
export interface RunEnvironment {
  /** ISO 8601, UTC. */
  started: string;
  finished: string | null;
  /** The command that makes the run, or goes on with it. */
  command: string;
  netssm: string;
  /** Commit of the sources, with `+` where files were changed; null outside a repository. */
  commit: string | null;
  node: string;
  platform: string;
  processor: string;
  cores: number;
  memoryBytes: number;
  /** Jobs at a time, and threads of each. */
  jobs: number;
  threads: number;
  /** NETSSM_ENGINE, where it is set. */
  engine: string | null;
  /** Of this call's start to its end, and of all jobs of the run. */
  wallSeconds: number;
  jobSeconds: number;
}

export function describeEnvironment(command: string, jobs: number, threads: number): RunEnvironment {
  const processors = cpus();
  return {
    started: new Date().toISOString(),
    finished: null,
    command,
    netssm: readJson<{ version: string }>(join(projectRoot, 'package.json')).version,
    commit: commitOf(projectRoot),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    processor: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryBytes: totalmem(),
    jobs,
    threads,
    engine: process.env.NETSSM_ENGINE || null,
    wallSeconds: 0,
    jobSeconds: 0,
  };
}

function commitOf(folder: string): string | null {
  const git = (...args: string[]): string | undefined => {
    const run = spawnSync('git', args, { cwd: folder, encoding: 'utf8', timeout: 5000 });
    return run.status === 0 ? run.stdout.trim() : undefined;
  };
  const commit = git('rev-parse', '--short=12', 'HEAD');
  if (!commit) return null;
  return git('status', '--porcelain', '--untracked-files=no', '--', 'src', 'native') === ''
    ? commit
    : `${commit}+`;
}
