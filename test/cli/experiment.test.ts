import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { jobProgram, type RunMetrics } from '../../src/experiments';
import { netssm, temporaryFolder } from './helpers';

/** A finished run as `netssm runs` sees it. */
function writeRun(folder: string, seed: number, value: number): void {
  mkdirSync(folder, { recursive: true });
  const config = {
    format: 'netssm-run',
    version: 1,
    experiment: 'floors',
    seed,
    fast: true,
    data: 'bundled',
    dataFingerprint: 'f',
    model: null,
    modelFingerprint: null,
    options: {},
  };
  const metrics: RunMetrics = {
    format: 'netssm-metrics',
    version: 1,
    experiment: 'floors',
    data: { name: 'bundled', classes: ['dns'], sessions: { train: 2, test: 1 } },
    tables: [
      {
        id: 'tab2',
        title: 'Distances',
        reproduces: ['tab2'],
        columns: [
          { title: 'source', kind: 'name' },
          { title: 'header JSD', kind: 'ours' },
        ],
        rows: [
          ['real', value],
          ['constant', 0.25],
        ],
        notes: ['Base 2.'],
      },
    ],
    figures: [],
    details: {},
    notes: ['A note of the run.'],
  };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  writeFileSync(join(folder, 'metrics.json'), JSON.stringify(metrics));
}

describe('netssm experiment', () => {
  test('--list: names, settings and what each stands beside', async () => {
    const { code, stdout } = await netssm('experiment', '--list');
    expect(code).toBe(0);
    for (const name of ['floors', 'mixing-rate', 'fidelity', 'length', 'layouts', 'ablation'])
      expect(stdout).toMatch(new RegExp(`^${name}: `, 'm'));
    expect(stdout).toContain('beside: Figure 2, Appendix Figure 1');
    const listed = JSON.parse((await netssm('experiment', '--list', '--json')).stdout) as { name: string }[];
    expect(listed.map(({ name }) => name)).toContain('mixing-rate');
  });

  test.each([
    ['no name', [], 'no experiment named'],
    ['unknown name', ['floor'], 'there is no experiment "floor"'],
    ['unknown setting', ['floors', '--data', 'bundled', '--set', 'tree=3'], 'unknown setting "tree"'],
    ['no such data', ['floors', '--data', '/nowhere'], '/nowhere does not exist'],
    [
      'no such model',
      ['length', '--data', 'bundled', '--model', '/nowhere'],
      'there is no model in /nowhere',
    ],
    ['a setting without a value', ['floors', '--set', 'trees'], 'Expected key=value'],
  ])('%s: exit code 2, and nothing on stdout', async (_, args, message) => {
    const { code, stdout, stderr } = await netssm('experiment', ...args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(message);
  });

  test('help has examples', async () => {
    for (const command of [['experiment'], ['runs', 'list'], ['runs', 'show'], ['runs', 'compare']]) {
      const { code, stdout } = await netssm(...command, '--help');
      expect(code).toBe(0);
      expect(stdout).toContain('--json');
      expect(stdout).toMatch(/\nExamples:\n {2}\$ netssm /);
    }
  });
});

describe.skipIf(jobProgram() === undefined)('a whole run (skipped where dist/ is not built)', () => {
  const sizes =
    '{"classes":["dns","ssh"],"trainSessions":2,"testSessions":2,"packets":40,"rivalPackets":50,"memorySessions":2,' +
    '"memoryPackets":40,"maxQueries":10,"maxReference":50,"trees":2,"seeds":1,"items":5}';

  test('runs in processes, prints tables, and finds its run again', { timeout: 240_000 }, async () => {
    const folder = temporaryFolder();
    const config = join(folder, 'sizes.json');
    writeFileSync(config, sizes);
    const args = ['experiment', 'floors', '--fast', '--data', 'bundled', '--config', config, '--jobs', '2'];
    const out = join(folder, 'run');
    const first = await netssm(...args, '--out', out);
    expect(first.stderr).not.toContain('error');
    expect(first.code).toBe(0);
    expect(first.stdout).toContain('Header level (480 TCP bits) by class');
    expect(first.stdout).toContain(`Run: ${out} (config.json, metrics.json, env.json)`);
    const env = readFileSync(join(out, 'env.json'), 'utf8');
    expect(env).toContain('netssm experiment floors --fast --data bundled --out');
    const metrics = readFileSync(join(out, 'metrics.json'), 'utf8');
    const again = await netssm(...args, '--out', out, '--json');
    expect(JSON.parse(again.stdout)).toMatchObject({ folder: out, resumed: 6, finished: 6, total: 6 });
    expect(readFileSync(join(out, 'metrics.json'), 'utf8')).toBe(metrics);
    expect(readFileSync(join(out, 'env.json'), 'utf8')).toBe(env);
    const other = await netssm(...args, '--out', out, '--seed', '2');
    expect(other.code).toBe(2);
    expect(other.stderr).toContain('seed is 1 there and 2 now');
  });
});

describe('netssm runs', () => {
  let root: string;
  beforeAll(() => {
    root = temporaryFolder();
    writeRun(join(root, 'a'), 1, 0.0625);
    writeRun(join(root, 'b'), 2, 0.125);
    mkdirSync(join(root, 'other'));
  });

  test('list', async () => {
    const { code, stdout } = await netssm('runs', 'list', root);
    expect(code).toBe(0);
    expect(stdout.split('\n').filter((line) => line.includes('floors (fast)'))).toHaveLength(2);
    const none = await netssm('runs', 'list', join(root, 'nothing'));
    expect([none.code, none.stdout]).toEqual([0, '']);
    expect(none.stderr).toContain('No runs in');
    expect(JSON.parse((await netssm('runs', 'list', root, '--json')).stdout)).toHaveLength(2);
  });

  test('show', async () => {
    const { code, stdout, stderr } = await netssm('runs', 'show', join(root, 'a'));
    expect(code).toBe(0);
    expect(stdout).toContain('Distances\nsource    header JSD\n--------  ----------\nreal          0.0625\n');
    expect(stdout).toContain('  Base 2.\n');
    expect(stderr).toBe('note: A note of the run.\n');
    expect((await netssm('runs', 'show', join(root, 'other'))).stderr).toContain(
      'holds no run of an experiment',
    );
  });

  test('compare: what differs, and in what the runs differ', async () => {
    const [a, b] = [join(root, 'a'), join(root, 'b')];
    const { code, stdout, stderr } = await netssm('runs', 'compare', a, b);
    expect(code).toBe(0);
    expect(stderr).toBe('seed: 1 and 2\n');
    const lines = stdout.trimEnd().split('\n');
    expect(lines[2]).toMatch(/^tab2 +real +header JSD +0\.0625 +0\.125 +\+0\.0625$/);
    expect(lines[3]).toBe('2 numbers in both, 1 of them equal.');
    expect((await netssm('runs', 'compare', a, b, '--all')).stdout).toContain('constant');
    const { rows } = JSON.parse((await netssm('runs', 'compare', a, b, '--json')).stdout) as {
      rows: { difference: number }[];
    };
    expect(rows.map(({ difference }) => difference)).toEqual([0.0625, 0]);
    expect((await netssm('runs', 'compare', a, join(root, 'none'))).code).toBe(2);
  });

  test('without a verb: the help, and exit code 2', async () => {
    const { code, stdout } = await netssm('runs');
    expect(code).toBe(2);
    expect(stdout).toContain('compare');
    expect(existsSync(join(root, 'a'))).toBe(true);
  });
});
