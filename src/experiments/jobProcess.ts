/** The process of one job: `node jobProcess.js RUN_FOLDER KEY`. A cluster's job script runs the same line. */
import { describeError } from './baseEngine';
import { runJob } from './job';
import type { FromJob } from './processEngine';
import { findExperiment } from './registry';

const [folder, key] = process.argv.slice(2);
const controller = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => controller.abort());
// Whoever started this is gone, so nobody waits for it; all files are written atomically.
process.on('disconnect', () => process.exit(1));

const tell = (message: FromJob): Promise<void> =>
  new Promise((resolve) => {
    if (process.send) process.send(message, () => resolve());
    else resolve();
  });

let told = 0;
void runJob(findExperiment, folder, key, {
  threads: Number(process.env.NETSSM_THREADS) || 1,
  signal: controller.signal,
  onProgress: (progress) => {
    if (Date.now() - told < 200) return;
    told = Date.now();
    void tell({ progress });
  },
}).then(
  // Engines and thread pools that are still open must not keep a finished job waiting.
  () => process.exit(0),
  async (error: unknown) => {
    const failed = describeError(error);
    await tell({ failed });
    if (!process.send) process.stderr.write(`${failed.message}\n${failed.hint ?? ''}\n`);
    else if (process.env.NETSSM_DEBUG === '1' && error instanceof Error)
      process.stderr.write(`${error.stack}\n`);
    process.exit(controller.signal.aborted ? 130 : 1);
  },
);
