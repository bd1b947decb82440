import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadSafetensors, parameterShapes, validateConfig } from '../../src/model';
import { useEngine } from '../../src/tensor';
import { validateTrainConfig } from '../../src/train';
import { Learner } from '../../src/train/learner';
import { readJson } from '../../src/util';
import { engines } from '../tensor/presentEngines';

/** What scripts/golden/mamba2.py computed in float64 with PyTorch's autograd, clip_grad_norm_ and AdamW. */
const dir = join(__dirname, '..', 'golden', 'mamba2-tiny');

interface Golden {
  lr: number;
  beta1: number;
  beta2: number;
  eps: number;
  weight_decay: number;
  clip: number;
  losses: number[];
  grad_norms: number[];
}

it.each(engines.flatMap((name) => [37, 10].map((chunkLen) => [name, chunkLen] as const)))(
  '%s: ten updates as PyTorch makes them, losses and norms within 1e-4, chunks of %i tokens',
  async (name, chunkLen) => {
    const engine = await useEngine(name);
    const golden = readJson<Golden>(join(dir, 'train10.json'));
    const io = readJson<{ tokens: number[][]; targets: number[][] }>(join(dir, 'io.json'));
    const config = validateConfig(readJson(join(dir, 'config.json')));
    const loaded = loadSafetensors(join(dir, 'weights.safetensors')).weights;
    const weights = Object.fromEntries(parameterShapes(config).map(([name]) => [name, loaded[name]]));
    const [rows, length] = [io.tokens.length, io.tokens[0].length];
    const train = validateTrainConfig({
      mode: 'packed',
      batchSize: rows,
      contextLen: length,
      chunkLen,
      beta1: golden.beta1,
      beta2: golden.beta2,
      eps: golden.eps,
      weightDecay: golden.weight_decay,
      clipNorm: golden.clip,
    });
    const batch = {
      tokens: Int32Array.from(io.tokens.flat()),
      targets: Int32Array.from(io.targets.flat()),
      starts: new Int32Array(rows * length),
      mask: new Float32Array(rows * length).fill(1),
      lossTokens: rows * length,
    };
    const learner = new Learner(engine, config, train, weights);
    const losses: number[] = [];
    const norms: number[] = [];
    for (let i = 0; i < golden.losses.length; i++) {
      const { lossNats, gradNorm } = await learner.update([{ batch, fresh: true }], golden.lr);
      losses.push(lossNats);
      norms.push(gradNorm);
    }
    learner.dispose();
    expect(losses).toBeWithin(golden.losses, 1e-4);
    expect(norms).toBeWithin(golden.grad_norms, 1e-4);
  },
);
