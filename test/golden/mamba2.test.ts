import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  chunkedLossAndGradients,
  forward,
  loadSafetensors,
  nextTokenLoss,
  parameterShapes,
  StepModel,
  toParams,
  toWeights,
  validateConfig,
  type MambaConfig,
  type Weights,
} from '../../src/model';
import { useEngine, type EngineName, type TF } from '../../src/tensor';
import { AdamW, clipCoefficient, globalNorm } from '../../src/train';
import { readJson } from '../../src/util';
import { int2d, values } from '../model/helpers';

/** What scripts/golden/mamba2.py computed in float64 with PyTorch. */
const dir = join(__dirname, 'mamba2-tiny');
const config: MambaConfig = validateConfig(readJson(join(dir, 'config.json')));
const weights = loadSafetensors(join(dir, 'weights.safetensors')).weights;
const gradients = loadSafetensors(join(dir, 'gradients.safetensors')).weights;
const logits = loadSafetensors(join(dir, 'logits.safetensors')).weights.logits;
const io = readJson<{ tokens: number[][]; targets: number[][]; loss: number }>(join(dir, 'io.json'));
const train10 = readJson<{
  lr: number;
  beta1: number;
  beta2: number;
  eps: number;
  weight_decay: number;
  clip: number;
  losses: number[];
  grad_norms: number[];
}>(join(dir, 'train10.json'));
const [B, L] = [io.tokens.length, io.tokens[0].length];

it('the golden model is the one that the config describes', () => {
  expect(Object.keys(weights).sort()).toEqual(parameterShapes(config).map(([name]) => name).sort());
  expect([B, L, config.ssm_cfg.chunk_size]).toEqual([2, 37, 16]);
});

// Where native cannot be built it is wasm again.
describe.each(['wasm', 'cpu', 'native'] as EngineName[])('Mamba-2 against PyTorch, engine %s', (engine) => {
  let tf: TF;
  beforeAll(async () => {
    tf = (await useEngine(engine)).tf;
  });
  const batch = () => ({
    tokens: int2d(tf, io.tokens.flat(), B, L),
    targets: int2d(tf, io.targets.flat(), B, L),
    mask: tf.ones([B, L]) as never,
  });

  it.each(['chunked', 'sequential'] as const)('logits and loss within 1e-4, %s', (scan) => {
    const { tokens, targets, mask } = batch();
    const result = forward(tf, config, toParams(tf, weights), tokens, { scan });
    expect(result.logits.shape).toEqual(logits.shape);
    expect(values(result.logits)).toBeWithin(logits.data, 1e-4);
    const loss = values(nextTokenLoss(tf, result.logits, targets, mask))[0] / (B * L);
    expect(Math.abs(loss - io.loss)).toBeLessThan(1e-4);
  });

  // The same code on the slow engine: once is enough.
  it.each(engine === 'cpu' ? [37] : [37, 16, 5])('every gradient tensor within 1e-3, in chunks of %i', (chunkLen) => {
    const { tokens, targets, mask } = batch();
    const result = chunkedLossAndGradients(tf, config, toParams(tf, weights), tokens, targets, mask, { chunkLen });
    expect(Math.abs(result.loss - io.loss)).toBeLessThan(1e-4);
    expect(Object.keys(result.gradients).sort()).toEqual(Object.keys(gradients).sort());
    for (const [name, { shape, data }] of Object.entries(gradients)) {
      expect(result.gradients[name].shape, name).toEqual(shape);
      expect(values(result.gradients[name]), name).toBeWithin(data, 1e-3);
    }
  });
});

it('the step form gives the same logits within 1e-4', () => {
  const model = new StepModel(config, weights);
  const out = new Float32Array(model.vocabSize);
  const all = io.tokens.flatMap((row) => {
    const state = model.newState();
    return row.flatMap((token) => {
      model.step(state, token, out);
      return [...out];
    });
  });
  expect(all).toBeWithin(logits.data, 1e-4);
});

it('ten AdamW steps with clipping: losses within 1e-4, gradient norms within 1e-3', async () => {
  const { tf } = await useEngine('wasm');
  const masters: Weights = Object.fromEntries(
    Object.entries(weights).map(([name, { shape, data }]) => [name, { shape, data: data.slice() }]),
  );
  const { beta1, beta2, eps, weight_decay: weightDecay } = train10;
  const optimizer = new AdamW(masters, { beta1, beta2, eps, weightDecay });
  const tokens = int2d(tf, io.tokens.flat(), B, L);
  const targets = int2d(tf, io.targets.flat(), B, L);
  const mask = tf.ones([B, L]) as never;
  train10.losses.forEach((expected, i) => {
    const params = toParams(tf, masters);
    const result = chunkedLossAndGradients(tf, config, params, tokens, targets, mask);
    const arrays = Object.fromEntries(Object.entries(toWeights(result.gradients)).map(([name, { data }]) => [name, data]));
    const norm = globalNorm(arrays);
    expect(Math.abs(result.loss - expected), `step ${i}: ${result.loss} ~ ${expected}`).toBeLessThan(1e-4);
    expect(Math.abs(norm / train10.grad_norms[i] - 1), `norm of step ${i}`).toBeLessThan(1e-3);
    optimizer.step(arrays, train10.lr, clipCoefficient(norm, train10.clip));
    tf.dispose([Object.values(params), Object.values(result.gradients)]);
  });
});
