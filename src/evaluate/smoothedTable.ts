/**
 * Conditional distributions p(symbol | context) from counts, with everything that could be tuned tuned by
 * cross-validation on the counts themselves: the way and the amount of smoothing, and whether the label is part of
 * the context. Bars that a model has to pass must not be low for want of care.
 */

/**
 * How a context's counts give way to the distribution one level below (all contexts together, then uniform):
 * - `dirichlet`: `amount` pseudo-counts spread as that distribution has it;
 * - `wittenBell`: the same with `amount` times the number of distinct symbols seen in the context;
 * - `absolute`: `amount` taken off each seen symbol's count and spread.
 */
export interface Smoothing {
  kind: 'dirichlet' | 'wittenBell' | 'absolute';
  amount: number;
}

const CANDIDATES: readonly Smoothing[] = [
  ...[0.01, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 1e4, 1e5].map((amount) => ({
    kind: 'dirichlet' as const,
    amount,
  })),
  ...[0.03, 0.1, 0.3, 1, 3, 10, 100].map((amount) => ({ kind: 'wittenBell' as const, amount })),
  ...[0.1, 0.3, 0.5, 0.7, 0.9].map((amount) => ({ kind: 'absolute' as const, amount })),
];

/** Counts of one level: `groups` contexts by `symbols`, in all and by fold. */
class Level {
  readonly total: Uint32Array;
  readonly byFold: Uint32Array[];
  /** Tokens seen in a context: [fold][group] when that fold is left out; entry `folds` leaves nothing out. */
  private readonly seen: Float64Array[] = [];
  /** Distinct symbols likewise. */
  private readonly distinct: Float64Array[] = [];
  smoothing: Smoothing = { kind: 'wittenBell', amount: 1 };

  constructor(
    readonly groups: number,
    readonly symbols: number,
    readonly folds: number,
  ) {
    this.total = new Uint32Array(groups * symbols);
    this.byFold = Array.from({ length: folds }, () => new Uint32Array(groups * symbols));
  }

  add(fold: number, group: number, symbol: number): void {
    this.total[group * this.symbols + symbol]++;
    this.byFold[fold][group * this.symbols + symbol]++;
  }

  /** Sums that the probabilities need; call after the last `add`. */
  finish(): void {
    for (let fold = 0; fold <= this.folds; fold++) {
      const seen = new Float64Array(this.groups);
      const distinct = new Float64Array(this.groups);
      const out = this.byFold[fold];
      for (let g = 0, i = 0; g < this.groups; g++) {
        for (let x = 0; x < this.symbols; x++, i++) {
          const n = this.total[i] - (out ? out[i] : 0);
          if (n > 0) {
            seen[g] += n;
            distinct[g]++;
          }
        }
      }
      this.seen.push(seen);
      this.distinct.push(distinct);
    }
  }

  /** p(symbol | group) with `fold` left out (`folds`: nothing left out), over `base` = p one level below. */
  probability(fold: number, group: number, symbol: number, base: number, smoothing = this.smoothing): number {
    const i = group * this.symbols + symbol;
    const out = this.byFold[fold];
    const n = this.total[i] - (out ? out[i] : 0);
    const seen = this.seen[fold][group];
    if (seen === 0) return base;
    const distinct = this.distinct[fold][group];
    if (smoothing.kind === 'absolute') {
      return (Math.max(0, n - smoothing.amount) + smoothing.amount * distinct * base) / seen;
    }
    const pseudo = smoothing.kind === 'dirichlet' ? smoothing.amount : smoothing.amount * distinct;
    return (n + pseudo * base) / (seen + pseudo);
  }

  /** Sets the smoothing of least left-out loss and returns that loss, in nats over all counted tokens. */
  choose(base: (fold: number, group: number, symbol: number) => number): number {
    const cells: { fold: number; group: number; symbol: number; n: number; base: number }[] = [];
    for (let fold = 0; fold < this.folds; fold++) {
      const counts = this.byFold[fold];
      for (let i = 0; i < counts.length; i++) {
        if (counts[i] === 0) continue;
        const group = Math.floor(i / this.symbols);
        const symbol = i - group * this.symbols;
        cells.push({ fold, group, symbol, n: counts[i], base: base(fold, group, symbol) });
      }
    }
    let best = Infinity;
    for (const candidate of CANDIDATES) {
      let loss = 0;
      for (const c of cells) {
        loss -= c.n * Math.log(this.probability(c.fold, c.group, c.symbol, c.base, candidate));
      }
      if (loss < best) {
        best = loss;
        this.smoothing = candidate;
      }
    }
    return best;
  }
}

/** Counts above this many cells are not kept by label (the label-conditional variant is then not tried). */
const MAX_CELLS = 40_000_000;

export class SmoothedTable {
  private readonly levels: Level[];
  private labelled = false;

  /**
   * @param contexts number of contexts (previous tokens, or positions)
   * @param symbols size of the vocabulary
   * @param folds parts that cross-validation leaves out in turn, at least 2
   */
  constructor(
    private readonly contexts: number,
    private readonly symbols: number,
    labels: number,
    private readonly folds: number,
  ) {
    this.levels = [new Level(1, symbols, folds), new Level(contexts, symbols, folds)];
    if (labels > 1 && labels * contexts * symbols * (folds + 1) <= MAX_CELLS) {
      this.levels.push(new Level(labels * contexts, symbols, folds));
    }
  }

  /** True where the variant that also knows the label was the better one. */
  get usesLabel(): boolean {
    return this.labelled;
  }

  /** In words, for tables: `Witten-Bell 0.3, by label`. */
  get description(): string {
    const names = { dirichlet: 'Dirichlet', wittenBell: 'Witten-Bell', absolute: 'absolute discount' };
    const { kind, amount } = this.levels[this.labelled ? 2 : 1].smoothing;
    return `${names[kind]} ${amount}${this.labelled ? ', by label' : ''}`;
  }

  add(fold: number, label: number, context: number, symbol: number): void {
    this.levels[0].add(fold, 0, symbol);
    this.levels[1].add(fold, context, symbol);
    this.levels[2]?.add(fold, label * this.contexts + context, symbol);
  }

  /** Chooses smoothing and label use; call once, after the last `add`. */
  fit(): void {
    for (const level of this.levels) level.finish();
    const uniform = 1 / this.symbols;
    this.levels[0].choose(() => uniform);
    const plain = this.levels[1].choose((fold, _g, x) => this.levels[0].probability(fold, 0, x, uniform));
    if (!this.levels[2]) return;
    const byLabel = this.levels[2].choose((fold, g, x) => this.plain(fold, g % this.contexts, x));
    this.labelled = byLabel < plain;
  }

  /** p(symbol | context, label), never 0; `fold` is left out of the counts when given. */
  probability(label: number, context: number, symbol: number, fold = this.folds): number {
    const plain = this.plain(fold, context, symbol);
    if (!this.labelled || label < 0) return plain;
    return this.levels[2].probability(fold, label * this.contexts + context, symbol, plain);
  }

  private plain(fold: number, context: number, symbol: number): number {
    const unigram = this.levels[0].probability(fold, 0, symbol, 1 / this.symbols);
    return this.levels[1].probability(fold, context, symbol, unigram);
  }
}
