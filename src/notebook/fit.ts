import { basename } from 'node:path';
import { fit as train, type FitOptions, type History } from '../train';
import { tokenFieldsOf } from '../viz';
import { LiveTraining } from './liveTraining';
import { samplePackets } from './samplePackets';

/** What {@link fit} takes: all that `netssm/train`'s takes, and what to show. */
export interface LiveFitOptions extends FitOptions {
  /** Above the chart. Default: the run folder's name. */
  title?: string;
  /** Packets drawn and shown at each evaluation; 0: none. Default 3. */
  samplePackets?: number;
  /** Label of those packets. Default: each label in turn. */
  sampleLabel?: string;
}

/**
 * `fit` of `netssm/train` with its eyes open: a bar with rate and remaining time, a chart of training and validation
 * loss, by label and by header field, the evaluations, and a few packets that the model draws at each of them.
 *
 * The interrupt button ends the run after the current update: model, checkpoint and history are kept, the cell ends
 * normally, and later cells can use what it gives. With `resume: true` the run goes on.
 *
 * @throws what `fit` of `netssm/train` throws; `memory_exceeded` comes before anything is computed.
 * @example
 * const history = await fit({ run: 'runs/a', data: 'out/tokens', engine, config: { steps: 500 } });
 */
export async function fit(options: LiveFitOptions): Promise<History> {
  const {
    title = `training ${basename(options.run)}`,
    samplePackets: packets = 3,
    sampleLabel,
    ...rest
  } = options;
  const live = new LiveTraining(title);
  const { tf } = options.engine;
  let evaluations = 0;
  let [tensorsAtFirst, tensorsAtLast] = [-1, -1];
  const history = await train({
    ...rest,
    fields: options.fields ?? tokenFieldsOf(),
    onStart: (start) => {
      live.onStart(start);
      options.onStart?.(start);
    },
    onStep: (metrics) => {
      live.onStep(metrics);
      options.onStep?.(metrics);
    },
    onProgress: (update) => {
      live.onProgress(update);
      options.onProgress?.(update);
    },
    onEval: async (metrics, model) => {
      live.onEval(metrics);
      if (packets > 0) {
        const { labels } = model.vocabulary;
        const label = sampleLabel ?? labels[evaluations % labels.length];
        // Training on another engine, nobody wants to wait for the native decoder's compiler.
        const engine = options.engine.name === 'native' ? 'native' : 'loops';
        const drawn = await samplePackets(model, { label, packets, engine });
        live.onSample({ step: metrics.step, label, packets: drawn });
      }
      evaluations++;
      await options.onEval?.(metrics, model);
      tensorsAtLast = tf.memory().numTensors;
      if (tensorsAtFirst < 0) tensorsAtFirst = tensorsAtLast;
    },
  });
  const leaked = tensorsAtLast - tensorsAtFirst;
  if (leaked > 0)
    history.notes.push(
      `${leaked} tensors more at the last evaluation than at the first: something that was called meanwhile does not dispose of its own`,
    );
  live.finish(history);
  return history;
}
