import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { traceOfFrames } from '../../src/evaluate';
import {
  column,
  columnsOf,
  compactJson,
  comparePopulations,
  compareRuns,
  conversations,
  importancesByField,
  listRuns,
  markdownTable,
  meanInterval,
  mixingMatrix,
  mixingItems,
  PAPER_COMPLIANCE,
  PAPER_CURVES,
  PAPER_SIMILARITY,
  populationOf,
  readReproducedRuns,
  reproductionMarkdown,
  RESULTS_DIR,
  scaler,
  variantConfig,
  type ReproducedRun,
  type ResultTable,
  type RunMetrics,
  type TrainingSettings,
} from '../../src/experiments';
import { PAPER_METRICS } from '../../src/evaluate';
import { matrix } from '../../src/stats';
import { projectRoot } from '../../src/util';
import { tcpSession } from '../cli/helpers';
import { temporaryFolder } from './toy';

const rows: ResultTable = {
  id: 't',
  title: 'T',
  reproduces: ['tab2'],
  columns: [column.name('who'), column.ours('x'), column.paper('paper')],
  rows: [
    ['a', 1.23456, 2],
    ['b|c', null, 3],
  ],
  notes: ['A note.'],
};
const metrics = (tables: ResultTable[]): RunMetrics => ({
  format: 'netssm-metrics',
  version: 1,
  experiment: 'floors',
  data: { name: 'bundled', classes: ['dns'], sessions: { train: 4, test: 2 } },
  tables,
  figures: [],
  details: {},
  notes: [],
});

describe('the paper’s values', () => {
  test('curves: 48, of which Figure 2 shows 12', () => {
    expect(PAPER_CURVES).toHaveLength(48);
    expect(PAPER_CURVES.filter(({ inFig2 }) => inFig2)).toHaveLength(12);
    expect(PAPER_CURVES.every(({ accuracy }) => accuracy.length === 11)).toBe(true);
    const end = (generator: string): number | undefined =>
      PAPER_CURVES.find((c) => c.inFig2 && c.panel === 'app_real' && c.generator === generator)?.accuracy[10];
    expect([end('NetSSM (fine-tuned)'), end('NetDiffusion'), end('NetShare')]).toEqual([0.973, 0.156, 0.128]);
  });

  test('Table 2 and Table 4', () => {
    expect(PAPER_SIMILARITY.find(({ method }) => method === 'NetShare')).toMatchObject({
      sa: 0.14,
      average: 0.18,
      jsd: null,
    });
    expect(Object.keys(PAPER_COMPLIANCE).sort()).toEqual(PAPER_METRICS.map(({ name }) => name).sort());
  });
});

describe('tables', () => {
  test('as Markdown: bars in names, missing values, notes', () => {
    expect(markdownTable(rows)).toBe(
      '| who | x | paper |\n|---|--:|--:|\n| a | 1.23 | 2 |\n| b\\|c | – | 3 |\n\nA note.',
    );
  });

  test('mean and interval of a few shares', () => {
    expect(meanInterval([])).toEqual({ mean: null, low: null, high: null });
    expect(meanInterval([0.5])).toEqual({ mean: 0.5, low: null, high: null });
    // sd 0.01, t(2) = 4.303: 0.02484
    const { mean, low, high } = meanInterval([0.49, 0.5, 0.51]);
    expect([mean, low, high].map((v) => Number((v as number).toFixed(5)))).toEqual([0.5, 0.47516, 0.52484]);
    expect(meanInterval([0.9, 1]).high).toBe(1);
  });

  test('compact JSON is JSON', () => {
    const value = {
      a: [1, null, 'x'],
      b: { c: Array.from({ length: 60 }, (_, i) => i), d: [[1], [2]] },
      e: [],
    };
    expect(JSON.parse(compactJson(value))).toEqual(value);
    expect(compactJson(value).split('\n').length).toBeLessThan(10);
  });
});

