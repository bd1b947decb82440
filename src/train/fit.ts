import type { MambaConfig, Weights } from '../model';
import type { Engine } from '../tensor';
import type { TokenDataset, Vocabulary } from '../tokens';
import type { OnProgress } from '../util';
import type { TrainConfig } from './config';
import type { TokenFieldNames } from './evaluateLoss';
import { withInterrupt } from './interrupt';
import { TrainingLoop } from './loop';
import type { EvalMetrics, StepMetrics } from './metrics';
import { prepareRun } from './prepare';

export interface FitOptions {
  /** Run folder; made if absent. */
  run: string;
  /** Dataset folder. */
  data: string;
  /** Settings that differ from {@link DEFAULT_TRAIN}; when resuming, from the run's train.json (steps, maxSeconds, patience). */
  config?: Partial<TrainConfig>;
  engine: Engine;
  /** Go on from the run's checkpoint. */
  resume?: boolean;
  /** Let a new run replace the one in the folder; without it that is an error. */
  overwrite?: boolean;
  onProgress?: OnProgress;
  /** Once, before the first update: settings as they are with all defaults, and what is worth knowing so far. */
  onStart?: (start: RunStart) => void;
  onStep?: (metrics: StepMetrics) => void;
  /** After each evaluation, and awaited: whoever looks at the model or draws from it holds the run up meanwhile. */
  onEval?: (metrics: EvalMetrics, model: ModelInTraining) => void | Promise<void>;
  /** Names the tokens' fields, for losses by field in each evaluation. */
  fields?: TokenFieldNames;
  /** Ends the run after the current step, as Ctrl-C does: everything is saved and the history returned. */
  signal?: AbortSignal;
}

/** What a run begins with. */
export interface RunStart {
  config: MambaConfig;
  train: TrainConfig;
  /** Updates already done: above 0 in a resumed run. */
  step: number;
  dataset: TokenDataset;
  /** In words: what memory the run takes if that is much, what differs from before ... */
  notes: readonly string[];
}

/** The model as it is after an update. Its weights change with the next one: copy what is to be kept. */
export interface ModelInTraining {
  config: MambaConfig;
  weights: Weights;
  vocabulary: Vocabulary;
  dataset: TokenDataset;
}

/** Why a run ended: all steps done, `maxSeconds` over, told to stop, or `patience` at its end. */
export type StopReason = 'steps' | 'time' | 'interrupt' | 'patience';

/** What {@link fit} returns. */
export interface History {
  run: string;
  stopped: StopReason;
  /** Updates done, over all calls. */
  step: number;
  /** Predicted tokens, over all calls. */
  tokens: number;
  /** Seconds of training, over all calls. */
  seconds: number;
  /** Share of this call's time, evaluations left out, that was spent outside the forward and backward passes. */
  overhead: number;
  parameters: number;
  /** All updates and evaluations, those before a resume too. */
  steps: StepMetrics[];
  evals: EvalMetrics[];
  /** The evaluation whose weights model.safetensors holds; null: it holds the last weights. */
  best: { step: number; lossNats: number } | null;
  /** Things worth knowing, in words. */
  notes: string[];
}

/**
 * Trains a model on a dataset folder, into a run folder.
 *
 * A run killed at any moment goes on from its last checkpoint with `resume`, and on the same engine its losses are
 * those of a run that was never killed, bit for bit.
 *
 * @throws NetssmError `train_config_invalid`, `run_exists`, `run_missing`, `run_settings_differ`, `split_empty`,
 * `loss_not_finite` (the last checkpoint stays).
 * @example
 * const engine = await useEngine();
 * const history = await fit({ run: 'runs/a', data: 'out/tokens', engine, config: { steps: 500, lr: 2e-3 } });
 */
export function fit(options: FitOptions): Promise<History> {
  return withInterrupt(options.signal, async (signal) => {
    const prepared = await prepareRun(options);
    try {
      const { config, train, dataset, checkpoint, notes } = prepared;
      const loop = new TrainingLoop(options, prepared, signal);
      options.onStart?.({ config, train, dataset, notes, step: checkpoint?.state.step ?? 0 });
      return await loop.train();
    } finally {
      prepared.dataset.close();
    }
  });
}
