import { NetssmError, type ProgressUpdate } from '../util';
import type { JobEngine, JobStatus, JobTicket } from './jobEngine';

/** One job under way: how to end it, and when it has. */
export interface RunningJob {
  ended: Promise<void>;
  stop(): void;
}

interface Entry {
  ticket: JobTicket;
  status: JobStatus;
  running?: RunningJob;
  /** Told to end; it stays `running` until it has. */
  stopping: boolean;
  /** Settles when the job has left the queue for good. */
  finished: Promise<void>;
  finish: () => void;
}

/** The queue that engines of this machine share: at most `jobs` at once, in the order in which they were submitted. */
export abstract class QueueEngine implements JobEngine {
  private readonly entries = new Map<string, Entry>();
  private readonly waiting: string[] = [];
  private active = 0;
  private waker?: () => void;
  private stale = false;

  constructor(
    readonly jobs: number,
    readonly threads: number,
  ) {}

  /** Starts a job; `ended` rejects where it fails. */
  protected abstract start(ticket: JobTicket, onProgress: (update: ProgressUpdate) => void): RunningJob;

  submit(ticket: JobTicket): string {
    const id = String(this.entries.size + 1);
    let finish = (): void => {};
    const finished = new Promise<void>((resolve) => (finish = resolve));
    this.entries.set(id, { ticket, status: { state: 'waiting' }, stopping: false, finished, finish });
    this.waiting.push(id);
    this.next();
    return id;
  }

  poll(id: string): JobStatus {
    return this.entry(id).status;
  }

  async cancel(id: string): Promise<void> {
    const entry = this.entry(id);
    const { state } = entry.status;
    if (state === 'waiting') {
      this.waiting.splice(this.waiting.indexOf(id), 1);
      this.settle(entry, { state: 'cancelled' });
    } else if (state === 'running') {
      entry.stopping = true;
      entry.running?.stop();
      await entry.finished;
    }
  }

  async changed(milliseconds: number): Promise<void> {
    if (!this.stale) {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.waker = resolve;
        timer = setTimeout(resolve, milliseconds);
      });
      clearTimeout(timer);
    }
    this.stale = false;
    this.waker = undefined;
  }

  private entry(id: string): Entry {
    const entry = this.entries.get(id);
    if (!entry) throw new NetssmError('job_unknown', `no job ${id} was submitted to this engine`);
    return entry;
  }

  private next(): void {
    while (this.active < this.jobs) {
      const id = this.waiting.shift();
      if (id === undefined) return;
      void this.launch(this.entry(id));
    }
  }

  private async launch(entry: Entry): Promise<void> {
    this.active++;
    entry.status = { state: 'running' };
    this.wake();
    let outcome: JobStatus;
    try {
      entry.running = this.start(entry.ticket, (progress) => {
        if (entry.status.state === 'running') entry.status = { state: 'running', progress };
      });
      if (entry.stopping) entry.running.stop();
      await entry.running.ended;
      outcome = { state: 'done' };
    } catch (cause) {
      outcome = { state: 'failed', error: describeError(cause) };
    }
    this.active--;
    // One that was quicker than its end has written its result, and is done.
    const cancelled = entry.stopping && outcome.state !== 'done';
    this.settle(entry, cancelled ? { state: 'cancelled' } : outcome);
    this.next();
  }

  private settle(entry: Entry, status: JobStatus): void {
    entry.status = status;
    entry.finish();
    this.wake();
  }

  private wake(): void {
    this.stale = true;
    this.waker?.();
  }
}

export function describeError(cause: unknown): { code: string; message: string; hint?: string } {
  const known = cause instanceof NetssmError ? cause : undefined;
  const message = cause instanceof Error ? cause.message : String(cause);
  return { code: known?.code ?? 'unexpected', message, ...(known?.hint && { hint: known.hint }) };
}
