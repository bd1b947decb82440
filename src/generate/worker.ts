import { parentPort, workerData } from 'node:worker_threads';
import { NetssmError } from '../util';
import { drawAll } from './decode';
import type { TraceHooks } from './decode';
import { toJob } from './spec';
import type { Stepper } from './stepper';
import type { FromWorker, WorkerStart } from './workers';

// The thread that runInWorkers starts: draws traces, some at a time, until none is left.
const { config, weights, decoder, together, count, spec, start, packets, control } =
  workerData as WorkerStart;
const send = (message: FromWorker) => parentPort!.postMessage(message);
const aborted = () => Atomics.load(control, 0) !== 0;

async function openStepper(): Promise<Stepper> {
  if (decoder === undefined) {
    const { StepModel } = await import('../model/index.js');
    return new StepModel(config, weights) as Stepper;
  }
  const { loadNative, nativeFailure } = await import('../tensor/native/index.js');
  const { attachStepper } = await import('./nativeStepper.js');
  const library = await loadNative();
  if (!library) throw nativeFailure() ?? new NetssmError('native_load', 'no native library in this thread');
  // The threads that draw keep the cores busy by themselves.
  return attachStepper(library, config, decoder, false) as Stepper;
}

function next() {
  if (aborted()) return undefined;
  const index = Atomics.add(control, 1, 1);
  if (index >= count) return undefined;
  let told = 0;
  const hooks: TraceHooks = {
    aborted,
    onFrame: packets ? (frame, prompt) => send({ packet: { trace: index, frame, prompt } }) : undefined,
    onTokens: (tokens, done) => {
      if (Date.now() - told < 100) return;
      told = Date.now();
      send({ index, tokens, packets: done });
    },
  };
  return { job: toJob(spec, index), hooks };
}

void openStepper()
  .then((stepper) =>
    drawAll(stepper, next, start, together, (trace) => {
      send({ index: trace.index, tokens: trace.report.tokens, packets: trace.report.packets });
      send({ trace });
    }),
  )
  .then(() => send({ done: true }));
