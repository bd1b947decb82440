import { NetssmError, Rng } from '../util';
import type { Split, TokenDataset } from './meta';
import { PADDING, PKT } from './vocabulary';

export interface BatchOptions {
  dataset: TokenDataset;
  split: Split;
  /** Tokens a row. */
  rowLen: number;
  /** Rows a batch: the number of parallel streams. */
  batch: number;
  seed: number;
  /** Another epoch, another order. */
  epoch: number;
  /** Inputs have the label in the place of every `<|pkt|>`: see labelReading.ts. Default false. */
  labelEveryPacket?: boolean;
}

/** `batch` rows of `rowLen` tokens, row-major: element [b, t] is at b * rowLen + t. */
export interface TokenBatch {
  /** int32 [batch, rowLen]. */
  tokens: Int32Array;
  /** int32 [batch, rowLen]: the token after each. */
  targets: Int32Array;
  /** int32 [batch, rowLen]: 1 where a new sequence begins, i.e. where the state before this token is the empty one. */
  starts: Int32Array;
  /** float32 [batch, rowLen]: how many times the target counts for the loss; 0: not at all. */
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

/** Inputs [from, to) of a sequence, i.e. its tokens there; their targets are one further. */
interface Piece {
  sequence: number;
  from: number;
  to: number;
}

/** Label and `<|pkt|>` before a piece that begins inside a sequence. */
export const PREFIX = 2;

const inputsOf = (piece: Piece) => piece.to - piece.from + (piece.from > 0 ? PREFIX : 0);

/**
 * Plans one epoch of a split in parallel streams: the shuffled sequences end to end, cut into `batch` streams. Row b of
 * batch i + 1 goes on where row b of batch i stopped, so the recurrent state is carried over; it is reset where
 * `starts` is 1. The same options give the same batches, whatever was asked for before.
 *
 * Every token of every sequence but its label is a target exactly once. A stream may begin inside a sequence; then it
 * is led in by the label and `<|pkt|>` ("packets before this one are not shown"), which carry no loss, so a model does
 * not learn that a session may begin anywhere. Sequences of a layout that keeps state from packet to packet are not
 * cut: nobody could read the second half. The last token of a sequence is no input: nothing follows it.
 */
export function planBatches(options: BatchOptions): BatchPlan {
  const { dataset, split, rowLen, batch, seed, epoch, labelEveryPacket = false } = options;
  checkRows(rowLen, batch);
  const rng = new Rng(`batches/${seed}/${epoch}/${split}`);
  const order: number[] = [];
  dataset.sequences.forEach((s, i) => {
    if (s.split === split && s.length > 1) order.push(i);
  });
  rng.shuffle(order);
  const lossTokens = order.reduce((sum, i) => sum + dataset.sequences[i].length - 1, 0);
  // lanes[b]: what row b of each batch runs through.
  const lanes = cutStreams(dataset, order, batch);
  const offsets = lanes.map((lane) => {
    const at = [0];
    for (const piece of lane) at.push(at[at.length - 1] + inputsOf(piece));
    return at;
  });
  const longest = offsets.reduce((most, at) => Math.max(most, at[at.length - 1]), 0);
  const batches = Math.ceil(longest / rowLen);

  return {
    batches,
    batch,
    rowLen,
    lossTokens,
    at(index) {
      if (!(index >= 0 && index < batches)) throw new RangeError(`batch ${index} of ${batches}`);
      const out = emptyBatch(batch, rowLen);
      for (let b = 0; b < batch; b++)
        fillRow(dataset, lanes[b], offsets[b], index * rowLen, out, b, rowLen, labelEveryPacket);
      return out;
    },
  };
}

/** @throws NetssmError `batch_options`. */
export function checkRows(rowLen: number, batch: number): void {
  for (const [name, value, least] of [
    ['rowLen', rowLen, PREFIX + 1],
    ['batch', batch, 1],
  ] as const) {
    if (!Number.isInteger(value) || value < least) {
      throw new NetssmError(
        'batch_options',
        `${name} must be a whole number of at least ${least}, not ${value}`,
        {
          exitCode: 2,
        },
      );
    }
  }
}

/** Rows of padding, each from the empty state. */
export function emptyBatch(batch: number, rowLen: number): TokenBatch {
  const n = batch * rowLen;
  const starts = new Int32Array(n);
  // Padding begins from the empty state, like any sequence; rows overwrite this where they have tokens.
  for (let b = 0; b < batch; b++) starts[b * rowLen] = 1;
  return {
    tokens: new Int32Array(n).fill(PADDING),
    targets: new Int32Array(n).fill(PADDING),
    starts,
    mask: new Float32Array(n),
    lossTokens: 0,
  };
}

/** Writes positions [position, position + rowLen) of a lane into row b. */
function fillRow(
  dataset: TokenDataset,
  lane: readonly Piece[],
  offsets: readonly number[],
  position: number,
  out: TokenBatch,
  b: number,
  rowLen: number,
  labelEveryPacket: boolean,
): void {
  const row = b * rowLen;
  const end = position + rowLen;
  let i = lastAtMost(offsets, position);
  if (i < lane.length) out.starts[row] = 0;
  for (; i < lane.length && offsets[i] < end; i++) {
    const piece = lane[i];
    const prefix = piece.from > 0 ? PREFIX : 0;
    // Positions within the piece.
    const first = Math.max(0, position - offsets[i]);
    const last = Math.min(offsets[i + 1] - offsets[i], end - offsets[i]);
    const to = row + offsets[i] - position;
    if (first === 0) out.starts[to] = 1;
    const label = dataset.tokens(piece.sequence, 0, 1)[0];
    const separator = labelEveryPacket ? label : PKT;
    if (first < prefix) {
      for (let k = first; k < Math.min(prefix, last); k++) {
        out.tokens[to + k] = k === 0 ? label : separator;
        out.targets[to + k] = k === 0 ? PKT : dataset.tokens(piece.sequence, piece.from, piece.from + 1)[0];
      }
    }
    const begin = Math.max(first, prefix);
    if (begin >= last) continue;
    const at = piece.from + begin - prefix;
    const tokens = dataset.tokens(piece.sequence, at, at + (last - begin) + 1);
    for (let k = 0; k < last - begin; k++) {
      out.tokens[to + begin + k] = tokens[k] === PKT ? separator : tokens[k];
      out.targets[to + begin + k] = tokens[k + 1];
      out.mask[to + begin + k] = 1;
    }
    out.lossTokens += last - begin;
  }
  const filled = Math.max(0, offsets[offsets.length - 1] - position);
  if (filled < rowLen) out.starts[row + filled] = 1;
}

/** Cuts the sequences, end to end, into `streams` parts of about the same length, at packet boundaries. */
function cutStreams(dataset: TokenDataset, order: readonly number[], streams: number): Piece[][] {
  const total = order.reduce((sum, i) => sum + dataset.sequences[i].length - 1, 0);
  const lanes: Piece[][] = Array.from({ length: streams }, () => []);
  if (dataset.layout.stateful) {
    const filled = new Array<number>(streams).fill(0);
    for (const sequence of order) {
      const lane = filled.indexOf(Math.min(...filled));
      const to = dataset.sequences[sequence].length - 1;
      lanes[lane].push({ sequence, from: 0, to });
      filled[lane] += to;
    }
    return lanes;
  }
  let lane = 0;
  let done = 0;
  for (const sequence of order) {
    const inputs = dataset.sequences[sequence].length - 1;
    let from = 0;
    while (from < inputs) {
      const laneEnd = Math.ceil((total * (lane + 1)) / streams);
      let to = inputs;
      if (lane < streams - 1 && done + inputs - from > laneEnd) {
        to = nextBoundary(dataset, sequence, from + Math.max(1, laneEnd - done), inputs);
      }
      lanes[lane].push({ sequence, from, to });
      done += to - from;
      from = to;
      while (lane < streams - 1 && done >= Math.ceil((total * (lane + 1)) / streams)) lane++;
    }
  }
  return lanes;
}

/** The first packet boundary at or after `at`: the place behind a `<|pkt|>`. `end` where there is none. */
function nextBoundary(dataset: TokenDataset, sequence: number, at: number, end: number): number {
  for (let from = at - 1; from < end; from += 4096) {
    const found = dataset.tokens(sequence, from, Math.min(end, from + 4096)).indexOf(PKT);
    if (found >= 0) return Math.min(end, from + found + 1);
  }
  return end;
}

/** Index of the last element that is at most `value` (sorted ascending, the first at most `value`). */
export function lastAtMost(sorted: readonly number[], value: number): number {
  let low = 0;
  let high = sorted.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= value) low = middle;
    else high = middle;
  }
  return low;
}
