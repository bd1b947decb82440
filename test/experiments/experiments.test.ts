import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  EXPERIMENTS,
  findExperiment,
  InProcessEngine,
  PAPER_ITEMS,
  readJobResult,
  readPlan,
  runExperiment,
  type ExperimentOptions,
  type MixingResult,
  type RunMetrics,
} from '../../src/experiments';
import { temporaryFolder } from './toy';

/** Sizes at which an experiment takes a few seconds: everything once. */
const TINY = {
  classes: ['dns', 'ssh'],
  trainSessions: 2,
  testSessions: 2,
  packets: 60,
  rivalPackets: 80,
  memorySessions: 2,
  memoryPackets: 60,
  maxQueries: 20,
  maxReference: 100,
  trees: 3,
  seeds: 1,
  items: 10,
};

function pick(options: ExperimentOptions, from: object): object {
  return Object.fromEntries(Object.entries(from).filter(([key]) => key in options));
}

async function tiny(name: string, out: string, more: object = {}): Promise<RunMetrics> {
  const experiment = findExperiment(name);
  const { metrics } = await runExperiment({
    experiment,
    data: 'bundled',
    fast: true,
    out,
    options: { ...pick(experiment.options, TINY), ...more },
    engine: new InProcessEngine(findExperiment),
  });
  return metrics as RunMetrics;
}

const table = (metrics: RunMetrics, id: string) => {
  const found = metrics.tables.find((each) => each.id === id);
  if (!found) throw new Error(`no table ${id}: ${metrics.tables.map((each) => each.id).join(', ')}`);
  return found;
};
const cell = (metrics: RunMetrics, id: string, row: (cells: unknown[]) => boolean, title: string) => {
  const { columns, rows } = table(metrics, id);
  return rows.find(row)?.[columns.findIndex((column) => column.title === title)];
};

const engineBefore = process.env.NETSSM_ENGINE;
const threadsBefore = process.env.NETSSM_THREADS;
beforeAll(() => {
  process.env.NETSSM_THREADS = '1';
});
afterAll(() => {
  if (threadsBefore === undefined) delete process.env.NETSSM_THREADS;
  else process.env.NETSSM_THREADS = threadsBefore;
  if (engineBefore !== undefined) process.env.NETSSM_ENGINE = engineBefore;
});

describe('the list of experiments', () => {
  test('names are unique, and what they reproduce are items of the paper', () => {
    const names = EXPERIMENTS.map(({ name }) => name);
    expect(names).toEqual(['floors', 'mixing-rate', 'fidelity', 'length', 'layouts', 'ablation', 'times']);
    const items = PAPER_ITEMS.map(({ id }) => id as string);
    for (const { reproduces } of EXPERIMENTS) for (const id of reproduces) expect(items).toContain(id);
    const reproduced = new Set<string>(EXPERIMENTS.flatMap(({ reproduces }) => [...reproduces]));
    // Figure 1 is a drawing of the pipeline.
    expect(items.filter((id) => !reproduced.has(id))).toEqual(['fig1']);
  });

  test('fast settings are settings, of the same kinds', () => {
    for (const { options, fast, name } of EXPERIMENTS)
      for (const [key, value] of Object.entries(fast)) {
        const full = (options as Record<string, unknown>)[key];
        expect([name, key, full !== undefined]).toEqual([name, key, true]);
        if (full !== null) expect([name, key, typeof value]).toEqual([name, key, typeof full]);
      }
  });

  test('what makes no sense is said before anything is done', async () => {
    await expect(tiny('mixing-rate', temporaryFolder(), { rates: [0, 1.5] })).rejects.toThrow(
      'rate 1.5 is not from 0 to 1',
    );
    await expect(tiny('fidelity', temporaryFolder(), { temperature: 0, minP: 1 })).rejects.toThrow(
      'temperature must be above 0, not 0; minP must be from 0 to below 1, not 1',
    );
    await expect(tiny('fidelity', temporaryFolder(), { sessions: false })).rejects.toThrow(
      'with sessions false there must be a flowModel',
    );
    await expect(tiny('length', temporaryFolder(), { packets: 50, slice: 40 })).rejects.toThrow(
      'packets (50) must be two slices (40) at least',
    );
    await expect(
      tiny('layouts', temporaryFolder(), { variants: [{ name: 'a', train: { lr: -1 } }] }),
    ).rejects.toThrow('variant a: lr must be above 0, not -1');
  });
});

describe('floors', () => {
  test('real traffic beside the rivals, class by class', async () => {
    const out = join(temporaryFolder(), 'run');
    const metrics = await tiny('floors', out);
    expect(table(metrics, 'header-by-class').rows.map(([label]) => label)).toEqual(['dns', 'ssh', 'macro']);
    const macro = (title: string) => cell(metrics, 'header-by-class', ([label]) => label === 'macro', title);
    expect(macro('real (floor)')).toBeGreaterThan(0);
    expect(macro('constant')).toBeGreaterThan(macro('real (floor)') as number);
    // Real connections complete their handshakes; fields shuffled among packets do not.
    const real = ([label, what]: unknown[]): boolean => label === 'pooled' && what === 'handshakes';
    expect(cell(metrics, 'connections', real, 'held-out real')).toBe(100);
    expect(cell(metrics, 'forbidden', ([source]) => source === 'reference', 'all')).toBe(0);
    expect(cell(metrics, 'memorisation-by-class', ([label]) => label === 'ssh', 'identical, real')).toBe(0);
  });
});

