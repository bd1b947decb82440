import { planBatches, planPieces, type TokenBatch, type TokenDataset } from '../tokens';
import { NetssmError, type Rng } from '../util';
import type { TrainConfig } from './config';
import { Renumbering } from './renumber';

/** The next batch to be read. Rows of pieces have no epochs: there the index goes on counting. */
export interface BatchPosition {
  epoch: number;
  index: number;
}

/** A batch, and whether it begins an epoch: then no state is carried into it. */
export interface NextBatch {
  batch: TokenBatch;
  fresh: boolean;
}

/** The batches of an epoch, or of the whole run. */
interface Plan {
  /** Infinity where the plan never ends. */
  batches: number;
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
      fresh ||= this.position.index === 0;
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
    const { openings, endings, headWeight, evenLabels, shortestPiece, phase } = this.config;
    const rows = {
      dataset: this.dataset,
      split: 'train',
      rowLen: contextLen,
      batch: batchSize,
      seed,
      labelEveryPacket: this.labelEveryPacket,
    } as const;
    if (mode === 'stream') return planBatches({ ...rows, epoch: this.position.epoch });
    const change = (rng: Rng) => {
      const numbers = new Renumbering(rng, { addresses: rng.split('fresh').uniform() < freshAddresses });
      return numbers.change.bind(numbers);
    };
    const plan = planPieces({
      ...rows,
      openings,
      endings,
      headWeight,
      evenLabels,
      shortest: shortestPiece ?? undefined,
      phase: phase ?? undefined,
      change: renumber ? change : undefined,
    });
    return { batches: Infinity, at: (index) => plan.at(index) };
  }
}
