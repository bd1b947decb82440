import {
  derivedSizes,
  disposeStates,
  forward,
  type LayerState,
  type MambaConfig,
  type Params,
} from '../model';
import type { Engine } from '../tensor';
import { PADDING, PKT, type Split, type TokenDataset, type TokenSpan } from '../tokens';
import { NetssmError, type OnProgress } from '../util';
import { macrotask } from './interrupt';
import { LossTotals, type LossResult } from './lossTotals';

export interface EvaluateLossOptions {
  /** Most tokens to look at: every sequence is cut to the same length so that the sum fits. Default: all of them. */
  maxTokens?: number | null;
  /** Sequences side by side, and tokens a piece; they change speed, not results. */
  batch?: number;
  chunkLen?: number;
  /** Ids of the model for ids of the data set, where they differ (fine-tuned models). */
  idMap?: Int32Array;
  /** Names the tokens' fields; the result then has `perField`. `tokenFieldsOf` of netssm/viz does. */
  fields?: TokenFieldNames;
  /**
   * Only these tokens of a sequence count, by position; it is read from its beginning up to their end. A sequence of which
   * `maxTokens` leaves nothing that counts is left out, unless that is so of all. Default: all tokens.
   */
  window?: (dataset: TokenDataset, sequence: number) => TokenSpan | undefined;
  onProgress?: OnProgress;
  signal?: AbortSignal;
}

/** What each token of a sequence says, by its position in the sequence; undefined: nothing that has a name. */
export type TokenFieldNames = (dataset: TokenDataset, sequence: number) => readonly (string | undefined)[];

/** A place in the rows: part of a sequence. */
interface Piece {
  sequence: number;
  length: number;
  /** Position of the first token that counts. */
  from: number;
}

/**
 * Mean loss in nats a predicted token over whole sequences, each from the empty state, the state carried from piece to
 * piece. Exactly the tokens that count in training are predicted: everything but the label and padding.
 * @throws NetssmError `split_empty` where the split has nothing to predict.
 */
export async function evaluateLoss(
  engine: Engine,
  config: MambaConfig,
  params: Params,
  dataset: TokenDataset,
  split: Split,
  options: EvaluateLossOptions = {},
): Promise<LossResult> {
  const { tf } = engine;
  const L = options.chunkLen ?? 256;
  const rows = layOut(dataset, split, options);
  const B = rows.length;
  if (B === 0) {
    throw new NetssmError('split_empty', `${dataset.dir}: nothing to predict in the ${split} split`, {
      hint: 'Build the data set with a larger share for it.',
    });
  }
  const total = rows.flat().reduce((sum, { length, from }) => sum + length - from, 0);
  const readers = rows.map((row) => new RowReader(dataset, row, options.idMap, config.label_every_packet));
  const totals = new LossTotals();
  let states: LayerState[] | undefined;
  const tokens = new Int32Array(B * L);
  const targets = new Int32Array(B * L);
  const starts = new Int32Array(B * L);
  const sequences = new Int32Array(B * L);
  const positions = new Int32Array(B * L);
  const V = derivedSizes(config).padded_vocab_size;
  try {
    while (readers.some((reader) => reader.left > 0) && !options.signal?.aborted) {
      readers.forEach((reader, b) =>
        reader.fill(b * L, L, { tokens, targets, starts, sequences, positions }),
      );
      const out = tf.tidy(() => {
        const result = forward(tf, config, params, tf.tensor2d(tokens.slice(), [B, L], 'int32'), {
          states,
          starts: tf.tensor2d(starts.slice(), [B, L], 'int32'),
        });
        return { logits: result.logits, states: result.states.map(({ conv, ssm }) => ({ conv, ssm })) };
      });
      disposeStates(states ?? []);
      states = out.states;
      const logits = (await out.logits.data()) as Float32Array;
      out.logits.dispose();
      for (let i = 0; i < B * L; i++) {
        if (targets[i] < 0) continue;
        const label = dataset.sequences[sequences[i]].label;
        const field = options.fields?.(dataset, sequences[i])[positions[i]];
        totals.add(label, crossEntropy(logits, i * V, V, targets[i]), targets[i] < 256, field);
      }
      options.onProgress?.({ done: totals.count, total, unit: 'tokens' });
      await macrotask();
    }
  } finally {
    disposeStates(states ?? []);
  }
  return totals.result();
}