describe('fidelity', () => {
  test('generates with one packet of prompt, and measures without it', async () => {
    const out = join(temporaryFolder(), 'run');
    const metrics = await tiny('fidelity', out, { traces: 2, packets: 40 });
    const { rows, columns } = table(metrics, 'generation');
    expect(rows.map(([label]) => label)).toEqual(['dns', 'ssh']);
    const packets = rows.map((row) => row[columns.findIndex(({ title }) => title === 'packets')] as number);
    for (const n of packets) {
      expect(n).toBeGreaterThan(10);
      expect(n).toBeLessThanOrEqual(2 * 39); // 40 with the prompt
    }
    expect(existsSync(join(out, 'work', 'generated', 'session', 'dns', 'dns-000.pcap'))).toBe(true);
    const own = cell(metrics, 'tab2', ([source]) => source === 'netssm', 'header JSD') as number;
    const paper = cell(metrics, 'tab2', ([source]) => source === 'NetSSM (fine-tuned)', 'header JSD');
    expect(own).toBeGreaterThan(0);
    expect(paper).toBe(0.02);
    expect(cell(metrics, 'decoding', ([source]) => source === 'netssm', 'packets')).toBe(
      packets[0] + packets[1],
    );
    expect(table(metrics, 'tab4').rows).toHaveLength(11);
    const auc = cell(metrics, 'memorisation-by-class', ([label]) => label === 'dns', 'membership AUC');
    expect(auc).toBeGreaterThanOrEqual(0);
    expect(auc).toBeLessThanOrEqual(1);
    expect(metrics.figures.map(({ id }) => id)).toEqual(['fig3', 'appFig2', 'appFig3', 'appFig4']);
    const reproduced = new Set<string>(
      [...metrics.tables, ...metrics.figures].flatMap(({ reproduces }) => [...reproduces]),
    );
    for (const id of findExperiment('fidelity').reproduces) expect(reproduced).toContain(id);
  });
});

describe('mixing-rate', () => {
  test('rate 0 is real, rate 1 synthetic; as many items at every rate', async () => {
    const out = join(temporaryFolder(), 'run');
    const options = {
      traces: 2,
      testTraces: 2,
      trainItems: 8,
      testItems: 10,
      features: ['packet', 'sequence'],
    };
    const metrics = await tiny('mixing-rate', out, options);
    const { rows } = table(metrics, 'mixing-rates');
    const rates = new Set(rows.filter((row) => row[3] === 'netssm').map((row) => row[4]));
    expect([...rates]).toEqual([0.5, 1]);
    expect(new Set(rows.filter((row) => row[3] === 'real').map((row) => row[4]))).toEqual(new Set([0]));
    const scores = rows.map((row) => row[6] as number);
    for (const score of scores) expect(score >= 0 && score <= 1).toBe(true);
    expect(table(metrics, 'fig2').rows).toHaveLength(2); // two kinds of features; bundled captures name no services
    const figure = metrics.figures.find(({ id }) => id === 'fig2-packet');
    const paper = figure?.series.find(({ name, panel }) => name === 'NetShare' && panel.includes('on real'));
    expect(paper?.y.at(-1)).toBe(0.128);
    const confusion = metrics.details.confusion as Record<string, { classes: string[]; counts: number[][] }>;
    const real = confusion['packet, app, real, rate 0'];
    expect(real.classes).toEqual(['dns', 'ssh']);
    expect(real.counts.flat().reduce((a, b) => a + b, 0)).toBe(20);
    const job = readPlan(out).jobs.find(({ key }) => key === 'packet-netssm')!;
    const { mixed } = readJobResult(out, job)!.result as { mixed: MixingResult[] };
    expect(mixed.map(({ seed, items }) => [seed, items])).toEqual([[0, { dns: 8, ssh: 8 }]]);
  });
});

describe('length', () => {
  test('slices of equal length, from traces of the length asked for; the same again', async () => {
    const options = { traces: 2, packets: 60, slice: 20, realSessions: 2 };
    const metrics = await tiny('length', join(temporaryFolder(), 'run'), options);
    const { rows, columns } = table(metrics, 'length');
    const column = (title: string) => columns.findIndex((each) => each.title === title);
    expect(rows.slice(0, 3).map(([range]) => range)).toEqual(['0 to 20', '20 to 40', '40 to 60']);
    expect(rows.slice(0, 3).map((row) => row[column('traces')])).toEqual([2, 2, 2]);
    for (const row of rows.slice(0, 3)) {
      expect(row[column('loss, nats a token')]).toBeGreaterThan(0);
      expect(row[column('decoded at first try')]).toBeGreaterThan(0.5);
    }
    expect(table(metrics, 'flatness').rows).toHaveLength(5);
    const again = await tiny('length', join(temporaryFolder(), 'again'), options);
    expect(again).toEqual(metrics);
  });
});
