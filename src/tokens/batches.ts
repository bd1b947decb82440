import type { Split, TokenDataset } from './meta';

/**
 * - `stream`: the shuffled sequences end to end, cut into `batch` parallel streams. Row b of batch i + 1 goes on where
 *   row b of batch i stopped, so the recurrent state is carried over; it is reset where `starts` is 1.
 * - `packed`: independent rows, each from the empty state: short sequences side by side, long ones cut at packet
 *   boundaries.
 */
export type PackMode = 'stream' | 'packed';

export interface PackOptions {
  dataset: TokenDataset;
  split: Split;
  /** Tokens a row. */
  rowLen: number;
  /** Rows a batch (`stream`: the number of parallel streams). */
  batch: number;
  mode: PackMode;
  seed: number;
  /** Another epoch, another order. */
  epoch: number;
}

/** `batch` rows of `rowLen` tokens, row-major: element [b, t] is at b * rowLen + t. */
export interface TokenBatch {
  /** int32 [batch, rowLen]. */
  tokens: Int32Array;
  /** int32 [batch, rowLen]: the token after each. */
  targets: Int32Array;
  /** int32 [batch, rowLen]: 1 where a new sequence begins, i.e. where the state before this token is the empty one. */
  starts: Int32Array;
  /** float32 [batch, rowLen]: 1 where the target counts for the loss. */
  mask: Float32Array;
  /** Sum of `mask`. */
  lossTokens: number;
}

/** One epoch of batches; any of them can be asked for at any time, so training resumes from an index. */
export interface BatchPlan {
  readonly batches: number;
  readonly batch: number;
  readonly rowLen: number;
  /** Targets that count, over the whole epoch. */
  readonly lossTokens: number;
  /** @throws RangeError unless 0 <= index < batches. */
  at(index: number): TokenBatch;
}
