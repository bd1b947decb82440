import { planPieces, type Split, type TokenDataset } from '../../tokens';
import type { Rng } from '../../util';
import { makeNet, type NetConfig, type SequenceNet } from '../nets';
import { evaluateTask, trainTask, type SequenceTask } from '../tasks';
import type { TF } from '../../tensor';
import { netOperations } from './operations';

/** Rows of a data set's sessions as a task: say the next token, everywhere. */
export function captureTask(dataset: TokenDataset, split: Split, length: number, seed = 1): SequenceTask {
  const plan = planPieces({ dataset, split, rowLen: length, batch: 1, seed, openings: 0.5 });
  return {
    name: `next token of ${split} captures`,
    vocab_size: dataset.vocabulary.size,
    length,
    chance: 1 / dataset.vocabulary.size,
    example: (rng: Rng) => {
      const { tokens, targets, mask } = plan.at(rng.int(1_000_000));
      // Targets that do not count are padding, which is no question.
      return { tokens, targets: targets.map((target, i) => (mask[i] === 0 ? 0 : target)), mask };
    },
  };
}

/** A held-out loss on the way. */
export interface ComputePoint {
  updates: number;
  /** Counted operations of the training so far: three times those of the forward passes. */
  operations: number;
  seconds: number;
  /** Mean nats a token of captures that are not trained on. */
  lossNats: number;
}

/** One net's training. */
export interface ComputeCurve {
  name: string;
  config: NetConfig;
  parameters: number;
  /** Operations a token of a training row, counted. */
  operationsPerToken: number;
  points: ComputePoint[];
}

export interface EqualComputeOptions {
  dataset: TokenDataset;
  /** Operations that each net may spend. */
  operations: number;
  /** Tokens a row. Default 256. */
  length?: number;
  /** Rows an update. Default 8. */
  batchSize?: number;
  lr?: number;
  /** Default 1. */
  seed?: number;
  /** Held-out losses on the way. Default 8. */
  evaluations?: number;
  /** Rows of an evaluation. Default 24. */
  evalRows?: number;
  onPoint?: (name: string, point: ComputePoint) => void;
}

/**
 * Trains nets on the same captures, each for as many updates as the same number of operations pays for: a net whose tokens
 * are dear sees fewer of them. Same seed, same result; the seconds are those of this machine.
 */
export async function trainAtEqualCompute(
  tf: TF,
  configs: Readonly<Record<string, NetConfig>>,
  options: EqualComputeOptions,
): Promise<ComputeCurve[]> {
  const { dataset, operations, length = 256, batchSize = 8, lr = 3e-3, seed = 1 } = options;
  const { evaluations = 8, evalRows = 24, onPoint } = options;
  const train = captureTask(dataset, 'train', length, seed);
  const held = captureTask(dataset, 'validation', length, seed);
  const curves: ComputeCurve[] = [];
  for (const [name, config] of Object.entries(configs)) {
    const operationsPerToken = 3 * netOperations(config, length).total;
    const perUpdate = operationsPerToken * length * batchSize;
    const steps = Math.max(1, Math.round(operations / perUpdate));
    const every = Math.max(1, Math.floor(steps / evaluations));
    const net: SequenceNet = makeNet(tf, config, seed);
    const points: ComputePoint[] = [];
    const look = (updates: number, seconds: number): void => {
      const { lossNats } = evaluateTask(net, held, { examples: evalRows, batchSize, seed });
      const point = { updates, operations: updates * perUpdate, seconds, lossNats };
      points.push(point);
      onPoint?.(name, point);
    };
    try {
      look(0, 0);
      await trainTask(net, train, {
        steps,
        batchSize,
        lr,
        seed,
        evalEvery: 0,
        evalExamples: 1,
        onUpdate: ({ update, seconds }) => {
          if (update === steps || update % every === 0) look(update, seconds);
        },
      });
    } finally {
      net.dispose();
    }
    curves.push({ name, config, parameters: net.parameters, operationsPerToken, points });
  }
  return curves;
}
