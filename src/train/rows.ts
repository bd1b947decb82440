import { planBatches, type BatchPlan, type TokenBatch, type TokenDataset } from '../tokens';
import { NetssmError, Rng } from '../util';
import type { TrainConfig } from './config';
import { checkRenumber, renumberBatch } from './renumber';

/** The next batch to be read. */
export interface BatchPosition {
  epoch: number;
  index: number;
}

/** A batch, and whether it begins an epoch: then no state is carried into it. */
export interface NextBatch {
  batch: TokenBatch;
  fresh: boolean;
}

/** The batches of a run, epoch after epoch, each epoch in another order, from any position. */
export class Rows {
  private plan: BatchPlan;

  /** @throws NetssmError `split_empty` where there is nothing to train on. */
  constructor(
    private readonly dataset: TokenDataset,
    private readonly config: TrainConfig,
    readonly position: BatchPosition = { epoch: 0, index: 0 },
    private readonly idMap?: Int32Array,
  ) {
    if (config.renumber) checkRenumber(dataset, config.mode);
    this.plan = this.makePlan();
    if (this.plan.batches === 0 || this.plan.lossTokens === 0) {
      throw new NetssmError('split_empty', `${dataset.dir}: the training split has nothing to predict`, {
        hint: 'Build the data set from more captures, or with smaller validation and test shares.',
      });
    }
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
      const { epoch, index } = this.position;
      const batch = this.plan.at(this.position.index++);
      if (batch.lossTokens === 0) continue;
      // By position, so that a resumed run draws the same numbers.
      if (this.config.renumber)
        renumberBatch(batch, new Rng(`renumber/${this.config.seed}/${epoch}/${index}`));
      if (this.idMap) {
        for (const ids of [batch.tokens, batch.targets])
          for (let k = 0; k < ids.length; k++) ids[k] = this.idMap[ids[k]];
      }
      out.push({ batch, fresh });
      fresh = false;
    }
    return out;
  }

  private makePlan(): BatchPlan {
    const { batchSize, contextLen, mode, seed } = this.config;
    const { epoch } = this.position;
    return planBatches({
      dataset: this.dataset,
      split: 'train',
      rowLen: contextLen,
      batch: batchSize,
      mode,
      seed,
      epoch,
    });
  }
}