describe('compareRuns', () => {
  test('matches rows by name and columns by title, and leaves the paper out', () => {
    const other = {
      ...rows,
      columns: [rows.columns[0], rows.columns[2], rows.columns[1]],
      rows: [
        ['b|c', 3, 7],
        ['a', 2, 1.5],
        ['d', 2, 0],
      ],
    };
    const {
      rows: found,
      equal,
      onlyA,
      onlyB,
    } = compareRuns(metrics([rows, { ...rows, id: 'gone' }]), metrics([other]));
    expect(found).toEqual([
      { table: 't', row: 'a', column: 'x', a: 1.23456, b: 1.5, difference: 1.5 - 1.23456 },
      { table: 't', row: 'b|c', column: 'x', a: null, b: 7, difference: null },
    ]);
    expect([equal, onlyA, onlyB]).toEqual([0, ['gone'], ['t: d']]);
  });
});

describe('listRuns', () => {
  test('finds runs, and passes over everything else', () => {
    const root = temporaryFolder();
    expect(listRuns(join(root, 'none'))).toEqual([]);
    mkdirSync(join(root, 'training'));
    writeFileSync(join(root, 'training', 'config.json'), '{"d_model": 64}');
    mkdirSync(join(root, 'a'));
    writeFileSync(join(root, 'a', 'config.json'), '{"format": "netssm-run", "experiment": "floors"}');
    expect(listRuns(root).map(({ folder, state, total }) => [folder, state, total])).toEqual([
      [join(root, 'a'), 'unfinished', null],
    ]);
  });
});

