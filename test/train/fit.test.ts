import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadModelFiles } from '../../src/model';
import {
  fit,
  readCard,
  readMetrics,
  type FitOptions,
  type History,
  type MetricsLine,
  type TrainConfig,
} from '../../src/train';
import { useEngine, type Engine } from '../../src/tensor';
import { temporaryFolder, toyBigramLoss, TOY_CONFIG, writeToyDataset } from './toy';

let engine: Engine;
let data: string;
beforeAll(async () => {
  engine = await useEngine('wasm');
  data = writeToyDataset(join(temporaryFolder(), 'data'));
});

/** For runs of a hundred steps on machines that are shared; alone they take three seconds. */
const MINUTES = { timeout: 240_000 };

const newRun = () => join(temporaryFolder(), 'run');
const train = (
  run: string,
  config: Partial<TrainConfig> = {},
  more: Partial<FitOptions> = {},
): Promise<History> => fit({ run, data, engine, config: { ...TOY_CONFIG, ...config }, ...more });

/** Metrics without what the clock decides. */
export const untimed = (lines: MetricsLine[]) =>
  lines.map((line) => ({ ...line, ms: 0, tokensPerSecond: 0 }));

describe('fit', () => {
  it(
    'learns a toy language from uniform to below the best that a bigram model can do, 1.08 nats',
    MINUTES,
    async () => {
      const bigger = writeToyDataset(join(temporaryFolder(), 'data'), { sequences: 60 });
      const config: Partial<TrainConfig> = {
        ...TOY_CONFIG,
        model: { d_model: 32, n_layer: 1, ssm_cfg: { d_state: 16, headdim: 16, chunk_size: 32 } },
        batchSize: 8,
        contextLen: 64,
        chunkLen: 64,
        steps: 100,
        lr: 2e-2,
        evalEvery: 50,
        checkpointEvery: 100,
      };
      const history = await fit({ run: newRun(), data: bigger, engine, config });
      expect(history.steps[0].lossNats).toBeCloseTo(Math.log(272), 0);
      expect(toyBigramLoss()).toBeCloseTo(1.0825, 3);
      expect(history.best?.lossNats).toBeLessThan(toyBigramLoss() - 0.05); // 0.98 where this was written
      expect(history.overhead).toBeLessThan(0.2); // of 30,000 parameters; below 0.01 at the size of the demo
    },
  );

  it('overfits one batch', MINUTES, async () => {
    const single = writeToyDataset(join(temporaryFolder(), 'data'), {
      labels: ['a'],
      sequences: 1,
      packets: 3,
      validation: false,
    });
    const config = {
      ...TOY_CONFIG,
      batchSize: 1,
      steps: 80,
      lr: 5e-2,
      weightDecay: 0,
      checkpointEvery: 1000,
    };
    const history = await fit({ run: newRun(), data: single, engine, config });
    expect(history.steps.at(-1)?.lossNats).toBeLessThan(0.05);
    expect(history.notes).toEqual(['no validation sequences: model.safetensors holds the last weights']);
  });

  it('writes a run folder that is also a model folder', async () => {
    const run = newRun();
    const progress: string[] = [];
    const history = await train(
      run,
      {},
      { onProgress: (u) => progress.push(`${u.done}/${u.total} ${u.unit}`) },
    );
    expect(readdirSync(run).sort()).toEqual([
      'checkpoint',
      'config.json',
      'env.json',
      'meta.json',
      'metrics.jsonl',
      'model.safetensors',
      'netssm.json',
      'timing.json',
      'tokenizer.json',
      'train.json',
    ]);
    const lines = readMetrics(join(run, 'metrics.jsonl'));
    expect(lines.map((l) => `${l.kind} ${l.step}`).filter((l) => l.startsWith('eval'))).toEqual([
      'eval 5',
      'eval 10',
      'eval 12',
    ]);
    expect(lines.filter((l) => l.kind === 'step')).toEqual(history.steps);
    expect(lines.filter((l) => l.kind === 'eval')).toEqual(history.evals);
    const { tokens, perLabel, lossNats } = history.evals[2];
    expect(Object.keys(perLabel)).toEqual(['a', 'b']);
    expect(perLabel.a.tokens + perLabel.b.tokens).toBe(tokens);
    expect(
      (perLabel.a.lossNats * perLabel.a.tokens + perLabel.b.lossNats * perLabel.b.tokens) / tokens,
    ).toBeCloseTo(lossNats, 10);
    expect(progress.at(-1)).toBe('12/12 steps');
    const card = readCard(run);
    expect(card.labels).toEqual(['a', 'b']);
    expect(card.heldOutLossNats).toBe(history.best?.lossNats);
    expect(card.steps).toBe(history.best?.step);
    const { weights } = loadModelFiles(run);
    const parameters = Object.values(weights).reduce((n, { data }) => n + data.length, 0);
    expect([card.parameters, history.parameters]).toEqual([parameters, parameters]);
    expect(history.tokens).toBe(history.steps.reduce((n, m) => n + m.tokens, 0));
    const env = readFileSync(join(run, 'env.json'), 'utf8');
    expect(JSON.parse(env)).toMatchObject({
      engine: 'wasm',
      platform: `${process.platform} ${process.arch}`,
    });
  });

  it('has the same losses with the same seed, and others with another', async () => {
    const losses = async (config: Partial<TrainConfig>) =>
      (await train(newRun(), { steps: 3, evalEvery: 0, ...config })).steps.map((m) => m.lossNats);
    const first = await losses({});
    expect(await losses({})).toEqual(first);
    expect(await losses({ seed: 2 })).not.toEqual(first);
  });

  it('leaves as many tensors on the engine after each step, and none in the end', async () => {
    const before = engine.tf.memory().numTensors;
    const counts: number[] = [];
    await train(newRun(), { accumulate: 2 }, { onStep: () => counts.push(engine.tf.memory().numTensors) });
    expect(new Set(counts).size).toBe(1);
    expect(engine.tf.memory().numTensors).toBe(before);
  });

  it('two accumulated batches are one batch of twice the rows', async () => {
    const one = writeToyDataset(join(temporaryFolder(), 'data'), { labels: ['a'], sequences: 4, packets: 3 });
    const run = (config: Partial<TrainConfig>) =>
      fit({
        run: newRun(),
        data: one,
        engine,
        config: {
          ...TOY_CONFIG,
          mode: 'packed',
          contextLen: 64,
          chunkLen: 64,
          steps: 4,
          evalEvery: 0,
          ...config,
        },
      });
    const together = await run({ batchSize: 4 });
    const apart = await run({ batchSize: 2, accumulate: 2 });
    expect(apart.steps.map((m) => m.tokens)).toEqual(together.steps.map((m) => m.tokens));
    expect(apart.steps.map((m) => m.lossNats)).toBeWithin(
      together.steps.map((m) => m.lossNats),
      1e-5,
    );
  });

  it('chunks change memory, not losses', async () => {
    const run = async (chunkLen: number) =>
      (await train(newRun(), { chunkLen, steps: 4, evalEvery: 0 })).steps.map((m) => m.lossNats);
    expect(await run(8)).toBeWithin(await run(32), 1e-5);
  });

  it('refuses a loss that is not a number, and keeps the last checkpoint', async () => {
    const run = newRun();
    const settings = {
      lr: 1e30,
      clipNorm: 1e30,
      warmupSteps: 0,
      schedule: 'constant',
      checkpointEvery: 1,
    } as const;
    await expect(train(run, settings)).rejects.toMatchObject({
      code: 'loss_not_finite',
      hint: /last checkpoint/,
    });
    const { step } = JSON.parse(readFileSync(join(run, 'checkpoint', 'state.json'), 'utf8')) as {
      step: number;
    };
    expect(step).toBe(readMetrics(join(run, 'metrics.jsonl')).length);
  });

  it('ends after the step in which it is told to, keeps the work, and goes on as if nothing had happened', async () => {
    const [whole, run] = [newRun(), newRun()];
    await train(whole);
    const controller = new AbortController();
    const stop = (m: { step: number }) => m.step === 7 && controller.abort();
    const history = await train(run, {}, { signal: controller.signal, onStep: stop });
    expect([history.stopped, history.step, history.steps.length]).toEqual(['interrupt', 7, 7]);
    expect(existsSync(join(run, 'model.safetensors'))).toBe(true);
    const rest = await fit({ run, data, engine, resume: true });
    expect([rest.stopped, rest.step, rest.steps.length]).toEqual(['steps', 12, 12]);
    const read = (dir: string) => untimed(readMetrics(join(dir, 'metrics.jsonl')));
    expect(read(run)).toEqual(read(whole));
    expect(readFileSync(join(run, 'model.safetensors'))).toEqual(
      readFileSync(join(whole, 'model.safetensors')),
    );
  });

  it('ends on Ctrl-C and gives the listeners back that were there', async () => {
    const mine = () => undefined;
    process.on('SIGINT', mine);
    const onStep = (m: { step: number }) => m.step === 2 && process.emit('SIGINT');
    const history = await train(newRun(), {}, { onStep });
    expect([history.stopped, history.step]).toEqual(['interrupt', 2]);
    expect(process.listeners('SIGINT')).toContain(mine);
    process.removeListener('SIGINT', mine);
  });

  it('stops when maxSeconds are over', async () => {
    const history = await train(newRun(), { steps: 1_000_000, maxSeconds: 0.5, evalEvery: 0 });
    expect(history.stopped).toBe('time');
    expect(history.step).toBeGreaterThan(0);
    expect(history.seconds).toBeLessThan(5);
  });
});

