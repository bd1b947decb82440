import { NetssmError, type OnProgress } from '../util';
import { SmoothedTable } from './smoothedTable';
import { tokenEvents, type TokenEvents, type TokenSource } from './tokenEvents';
import { TokenMixture } from './tokenMixture';

/** How well a baseline without a neural network predicts the held-out tokens. */
export interface TokenBaseline {
  /** `bigram`, `position`, `mixture-flow`, `mixture-direction`. */
  name: string;
  /**
   * `baseline`: a bar for a model. `oracle`: a reference that is also told who sends each packet before its first byte,
   * which decides most of the header (addresses, ports, numbers of that direction).
   */
  role: 'baseline' | 'oracle';
  /** One sentence for tables, with the choices that cross-validation made. */
  description: string;
  /** Mean loss a held-out token, in nats. */
  lossNats: number;
  /** Held-out tokens: all but the labels. */
  tokens: number;
  /** Held-out loss in bits, divided by the held-out packets. */
  bitsPerPacket: number;
  /** Tokens that it was fitted on. */
  trainTokens: number;
}

export interface TokenBaselineOptions {
  /** Split to fit on; also all that smoothing and weights are chosen on. Default `train`. */
  splitTrain?: string;
  /** Split to judge on. Default `test`. */
  splitTest?: string;
  /** Training tokens that are used at most: whole sequences, the labels in turn. Default 20 million. */
  maxTokens?: number;
  /**
   * Held-out tokens that are judged at most: all sequences are cut to the same length, exactly as `evaluateLoss` cuts
   * them for the same number. Default: all.
   */
  maxTestTokens?: number;
  onProgress?: OnProgress;
}

/** Parts that cross-validation leaves out in turn. */
const FOLDS = 4;

/**
 * What a sequence model is held against, judged on exactly the tokens that its loss counts:
 * 1. `bigram`: each token from the token before it;
 * 2. `position`: each token from its position in the packet;
 * 3. `mixture-flow`: both, and the token at the same position of the flow's previous packet in either direction;
 * 4. `mixture-direction` (an oracle): the same with the flow's previous packet in the same direction.
 *
 * The mixtures know which flow a packet belongs to, which no model knows before it has read the packet. Smoothing,
 * mixture weights and the use of the label are chosen by cross-validation over the training captures.
 *
 * @throws NetssmError `split_empty` where a split has no tokens.
 */
export function fitTokenBaselines(dataset: TokenSource, options: TokenBaselineOptions = {}): TokenBaseline[] {
  const { splitTrain = 'train', splitTest = 'test', maxTokens = 20_000_000, onProgress } = options;
  const { maxTestTokens = Infinity } = options;
  const trainSequences = ofSplit(dataset, splitTrain, maxTokens);
  const testSequences = ofSplit(dataset, splitTest, Infinity);
  const train = tokenEvents(dataset, trainSequences, folds(dataset, trainSequences));
  const cap = lengthCap(
    testSequences.map((i) => dataset.sequences[i].length - 1),
    maxTestTokens,
  );
  const test = tokenEvents(dataset, testSequences, () => 0, cap);
  const report = (done: number, detail: string): void =>
    onProgress?.({ done, total: 4, unit: 'baselines', detail });
  report(0, 'counting');

  const labels = dataset.vocabulary.labels.length;
  const symbols = dataset.vocabulary.size;
  let positions = 1;
  for (let i = 0; i < train.count; i++) positions = Math.max(positions, train.position[i] + 1);
  const bigram = new SmoothedTable(symbols, symbols, labels, FOLDS);
  const unigram = new SmoothedTable(positions, symbols, labels, FOLDS);
  for (let i = 0; i < train.count; i++) {
    bigram.add(train.fold[i], train.label[i], train.previous[i], train.symbol[i]);
    unigram.add(train.fold[i], train.label[i], train.position[i], train.symbol[i]);
  }
  const results: TokenBaseline[] = [];
  const add = (name: string, description: string, loss: number): void => {
    results.push({
      name,
      role: name === 'mixture-direction' ? 'oracle' : 'baseline',
      description,
      lossNats: loss / test.count,
      tokens: test.count,
      bitsPerPacket: loss / Math.LN2 / Math.max(1, test.packets),
      trainTokens: train.count,
    });
    report(results.length, name);
  };
  bigram.fit();
  const trainBigram = probabilities(bigram, train, train.previous, true);
  const testBigram = probabilities(bigram, test, test.previous, false);
  add('bigram', `byte bigram (${bigram.description})`, lossOf(testBigram));
  unigram.fit();
  const trainPosition = probabilities(unigram, train, train.position, true);
  const clipped = test.position.map((p) => Math.min(p, positions - 1));
  const testPosition = probabilities(unigram, test, clipped, false);
  add('position', `byte unigram by position in the packet (${unigram.description})`, lossOf(testPosition));

  for (const [name, copy, which] of [
    ['mixture-flow', 'copyFlow', 'either direction'],
    ['mixture-direction', 'copyDirection', 'the same direction'],
  ] as const) {
    const mixture = new TokenMixture(copy, positions, labels);
    mixture.fit(train, trainBigram, trainPosition);
    add(
      name,
      `bigram, position and the byte at the same position of the flow's previous packet in ${which}; weights by ` +
        `position${mixture.usesLabel ? ' and label' : ''} (mean weight of the copy ${mixture.copyWeight(test).toFixed(2)})`,
      mixture.loss(test, testBigram, testPosition),
    );
  }
  return results;
}