describe('reproductionMarkdown', () => {
  const run = (tables: ResultTable[]): ReproducedRun => ({
    name: 'floors-1',
    config: {
      format: 'netssm-run',
      version: 1,
      experiment: 'floors',
      seed: 1,
      fast: false,
      data: 'bundled',
      dataFingerprint: 'x',
      model: null,
      modelFingerprint: null,
      options: {},
    },
    env: null,
    metrics: metrics(tables),
  });

  test('names every item; what nothing stands beside is "not run"', () => {
    const empty = reproductionMarkdown([]);
    expect(empty.match(/^## /gm)).toHaveLength(15); // 13 items, the runs, the rest
    expect(empty.match(/^not run$/gm)).toHaveLength(13); // all but the drawing, and the rest
    const page = reproductionMarkdown([run([rows])]);
    expect(page).toContain(
      '## Table 2: statistical similarity\n\n**T** (run floors-1)\n\n| who | x | paper |',
    );
    expect(page.match(/^not run$/gm)).toHaveLength(12);
    expect(reproductionMarkdown([run([rows])])).toBe(page);
  });
});

test('docs/reproduction.md is that of the results that are kept (node scripts/reproduction.mjs)', () => {
  const folders = readdirSync(RESULTS_DIR)
    .sort()
    .map((name) => join(RESULTS_DIR, name));
  const page = readFileSync(join(projectRoot, 'docs', 'reproduction.md'), 'utf8');
  expect(reproductionMarkdown(readReproducedRuns(folders))).toBe(page);
});

describe('populations', () => {
  const trace = (ports: number[], data: number) =>
    traceOfFrames(
      'web',
      ports.flatMap((port) => tcpSession({ port, data })),
      'x',
    );

  test('packets, flows, and relative changes of per-trace means', () => {
    const real = populationOf([trace([40001, 40002], 4), trace([40001, 40002], 4)]);
    expect(real).toMatchObject({ traces: 2, packets: [20, 20], flows: [2, 2], packetsPerFlow: [10, 10] });
    expect(real.tcpShare).toEqual([1, 1]);
    const other = populationOf([trace([40001], 9), trace([40001, 40002, 40003], 4)]);
    const change = comparePopulations(real, other);
    expect(change?.flows).toMatchObject({ real: 2, other: 2, change: 0, ks: 0.5 });
    expect(change?.packetsPerFlow.change).toBeCloseTo(0.25, 12); // 15 and 10 against 10
    expect(change?.packets.change).toBeCloseTo(0.125, 12);
    expect(comparePopulations(real, populationOf([]))).toBeNull();
  });

  test('conversations are the TCP flows of enough packets', () => {
    const frames = [...tcpSession({ port: 1, data: 0 }), ...tcpSession({ port: 2, data: 5 })];
    expect(conversations(frames, 8).map(({ flow, index }) => [flow.length, index])).toEqual([[11, 1]]);
  });
});

describe('features of the mixing experiment', () => {
  test('neither addresses nor ports', () => {
    expect(columnsOf('all')).toHaveLength(1024);
    expect(columnsOf('noaddr')).toHaveLength(960);
    const left = columnsOf('noports');
    expect(left).toHaveLength(896);
    for (const gone of [96, 159, 480, 511, 960, 991]) expect(left).not.toContain(gone);
    for (const kept of [95, 160, 479, 512, 959, 992]) expect(left).toContain(kept);
  });

  test('two ports give the same rows; payload and direction do not', () => {
    const items = (port: number, data: number) =>
      mixingItems([traceOfFrames('web', tcpSession({ port, data }), 'x')], 'flow');
    const [a, b, c] = [items(40001, 3), items(50002, 3), items(40001, 9)].map((list) =>
      mixingMatrix(list, 'flow', 'noports'),
    );
    expect(a).toMatchObject({ rows: 1, columns: 8960 });
    // Checksums cover the ports.
    const differing = [...a.data].flatMap((value, i) => (value === b.data[i] ? [] : [i % 896]));
    const fields = new Set(differing.map((i) => Object.keys(importancesOf(i))[0]));
    expect([...fields]).toEqual(['tcp_cksum']);
    expect(a.data).not.toEqual(c.data);
  });

  const importancesOf = (i: number): Record<string, number> => {
    const one = new Float64Array(896);
    one[i] = 1;
    const sums = importancesByField(one, 'flow', 'noports');
    return Object.fromEntries(Object.entries(sums).filter(([, value]) => value > 0));
  };

  test('flows that a prompt begins are left out', () => {
    const frames = [...tcpSession({ port: 1 }), ...tcpSession({ port: 2 })];
    const prompted = traceOfFrames('web', frames, 'x', { promptPackets: 1 });
    expect(mixingItems([prompted], 'flow')).toHaveLength(1);
    expect(mixingItems([prompted], 'packet')).toHaveLength(frames.length - 1);
  });

  test('scaling: mean 0, deviation 1; a column without width is 0', () => {
    const scaled = scaler(matrix(new Float64Array([1, 5, 3, 5]), 2, 2))(
      matrix(new Float64Array([5, 5]), 1, 2),
    );
    expect([...scaled.data]).toEqual([3, 0]);
  });
});

describe('equal compute', () => {
  const settings: TrainingSettings = {
    classes: null,
    trainSessions: null,
    testSessions: null,
    variants: [],
    base: {
      model: { d_model: 64, n_layer: 2, ssm_cfg: { d_state: 32, headdim: 32 } },
      batchSize: 2,
      contextLen: 512,
    },
    teraOperations: 1,
  };
  const operations = (train: object): { total: number; steps: number } => {
    const { train: config, operationsPerStep } = variantConfig({ name: 'x', train }, settings, 1, 270);
    return { total: config.steps * operationsPerStep, steps: config.steps };
  };

  test('a model twice as deep takes half the steps', () => {
    const [one, two] = [operations({}), operations({ model: { n_layer: 4 } })];
    expect(one.total).toBeLessThanOrEqual(1e12);
    expect(one.total).toBeGreaterThan(0.98e12);
    expect(two.total).toBeGreaterThan(0.98e12);
    expect(one.steps / two.steps).toBeGreaterThan(1.7);
    expect(one.steps / two.steps).toBeLessThan(2.1);
  });

  test('settings of a Mamba-2 layer do not reach a Mamba-1 layer', () => {
    const { model } = variantConfig(
      { name: 'x', train: { model: { ssm_cfg: { layer: 'Mamba1', d_state: 16 } } } },
      settings,
      1,
      270,
    );
    expect(model.ssm_cfg).toMatchObject({ layer: 'Mamba1', d_state: 16 });
    expect(model.d_model).toBe(64);
  });
});
