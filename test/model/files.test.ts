import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  decodeSafetensors,
  encodeSafetensors,
  loadModelFiles,
  loadSafetensors,
  saveModel,
  saveSafetensors,
  type Weights,
} from '../../src/model';
import { NetssmError } from '../../src/util';
import { livelyWeights, tinyConfig } from './helpers';

const dir = mkdtempSync(join(tmpdir(), 'netssm-model-'));
afterAll(() => rmSync(dir, { recursive: true }));

/** A file by hand: header text and data bytes. */
function file(header: unknown, data: number[] = []): Uint8Array {
  const json = typeof header === 'string' ? header : JSON.stringify(header);
  const out = Buffer.alloc(8 + Buffer.byteLength(json) + data.length);
  out.writeUInt32LE(Buffer.byteLength(json), 0);
  out.write(json, 8);
  Buffer.from(data).copy(out, 8 + Buffer.byteLength(json));
  return out;
}

describe('safetensors', () => {
  const weights: Weights = {
    b: { shape: [2, 3], data: Float32Array.from([1, -2, 3.5, 0, 1e-30, -Infinity]) },
    a: { shape: [], data: Float32Array.from([Math.fround(0.1)]) },
    empty: { shape: [0, 4], data: new Float32Array(0) },
  };

  it('round trip: bits, shapes, metadata', () => {
    const path = join(dir, 'x.safetensors');
    saveSafetensors(path, weights, { format: 'pt', step: '7' });
    expect(loadSafetensors(path)).toEqual({ weights, metadata: { format: 'pt', step: '7' } });
  });

  it('lays the bytes out as the format says', () => {
    const bytes = encodeSafetensors({ w: { shape: [1, 2], data: Float32Array.from([1, 2]) } });
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const n = view.getUint32(0, true);
    expect((8 + n) % 8).toBe(0);
    expect(JSON.parse(Buffer.from(bytes.subarray(8, 8 + n)).toString())).toEqual({
      w: { dtype: 'F32', shape: [1, 2], data_offsets: [0, 8] },
    });
    expect([...bytes.subarray(8 + n)]).toEqual([0, 0, 128, 63, 0, 0, 0, 64]);
  });

  it('reads BF16 and F16', () => {
    const bf16 = decodeSafetensors(
      file({ w: { dtype: 'BF16', shape: [2], data_offsets: [0, 4] } }, [0x80, 0x3f, 0x49, 0xc0]),
    );
    expect([...bf16.weights.w.data]).toEqual([1, -3.140625]);
    const halves = [0x3c00, 0xc248, 0x7c00, 0x0001, 0x8000, 0x7bff];
    const f16 = decodeSafetensors(
      file(
        { w: { dtype: 'F16', shape: [6], data_offsets: [0, 12] } },
        halves.flatMap((h) => [h & 255, h >> 8]),
      ),
    );
    expect([...f16.weights.w.data]).toEqual([1, -3.140625, Infinity, 2 ** -24, -0, 65504]);
  });

  const entry = (changes: object) => ({ w: { dtype: 'F32', shape: [1], data_offsets: [0, 4], ...changes } });
  it.each<[string, Uint8Array, string]>([
    ['nothing', new Uint8Array(3), '3 bytes are too few'],
    [
      'a length past the end',
      Buffer.from([255, 0, 0, 0, 0, 0, 0, 0, 123]),
      'header of 255 bytes in a file of 9',
    ],
    ['a huge length', Buffer.alloc(16, 255), 'header of'],
    ['no JSON', file('{"w":'), 'not JSON'],
    ['no object', file('[1]'), 'does not begin with {'],
    ['another dtype', file(entry({ dtype: 'I64' }), [0, 0, 0, 0]), 'dtype "I64"'],
    ['a negative shape', file(entry({ shape: [-1] }), [0, 0, 0, 0]), 'shape [-1]'],
    ['offsets past the data', file(entry({}), [0]), '0..4 of 1 bytes'],
    ['offsets against the shape', file(entry({ shape: [2] }), [0, 0, 0, 0]), 'has 4 bytes, not 8'],
    ['a gap', file(entry({ data_offsets: [4, 8] }), Array(8).fill(0)), 'begins at 4 where 0 is expected'],
    ['an overlap', file({ ...entry({}), v: entry({}).w }, [0, 0, 0, 0]), 'begins at 0 where 4 is expected'],
    ['bytes after the end', file(entry({}), Array(6).fill(0)), '2 bytes after the last tensor'],
    ['an entry that is null', file({ w: null }), 'dtype undefined'],
  ])('refuses %s', (_, bytes, message) => {
    const decode = () => decodeSafetensors(bytes, 'some.safetensors');
    expect(decode).toThrow(NetssmError);
    expect(decode).toThrow(message);
    expect(decode).toThrow('some.safetensors: ');
  });
});

describe('model folders', () => {
  const config = tinyConfig();
  const weights = livelyWeights(config);

  it('round trip, with config.json under the keys of the reference', () => {
    const model = join(dir, 'model');
    saveModel(model, { config, weights, metadata: { step: '3' } });
    expect(loadModelFiles(model)).toEqual({ config, weights, metadata: { format: 'pt', step: '3' } });
    expect(Object.keys(JSON.parse(readFileSync(join(model, 'config.json'), 'utf8')))).toEqual(
      expect.arrayContaining(['d_model', 'n_layer', 'vocab_size', 'ssm_cfg', 'rms_norm', 'tie_embeddings']),
    );
  });

  it('drops the second copy of the tied head that reference checkpoints may hold', () => {
    const model = join(dir, 'tied');
    saveModel(model, { config, weights });
    const both = { ...weights, 'lm_head.weight': weights['backbone.embedding.weight'] };
    saveSafetensors(join(model, 'model.safetensors'), both);
    expect(loadModelFiles(model).weights).toEqual(weights);
  });

  it('names what does not fit', () => {
    const model = join(dir, 'bad');
    saveModel(model, { config, weights });
    const { 'backbone.norm_f.weight': _, ...rest } = weights;
    const wrong = { ...rest, extra: weights['backbone.norm_f.weight'] };
    saveSafetensors(join(model, 'model.safetensors'), wrong);
    expect(() => loadModelFiles(model)).toThrow(
      'backbone.norm_f.weight is missing; extra is not part of the model',
    );
    writeFileSync(join(model, 'config.json'), JSON.stringify({ ...config, d_model: 48 }));
    saveSafetensors(join(model, 'model.safetensors'), weights);
    expect(() => loadModelFiles(model)).toThrow('backbone.embedding.weight is [40,24], expected [40,48]');
    expect(() => saveModel(model, { config, weights: rest })).toThrow('backbone.norm_f.weight is missing');
    expect(() => loadModelFiles(join(dir, 'nowhere'))).toThrow('cannot read');
  });
});
