import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { readMetrics, type TrainConfig } from '../../src/train';
import { Rng } from '../../src/util';
import { compileSources, TRAIN_PROGRAM } from './child';
import { temporaryFolder, TOY_CONFIG, writeToyDataset } from './toy';

const MINUTES = { timeout: 240_000 }; // a process start is most of the time, and machines are shared
const config: Partial<TrainConfig> = { ...TOY_CONFIG, steps: 40, evalEvery: 7, checkpointEvery: 3 };
let program: string;
let data: string;
let whole: string;

interface Outcome {
  /** Steps that the process reported. */
  steps: number;
  done: boolean;
  signal: NodeJS.Signals | null;
}

/** Runs the training program; kills it after `killAfter` reported steps and `delayMs` more. */
function run(dir: string, { killAfter = Infinity, delayMs = 0, fault = '' } = {}): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, dir, data, JSON.stringify(config), fault], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let out = '';
    let errors = '';
    let armed = false;
    child.stderr.on('data', (text) => (errors += String(text)));
    child.stdout.on('data', (text) => {
      out += String(text);
      if (!armed && out.split('step ').length - 1 >= killAfter && out.includes('ready')) {
        armed = true;
        setTimeout(() => child.kill('SIGKILL'), delayMs);
      }
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code !== 0 && signal === null) reject(new Error(errors));
      else resolve({ steps: out.split('step ').length - 1, done: out.includes('done'), signal });
    });
  });
}

const metrics = (dir: string) =>
  readMetrics(join(dir, 'metrics.jsonl')).map((line) => ({ ...line, ms: 0, tokensPerSecond: 0 }));

function expectSameRun(dir: string): void {
  expect(metrics(dir)).toEqual(metrics(whole));
  expect(
    readFileSync(join(dir, 'model.safetensors')).equals(readFileSync(join(whole, 'model.safetensors'))),
  ).toBe(true);
  const tensors = join('checkpoint', 'tensors.safetensors');
  expect(readFileSync(join(dir, tensors)).equals(readFileSync(join(whole, tensors)))).toBe(true);
}

beforeAll(async () => {
  const folder = temporaryFolder();
  program = join(compileSources(folder), 'train.cjs');
  writeFileSync(program, TRAIN_PROGRAM);
  data = writeToyDataset(join(folder, 'data'), { packets: 4 });
  whole = join(folder, 'whole');
  const outcome = await run(whole);
  expect(outcome).toEqual({ steps: 40, done: true, signal: null });
}, MINUTES.timeout);

describe('a run killed by SIGKILL and resumed has the losses of an uninterrupted one, bit for bit', () => {
  it('killed at seeded random moments until it is done', MINUTES, async () => {
    const rng = new Rng('kills');
    const dir = join(temporaryFolder(), 'run');
    let kills = 0;
    for (let i = 0; i < 5; i++) {
      const outcome = await run(dir, { killAfter: rng.int(8), delayMs: rng.int(20) });
      if (outcome.done) break;
      if (outcome.signal === 'SIGKILL') kills++;
    }
    await run(dir);
    expect(kills).toBeGreaterThanOrEqual(3);
    expectSameRun(dir);
  });

  it(
    'killed in the middle of writing a checkpoint, before, between and after its two folder renames',
    MINUTES,
    async () => {
      const dir = join(temporaryFolder(), 'run');
      const left: string[] = [];
      // The first call renames 7 files before step 3's checkpoint; a later one only train.json. A checkpoint has four
      // renames: tensors, state, the old folder aside, the new one in its place.
      for (const fault of ['9', '4', '5']) {
        const outcome = await run(dir, { fault });
        expect(outcome).toMatchObject({ steps: 3, signal: 'SIGKILL' });
        const names = ['checkpoint', 'checkpoint.old', 'checkpoint.new'];
        left.push(names.filter((name) => existsSync(join(dir, name, 'state.json'))).join(' '));
      }
      expect(left).toEqual(['checkpoint', 'checkpoint checkpoint.new', 'checkpoint.old checkpoint.new']);
      await run(dir);
      expectSameRun(dir);
    },
  );
});
