import { emptyBatch, planBatches, planPieces, type TokenBatch, type TokenDataset } from '../tokens';
import { NetssmError, type Rng } from '../util';
import type { TrainConfig } from './config';
import { Renumbering } from './renumber';

/** The next batch to be read. Rows of pieces have no epochs: there the index goes on counting. */
export interface BatchPosition {
  epoch: number;
  index: number;
}

/** A batch, and whether no state is carried into it: it begins an epoch, or rows. */
export interface NextBatch {
  batch: TokenBatch;
  fresh: boolean;
}

/** The batches of an epoch, or of the whole run. */
interface Plan {
  /** Infinity where the plan never ends. */
  batches: number;
  /** Batches from one that begins with the empty state to the next such one; Infinity: only the first does. */
  carried: number;
  at(index: number): TokenBatch;
}

/** The batches of a run, from any position. */
export class Rows {
  private plan: Plan;

  /** @throws NetssmError `split_empty` where there is nothing to train on. */
  constructor(
    private readonly dataset: TokenDataset,
    private readonly config: TrainConfig,
    readonly position: BatchPosition = { epoch: 0, index: 0 },
    private readonly idMap?: Int32Array,
    /** See `label_every_packet` of the model's config. */
    private readonly labelEveryPacket = false,
  ) {
    if (!dataset.sequences.some(({ split, length }) => split === 'train' && length > 1)) {
      throw new NetssmError('split_empty', `${dataset.dir}: the training split has nothing to predict`, {
        hint: 'Build the data set from more captures, or with smaller validation and test shares.',
      });
    }
    this.plan = this.makePlan();
  }

  /** The next `n` batches that have something to predict. */
  next(n: number): NextBatch[] {
    const out: NextBatch[] = [];
    let fresh = false;
    while (out.length < n) {
      if (this.position.index >= this.plan.batches) {
        this.position.epoch++;
        this.position.index = 0;
        this.plan = this.makePlan();
      }
      fresh ||= this.position.index % this.plan.carried === 0;
      const batch = this.plan.at(this.position.index++);
      if (batch.lossTokens === 0) continue;
      if (this.idMap) {
        for (const ids of [batch.tokens, batch.targets])
          for (let k = 0; k < ids.length; k++) ids[k] = this.idMap[ids[k]];
      }
      out.push({ batch, fresh });
      fresh = false;
    }
    return out;
  }

  private makePlan(): Plan {
    const { batchSize, contextLen, mode, seed, renumber, freshAddresses } = this.config;
    const { openings, evenLabels, shortestPiece, phase, carryLen } = this.config;
    const rows = {
      dataset: this.dataset,
      split: 'train',
      rowLen: contextLen,
      batch: batchSize,
      seed,
      labelEveryPacket: this.labelEveryPacket,
    } as const;
    if (mode === 'stream') {
      const plan = planBatches({ ...rows, epoch: this.position.epoch });
      return { batches: plan.batches, carried: Infinity, at: (index) => plan.at(index) };
    }
    const change = (rng: Rng) => {
      const numbers = new Renumbering(rng, { addresses: rng.split('fresh').uniform() < freshAddresses });
      return numbers.change.bind(numbers);
    };
    const plan = planPieces({
      ...rows,
      rowLen: carryLen ?? contextLen,
      openings,
      evenLabels,
      shortest: shortestPiece ?? undefined,
      phase: phase ?? undefined,
      change: renumber ? change : undefined,
    });
    const parts = (carryLen ?? contextLen) / contextLen;
    let whole: TokenBatch;
    let wholeIndex = -1;
    const at = (index: number): TokenBatch => {
      const i = Math.floor(index / parts);
      if (i !== wholeIndex) [whole, wholeIndex] = [plan.at(i), i];
      return columns(whole, batchSize, (index % parts) * contextLen, contextLen);
    };
    return { batches: Infinity, carried: parts, at };
  }
}

/** Columns [from, from + length) of a batch of `rows` rows. */
function columns(batch: TokenBatch, rows: number, from: number, length: number): TokenBatch {
  const rowLen = batch.tokens.length / rows;
  if (length === rowLen) return batch;
  const out = emptyBatch(rows, length);
  for (let b = 0; b < rows; b++)
    for (const key of ['tokens', 'targets', 'starts', 'mask'] as const)
      out[key].set(batch[key].subarray(b * rowLen + from, b * rowLen + from + length), b * length);
  out.lossTokens = out.mask.reduce((sum, m) => sum + m, 0);
  return out;
}
