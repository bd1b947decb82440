import type { TokenEvents } from './tokenEvents';

/** Pseudo-tokens by which a label's own weights are drawn towards those of all labels together. */
const LABEL_PRIOR = 30;
const ITERATIONS = 30;

/** What the mixture needs of each token: which weights apply, whether the copy is right, the parts' probabilities. */
interface Prepared {
  group: Int32Array;
  hit: Uint8Array;
  p1: Float32Array;
  p2: Float32Array;
}

/**
 * p = w1 bigram + w2 unigram-by-position + w3 [token = the one at this position of the flow's previous packet], with
 * weights by position and by whether there is such a token to copy, fitted by expectation-maximisation on
 * probabilities that leave the predicted token's own fold out. Weights that also depend on the label are tried, and
 * kept where they predict left-out data better.
 */
export class TokenMixture {
  /** Three weights a group. */
  private weights: Float64Array = new Float64Array(0);
  private byLabel = false;

  constructor(
    private readonly copy: 'copyFlow' | 'copyDirection',
    private readonly positions: number,
    private readonly labels: number,
  ) {}

  get usesLabel(): boolean {
    return this.byLabel;
  }

  /** @param p1 left-out bigram probability of each event; @param p2 the same by position */
  fit(events: TokenEvents, p1: Float32Array, p2: Float32Array): void {
    const plain = this.prepare(events, p1, p2, false);
    if (this.labels > 1) {
      const labelled = this.prepare(events, p1, p2, true);
      // Two-fold: weights from the even folds judged on the odd ones, and the other way round.
      const parts = [0, 1].map((odd) => eventsOf(events, odd));
      let gain = 0;
      for (const odd of [0, 1]) {
        const shared = this.em(plain, parts[odd], false);
        const own = this.em(labelled, parts[odd], true, shared);
        gain += lossOf(plain, shared, parts[1 - odd]) - lossOf(labelled, own, parts[1 - odd]);
      }
      this.byLabel = gain > 0;
      if (this.byLabel) {
        this.weights = this.em(labelled, null, true, this.em(plain, null, false));
        return;
      }
    }
    this.weights = this.em(plain, null, false);
  }

  /** Total loss of events in nats, from each event's bigram and position probability. */
  loss(events: TokenEvents, p1: Float32Array, p2: Float32Array): number {
    return lossOf(this.prepare(events, p1, p2, this.byLabel), this.weights, null);
  }

  /** Mean weight of the copy over tokens that have one. */
  copyWeight(events: TokenEvents): number {
    let sum = 0;
    let n = 0;
    for (let i = 0; i < events.count; i++) {
      if (events[this.copy][i] < 0) continue;
      sum += this.weights[this.group(events, i, this.byLabel) * 3 + 2];
      n++;
    }
    return n === 0 ? 0 : sum / n;
  }

  private group(events: TokenEvents, i: number, byLabel: boolean): number {
    const position = Math.min(events.position[i], this.positions - 1);
    const g = position * 2 + (events[this.copy][i] >= 0 ? 1 : 0);
    return byLabel ? events.label[i] * this.positions * 2 + g : g;
  }

  private prepare(events: TokenEvents, p1: Float32Array, p2: Float32Array, byLabel: boolean): Prepared {
    const group = new Int32Array(events.count);
    const hit = new Uint8Array(events.count);
    for (let i = 0; i < events.count; i++) {
      group[i] = this.group(events, i, byLabel);
      hit[i] = events[this.copy][i] === events.symbol[i] ? 1 : 0;
    }
    return { group, hit, p1, p2 };
  }

  private em(data: Prepared, use: Int32Array | null, byLabel: boolean, prior?: Float64Array): Float64Array {
    const shared = this.positions * 2;
    const groups = byLabel ? shared * this.labels : shared;
    const strength = prior ? LABEL_PRIOR : 1;
    // A pseudo-count keeps the smoothed parts above 0, else a copy's first miss would have no probability at all.
    const start = new Float64Array(groups * 3);
    for (let g = 0; g < groups; g++) {
      for (let k = 0; k < 3; k++) start[g * 3 + k] = prior ? prior[(g % shared) * 3 + k] : k < 2 ? 0.5 : 0;
    }
    const weights = start.slice();
    if (!prior) for (let g = 1; g < groups; g += 2) weights.set([0.3, 0.3, 0.4], g * 3);
    const { group, hit, p1, p2 } = data;
    const n = use ? use.length : group.length;
    for (let iteration = 0; iteration < ITERATIONS; iteration++) {
      const sums = start.map((x) => x * strength);
      for (let j = 0; j < n; j++) {
        const i = use ? use[j] : j;
        const g = group[i] * 3;
        const a = weights[g] * p1[i];
        const b = weights[g + 1] * p2[i];
        const c = hit[i] * weights[g + 2];
        const scale = 1 / (a + b + c);
        sums[g] += a * scale;
        sums[g + 1] += b * scale;
        sums[g + 2] += c * scale;
      }
      for (let g = 0; g < groups * 3; g += 3) {
        const total = sums[g] + sums[g + 1] + sums[g + 2];
        for (let k = g; k < g + 3; k++) weights[k] = sums[k] / total;
      }
    }
    return weights;
  }
}

function lossOf(data: Prepared, weights: Float64Array, use: Int32Array | null): number {
  const { group, hit, p1, p2 } = data;
  const n = use ? use.length : group.length;
  let loss = 0;
  for (let j = 0; j < n; j++) {
    const i = use ? use[j] : j;
    const g = group[i] * 3;
    loss -= Math.log(weights[g] * p1[i] + weights[g + 1] * p2[i] + hit[i] * weights[g + 2]);
  }
  return loss;
}

/** Indices of the events of even (0) or odd (1) folds. */
function eventsOf(events: TokenEvents, odd: number): Int32Array {
  const indices = new Int32Array(events.count);
  let n = 0;
  for (let i = 0; i < events.count; i++) if ((events.fold[i] & 1) === odd) indices[n++] = i;
  return indices.subarray(0, n);
}
