import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadModelFiles } from '../../src/model';
import { useEngine, type Engine } from '../../src/tensor';
import { loadTiming, loadVocabulary, Vocabulary } from '../../src/tokens';
import { exportModel, fit, idMapBetween, readCard, toBf16 } from '../../src/train';
import { temporaryFolder, TOY_CONFIG, writeToyDataset } from './toy';

let engine: Engine;
let base: string;
beforeAll(async () => {
  engine = await useEngine('wasm');
  base = join(temporaryFolder(), 'base');
  const data = writeToyDataset(join(temporaryFolder(), 'data'));
  await fit({ run: base, data, engine, config: { ...TOY_CONFIG, steps: 30 } });
});

const EMBEDDING = 'backbone.embedding.weight';

describe('fine-tuning', () => {
  it('starts from a model, keeps its ids and adds rows for new labels', async () => {
    const data = writeToyDataset(join(temporaryFolder(), 'data'), { labels: ['c', 'b'] });
    const run = join(temporaryFolder(), 'tuned');
    const { model: _model, ...settings } = TOY_CONFIG;
    const history = await fit({ run, data, engine, config: { ...settings, init: base, steps: 1, lr: 1e-9 } });
    expect(history.notes).toContain(`weights of ${base}, new labels: c`);
    expect(readCard(run).labels).toEqual(['a', 'b', 'c']);
    expect(loadVocabulary(join(run, 'tokenizer.json')).labels).toEqual(['a', 'b', 'c']);
    const timing = loadTiming(join(run, 'timing.json')).labels; // those of the data go before those of the model
    expect(Object.entries(timing).map(([label, t]) => `${label} ${t.meanMicros}`)).toEqual([
      'a 0',
      'b 1',
      'c 0',
    ]);
    const [before, after] = [base, run].map((dir) => loadModelFiles(dir));
    expect(after.config.vocab_size).toBe(263);
    const rows = (m: typeof before, from: number, to: number) => [
      ...m.weights[EMBEDDING].data.subarray(from * 16, to * 16),
    ];
    expect(rows(after, 0, 262)).toBeWithin(rows(before, 0, 262), 1e-6);
    expect(rows(after, 262, 263)).not.toEqual(rows(before, 262, 263)); // a padding row before
    expect(rows(after, 263, 272)).toBeWithin(rows(before, 263, 272), 1e-6);
    // The language of label b is known already, that of c is not.
    const { perLabel } = history.evals[0];
    expect(perLabel.b.lossNats).toBeLessThan(perLabel.c.lossNats - 0.05);
    const resumed = await fit({ run, data, engine, resume: true, config: { steps: 2 } });
    expect(resumed.step).toBe(2);
  });

  it('refuses model settings and another layout', async () => {
    const data = writeToyDataset(join(temporaryFolder(), 'data'));
    const run = () => join(temporaryFolder(), 'run');
    await expect(
      fit({ run: run(), data, engine, config: { ...TOY_CONFIG, init: base } }),
    ).rejects.toMatchObject({
      code: 'init_with_model',
    });
    const other = join(temporaryFolder(), 'other');
    exportModel(base, other, { card: { layout: 'paper-94' } });
    await expect(fit({ run: run(), data, engine, config: { init: other } })).rejects.toThrow(
      `${other} was trained on layout paper-94 with checksums "keep"; ${data} has compact with "keep"`,
    );
  });

  it('maps ids by label name', () => {
    const [ab, ba, a] = [['a', 'b'], ['b', 'a'], ['a']].map((labels) => new Vocabulary(labels));
    expect(idMapBetween(a, ab)).toBe(undefined);
    expect([...(idMapBetween(ab, ba) as Int32Array)].slice(255)).toEqual([255, 256, 257, 258, 259, 261, 260]);
    expect(() => idMapBetween(ab, a)).toThrow('unknown label "b"');
  });
});

describe('exportModel', () => {
  it('writes a model folder, in half the size as bfloat16', () => {
    const [full, half] = [join(temporaryFolder(), 'full'), join(temporaryFolder(), 'half')];
    exportModel(base, full);
    const baselines = [{ name: 'byte bigram', lossNats: 1.5 }];
    expect(exportModel(base, half, { bf16: true, card: { baselines } }).baselines).toEqual(baselines);
    const size = (dir: string) => statSync(join(dir, 'model.safetensors')).size;
    expect(readFileSync(join(full, 'model.safetensors'))).toEqual(
      readFileSync(join(base, 'model.safetensors')),
    );
    expect(size(half)).toBeLessThan(size(full) * 0.6);
    const [a, b] = [full, half].map((dir) => loadModelFiles(dir).weights);
    for (const name of Object.keys(a)) expect(b[name].data).toBeWithin(a[name].data, 2 ** -8);
    expect(readCard(half)).toEqual({ ...readCard(base), baselines });
  });

  it('rounds to the nearest bfloat16, ties to even', () => {
    const ulp = 2 ** -7; // between 1 and 2
    expect([...toBf16(Float32Array.of(1, 1 + ulp / 2, 1 + 1.5 * ulp, 1 + 0.51 * ulp, -1))]).toEqual([
      0x3f80, 0x3f80, 0x3f82, 0x3f81, 0xbf80,
    ]);
  });
});
