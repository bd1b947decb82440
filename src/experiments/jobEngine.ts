import type { ProgressUpdate } from '../util';

/** What an engine is given: the run's folder and a key of its plan.json. Any machine that sees the folder can do it. */
export interface JobTicket {
  folder: string;
  key: string;
}

export type JobState = 'waiting' | 'running' | 'done' | 'failed' | 'cancelled';

/** Where a submitted job stands. */
export interface JobStatus {
  state: JobState;
  /** The job's last word on how far it is. */
  progress?: ProgressUpdate;
  /** Where it failed. */
  error?: { code: string; message: string; hint?: string };
}

/**
 * Who does the jobs: processes of this machine, or a cluster. A job writes its own result file, so an engine that forgets
 * everything loses nothing that was finished.
 */
export interface JobEngine {
  /** Threads that each job may use. */
  readonly threads: number;
  /** Queues a job and returns its number in this engine. Does not wait. */
  submit(ticket: JobTicket): string;
  /** @throws NetssmError `job_unknown`. */
  poll(id: string): JobStatus;
  /** Ends a job, or takes it from the queue; resolves when it has ended. Finished ones stay finished. */
  cancel(id: string): Promise<void>;
  /** Resolves when some job's state has changed since the last call, or after `milliseconds`. */
  changed(milliseconds: number): Promise<void>;
}