/** -log softmax(logits[at .. at + n))[target], in double. */
export function crossEntropy(logits: Float32Array, at: number, n: number, target: number): number {
  let max = -Infinity;
  for (let j = at; j < at + n; j++) if (logits[j] > max) max = logits[j];
  let sum = 0;
  for (let j = at; j < at + n; j++) sum += Math.exp(logits[j] - max);
  return Math.log(sum) + max - logits[at + target];
}

/** Spreads the sequences of a split over at most `batch` rows, longest first, each to the shortest row so far. */
function layOut(dataset: TokenDataset, split: Split, options: EvaluateLossOptions): Piece[][] {
  const { batch = 8, window } = options;
  let pieces: Piece[] = [];
  dataset.sequences.forEach((sequence, i) => {
    if (sequence.split !== split || sequence.length < 2) return;
    const span = window ? window(dataset, i) : { from: 1, to: sequence.length };
    if (span) pieces.push({ sequence: i, length: span.to, from: Math.max(1, span.from) });
  });
  const cap = lengthCap(
    pieces.map((piece) => piece.length - 1),
    options.maxTokens ?? Infinity,
  );
  const within = pieces.filter((piece) => piece.from <= cap);
  if (within.length > 0) {
    pieces = within;
    for (const piece of pieces) piece.length = Math.min(piece.length, cap + 1);
  }
  pieces.sort((a, b) => b.length - a.length || a.sequence - b.sequence);
  const rows = Array.from({ length: Math.min(batch, pieces.length) }, () => ({
    pieces: [] as Piece[],
    length: 0,
  }));
  for (const piece of pieces) {
    const shortest = rows.reduce((best, row) => (row.length < best.length ? row : best));
    shortest.pieces.push(piece);
    shortest.length += piece.length;
  }
  return rows.map((row) => row.pieces);
}

/** The largest whole number c >= 1 with sum(min(length, c)) <= budget. */
export function lengthCap(lengths: readonly number[], budget: number): number {
  const sorted = [...lengths].sort((a, b) => a - b);
  let before = 0;
  for (let i = 0; i < sorted.length; i++) {
    const cap = Math.floor((budget - before) / (sorted.length - i));
    if (cap < sorted[i]) return Math.max(1, cap);
    before += sorted[i];
  }
  return sorted.at(-1) ?? 1;
}

interface Buffers {
  tokens: Int32Array;
  /** -1 where nothing is predicted. */
  targets: Int32Array;
  starts: Int32Array;
  sequences: Int32Array;
  /** Of the target in its sequence. */
  positions: Int32Array;
}

/** Reads one row's pieces end to end. */
class RowReader {
  /** Tokens not read yet. */
  left: number;
  private piece = 0;
  private at = 0;

  constructor(
    private readonly dataset: TokenDataset,
    private readonly pieces: readonly Piece[],
    private readonly idMap: Int32Array | undefined,
    private readonly labelEveryPacket = false,
  ) {
    this.left = pieces.reduce((sum, piece) => sum + piece.length, 0);
  }

  /** Writes the next `count` tokens at `offset`; behind the last one padding without targets. */
  fill(offset: number, count: number, into: Buffers): void {
    into.tokens.fill(PADDING, offset, offset + count);
    into.targets.fill(-1, offset, offset + count);
    into.starts.fill(0, offset, offset + count);
    const id = (x: number) => (this.idMap ? this.idMap[x] : x);
    for (let to = offset; to < offset + count && this.left > 0;) {
      const { sequence, length, from } = this.pieces[this.piece];
      const n = Math.min(offset + count - to, length - this.at);
      const tokens = this.dataset.tokens(sequence, this.at, Math.min(this.at + n + 1, length));
      if (this.at === 0) into.starts[to] = 1;
      const separator = this.labelEveryPacket ? this.dataset.tokens(sequence, 0, 1)[0] : PKT;
      for (let k = 0; k < n; k++) {
        into.tokens[to + k] = id(tokens[k] === PKT ? separator : tokens[k]);
        into.sequences[to + k] = sequence;
        into.positions[to + k] = this.at + k + 1;
        const counts = k + 1 < tokens.length && this.at + k + 1 >= from && tokens[k + 1] !== PADDING;
        if (counts) into.targets[to + k] = id(tokens[k + 1]);
      }
      to += n;
      this.at += n;
      this.left -= n;
      if (this.at === length) {
        this.piece++;
        this.at = 0;
      }
    }
  }
}
