import { mean, quantile, RandomForestClassifier, standardDeviation } from '../../stats';
import { Rng } from '../../util';
import { labelsIn, type SuiteInput } from '../sources';
import type { Trace } from '../traces';
import {
  drawItems,
  utilityFeatures,
  utilityItems,
  UTILITY_TASKS,
  type UtilityColumns,
  type UtilityItem,
  type UtilityTask,
} from './utilityFeatures';

/** A number with the interval that resampling the test captures gives it. */
export interface UtilityValue {
  mean: number;
  low: number;
  high: number;
}

/** One classifier trained on one source and tested on the reference. */
export interface UtilityRow {
  source: string;
  task: UtilityTask;
  /** Items it was trained on, by label: as many for every source, where it has them. */
  trainItems: Record<string, number>;
  testItems: Record<string, number>;
  /** Mean recall of the labels, mean over the seeds; null where the source lacks a label altogether. */
  accuracy: UtilityValue | null;
  /** Standard deviation over the seeds: other training items and another forest each time; null for one seed. */
  seedSd: number | null;
  /** accuracy - that of the floor, on the same test captures; null for the floor itself. */
  difference: UtilityValue | null;
  /** Recall by label. */
  recall: Record<string, number> | null;
}

/** Suite `utility`. */
export interface UtilityResult {
  labels: string[];
  /** Accuracy of guessing. */
  chance: number;
  columns: UtilityColumns;
  trees: number;
  seeds: number;
  rows: UtilityRow[];
}

export interface UtilityOptions {
  /** Default: all three. */
  tasks?: readonly UtilityTask[];
  /** Header bits; default `noaddr`. */
  columns?: UtilityColumns;
  /** Items of a label that are trained and tested on, at most; defaults 200 and 300. */
  trainItems?: number;
  testItems?: number;
  /** Trees of a forest; default 50. */
  trees?: number;
  /** Forests of each source; default 3. */
  seeds?: number;
  /** Threads; default as many as cores. */
  jobs?: number;
}

const REPLICATES = 500;

/**
 * What traffic is worth for training: a random forest learns the labels from each source and is tested on real captures
 * that nothing was fitted on. All sources train on equally many items, as many as the judged ones and the floor have.
 */
export async function utilitySuite(
  input: SuiteInput,
  options: UtilityOptions = {},
): Promise<UtilityResult | null> {
  const { tasks = UTILITY_TASKS.map(({ name }) => name), columns = 'noaddr' } = options;
  const { trees = 50, seeds = 3 } = options;
  const { sources, reference, training, note } = input;
  const judged = sources.filter(({ role }) => role === 'synthetic' || role === 'floor');
  const labels = labelsIn(withPackets(reference), ...judged.map(({ traces }) => withPackets(traces)));
  if (labels.length < 2) {
    note(
      `Utility was not measured: a classifier needs two labels that all sides have, and there ${labels.length === 1 ? 'is one' : 'is none'}.`,
    );
    return null;
  }
  if (training.length === 0) {
    note(
      'Utility was not measured: there are no real captures to train the forest that others are held against.',
    );
    return null;
  }
  const result: UtilityResult = { labels, chance: 1 / labels.length, columns, trees, seeds, rows: [] };
  const all = sources.filter(({ role }) => role !== 'yardstick');
  const total = tasks.length * all.length * seeds;
  let done = 0;
  for (const task of tasks) {
    const bench = new Bench(task, labels, reference, judged, { ...options, columns, trees }, input.seed);
    const outcomes: (Outcome | null)[] = [];
    for (const { name, traces } of all) {
      const runs: Run[] = [];
      const items = bench.itemsOf(traces);
      for (let k = 0; k < seeds; k++) {
        input.onProgress?.({ done: done++, total, unit: 'forests', detail: `utility, ${task}, ${name}` });
        const run = await bench.run(items, name, k);
        if (run) runs.push(run);
      }
      outcomes.push(runs.length > 0 ? { runs } : null);
    }
    const floor = outcomes[all.findIndex(({ role }) => role === 'floor')] ?? null;
    all.forEach(({ name, role, traces }, i) => {
      const compared = role === 'floor' ? null : floor;
      result.rows.push(bench.row(name, outcomes[i], compared, bench.itemsOf(traces)));
    });
  }
  return result;
}

function withPackets(traces: readonly Trace[]): Trace[] {
  return traces.filter(({ packets }) => packets.some(({ role }) => role));
}

/** Share of right answers by test capture (of all captures, in their order), in one run. */
type Run = Float64Array;

interface Outcome {
  runs: Run[];
}

/** The test items of one task, and what trains on as many items as every other. */
class Bench {
  private readonly test: UtilityItem[];
  private readonly testFeatures;
  private readonly wanted: Map<string, number>;
  /** Label and number of items of each test capture. */
  private readonly captures: { label: string; items: number }[];
  private readonly captureOf: Int32Array;

