import type { SmoothedTable } from './smoothedTable';
import type { TokenEvents } from './tokenEvents';

/** Weights of bigram, position and copy for one kind of token. */
type Mix = [number, number, number];

/** Pseudo-tokens by which a label's own weights are drawn towards those of all labels together. */
const LABEL_PRIOR = 30;
const ITERATIONS = 25;

/**
 * p = w1 bigram + w2 unigram-by-position + w3 [token = the one at this position of the flow's previous packet], with
 * weights by position and by whether there is such a token to copy, fitted by expectation-maximisation on
 * probabilities that leave the predicted token's own fold out. Weights that also depend on the label are tried, and
 * kept where they predict left-out data better.
 */
export class TokenMixture {
  private weights: Mix[] = [];
  private byLabel = false;

  constructor(
    private readonly copy: 'copyFlow' | 'copyDirection',
    private readonly bigram: SmoothedTable,
    private readonly unigram: SmoothedTable,
    private readonly positions: number,
    private readonly labels: number,
  ) {}

  get usesLabel(): boolean {
    return this.byLabel;
  }

  /** @param p1 left-out bigram probability of each event; @param p2 the same by position */
  fit(events: TokenEvents, p1: Float32Array, p2: Float32Array): void {
    if (this.labels > 1) {
      // Two-fold: weights from the even folds judged on the odd ones, and the other way round.
      let plain = 0;
      let labelled = 0;
      for (const odd of [0, 1]) {
        const inPart = (i: number): boolean => (events.fold[i] & 1) === odd;
        const shared = this.em(events, p1, p2, inPart, false);
        plain += this.lossOf(events, p1, p2, (i) => !inPart(i), shared, false);
        const own = this.em(events, p1, p2, inPart, true, shared);
        labelled += this.lossOf(events, p1, p2, (i) => !inPart(i), own, true);
      }
      this.byLabel = labelled < plain;
    }
    const all = (): boolean => true;
    const shared = this.em(events, p1, p2, all, false);
    this.weights = this.byLabel ? this.em(events, p1, p2, all, true, shared) : shared;
  }

  /** Total loss of events in nats. */
  loss(events: TokenEvents): number {
    const { count, label, previous, position, symbol } = events;
    let loss = 0;
    for (let i = 0; i < count; i++) {
      const a = this.bigram.probability(label[i], previous[i], symbol[i]);
      const b = this.unigram.probability(label[i], Math.min(position[i], this.positions - 1), symbol[i]);
      const w = this.weights[this.group(events, i, this.byLabel)];
      loss -= Math.log(w[0] * a + w[1] * b + (events[this.copy][i] === symbol[i] ? w[2] : 0));
    }
    return loss;
  }

  /** Mean weight of the copy over tokens that have one. */
  copyWeight(events: TokenEvents): number {
    let sum = 0;
    let n = 0;
    for (let i = 0; i < events.count; i++) {
      if (events[this.copy][i] < 0) continue;
      sum += this.weights[this.group(events, i, this.byLabel)][2];
      n++;
    }
    return n === 0 ? 0 : sum / n;
  }

  private group(events: TokenEvents, i: number, byLabel: boolean): number {
    const position = Math.min(events.position[i], this.positions - 1);
    const g = position * 2 + (events[this.copy][i] >= 0 ? 1 : 0);
    return byLabel ? events.label[i] * this.positions * 2 + g : g;
  }

  private em(
    events: TokenEvents,
    p1: Float32Array,
    p2: Float32Array,
    use: (i: number) => boolean,
    byLabel: boolean,
    prior?: Mix[],
  ): Mix[] {
    const shared = this.positions * 2;
    const groups = byLabel ? shared * this.labels : shared;
    let weights: Mix[] = Array.from({ length: groups }, (_, g) =>
      prior ? [...prior[g % shared]] : g % 2 === 1 ? [0.3, 0.3, 0.4] : [0.5, 0.5, 0],
    );
    const copied = events[this.copy];
    for (let iteration = 0; iteration < ITERATIONS; iteration++) {
      const sums = new Float64Array(groups * 3);
      for (let i = 0; i < events.count; i++) {
        if (!use(i)) continue;
        const g = this.group(events, i, byLabel);
        const w = weights[g];
        const a = w[0] * p1[i];
        const b = w[1] * p2[i];
        const c = copied[i] === events.symbol[i] ? w[2] : 0;
        const total = a + b + c;
        sums[g * 3] += a / total;
        sums[g * 3 + 1] += b / total;
        sums[g * 3 + 2] += c / total;
      }
      weights = weights.map((_, g) => {
        // Never exactly certain: a weight of 0 for the smoothed parts would give a first miss no probability at all.
        const start: Mix = prior ? prior[g % shared] : [0.5, 0.5, 0];
        const strength = prior ? LABEL_PRIOR : 1;
        const mix = [0, 1, 2].map((k) => sums[g * 3 + k] + strength * start[k]);
        const total = mix[0] + mix[1] + mix[2];
        return [mix[0] / total, mix[1] / total, mix[2] / total] as Mix;
      });
    }
    return weights;
  }

  private lossOf(
    events: TokenEvents,
    p1: Float32Array,
    p2: Float32Array,
    use: (i: number) => boolean,
    weights: Mix[],
    byLabel: boolean,
  ): number {
    let loss = 0;
    for (let i = 0; i < events.count; i++) {
      if (!use(i)) continue;
      const w = weights[this.group(events, i, byLabel)];
      const c = events[this.copy][i] === events.symbol[i] ? w[2] : 0;
      loss -= Math.log(w[0] * p1[i] + w[1] * p2[i] + c);
    }
    return loss;
  }
}
