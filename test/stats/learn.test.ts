/** Classifiers against scikit-learn on the same splits (scripts/golden/forest.py), and their own promises. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  accuracy,
  DecisionTreeClassifier,
  KernelSvmClassifier,
  LinearSvmClassifier,
  matrix,
  mean,
  pearson,
  RandomForestClassifier,
  takeRows,
  type RandomForestOptions,
} from '../../src/stats';
import { projectRoot, Rng } from '../../src/util';
import { scaled, sizes, ternary, type LearnData } from './learnData';

const golden = JSON.parse(readFileSync(join(__dirname, '..', 'golden', 'forest.json'), 'utf8'));
const SEEDS = [0, 1, 2, 3, 4];
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

function split(name: string, { X, y }: LearnData, train: number) {
  const test = range(train, X.rows);
  const s = name.startsWith('ternary') ? X : scaled(X);
  return {
    xt: takeRows(X, range(0, train)),
    xs: takeRows(X, test),
    st: takeRows(s, range(0, train)),
    ss: takeRows(s, test),
    yt: y.slice(0, train),
    ys: y.slice(train),
  };
}

describe.each(Object.entries(golden.sets) as [string, any][])('%s: as scikit-learn', (name, g) => {
  const data: LearnData = name.startsWith('ternary')
    ? ternary(...(g.args as [number, number, number, number, number]))
    : sizes(...(g.args as [number, number, number, number]));
  const { xt, yt, xs, ys, st, ss } = split(name, data, g.train);
  const forests = async (options: RandomForestOptions): Promise<number> =>
    mean(
      await Promise.all(
        SEEDS.map(async (seed) =>
          accuracy(
            ys,
            (await new RandomForestClassifier({ jobs: 1, seed, ...options }).fit(xt, yt)).predict(xs),
          ),
        ),
      ),
    );

  it('the data are the same', () => {
    expect(data.X.data.reduce((a: number, b: number) => a + b, 0)).toBe(g.sum);
    expect(data.y.slice(0, 12)).toEqual(g.labels);
  });
  it('trees', () => {
    const of = (maxDepth?: number): number =>
      mean(
        SEEDS.map((seed) =>
          accuracy(ys, new DecisionTreeClassifier({ seed, maxDepth }).fit(xt, yt).predict(xs)),
        ),
      );
    expect(Math.abs(of() - g.tree)).toBeLessThan(0.02);
    expect(Math.abs(of(4) - g.treeDepth4)).toBeLessThan(0.02);
    // Equally good splits are taken by chance, in both: ours is one of scikit-learn's trees.
    for (const seed of SEEDS) {
      const shallow = new DecisionTreeClassifier({ maxDepth: 3, seed }).fit(xt, yt).predict(xs);
      expect(g.depth3).toContain(shallow.join(''));
    }
  });
  it('forests, and which features matter', async () => {
    expect(Math.abs((await forests({})) - g.forest)).toBeLessThan(0.02);
    const leaf5 = await forests({ nEstimators: 40, minSamplesLeaf: 5, maxFeatures: 0.5 });
    expect(Math.abs(leaf5 - g.forestLeaf5)).toBeLessThan(0.02);
    const forest = await new RandomForestClassifier({ nEstimators: 200, jobs: 1 }).fit(xt, yt);
    const importances = forest.featureImportances;
    expect(importances.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12);
    expect(pearson(importances, g.importances).r).toBeGreaterThan(g.importancesAgree - 0.03);
  });
  it('linear machines: accuracy, and the same planes', () => {
    for (const [loss, C] of [
      ['squared_hinge', 1],
      ['hinge', 0.05],
    ] as const) {
      const machine = new LinearSvmClassifier({ loss, C, tol: 1e-7, maxIter: 20000 }).fit(st, yt);
      const key = loss === 'hinge' ? 'hinge' : 'linear';
      expect(machine.converged).toBe(true);
      // Two planes of `sizes` have no weights under the hinge loss: between them rounding decides, in both.
      const allowed = loss === 'hinge' ? 0.02 : 0.005;
      expect(Math.abs(accuracy(ys, machine.predict(ss)) - g[key])).toBeLessThan(allowed);
      const decisions = machine.decisionFunction(takeRows(ss, range(0, 5)));
      decisions.forEach((row, i) => expect(row).toBeWithin(g[`${key}Decisions`][i], 1e-3, 0.1));
    }
  });
  it('kernel machine: accuracy, decisions, support', () => {
    const machine = new KernelSvmClassifier({ tol: 1e-6 }).fit(st, yt);
    expect(machine.converged).toBe(true);
    expect(Math.abs(accuracy(ys, machine.predict(ss)) - g.kernel)).toBeLessThan(0.005);
    const sign = g.kernelDecisions[0].length === 1 ? -1 : 1;
    const decisions = machine.decisionFunction(takeRows(ss, range(0, 5)));
    decisions.forEach((row, i) =>
      // With two classes scikit-learn turns the sign round.
      expect(row.map((v) => sign * v)).toBeWithin(g.kernelDecisions[i], 1e-4, 0.1),
    );
    expect(Math.abs(machine.supportCount - g.supportVectors)).toBeLessThanOrEqual(
      0.01 * g.supportVectors + 1,
    );
  });
});

describe('trees by hand', () => {
  it('one threshold in the middle, names as classes', () => {
    const tree = new DecisionTreeClassifier().fit([[1], [2], [10], [20]], ['web', 'web', 'dns', 'dns']);
    expect(tree.classes).toEqual(['dns', 'web']);
    expect([tree.depth, tree.leafCount]).toEqual([1, 2]);
    expect(tree.predict([[5.9], [6], [6.1]])).toEqual(['web', 'web', 'dns']);
    expect([...tree.featureImportances]).toEqual([1]);
  });
  it('leaves hold class shares; equal items cannot be split', () => {
    const tree = new DecisionTreeClassifier().fit([[0], [0], [0], [1]], [0, 0, 1, 1]);
    expect(tree.predictProba([[0], [1]]).map((p) => [...p])).toEqual([
      [2 / 3, 1 / 3],
      [0, 1],
    ]);
  });
  it('takes the purer of two features, and leaves constant ones out', () => {
    const X = [
      [5, 0, 1],
      [5, 1, 1],
      [5, 0, -1],
      [5, 1, 0],
    ];
    expect([...new DecisionTreeClassifier().fit(X, [1, 1, 0, 0]).featureImportances]).toEqual([0, 0, 1]);
    // Whatever is drawn first: features are drawn until one varies.
    for (let seed = 0; seed < 10; seed++)
      expect(new DecisionTreeClassifier({ maxFeatures: 1, seed }).fit(X, [1, 1, 0, 0]).predict(X)).toEqual([
        1, 1, 0, 0,
      ]);
  });
  it('few, some and many values of a feature give the same splits', () => {
    const rng = new Rng(3);
    const y = range(0, 600).map(() => rng.int(3));
    const few = y.map((k) => [Math.min(2, Math.floor(k + rng.uniform() * 1.4)), rng.int(3)]);
    // Stretched by values that occur only in far items of their own class: counted and sorted columns.
    const grow = (rows: number[][], labels: number[]) =>
      new DecisionTreeClassifier({ maxDepth: 3 }).fit(rows, labels).predict(few);
    const extra = (n: number): [number[][], number[]] => [
      [...few, ...range(0, n).map((i) => [1000 + i, 1])],
      [...y, ...range(0, n).map(() => 9)],
    ];
    const [a, b, c] = [grow(...extra(1)), grow(...extra(60)), grow(...extra(400))];
    expect(accuracy(a, b)).toBe(1);
    expect(accuracy(a, c)).toBe(1);
  });
  it('minSamplesLeaf holds', () => {
    const X = range(0, 20).map((i) => [i]);
    const tree = new DecisionTreeClassifier({ minSamplesLeaf: 5 }).fit(X, [1, ...new Array(19).fill(0)]);
    expect(tree.predictProba([[0]])[0][1]).toBeCloseTo(0.2, 12);
  });
});

describe('forests', () => {
  const { X, y } = ternary(21, 300, 40, 3, 40);
  it('same seed, same forest; another seed, another; more jobs change nothing', async () => {
    const of = async (options: RandomForestOptions): Promise<string> =>
      JSON.stringify(
        (await new RandomForestClassifier({ nEstimators: 20, ...options }).fit(X, y)).predictProba(X),
      );
    const one = await of({ seed: 4, jobs: 1 });
    expect(await of({ seed: 4, jobs: 1 })).toBe(one);
    expect(await of({ seed: 5, jobs: 1 })).not.toBe(one);
    expect(await of({ seed: 4, jobs: 3 })).toBe(one);
  });
  it('probabilities sum to 1; predictions are the most probable', async () => {
    const forest = await new RandomForestClassifier({ nEstimators: 15, jobs: 1 }).fit(X, y);
    const p = forest.predictProba(X);
    const predicted = forest.predict(X);
    p.forEach((row, i) => {
      expect(row.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12);
      expect(predicted[i]).toBe(row.indexOf(Math.max(...row)));
    });
  });
  it('reports progress tree by tree, and stops when told', async () => {
    const done: number[] = [];
    const forest = new RandomForestClassifier({ nEstimators: 12, jobs: 1 });
    await forest.fit(X, y, { onProgress: (u) => done.push(u.done) });
    expect(done).toEqual(range(1, 13));
    const before = JSON.stringify(forest.predictProba(X));
    const stop = new AbortController();
    const fit = forest.fit(
      X,
      y.map((k) => (k + 1) % 3),
      {
        signal: stop.signal,
        onProgress: ({ done: n }) => n === 3 && stop.abort(),
      },
    );
    await expect(fit).rejects.toMatchObject({ code: 'aborted', context: { done: 3 } });
    expect(JSON.stringify(forest.predictProba(X))).toBe(before);
  });
  it('one class, one item, one feature', async () => {
    const forest = await new RandomForestClassifier({ nEstimators: 3 }).fit([[1]], ['only']);
    expect(forest.predict([[7]])).toEqual(['only']);
    expect([...forest.featureImportances]).toEqual([0]);
  });
});

const worker = join(projectRoot, 'dist', 'stats', 'learn', 'forestWorker.js');
describe.skipIf(!existsSync(worker))('forests in threads (needs the build)', () => {
  it('are the same as in one', async () => {
    const { RandomForestClassifier: Built } = await import(join(projectRoot, 'dist', 'stats', 'index.js'));
    const { X, y } = ternary(22, 400, 60, 4, 40);
    const of = async (jobs: number): Promise<string> =>
      JSON.stringify((await new Built({ nEstimators: 24, jobs, seed: 'x' }).fit(X, y)).predictProba(X));
    expect(await of(3)).toBe(await of(1));
  });
});

describe('errors name what is wrong', () => {
  it('shapes, values, labels, options', async () => {
    const tree = (): DecisionTreeClassifier => new DecisionTreeClassifier();
    expect(() => tree().fit([[1], [1, 2]], [0, 1])).toThrow('item 1 has 2 features, item 0 has 1');
    expect(() => tree().fit([[1], [NaN]], [0, 1])).toThrow('feature 0 of item 1 is NaN');
    expect(() => tree().fit([[1], [2]], [0])).toThrow('items and labels: 2 and 1 values');
    expect(() => tree().fit([], [])).toThrow('0 items of 0 features');
    expect(() => tree().predict([[1]])).toThrow('has not been fitted');
    expect(() =>
      tree()
        .fit([[1]], [0])
        .predict([[1, 2]]),
    ).toThrow('items of 2 features, but 1 were fitted');
    expect(() => matrix(new Int8Array(5), 2, 3)).toThrow('5 values are not 2 x 3');
    expect(() => new DecisionTreeClassifier({ maxFeatures: -1 }).fit([[1]], [0])).toThrow(
      'maxFeatures is -1',
    );
    await expect(new RandomForestClassifier({ nEstimators: 0 }).fit([[1]], [0])).rejects.toThrow(
      'nEstimators is 0',
    );
    expect(() => new LinearSvmClassifier().fit([[1], [2]], [0, 0])).toThrow('1 class in 2 items');
    expect(() => new KernelSvmClassifier({ gamma: 0 }).fit([[1], [2]], [0, 1])).toThrow('gamma is 0');
  });
});
