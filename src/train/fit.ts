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
  onStep?: (metrics: StepMetrics) => void;
  /** After each evaluation, and awaited: whoever looks at the model or draws from it holds the run up meanwhile. */
  onEval?: (metrics: EvalMetrics, model: ModelInTraining) => void | Promise<void>;
  /** Names the tokens' fields, for losses by field in each evaluation. */
  fields?: TokenFieldNames;
  /** Ends the run after the current step, as Ctrl-C does: everything is saved and the history returned. */
  signal?: AbortSignal;
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
      return await new TrainingLoop(options, prepared, signal).train();
    } finally {
      prepared.dataset.close();
    }
  });
}
