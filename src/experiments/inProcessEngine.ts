import type { ProgressUpdate } from '../util';
import { QueueEngine, type RunningJob } from './baseEngine';
import type { Experiment } from './experiment';
import { runJob } from './job';
import type { JobTicket } from './jobEngine';

/** Jobs one after the other in this process: for notebooks, tests, and where no process can be started. */
export class InProcessEngine extends QueueEngine {
  constructor(
    private readonly find: (name: string) => Experiment,
    threads = 1,
  ) {
    super(1, threads);
  }

  protected start({ folder, key }: JobTicket, onProgress: (update: ProgressUpdate) => void): RunningJob {
    const controller = new AbortController();
    const { signal } = controller;
    return {
      ended: runJob(this.find, folder, key, { threads: this.threads, signal, onProgress }).then(() => {}),
      stop: () => controller.abort(),
    };
  }
}
