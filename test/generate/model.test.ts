import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCapture } from '../../src/capture';
import { generateTraces, loadModel, repairFrame, writeTraces } from '../../src/generate';
import type { GeneratedTrace, GenerationReport } from '../../src/generate';
import { workerScript } from '../../src/generate/workers';
import { DEFAULT_CONFIG, initWeights, saveModel } from '../../src/model';
import { saveTiming, saveVocabulary, Vocabulary } from '../../src/tokens';
import { Rng } from '../../src/util';
import { DNS, ETHERNET, frame, hex, SYN, UDP6 } from '../tokens/frames';
import { closed, fakeModel, scripted } from './fakes';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'netssm-generate-'));
  const model = join(dir, 'model');
  const vocabulary = new Vocabulary(['mqtt', 'web']);
  const config = {
    ...DEFAULT_CONFIG,
    d_model: 16,
    n_layer: 2,
    vocab_size: vocabulary.size,
    ssm_cfg: { ...DEFAULT_CONFIG.ssm_cfg, d_state: 8, headdim: 16 },
  };
  saveModel(model, { config, weights: initWeights(config, new Rng(1)) });
  saveVocabulary(join(model, 'tokenizer.json'), vocabulary);
  saveTiming(join(model, 'timing.json'), {
    format: 'netssm-timing',
    version: 1,
    unit: 'microseconds',
    labels: { web: { count: 2, meanMicros: 5, quantiles: [4, 6] } },
  });
  const card = { labels: vocabulary.labels, layout: 'compact', checksums: 'zero' };
  writeFileSync(join(model, 'netssm.json'), JSON.stringify(card));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('loadModel', () => {
  it('opens a model folder', async () => {
    const model = await loadModel(join(dir, 'model'));
    expect(model.labels).toEqual(['mqtt', 'web']);
    expect(model.logitsLength).toBe(272);
    expect([model.layout.name, model.checksums]).toEqual(['compact', 'zero']);
    expect(model.timing?.labels['web'].quantiles).toEqual([4, 6]);
  });

  it('says what is missing or does not fit', async () => {
    await expect(loadModel(join(dir, 'none'))).rejects.toThrow('there is no model in');
    const copy = join(dir, 'copy');
    cpSync(join(dir, 'model'), copy, { recursive: true });
    saveVocabulary(join(copy, 'tokenizer.json'), new Vocabulary(['web']));
    await expect(loadModel(copy)).rejects.toThrow('config.json has vocab_size 262, tokenizer.json 261 ids');
    rmSync(join(copy, 'model.safetensors'));
    rmSync(join(copy, 'netssm.json'));
    await expect(loadModel(copy)).rejects.toThrow('lacks model.safetensors, netssm.json');
  });
});

describe.skipIf(workerScript() === undefined)('worker threads (skipped where dist/ is not built)', () => {
  it('draw what one thread draws, for any number of jobs', async () => {
    const model = await loadModel(join(dir, 'model'));
    const run = (jobs: number) =>
      generateTraces({ model, label: 'web', tokens: 700, count: 3, seed: 4, jobs, continueAfterEnd: true });
    const one = await run(1);
    expect(one.map((t) => t.report.tokens)).toEqual([700, 700, 700]);
    expect(await run(2)).toEqual(one);
    expect(await run(3)).toEqual(one);
  });

  it('stream packets and stop when aborted', async () => {
    const model = await loadModel(join(dir, 'model'));
    const controller = new AbortController();
    let packets = 0;
    const started = Date.now();
    const traces = await generateTraces({
      model,
      label: 'web',
      tokens: 100_000_000,
      count: 2,
      jobs: 2,
      continueAfterEnd: true,
      prompt: [frame(SYN)],
      onPacket: ({ prompt }) => {
        if (prompt && ++packets === 2) setTimeout(() => controller.abort(), 100);
      },
      signal: controller.signal,
    });
    expect(Date.now() - started).toBeLessThan(20_000);
    expect(traces.map((t) => t.report.stopped)).toEqual(['aborted', 'aborted']);
    expect(traces[0].report.tokens).toBeGreaterThan(0);
  });
});

