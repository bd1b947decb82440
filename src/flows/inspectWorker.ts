/** The thread of inspectMany.ts: takes a file, gives its row. */
import { parentPort } from 'node:worker_threads';
import { NetssmError } from '../util';
import { inspectCapture } from './inspect';
import type { InspectAnswer, InspectTask } from './inspectMany';

const answer = (message: InspectAnswer): void => parentPort!.postMessage(message);

parentPort!.on('message', ({ id, file, options }: InspectTask) => {
  let last = 0;
  const onPackets = (packets: number): void => {
    const now = Date.now();
    if (now - last < 200) return;
    last = now;
    answer({ id, packets });
  };
  inspectCapture(file, { ...options, onPackets }).then(
    (row) => answer({ id, row }),
    (error: unknown) => {
      // Anything else is a bug, and ends the thread with its stack.
      if (!(error instanceof NetssmError)) {
        setImmediate(() => {
          throw error;
        });
        return;
      }
      const { code, message, hint, exitCode } = error;
      answer({ id, error: { code, message, hint, exitCode } });
    },
  );
});