describe('resume', () => {
  it('a finished run goes on with more steps', async () => {
    const [whole, run] = [newRun(), newRun()];
    const config: Partial<TrainConfig> = { schedule: 'constant', evalEvery: 0 };
    await train(whole, { ...config, steps: 9 });
    await train(run, { ...config, steps: 5 });
    const history = await fit({ run, data, engine, resume: true, config: { steps: 9 } });
    expect(untimed(history.steps)).toEqual(untimed(readMetrics(join(whole, 'metrics.jsonl'))));
    expect(statSync(join(run, 'model.safetensors')).size).toBe(
      statSync(join(whole, 'model.safetensors')).size,
    );
  });

  it('names what differs', async () => {
    const run = newRun();
    await train(run, { steps: 2 });
    await expect(
      fit({ run, data, engine, resume: true, config: { lr: 0.5, seed: 9 } }),
    ).rejects.toMatchObject({
      code: 'run_settings_differ',
      message: `cannot resume ${run}: lr was 0.01, is 0.5; seed was 1, is 9`,
    });
    const other = writeToyDataset(join(temporaryFolder(), 'data'), { seed: 77 });
    await expect(fit({ run, data: other, engine, resume: true })).rejects.toThrow(
      /data\.contentHash was "sha256:/,
    );
  });

  it('never overwrites a run unasked, and resumes nothing where nothing is', async () => {
    const run = newRun();
    await train(run, { steps: 1 });
    await expect(train(run, { steps: 1 })).rejects.toMatchObject({ code: 'run_exists', exitCode: 2 });
    await expect(fit({ run: newRun(), data, engine, resume: true })).rejects.toMatchObject({
      code: 'run_missing',
    });
    const again = await train(run, { steps: 2 }, { overwrite: true });
    expect(again.steps.map((m) => m.step)).toEqual([1, 2]);
  });
});