describe('writeTraces', () => {
  const traces = (label: string, count: number, packets: number): Promise<GeneratedTrace[]> =>
    generateTraces({ model: fakeModel(scripted(closed(SYN, UDP6))), label, packets, count, seed: 2 });

  it('writes captures that read back, and says how they came about', async () => {
    const out = join(dir, 'out');
    const made = await traces('web', 2, 3);
    const files = writeTraces(out, made, { seed: 2, model: 'fake' });
    expect(files).toEqual([join(out, 'web-000.pcap'), join(out, 'web-001.pcap')]);
    const { info, frames, problems } = await readCapture(files[1]);
    expect([info.linkTypes, problems]).toEqual([[1], []]);
    expect(frames.map((f) => [f.data.slice(), f.wireLen, f.tsMicros])).toEqual(
      made[1].frames.map((f) => [f.data, f.wireLen, f.tsMicros]),
    );
    const report = JSON.parse(readFileSync(join(out, 'generation.json'), 'utf8')) as GenerationReport;
    expect(report).toMatchObject({
      format: 'netssm-generation',
      request: { seed: 2, model: 'fake' },
      totals: { files: 2, packets: 6, promptPackets: 0, refused: {} },
    });
    expect(report.files[1]).toEqual({
      file: 'web-001.pcap',
      label: 'web',
      seed: 2,
      index: 1,
      packets: 3,
      promptPackets: 0,
      report: made[1].report,
    });
  });

  it("replaces the files of the same label only, and no one else's", async () => {
    const out = join(dir, 'again');
    writeTraces(out, await traces('web', 3, 2));
    writeTraces(out, await traces('mqtt', 1, 2));
    writeTraces(out, await traces('web', 1, 2));
    const exists = (name: string) => existsSync(join(out, name));
    expect(['web-000.pcap', 'web-001.pcap', 'web-002.pcap', 'mqtt-000.pcap'].map(exists)).toEqual([
      true,
      false,
      false,
      true,
    ]);
    const report = JSON.parse(readFileSync(join(out, 'generation.json'), 'utf8')) as GenerationReport;
    expect(report.files.map((f) => f.file)).toEqual(['mqtt-000.pcap', 'web-000.pcap']);
    writeFileSync(join(out, 'generation.json'), '{"files":[{"file":"../x","label":"web"}]}');
    const more = await traces('web', 1, 1);
    expect(() => writeTraces(out, more)).toThrow('was not written by netssm');
  });
});

describe('repairFrame', () => {
  it('leaves a right packet as it is', () => {
    expect(repairFrame(frame(SYN))).toEqual({ frame: frame(SYN), changes: [] });
    const arp = frame(hex(`${ETHERNET} 08 06 00 01`));
    expect(repairFrame(arp)).toEqual({ frame: arp, changes: [] });
  });

  it('fixes lengths and checksums, and names them', () => {
    const broken = SYN.slice(0, 54);
    broken[46] = 0x10;
    const { frame: fixed, changes } = repairFrame(frame(broken));
    expect(changes).toEqual(['tcp_data_offset', 'tcp_checksum']);
    expect(fixed.data[46]).toBe(0x50);
    // 20 bytes of TCP payload are told of and not there: the checksum cannot be computed.
    expect([...fixed.data.subarray(50, 52)]).toEqual([0, 0]);
    const udp = DNS.slice();
    udp[39] = 99;
    const repaired = repairFrame(frame(udp));
    expect(repaired.changes).toEqual(['udp_length', 'udp_checksum']);
    expect(repaired.frame.data[39]).toBe(27);
    expect(repairFrame(repaired.frame).changes).toEqual([]);
  });
});
