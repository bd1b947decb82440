import { execFile } from 'node:child_process';
import { rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../../src/util';
import { compileSources } from '../train/child';
import { temporaryFolder } from '../train/toy';
import { engines } from './presentEngines';

/**
 * Trains for a thousand steps, in which caches and compiled code settle, then a thousand more, and says what both left
 * behind. The runtime sometimes settles later: what grows only once is looked at again, a leak grows every time.
 */
const PROGRAM = `
const { useEngine } = require('./dist/tensor');
const { fusedLayers } = require('./dist/tensor/native');
const [name, what] = process.argv.slice(2);
async function layers(tf) {
  const model = tf.sequential({
    layers: [
      tf.layers.lstm({ inputShape: [4, 8], units: 24, recurrentInitializer: 'glorotUniform' }),
      tf.layers.dense({ units: 64, activation: 'relu' }),
      tf.layers.dense({ units: 4, activation: 'softmax' }),
    ],
  });
  model.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy' });
  const x = tf.randomNormal([32, 4, 8], 0, 1, 'float32', 1);
  const y = tf.oneHot(tf.range(0, 32, 1, 'int32').mod(tf.scalar(4, 'int32')), 4).toFloat();
  return () => model.trainOnBatch(x, y);
}
async function mamba(tf) {
  const m = require('./dist/model');
  const { Rng } = require('./dist/util');
  const config = m.validateConfig({
    d_model: 16, n_layer: 1, vocab_size: 37, ssm_cfg: { d_state: 8, headdim: 8, chunk_size: 8 },
  });
  const params = m.toParams(tf, m.initWeights(config, new Rng(1)));
  const ids = (s) => tf.tensor2d(Int32Array.from({ length: 16 }, (_, i) => (i * s) % 37), [1, 16], 'int32');
  const [tokens, targets, mask] = [ids(5), ids(7), tf.ones([1, 16])];
  return async () => {
    const { gradients, states } = m.chunkedLossAndGradients(tf, config, params, tokens, targets, mask);
    tf.dispose(Object.values(gradients));
    m.disposeStates(states);
  };
}
(async () => {
  const { tf } = await useEngine(name);
  if (what === 'layers, unfused') fusedLayers(false);
  const step = await (what === 'mamba' ? mamba : layers)(tf);
  const look = () => {
    globalThis.gc();
    globalThis.gc();
    const { numTensors, numDataBuffers } = tf.memory();
    return { numTensors, numDataBuffers, rss: process.memoryUsage().rss };
  };
  for (let i = 0; i < 1000; i++) await step();
  let before, after = look();
  for (let round = 0; round < 3; round++) {
    before = after;
    for (let i = 0; i < 1000; i++) await step();
    after = look();
    if (after.rss - before.rss < 20 * 2 ** 20) break;
  }
  process.stdout.write(JSON.stringify({ before, after }));
})().catch((error) => { process.stderr.write(String(error.stack)); process.exit(1); });
`;

interface Memory {
  numTensors: number;
  numDataBuffers: number;
  rss: number;
}

describe('a thousand training steps', () => {
  let folder: string;
  beforeAll(() => {
    folder = temporaryFolder('memory');
    compileSources(folder);
    symlinkSync(join(projectRoot, 'native'), join(folder, 'native'), 'junction');
    writeFileSync(join(folder, 'train.cjs'), PROGRAM);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const cases = engines
    .filter((name) => name !== 'cpu')
    .flatMap((name) =>
      (name === 'native' ? ['layers', 'layers, unfused', 'mamba'] : ['layers']).map((what) => [name, what]),
    );

  it.each(cases)(
    '%s, %s: tensors and resident memory stay what they are',
    { timeout: 240_000 },
    async (name, what) => {
      // A young generation of fixed size, so that what the process holds is what the program keeps.
      const args = ['--expose-gc', '--max-semi-space-size=1', join(folder, 'train.cjs'), name, what];
      const { stdout } = await promisify(execFile)(process.execPath, args, {
        env: { ...process.env, NETSSM_THREADS: '1' },
      });
      const { before, after } = JSON.parse(stdout) as { before: Memory; after: Memory };
      expect(after.numTensors).toBe(before.numTensors);
      expect(after.numDataBuffers).toBe(before.numDataBuffers);
      // Code and heap of the runtime itself settle by up to 20 MB; a leak of one 32 kB buffer a step would be 31 MB.
      expect((after.rss - before.rss) / 2 ** 20, 'MB').toBeLessThan(30);
    },
  );
});
