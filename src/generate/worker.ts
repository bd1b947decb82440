import { parentPort, workerData } from 'node:worker_threads';
import { StepModel } from '../model';
import { decodeTrace } from './decode';
import { toJob } from './spec';
import type { Stepper } from './stepper';
import type { FromWorker, ToWorker, WorkerStart } from './workers';

// The thread that runInWorkers starts: draws the traces it is told to, one at a time.
const { config, weights, spec, start, packets, control } = workerData as WorkerStart;
const port = parentPort!;
const send = (message: FromWorker) => port.postMessage(message);

const stepper = new StepModel(config, weights) as Stepper;

port.on('message', ({ run: index }: ToWorker) => {
  let told = 0;
  void decodeTrace(stepper, toJob(spec, index), start, {
    aborted: () => Atomics.load(control, 0) !== 0,
    onFrame: packets ? (frame, prompt) => send({ packet: { trace: index, frame, prompt } }) : undefined,
    onTokens: (tokens, done) => {
      if (Date.now() - told < 100) return;
      told = Date.now();
      send({ index, tokens, packets: done });
    },
  }).then((trace) => {
    send({ index, tokens: trace.report.tokens, packets: trace.report.packets });
    send({ trace });
  });
});
send({ ready: true });
