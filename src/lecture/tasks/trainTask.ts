import { AdamW, DEFAULT_ADAMW, learningRate, macrotask, withInterrupt, type ScheduleName } from '../../train';
import { crossEntropySum, valuesOf, vectorJacobian } from '../../tensor';
import { NetssmError, Rng } from '../../util';
import type { SequenceNet } from '../nets';
import { evaluateTask, type TaskScore } from './evaluateTask';
import { taskBatch, type SequenceTask, type TaskBatch } from './task';
import { tensorsOfBatch } from './tensors';

/** Options of {@link trainTask}. */
export interface TrainTaskOptions {
  /** Updates. */
  steps: number;
  /** Examples an update. Default 16. */
  batchSize?: number;
  /** Highest learning rate. Default 3e-3. */
  lr?: number;
  /** How it moves after the warm-up. Default `cosine`, down to a hundredth. */
  schedule?: ScheduleName;
  /** Updates in which the rate rises. Default a twentieth of them. */
  warmupSteps?: number;
  /** Largest global norm of the gradients. Default 1. */
  clipNorm?: number;
  /** Root of the examples. Default 1. */
  seed?: number;
  /** What to practise with, by the share of updates that are done, 0 to 1. Default: the task. Evaluations are always the task. */
  practice?: (share: number) => SequenceTask;
  /** An evaluation every so many updates, and at the end. Default a twentieth of them; 0: only at the end. */
  evalEvery?: number;
  /** Examples of an evaluation. Default 64. */
  evalExamples?: number;
  /** After each update, awaited: whoever draws holds the training up meanwhile. */
  onUpdate?: (update: TaskUpdate) => void | Promise<void>;
  /** Ends the training after the current update, as Ctrl-C does. */
  signal?: AbortSignal;
}

/** One update. */
export interface TaskUpdate {
  /** From 1. */
  update: number;
  steps: number;
  /** Mean nats an answer in this update's batch, before it. */
  lossNats: number;
  /** Seconds of training so far, evaluations left out. */
  seconds: number;
  /** Where one was made after this update. */
  evaluation?: TaskEvaluation;
}

/** An evaluation during training. */
export interface TaskEvaluation extends TaskScore {
  /** Updates done. */
  update: number;
  seconds: number;
}

/** What {@link trainTask} returns. */
export interface TaskHistory {
  task: string;
  mixer: string;
  parameters: number;
  /** Updates done. */
  updates: number;
  /** All asked for, or told to stop. */
  stopped: 'steps' | 'interrupt';
  /** Seconds of training, evaluations left out. */
  seconds: number;
  /** Mean nats an answer, by update. */
  losses: number[];
  evals: TaskEvaluation[];
}

/**
 * Trains a net on fresh examples of a task with AdamW, in place. Same seed and engine, same result.
 *
 * Ctrl-C (a notebook's interrupt button) ends it after the current update; net and history are then as they are.
 * @throws NetssmError `net_vocabulary` for a net with fewer ids than the task, `loss_not_finite`.
 * @example
 * const task = selectiveCopyingTask({ length: 256, symbols: 16, tokensToCopy: 16 });
 * const net = makeNet(tf, { mixer: 'mamba1', vocab_size: task.vocab_size, d_model: 64, n_layer: 2 }, 1);
 * const { evals } = await trainTask(net, task, { steps: 500 });
 */
export function trainTask(
  net: SequenceNet,
  task: SequenceTask,
  options: TrainTaskOptions,
): Promise<TaskHistory> {
  if (net.config.vocab_size < task.vocab_size) {
    throw new NetssmError(
      'net_vocabulary',
      `the net knows ${net.config.vocab_size} ids, ${task.name} has ${task.vocab_size}`,
      { hint: 'Make it with vocab_size: task.vocab_size.', exitCode: 2 },
    );
  }
  return withInterrupt(options.signal, (signal) => train(net, task, options, signal));
}

async function train(
  net: SequenceNet,
  task: SequenceTask,
  {
    steps,
    batchSize = 16,
    lr = 3e-3,
    schedule = 'cosine',
    warmupSteps = Math.ceil(steps / 20),
    clipNorm = 1,
    seed = 1,
    evalEvery = Math.ceil(steps / 20),
    evalExamples = 64,
    practice = () => task,
    onUpdate,
  }: TrainTaskOptions,
  signal: AbortSignal,
): Promise<TaskHistory> {
  // A memory of 50 updates: what the gradients look like changes with the practice.
  const optimizer = new AdamW(net.weights, { ...DEFAULT_ADAMW, beta2: 0.98 });
  const rng = new Rng(seed).split('training');
  const rates = { name: schedule, lr, warmupSteps, decaySteps: steps, minShare: 0.01 };
  const history: TaskHistory = {
    task: task.name,
    mixer: net.config.mixer,
    parameters: net.parameters,
    updates: 0,
    stopped: 'steps',
    seconds: 0,
    losses: [],
    evals: [],
  };
  const evaluate = (): TaskEvaluation => {
    const score = evaluateTask(net, task, { examples: evalExamples, batchSize: 2 * batchSize, seed });
    const evaluation = { ...score, update: history.updates, seconds: history.seconds };
    history.evals.push(evaluation);
    return evaluation;
  };
  while (history.updates < steps) {
    const started = performance.now();
    const { lossNats, gradients, dispose } = lossAndGradients(
      net,
      taskBatch(practice(history.updates / steps), batchSize, rng),
    );
    const norm = optimizer.clippedStep(gradients, learningRate(rates, history.updates), clipNorm);
    dispose();
    if (!Number.isFinite(lossNats) || !Number.isFinite(norm)) {
      throw new NetssmError(
        'loss_not_finite',
        `the loss of update ${history.updates + 1} is ${lossNats}, its gradient norm ${norm}`,
        { hint: 'A lower lr, more warmupSteps or a smaller clipNorm helps.' },
      );
    }
    net.refresh();
    const update = ++history.updates;
    history.seconds += (performance.now() - started) / 1000;
    history.losses.push(lossNats);
    const due = update === steps || (evalEvery > 0 && update % evalEvery === 0);
    const evaluation = due ? evaluate() : undefined;
    await onUpdate?.({ update, steps, lossNats, seconds: history.seconds, evaluation });
    await macrotask();
    if (signal.aborted && update < steps) {
      history.stopped = 'interrupt';
      if (!due) evaluate();
      break;
    }
  }
  return history;
}

/** Mean loss of the batch's answers and its gradients; `dispose` frees what they may lie in. */
function lossAndGradients(
  net: SequenceNet,
  batch: TaskBatch,
): { lossNats: number; gradients: Record<string, Float32Array>; dispose: () => void } {
  const { tf, params } = net;
  const names = Object.keys(params);
  const answers = batch.mask.reduce((sum, value) => sum + value, 0);
  const inputs = tensorsOfBatch(tf, batch);
  const { outputs, gradients } = vectorJacobian(
    tf,
    () => {
      const loss = crossEntropySum(tf, net.forward(inputs.tokens), inputs.targets, inputs.mask);
      return [{ output: loss, gradient: tf.scalar(1 / answers) }];
    },
    names.map((name) => params[name]),
  );
  return {
    lossNats: outputs[0].dataSync()[0] / answers,
    gradients: Object.fromEntries(names.map((name, i) => [name, valuesOf(tf, gradients[i])])),
    dispose: () => tf.dispose([...Object.values(inputs), ...outputs, ...gradients]),
  };
}
