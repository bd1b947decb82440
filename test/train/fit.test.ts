import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { fit, readMetrics, type FitOptions, type History } from '../../src/train';
import { useEngine, type Engine } from '../../src/tensor';
import { temporaryFolder, TOY_CONFIG, toyEntropy, writeToyDataset } from './toy';

let engine: Engine;
let data: string;
beforeAll(async () => {
  engine = await useEngine('wasm');
  data = writeToyDataset(join(temporaryFolder(), 'data'));
});

const train = (run: string, more: Partial<FitOptions> = {}): Promise<History> =>
  fit({ run, data, engine, config: TOY_CONFIG, ...more });

describe('fit', () => {
  it('learns a bigram language to within 0.1 nats of its entropy', async () => {
    const run = join(temporaryFolder(), 'run');
    const started = performance.now();
    const history = await train(run, {
      config: { ...TOY_CONFIG, steps: 300, lr: 2e-2, evalEvery: 100, checkpointEvery: 100 },
    });
    console.log(history.steps.at(-1), history.evals.at(-1), history.overhead, performance.now() - started, toyEntropy());
  });
});
