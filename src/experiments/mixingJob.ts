import { drawItems, type Trace, type UtilityItem, type UtilityTask } from '../evaluate';
import {
  accuracy,
  balancedAccuracy,
  confusionMatrix,
  DecisionTreeClassifier,
  LinearSvmClassifier,
  RandomForestClassifier,
  takeRows,
  type ConfusionMatrix,
  type Matrix,
} from '../stats';
import { NetssmError, Rng, type OnProgress } from '../util';
import { importancesByField, mixingItems, mixingMatrix, scaler, type MixingColumns } from './mixingItems';
import type { Classifier } from './paper';

/** What is told apart: classes (the paper's applications), or their services. */
export type MixingTask = 'app' | 'service';

/** How right a classifier was on one test set. */
export interface Score {
  accuracy: number;
  balanced: number;
}

/** One classifier, trained at one mixing rate. */
export interface MixingPoint {
  task: MixingTask;
  classifier: Classifier;
  rate: number;
  /** On held-out real items, and on held-out items of each synthetic source. */
  real: Score;
  synthetic: Record<string, Score>;
  /** Forests at the ends of the scale, first seed only. */
  confusion?: ConfusionMatrix;
  importances?: Record<string, number>;
}

/** What is found out with one source, one kind of features and one seed. */
export interface MixingResult {
  source: string;
  features: UtilityTask;
  seed: number;
  /** Training items of each class, at every rate; test items, real and synthetic by source. */
  items: Record<string, number>;
  testItems: number;
  syntheticTestItems: Record<string, number>;
  points: MixingPoint[];
}

/** One side's traces: for training and for testing. */
export interface MixingSide {
  train: readonly Trace[];
  test: readonly Trace[];
}

export interface MixingRequest {
  /** The synthetic source that is mixed in; null: real items alone (rate 0), tested on all sources. */
  source: string | null;
  real: MixingSide;
  synthetic: Readonly<Record<string, MixingSide>>;
  /** The source that limits the number of items, so that all have as many. */
  judged: string;
  features: UtilityTask;
  columns: MixingColumns;
  labels: readonly string[];
  services: Readonly<Record<string, string>>;
  tasks: readonly MixingTask[];
  classifiers: readonly Classifier[];
  rates: readonly number[];
  /** Items of each class at most. */
  trainItems: number;
  testItems: number;
  trees: number;
  seed: number;
  /** How often: other training items and classifiers each time. */
  seeds: number;
  threads: number;
  onProgress?: OnProgress;
  signal?: AbortSignal;
}

/**
 * Trains on real items of which a share is replaced by synthetic ones of the same class, and tests on held-out real and
 * held-out synthetic items, once for each seed. The test items are the same for all sources and seeds; at a higher rate
 * the items that were replaced before stay replaced. None where the source lacks a class.
 */
export async function mixingJob(request: MixingRequest): Promise<MixingResult[]> {
  const { source, real, synthetic, judged, features, columns, labels, seed, seeds } = request;
  const known = (items: UtilityItem[]): UtilityItem[] => items.filter(({ label }) => labels.includes(label));
  const itemsOf = (traces: readonly Trace[]): UtilityItem[] => known(mixingItems(traces, features));
  const rng = new Rng(seed).split(`mixing/${features}`);
  const realItems = itemsOf(real.train);
  const judgedItems = itemsOf(synthetic[judged].train);
  const wanted = wantedItems(labels, [realItems, judgedItems], request.trainItems);
  const ownItems = source === null ? [] : source === judged ? judgedItems : itemsOf(synthetic[source].train);
  if (source !== null && labels.some((label) => countOf(ownItems, label) < wanted[label])) return [];
  const test = drawItems(itemsOf(real.test), () => request.testItems, rng.split('test'));
  const tested = source === null ? Object.keys(synthetic) : [source];
  const syntheticTest = tested.map((name) => ({
    name,
    items: drawItems(itemsOf(synthetic[name].test), () => request.testItems, rng.split(`test/${name}`)),
  }));
  const setOf = (items: readonly UtilityItem[]): ItemSet => ({
    items,
    matrix: mixingMatrix(items, features, columns),
  });
  const tests = {
    real: setOf(test),
    synthetic: syntheticTest
      .filter(({ items }) => items.length > 0)
      .map(({ name, items }) => ({ name, ...setOf(items) })),
  };
  const results: MixingResult[] = [];
  for (let seedIndex = 0; seedIndex < seeds; seedIndex++) {
    const draw = (items: readonly UtilityItem[], name: string): UtilityItem[] =>
      drawItems(items, (label) => wanted[label], rng.split(`${name}/${seedIndex}`));
    const mine = setOf(draw(realItems, 'real'));
    const theirs = source === null ? null : setOf(draw(ownItems, source));
    const bench = new Bench(request, seedIndex, mine, theirs, tests);
    results.push({
      source: source ?? 'real',
      features,
      seed: seedIndex,
      items: wanted,
      testItems: test.length,
      syntheticTestItems: Object.fromEntries(syntheticTest.map(({ name, items }) => [name, items.length])),
      points: await bench.points(),
    });
  }
  return results;
}

function wantedItems(
  labels: readonly string[],
  sides: readonly (readonly UtilityItem[])[],
  most: number,
): Record<string, number> {
  const wanted = labels.map((label): [string, number] => [
    label,
    Math.min(most, ...sides.map((items) => countOf(items, label))),
  ]);
  return Object.fromEntries(wanted);
}

