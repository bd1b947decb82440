import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  column,
  commandFor,
  compareTiming,
  figureRecords,
  findFigure,
  findTable,
  itemRecords,
  originOf,
  PAPER_ITEMS,
  readKeptRuns,
  runRecords,
  tableRecords,
  timingSamples,
  type ResultTable,
} from '../../src/experiments';
import { traceOfFrames } from '../../src/evaluate';
import { tcpSession } from '../cli/helpers';
import { temporaryFolder } from './toy';

const table: ResultTable = {
  id: 'tab2',
  title: 'T',
  reproduces: ['tab2'],
  columns: [column.name('source'), column.ours('flows'), column.bar('within 10 %'), column.ours('packets'), column.bar('within 10 %')], // prettier-ignore
  rows: [
    ['netssm', 1, 'met', 2, 'missed'],
    ['real', 3, 'met', 4, 'met'],
  ],
  notes: [],
};

/** A finished run in a folder. */
function keep(
  root: string,
  name: string,
  more: { fast?: boolean; data?: string; experiment?: string },
): void {
  const { fast = false, data = 'testbed', experiment = 'fidelity' } = more;
  const folder = join(root, name);
  mkdirSync(folder);
  const config = {
    format: 'netssm-run',
    version: 1,
    experiment,
    seed: 1,
    fast,
    data,
    model: 'demo',
    options: {},
  };
  const metrics = {
    format: 'netssm-metrics',
    version: 1,
    experiment,
    data: { name: data, classes: ['a'], sessions: { train: 4, test: 2 } },
    tables: [{ ...table, title: name }],
    figures: [],
    details: {},
    notes: [],
  };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  writeFileSync(join(folder, 'metrics.json'), JSON.stringify(metrics));
}

describe('kept runs', () => {
  const root = temporaryFolder();
  keep(root, 'a-fast', { fast: true });
  keep(root, 'b-bundled', { data: 'bundled' });
  keep(root, 'c-full', {});
  keep(root, 'd-floors', { experiment: 'floors' });
  const other = temporaryFolder();
  keep(other, 'mine', { fast: true });

  test('full runs before fast ones, the testbed before other data, named ones before all', () => {
    const names = (folders: string[] = []): string[] => readKeptRuns(folders, root).map(({ name }) => name);
    expect(names()).toEqual(['c-full', 'd-floors', 'b-bundled', 'a-fast']);
    expect(names([join(other, 'mine')])[0]).toBe('mine');
    expect(readKeptRuns([], join(root, 'none'))).toEqual([]);
    const runs = readKeptRuns([], root);
    expect(findTable(runs, 'tab2')?.table.title).toBe('c-full');
    expect(findTable(runs, 'tab2', 'floors')?.table.title).toBe('d-floors');
    expect(findTable(runs, 'tab9')).toBeUndefined();
    expect(findFigure(runs, 'fig3')).toBeUndefined();
    expect(runRecords(runs).map((row) => [row.run, row['test sessions'], row.minutes])[0]).toEqual([
      'c-full',
      2,
      null,
    ]);
  });

  test('what has no run says which command makes one', () => {
    const runs = readKeptRuns([], root);
    const items = itemRecords(runs);
    expect(items.map(({ item }) => item)).toEqual(PAPER_ITEMS.map(({ title }) => title));
    expect(items.find(({ item }) => String(item).startsWith('Table 2'))?.['stands beside']).toBe('c-full');
    const fig2 = items.find(({ item }) => String(item).startsWith('Figure 2'))!;
    expect([fig2['stands beside'], fig2['made by']]).toEqual(['not run yet', commandFor('fig2')]);
    expect(commandFor('fig2')).toBe('netssm experiment mixing-rate --data testbed --model testbed');
    expect(commandFor('fig1')).toBeNull();
    expect(originOf(undefined, 'fig2')).toContain('has not been run yet: netssm experiment mixing-rate');
    const found = findTable(runs, 'tab2');
    expect(originOf(found, 'tab2')).toBe(
      'Ours: run c-full: testbed, 1 classes, 4 + 2 sessions, model demo, seed 1.',
    );
  });

  test('rows as records, two columns of one title told apart', () => {
    expect(tableRecords(table, { where: ({ source }) => source === 'netssm' })).toEqual([
      { source: 'netssm', flows: 1, 'within 10 %': 'met', packets: 2, 'packets: within 10 %': 'missed' },
    ]);
    expect(tableRecords(table, { columns: ['source', 'none'] })[1]).toEqual({ source: 'real', none: null });
    const series = [{ name: 'c', from: 'paper' as const, panel: 'p', x: [0, 1], y: [0.5, null] }];
    expect(figureRecords({ series })[1]).toEqual({ panel: 'p', curve: 'c', from: 'paper', x: 1, y: null, low: null, high: null }); // prettier-ignore
  });
});

describe('timing', () => {
  const slower = (factor: number) => {
    const frames = tcpSession({ data: 5 });
    const start = frames[0].tsMicros;
    const stretched = frames.map((f) => ({ ...f, tsMicros: start + factor * (f.tsMicros - start) }));
    return timingSamples([traceOfFrames('a', stretched, 'x')]);
  };
  test('ten times as slow is one decade away; sizes are the same', () => {
    const found = compareTiming(slower(1), slower(10))!;
    expect(found.gapDecades).toBeCloseTo(1, 9);
    expect(found.sizeBytes).toBeCloseTo(0, 9);
    expect([found.gapKs, found.gaps]).toEqual([1, slower(1).logGaps.length]);
    expect(compareTiming(slower(1), { logGaps: [], sizes: [] })).toBeNull();
  });
  test('a gap after the prompt counts, the prompt does not', () => {
    const frames = tcpSession({ data: 5 });
    const { logGaps, sizes } = timingSamples([traceOfFrames('a', frames, 'x', { promptPackets: 1 })]);
    expect([logGaps.length, sizes.length]).toEqual([frames.length - 1, frames.length - 1]);
  });
});
