import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  InProcessEngine,
  openExperimentData,
  readRunMetrics,
  runExperiment,
  runName,
  resolveRunConfig,
  type Experiment,
  type RunEnvironment,
} from '../../src/experiments';
import { NetssmError, readJson } from '../../src/util';
import { CAPTURES, temporaryFolder, toyExperiment } from './toy';

const engineOf = (experiment: Experiment): InProcessEngine => new InProcessEngine(() => experiment);

function run(experiment: Experiment, out: string, more: object = {}) {
  return runExperiment({ experiment, out, data: CAPTURES, engine: engineOf(experiment), ...more });
}

async function failure(promise: Promise<unknown>): Promise<NetssmError> {
  const error = await promise.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  expect(error).toBeInstanceOf(NetssmError);
  return error as NetssmError;
}

describe('runExperiment', () => {
  test('writes config, plan, a result a job, metrics and environment', async () => {
    const out = join(temporaryFolder(), 'run');
    const done: number[] = [];
    const outcome = await run(toyExperiment(), out, {
      command: 'netssm experiment toy',
      onProgress: (update: { done: number; total: number }) => done.push(update.done / update.total),
    });
    expect(outcome).toMatchObject({ folder: out, resumed: 0, finished: 5, total: 5 });
    expect(readdirSync(out).sort()).toEqual(['config.json', 'env.json', 'jobs', 'metrics.json', 'plan.json']);
    expect(readdirSync(join(out, 'jobs')).sort()).toEqual([
      'draw-0.json',
      'draw-1.json',
      'draw-2.json',
      'draw-3.json',
      'sum.json',
    ]);
    const rows = readRunMetrics(out).tables[0].rows;
    const values = rows.map((row) => row[1] as number);
    expect(values[4]).toBeCloseTo(values[0] + values[1] + values[2] + values[3], 12);
    expect(readRunMetrics(out).data).toMatchObject({
      classes: ['dns', 'mqtt', 'ssh', 'stream', 'voip', 'web'],
      sessions: { train: 90, test: 30 },
    });
    const env = readJson<RunEnvironment>(join(out, 'env.json'));
    expect(env).toMatchObject({ command: 'netssm experiment toy', jobs: 1, threads: 1 });
    expect(Date.parse(env.finished as string)).toBeGreaterThanOrEqual(Date.parse(env.started));
    expect(done.at(-1)).toBe(1);
  });

  test('same seed, same metrics; another seed, others; fast is smaller', async () => {
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => join(temporaryFolder(), name));
    await run(toyExperiment(), a, { seed: 3 });
    await run(toyExperiment(), b, { seed: 3 });
    await run(toyExperiment(), c, { seed: 4 });
    const bytes = (folder: string): string => readFileSync(join(folder, 'metrics.json'), 'utf8');
    expect(bytes(a)).toBe(bytes(b));
    expect(bytes(a)).not.toBe(bytes(c));
    const fast = await run(toyExperiment(), d, { fast: true });
    expect(fast.total).toBe(3);
    expect(fast.metrics?.tables[0].columns).toEqual(readRunMetrics(a).tables[0].columns);
  });

  test('finished jobs are kept: after an interruption, and after a failure', async () => {
    const out = join(temporaryFolder(), 'run');
    const controller = new AbortController();
    const done: string[] = [];
    const interrupted = await run(
      toyExperiment(({ key }, { signal }) => {
        done.push(key);
        if (key === 'draw-2') controller.abort();
        if (signal.aborted) throw new NetssmError('aborted', 'stopped');
      }),
      out,
      { signal: controller.signal },
    );
    expect(interrupted).toMatchObject({ metrics: null, finished: 2, total: 5 });
    expect(done).toEqual(['draw-0', 'draw-1', 'draw-2']);
    expect(existsSync(join(out, 'metrics.json'))).toBe(false);

    const broken = toyExperiment(({ key }) => {
      if (key === 'draw-2') throw new NetssmError('toy_broken', 'no luck', { hint: 'Try again.' });
    });
    const error = await failure(run(broken, out));
    expect(error).toMatchObject({ code: 'jobs_failed', hint: 'Try again.', exitCode: 1 });
    expect(error.message).toContain('draw-2: no luck');

    const again: string[] = [];
    const whole = await run(
      toyExperiment(({ key }) => void again.push(key)),
      out,
    );
    expect(again).toEqual(['draw-2', 'sum']);
    expect(whole).toMatchObject({ resumed: 3, finished: 5 });
    const other = await run(toyExperiment(), join(temporaryFolder(), 'other'));
    expect(whole.metrics).toEqual(other.metrics);
  });

  test('a result file that is half there is none, and says which', async () => {
    const out = join(temporaryFolder(), 'run');
    await run(toyExperiment(), out);
    writeFileSync(join(out, 'jobs', 'draw-1.json'), '{"key": "draw-1", "par');
    expect((await failure(run(toyExperiment(), out))).message).toContain('draw-1.json is not valid JSON');
    rmSync(join(out, 'jobs', 'draw-1.json'));
    expect(await run(toyExperiment(), out)).toMatchObject({ resumed: 4, finished: 5 });
  });

  test('a folder of another run, or of something else, is left alone', async () => {
    const out = join(temporaryFolder(), 'run');
    await run(toyExperiment(), out, { seed: 1 });
    const error = await failure(run(toyExperiment(), out, { seed: 2, options: { scale: 5 } }));
    expect(error).toMatchObject({ code: 'run_settings_differ', exitCode: 2 });
    expect(error.message).toContain('seed is 1 there and 2 now; scale is 10 there and 5 now');
    const foreign = temporaryFolder();
    writeFileSync(join(foreign, 'thesis.txt'), 'x');
    expect(await failure(run(toyExperiment(), foreign))).toMatchObject({ code: 'run_foreign' });
    expect(readdirSync(foreign)).toEqual(['thesis.txt']);
  });
});