function countOf(items: readonly UtilityItem[], label: string): number {
  return items.filter((item) => item.label === label).length;
}

interface ItemSet {
  items: readonly UtilityItem[];
  matrix: Matrix;
}

/** Items of each class in order, real ones and their replacements. */
class Bench {
  constructor(
    private readonly request: MixingRequest,
    private readonly seedIndex: number,
    private readonly real: ItemSet,
    private readonly synthetic: ItemSet | null,
    private readonly tests: { real: ItemSet; synthetic: readonly (ItemSet & { name: string })[] },
  ) {}

  async points(): Promise<MixingPoint[]> {
    const { tasks, classifiers, rates, seeds, signal, onProgress } = this.request;
    const points: MixingPoint[] = [];
    const each = tasks.length * classifiers.length * rates.length;
    const before = this.seedIndex * each;
    const total = seeds * each;
    for (const rate of rates) {
      const { matrix, items } = this.mix(rate);
      for (const classifier of classifiers) {
        for (const task of tasks) {
          if (signal?.aborted)
            throw new NetssmError('aborted', `stopped after ${before + points.length} of ${total}`);
          points.push(await this.point(task, classifier, rate, matrix, items));
          onProgress?.({
            done: before + points.length,
            total,
            unit: 'classifiers',
            detail: `${classifier}, rate ${rate}`,
          });
          await new Promise((resolve) => setImmediate(resolve));
        }
      }
    }
    return points;
  }

  /** Of each class the first items are replaced by as many synthetic ones. */
  private mix(rate: number): { matrix: Matrix; items: UtilityItem[] } {
    const { labels } = this.request;
    const rows: { from: Matrix; row: number; item: UtilityItem }[] = [];
    for (const label of labels) {
      const places = (set: ItemSet | null): number[] =>
        set === null ? [] : [...set.items.keys()].filter((i) => set.items[i].label === label);
      const [mine, theirs] = [places(this.real), places(this.synthetic)];
      const replaced = Math.round(rate * mine.length);
      mine.forEach((own, k) => {
        const [from, row] = k < replaced && this.synthetic ? [this.synthetic, theirs[k]] : [this.real, own];
        rows.push({ from: from.matrix, row, item: from.items[row] });
      });
    }
    return { matrix: joinRows(rows, this.real.matrix), items: rows.map(({ item }) => item) };
  }

  private async point(
    task: MixingTask,
    classifier: Classifier,
    rate: number,
    matrix: Matrix,
    items: readonly UtilityItem[],
  ): Promise<MixingPoint> {
    const { features, columns } = this.request;
    const { real, synthetic } = this.tests;
    const classOf = ({ label }: UtilityItem): string =>
      task === 'app' ? label : this.request.services[label];
    const model = await this.fitted(classifier, matrix, items.map(classOf), `${rate}`);
    const truth = real.items.map(classOf);
    const predicted = model.predict(real.matrix);
    const shown = classifier === 'forest' && this.seedIndex === 0 && (rate === 0 || rate === 1);
    return {
      task,
      classifier,
      rate,
      real: scoreOf(truth, predicted),
      synthetic: Object.fromEntries(
        synthetic.map((set) => [set.name, scoreOf(set.items.map(classOf), model.predict(set.matrix))]),
      ),
      ...(shown && {
        confusion: confusionMatrix(truth, predicted),
        ...(model.importances && {
          importances: importancesByField(model.importances, features, columns),
        }),
      }),
    };
  }

  private async fitted(
    classifier: Classifier,
    matrix: Matrix,
    classes: string[],
    name: string,
  ): Promise<{ predict: (m: Matrix) => string[]; importances?: Float64Array }> {
    const { trees, threads, seed, features, source, signal } = this.request;
    const fitSeed = `${seed}/${source ?? 'real'}/${features}/${this.seedIndex}/${name}`;
    if (classifier === 'forest') {
      const forest = new RandomForestClassifier({ nEstimators: trees, seed: fitSeed, jobs: threads });
      await forest.fit(matrix, classes, { signal });
      return { predict: (m) => forest.predict(m) as string[], importances: forest.featureImportances };
    }
    if (classifier === 'tree') {
      const tree = new DecisionTreeClassifier({ seed: fitSeed }).fit(matrix, classes);
      return { predict: (m) => tree.predict(m) as string[] };
    }
    // Bits are of one scale already.
    const scale = features === 'sequence' ? scaler(matrix) : (m: Matrix): Matrix => m;
    const machine = new LinearSvmClassifier({ seed: fitSeed, ...SVM, signal }).fit(scale(matrix), classes);
    return { predict: (m) => machine.predict(scale(m)) as string[] };
  }
}

/** Linear, one class against the rest; the paper does not say which machine it has. */
const SVM = { C: 0.1, tol: 1e-2, maxIter: 30 } as const;

function scoreOf(truth: readonly string[], predicted: readonly string[]): Score {
  return { accuracy: accuracy(truth, predicted), balanced: balancedAccuracy(truth, predicted) };
}

/** Rows of two matrices of the same columns, in the given order. */
function joinRows(rows: readonly { from: Matrix; row: number }[], like: Matrix): Matrix {
  const out = takeRows(like, new Uint32Array(rows.length));
  const { columns } = like;
  rows.forEach(({ from, row }, i) =>
    out.data.set(from.data.subarray(row * columns, (row + 1) * columns), i * columns),
  );
  return out;
}
