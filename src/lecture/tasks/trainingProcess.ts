/** The process of one training that `trainCopying` starts: it gets a {@link TrainingOrder}, trains and sends weights back. */
import { useEngine } from '../../tensor';
import { NetssmError } from '../../util';
import { netOfWeights } from '../nets';
import { trainOnCopying, type FromTraining, type ToTraining } from './copyingOrder';

const controller = new AbortController();
const abort = () => controller.abort();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, abort);
// Whoever started this is gone, so nobody waits for it.
process.on('disconnect', () => process.exit(1));

const tell = (message: FromTraining): Promise<void> =>
  new Promise((resolve) => {
    if (process.send) process.send(message, () => resolve());
    else resolve();
  });

process.on('message', (message: ToTraining) => {
  if ('stop' in message) return abort();
  void run(message).then(
    // Thread pools that are still open must not keep a finished training waiting.
    () => process.exit(0),
    async (error: unknown) => {
      const { message: text, code, hint } = error as NetssmError;
      await tell({ failed: { code: error instanceof NetssmError ? code : 'training_failed', text, hint } });
      process.exit(1);
    },
  );
});

async function run(order: Exclude<ToTraining, { stop: true }>): Promise<void> {
  const { tf } = await useEngine();
  const net = netOfWeights(tf, order.config, order.weights);
  const history = await trainOnCopying(net, order, {
    signal: controller.signal,
    onUpdate: ({ evaluation }) => {
      if (evaluation) void tell({ evaluation });
    },
  });
  await tell({ history, weights: net.weights });
}