describe('settings', () => {
  test('unknown and unusable ones are all named', async () => {
    const error = await failure(
      run(toyExperiment(), temporaryFolder(), { options: { number: 3, scale: 'x', classes: 'dns' } }),
    );
    expect(error.message).toBe('toy: unknown setting "number"; scale must be a number, not "x"');
    expect(error.hint).toBe('Settings: classes, numbers, scale.');
  });

  test('the same settings have the same folder', () => {
    const name = (request: object): string =>
      runName(resolveRunConfig(toyExperiment(), { data: CAPTURES, ...request }));
    expect(name({ seed: 1 })).toBe(name({}));
    expect(name({ seed: 1 })).toMatch(/^toy-[0-9a-f]{8}$/);
    expect(name({ seed: 2 })).not.toBe(name({}));
    expect(name({ fast: true })).toMatch(/^toy-fast-/);
    expect(name({ options: { scale: 11 } })).not.toBe(name({}));
  });

  test('data that is not there is said at once', async () => {
    const error = await failure(run(toyExperiment(), temporaryFolder(), { data: '/nowhere/at/all' }));
    expect(error).toMatchObject({ code: 'data_missing', exitCode: 2 });
    expect(
      await failure(run(toyExperiment(), temporaryFolder(), { options: { classes: ['dsn'] } })),
    ).toMatchObject({
      code: 'class_unknown',
      hint: 'It has dns, mqtt, ssh, stream, voip, web.',
    });
  });
});

describe('openExperimentData', () => {
  const all = { classes: null, trainSessions: null, testSessions: null };

  test('takes splits from the manifest, and draws sessions with the seed', async () => {
    const some = { classes: ['web', 'dns'], trainSessions: 3, testSessions: 2 };
    const data = openExperimentData(CAPTURES, some, 1);
    expect(data).toMatchObject({ kind: 'folder', classes: ['dns', 'web'], notes: [] });
    const ids = (seed: number): string[] =>
      openExperimentData(CAPTURES, some, seed).sessions.map((s) => s.id);
    expect(ids(1)).toHaveLength(10);
    expect(ids(1)).toEqual(data.sessions.map((s) => s.id));
    expect(ids(1)).not.toEqual(ids(2));
    expect((await data.sessions[0].frames()).length).toBeGreaterThan(50);
  });

  test('without a manifest a third of a label is for testing; a single capture is cut', async () => {
    const folder = temporaryFolder();
    const { cpSync } = await import('node:fs');
    for (const i of ['01', '02', '03', '04', '05', '06'])
      cpSync(join(CAPTURES, 'dns', `dns-${i}.pcap`), join(folder, 'dns', `dns-${i}.pcap`));
    cpSync(join(CAPTURES, 'ssh', 'ssh-01.pcap'), join(folder, 'ssh', 'ssh-01.pcap'));
    const data = openExperimentData(folder, all, 1);
    const count = (label: string, split: string): number =>
      data.sessions.filter((s) => s.label === label && s.split === split).length;
    expect([count('dns', 'train'), count('dns', 'test')]).toEqual([4, 2]);
    expect([count('ssh', 'train'), count('ssh', 'test')]).toEqual([1, 1]);
    expect(data.notes).toEqual([
      'One capture only, cut in the middle: ssh. The same connections are on both sides, so its floors are too low.',
    ]);
    const halves = await Promise.all(data.sessions.filter((s) => s.label === 'ssh').map((s) => s.frames()));
    expect(Math.abs(halves[0].length - halves[1].length)).toBeLessThanOrEqual(1);
    expect(halves[0].at(-1)!.tsMicros).toBeLessThanOrEqual(halves[1][0].tsMicros);
  });
});