  constructor(
    private readonly task: UtilityTask,
    private readonly labels: readonly string[],
    reference: readonly Trace[],
    judged: readonly { traces: readonly Trace[] }[],
    private readonly options: UtilityOptions & { columns: UtilityColumns; trees: number },
    private readonly seed: number,
  ) {
    const { testItems = 300, trainItems = 200 } = options;
    const rng = new Rng(seed).split(`utility/${task}/test`);
    this.test = drawItems(this.itemsOf(reference), () => testItems, rng);
    this.testFeatures = utilityFeatures(this.test, task, options.columns);
    const numbers = new Map<number, number>();
    this.captures = [];
    this.captureOf = Int32Array.from(this.test, ({ trace, label }) => {
      let number = numbers.get(trace);
      if (number === undefined) {
        numbers.set(trace, (number = this.captures.length));
        this.captures.push({ label, items: 0 });
      }
      this.captures[number].items++;
      return number;
    });
    const sides = judged.map(({ traces }) => countByLabel(this.itemsOf(traces)));
    this.wanted = new Map(
      labels.map((label) => [label, Math.min(trainItems, ...sides.map((side) => side.get(label) ?? 0))]),
    );
  }

  itemsOf(traces: readonly Trace[]): UtilityItem[] {
    return utilityItems(traces, this.task).filter(({ label }) => this.labels.includes(label));
  }

  /** Null where the source lacks a label. */
  async run(items: readonly UtilityItem[], source: string, k: number): Promise<Run | null> {
    const rng = new Rng(this.seed).split(`utility/${this.task}/${source}/${k}`);
    const drawn = drawItems(items, (label) => this.wanted.get(label) as number, rng);
    if (new Set(drawn.map(({ label }) => label)).size < this.labels.length) return null;
    const { columns, trees, jobs } = this.options;
    const forest = new RandomForestClassifier({
      nEstimators: trees,
      seed: `${this.seed}/${source}/${k}`,
      jobs,
    });
    await forest.fit(
      utilityFeatures(drawn, this.task, columns),
      drawn.map(({ label }) => label),
    );
    const predicted = forest.predict(this.testFeatures);
    const right = new Float64Array(this.captures.length);
    predicted.forEach((label, i) => {
      if (label === this.test[i].label) right[this.captureOf[i]]++;
    });
    return right;
  }

  row(
    source: string,
    outcome: Outcome | null,
    floor: Outcome | null,
    items: readonly UtilityItem[],
  ): UtilityRow {
    const has = countByLabel(items);
    const train = this.labels.map((label): [string, number] => [
      label,
      Math.min(has.get(label) ?? 0, this.wanted.get(label) as number),
    ]);
    const test = countByLabel(this.test);
    const row: UtilityRow = {
      source,
      task: this.task,
      trainItems: Object.fromEntries(train),
      testItems: Object.fromEntries(this.labels.map((label) => [label, test.get(label) ?? 0])),
      accuracy: null,
      seedSd: null,
      difference: null,
      recall: null,
    };
    if (!outcome) return row;
    const own = averageRun(outcome.runs);
    const other = floor && averageRun(floor.runs);
    const draws = this.draws();
    row.accuracy = valueOf(draws.map((drawn) => this.balanced(own, drawn)));
    if (outcome.runs.length > 1)
      row.seedSd = standardDeviation(outcome.runs.map((run) => this.balanced(run, draws[0])));
    if (other)
      row.difference = valueOf(draws.map((drawn) => this.balanced(own, drawn) - this.balanced(other, drawn)));
    row.recall = Object.fromEntries(
      this.labels.map((label) => [label, this.recall(own, label, draws[0]) ?? 0]),
    );
    return row;
  }

  /** How often each capture counts: first once each, then drawn with replacement among those of its label. */
  private draws(): Uint16Array[] {
    const rng = new Rng(this.seed).split(`utility/${this.task}/captures`);
    const groups = this.labels.map((label) =>
      [...this.captures.keys()].filter((i) => this.captures[i].label === label),
    );
    const draws = [new Uint16Array(this.captures.length).fill(1)];
    for (let r = 0; r < REPLICATES; r++) {
      const drawn = new Uint16Array(this.captures.length);
      for (const group of groups)
        for (let i = 0; i < group.length; i++) drawn[group[rng.int(group.length)]]++;
      draws.push(drawn);
    }
    return draws;
  }

  private balanced(right: Run, drawn: Uint16Array): number {
    const recalls = this.labels.map((label) => this.recall(right, label, drawn)).filter((r) => r !== null);
    return mean(recalls);
  }

  /** Null where the label has no test item. */
  private recall(right: Run, label: string, drawn: Uint16Array): number | null {
    let [good, all] = [0, 0];
    this.captures.forEach((capture, i) => {
      if (capture.label !== label) return;
      good += drawn[i] * right[i];
      all += drawn[i] * capture.items;
    });
    return all === 0 ? null : good / all;
  }
}

function averageRun(runs: readonly Run[]): Run {
  return runs[0].map((_, i) => mean(runs.map((run) => run[i])));
}

/** The first value is the estimate, the others are replicates. */
function valueOf(values: readonly number[]): UtilityValue {
  const sorted = Float64Array.from(values.slice(1)).sort();
  return { mean: values[0], low: quantile(sorted, 0.025), high: quantile(sorted, 0.975) };
}

function countByLabel(items: readonly UtilityItem[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { label } of items) counts.set(label, (counts.get(label) ?? 0) + 1);
  return counts;
}