/** The best of the baselines, oracles left out. */
export function bestBaseline<T extends { lossNats: number; role?: string }>(baselines: readonly T[]): T {
  return baselines
    .filter(({ role }) => role !== 'oracle')
    .reduce((best, b) => (b.lossNats < best.lossNats ? b : best));
}

/** Sequences of a split, the labels in turn, until there are `maxTokens`. */
function ofSplit(dataset: TokenSource, split: string, maxTokens: number): number[] {
  const byLabel = new Map<string, number[]>();
  dataset.sequences.forEach((sequence, i) => {
    if (sequence.split !== split || sequence.length < 2) return;
    const list = byLabel.get(sequence.label);
    if (list) list.push(i);
    else byLabel.set(sequence.label, [i]);
  });
  if (byLabel.size === 0) {
    const known = [...new Set(dataset.sequences.map((s) => s.split))].join(', ') || 'none';
    throw new NetssmError('split_empty', `the dataset has no tokens in split "${split}"`, {
      hint: `Splits with sequences: ${known}.`,
    });
  }
  const chosen: number[] = [];
  let tokens = 0;
  const lists = [...byLabel.values()];
  const rounds = Math.max(...lists.map((list) => list.length));
  for (let round = 0; round < rounds; round++) {
    for (const list of lists) {
      if (round >= list.length) continue;
      const length = dataset.sequences[list[round]].length - 1;
      if (chosen.length > 0 && tokens + length > maxTokens) continue;
      chosen.push(list[round]);
      tokens += length;
    }
  }
  return chosen.sort((x, y) => x - y);
}

/** The largest whole number c >= 1 with sum(min(length, c)) <= budget. */
function lengthCap(lengths: readonly number[], budget: number): number {
  const sorted = [...lengths].sort((x, y) => x - y);
  let before = 0;
  for (const [i, length] of sorted.entries()) {
    const cap = Math.floor((budget - before) / (sorted.length - i));
    if (cap < length) return Math.max(1, cap);
    before += length;
  }
  return sorted[sorted.length - 1];
}

/** Captures dealt to folds label by label; a single capture is cut into runs of packets. */
function folds(
  dataset: TokenSource,
  sequences: readonly number[],
): (sequence: number, packet: number) => number {
  const foldOfSource = new Map<number, number>();
  const perLabel = new Map<string, number>();
  for (const i of sequences) {
    const { source, label } = dataset.sequences[i];
    if (foldOfSource.has(source)) continue;
    const n = perLabel.get(label) ?? 0;
    perLabel.set(label, n + 1);
    // Labels start at different folds, so that few captures a label still fill every fold.
    foldOfSource.set(source, (n + perLabel.size - 1) % FOLDS);
  }
  if (foldOfSource.size > 1) return (i) => foldOfSource.get(dataset.sequences[i].source) as number;
  return (i, packet) =>
    Math.min(FOLDS - 1, Math.floor((packet * FOLDS) / (dataset.sequences[i].packets || 1)));
}

/** Probability of every event; with `leftOut`, from a table that has not counted the event's own fold. */
function probabilities(
  table: SmoothedTable,
  events: TokenEvents,
  context: Uint16Array,
  leftOut: boolean,
): Float32Array {
  const p = new Float32Array(events.count);
  for (let i = 0; i < p.length; i++) {
    const fold = leftOut ? events.fold[i] : undefined;
    p[i] = table.probability(events.label[i], context[i], events.symbol[i], fold);
  }
  return p;
}

function lossOf(p: Float32Array): number {
  let loss = 0;
  for (let i = 0; i < p.length; i++) loss -= Math.log(p[i]);
  return loss;
}
