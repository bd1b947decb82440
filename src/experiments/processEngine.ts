import { fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { NetssmError, projectRoot, type ProgressUpdate } from '../util';
import { QueueEngine, type RunningJob } from './baseEngine';
import type { JobTicket } from './jobEngine';

/** What a job's process tells the one that started it. */
export type FromJob =
  { progress: ProgressUpdate } | { failed: { code: string; message: string; hint?: string } };

/** The compiled program of a job: beside this file, or in dist/ when run from the sources. Undefined: not built. */
export function jobProgram(): string | undefined {
  return [join(__dirname, 'jobProcess.js'), join(projectRoot, 'dist', 'experiments', 'jobProcess.js')].find(
    (path) => existsSync(path),
  );
}

export interface ProcessEngineOptions {
  /** Processes at a time; default one a core. */
  jobs?: number;
  /** Cores that they share; default those of the machine (NETSSM_THREADS overrides). */
  cores?: number;
  /** What a process runs; default {@link jobProgram}. It gets the run's folder and the job's key. */
  program?: string;
}

/** After this long a job that was told to end is killed. */
const GRACE_MS = 10_000;
/** What of a process's last words is kept for its error. */
const LAST_WORDS = 2000;

/**
 * A process a job, cores / jobs threads each. A process that dies takes nothing but its own job with it, and one whose
 * starter has died ends by itself.
 *
 * @throws NetssmError `not_built` where the job's program is not there.
 */
export class ProcessEngine extends QueueEngine {
  private readonly program: string;

  constructor(options: ProcessEngineOptions = {}) {
    const cores = options.cores ?? (Number(process.env.NETSSM_THREADS) || availableParallelism());
    const jobs = Math.max(1, options.jobs ?? cores);
    super(jobs, Math.max(1, Math.floor(cores / jobs)));
    const program = options.program ?? jobProgram();
    if (program === undefined)
      throw new NetssmError('not_built', 'the program of a job is not built', {
        hint: 'Run `npm run build`.',
      });
    this.program = program;
  }

  protected start({ folder, key }: JobTicket, onProgress: (update: ProgressUpdate) => void): RunningJob {
    const child = fork(this.program, [folder, key], {
      env: { ...process.env, NETSSM_THREADS: String(this.threads) },
      execArgv: [],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let words = '';
    let failed: Extract<FromJob, { failed: unknown }>['failed'] | undefined;
    let timer: NodeJS.Timeout | undefined;
    child.stderr?.on('data', (text) => (words = (words + String(text)).slice(-LAST_WORDS)));
    child.on('message', (message) => {
      const told = message as FromJob;
      if ('progress' in told) onProgress(told.progress);
      else failed = told.failed;
    });
    const ended = new Promise<void>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => {
        clearTimeout(timer);
        if (code === 0) resolve();
        else reject(failure(key, code, signal, failed, words));
      });
    });
    return {
      ended,
      stop: () => {
        child.kill('SIGTERM');
        timer = setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
      },
    };
  }
}

function failure(
  key: string,
  code: number | null,
  signal: NodeJS.Signals | null,
  told: { code: string; message: string; hint?: string } | undefined,
  words: string,
): NetssmError {
  if (told) return new NetssmError(told.code, told.message, { hint: told.hint });
  const how = signal === null ? `with code ${code}` : `by ${signal}`;
  const last = words.trim().split('\n').slice(-3).join(' ');
  return new NetssmError('job_died', `the process of ${key} ended ${how}${last ? `: ${last}` : ''}`, {
    hint:
      signal === 'SIGKILL'
        ? 'The machine may have run out of memory: try fewer --jobs.'
        : 'Repeat the command: finished jobs are kept.',
  });
}
