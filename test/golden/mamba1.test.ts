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
  validateConfig,
  type MambaConfig,
} from '../../src/model';
import { useEngine, type EngineName, type TF } from '../../src/tensor';
import { readJson } from '../../src/util';
import { int2d, values } from '../model/helpers';

/** What scripts/golden/mamba1.py computed in float64 with PyTorch. */
const dir = join(__dirname, 'mamba1-tiny');
const config: MambaConfig = validateConfig(readJson(join(dir, 'config.json')));
const weights = loadSafetensors(join(dir, 'weights.safetensors')).weights;
const gradients = loadSafetensors(join(dir, 'gradients.safetensors')).weights;
const logits = loadSafetensors(join(dir, 'logits.safetensors')).weights.logits;
const io = readJson<{ tokens: number[][]; targets: number[][]; loss: number }>(join(dir, 'io.json'));
const [B, L] = [io.tokens.length, io.tokens[0].length];

it('the golden model is the one that the config describes', () => {
  expect(Object.keys(weights).sort()).toEqual(parameterShapes(config).map(([name]) => name).sort());
  expect([B, L, config.ssm_cfg.layer]).toEqual([2, 37, 'Mamba1']);
});

// Where native cannot be built it is wasm again.
describe.each(['wasm', 'cpu', 'native'] as EngineName[])('Mamba-1 against PyTorch, engine %s', (engine) => {
  let tf: TF;
  beforeAll(async () => {
    tf = (await useEngine(engine)).tf;
  });
  const batch = () => ({
    tokens: int2d(tf, io.tokens.flat(), B, L),
    targets: int2d(tf, io.targets.flat(), B, L),
    mask: tf.ones([B, L]) as never,
  });

  it.each(['auto', 'parallel', 'sequential'] as const)('logits and loss within 1e-4, %s', (scan) => {
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
