import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { useEngine, type Engine } from '../../src/tensor';
import { PKT } from '../../src/tokens';
import { fit, readRun, validateTrainConfig, type EvalMetrics, type FitOptions } from '../../src/train';
import { temporaryFolder, TOY_CONFIG, writeToyDataset } from './toy';

let engine: Engine;
let data: string;
beforeAll(async () => {
  engine = await useEngine('wasm');
  data = writeToyDataset(join(temporaryFolder(), 'data'));
});
const newRun = () => join(temporaryFolder(), 'run');
const train = (run: string, config: FitOptions['config'], more: Partial<FitOptions> = {}) =>
  fit({ run, data, engine, config: { ...TOY_CONFIG, ...config }, ...more });

describe('early stopping', () => {
  // So small a rate that no float32 weight changes: every evaluation is as good as the first, so none is better.
  const still = { lr: 1e-12, weightDecay: 0, evalEvery: 2, checkpointEvery: 100, steps: 50, patience: 2 };

  it('ends the run after `patience` evaluations without a better one; resuming without it goes on', async () => {
    const run = newRun();
    const history = await train(run, still);
    expect(history).toMatchObject({ stopped: 'patience', step: 6, best: { step: 2 } });
    expect(readRun(run)).toMatchObject({ finished: true, history: { stopped: 'patience', step: 6 } });
    // As it was: nothing more is done.
    expect(await train(run, still, { resume: true })).toMatchObject({ stopped: 'patience', step: 6 });
    const on = await train(run, { ...still, patience: null, steps: 8 }, { resume: true });
    expect(on).toMatchObject({ stopped: 'steps', step: 8 });
    expect(on.evals.map(({ step }) => step)).toEqual([2, 4, 6, 8]);
  });

  it('needs evaluations', () => {
    expect(() => validateTrainConfig({ patience: 2, evalEvery: 0 })).toThrow(/patience needs evalEvery/);
    expect(() => validateTrainConfig({ patience: 0 })).toThrow(/patience must be a whole number/);
  });
});

describe('losses by field', () => {
  it('add up to the whole loss; the named tokens are those that the loss predicts', async () => {
    const seen: EvalMetrics[] = [];
    const models: string[] = [];
    await train(
      newRun(),
      { steps: 5 },
      {
        fields: (dataset, i) => Array.from(dataset.tokens(i), (id) => (id === PKT ? 'mark' : 'byte')),
        onEval: (metrics, { config, vocabulary, weights }) => {
          seen.push(metrics);
          models.push(`${config.d_model} ${vocabulary.labels.join()} ${Object.keys(weights).length > 5}`);
        },
      },
    );
    expect(models).toEqual(['16 a,b true']);
    const [{ lossNats, tokens, perField = {} }] = seen;
    const parts = Object.values(perField);
    expect(Object.keys(perField).sort()).toEqual(['byte', 'mark']);
    expect(parts.reduce((sum, part) => sum + part.tokens, 0)).toBe(tokens);
    const nats = parts.reduce((sum, part) => sum + part.tokens * part.lossNats, 0);
    expect(nats / tokens).toBeCloseTo(lossNats, 10);
    // Six validation sessions of 8, 9 and 10 packets: a mark between packets.
    expect(perField.mark.tokens).toBe(2 * (7 + 8 + 9));
  });

  it('holds the run up while somebody looks at the model', async () => {
    const order: string[] = [];
    await train(
      newRun(),
      { steps: 6, evalEvery: 5 },
      {
        onStep: ({ step }) => order.push(`step ${step}`),
        onEval: async ({ step }) => {
          await new Promise((resolve) => setTimeout(resolve, 20));
          order.push(`looked at ${step}`);
        },
      },
    );
    expect(order.slice(4)).toEqual(['step 5', 'looked at 5', 'step 6', 'looked at 6']);
  });
});

describe('readRun', () => {
  it('tells what fit returned, from the files alone', async () => {
    const run = newRun();
    const history = await train(run, { steps: 7 });
    const { overhead: _overhead, seconds, ...expected } = history;
    const record = readRun(run);
    expect(record.history).toMatchObject(expected);
    expect(Math.abs(record.history.seconds - seconds)).toBeLessThan(0.5);
    expect(record).toMatchObject({ finished: true, engine: 'wasm', train: { steps: 7, lr: 1e-2 } });
    rmSync(join(run, 'checkpoint'), { recursive: true });
    expect(() => readRun(run)).toThrow(/holds no run/);
  });

  it('an interrupted run is not finished', async () => {
    const run = newRun();
    const controller = new AbortController();
    const onStep = ({ step }: { step: number }) => {
      if (step === 3) controller.abort();
    };
    const history = await train(run, { steps: 100 }, { signal: controller.signal, onStep });
    expect(history).toMatchObject({ stopped: 'interrupt', step: 3 });
    expect(readRun(run)).toMatchObject({ finished: false, history: { step: 3, stopped: 'interrupt' } });
  });
});
