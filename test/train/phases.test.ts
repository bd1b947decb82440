import { join } from 'node:path';
import { inspect } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadModelFiles, toParams } from '../../src/model';
import { useEngine, type Engine } from '../../src/tensor';
import {
  encodeSession,
  loadTiming,
  loadVocabulary,
  openDataset,
  phaseAfter,
  PHASES,
  phaseTokens,
  PKT,
  type Phase,
} from '../../src/tokens';
import { evaluateLoss, fit, phaseWindow, readCard, validateTrainConfig } from '../../src/train';
import { packetLosses } from '../../src/experiments';
import { tokenFieldsOf } from '../../src/viz';
import {
  generateTraces,
  loadModel,
  loadPhaseModels,
  parsePhaseFolders,
  type PhaseStepper,
} from '../../src/generate';
import { flowDataset, tcpFlow } from '../tokens/flows';
import { eightSessions } from '../tokens/sessions';
import { temporaryFolder, TOY_CONFIG } from './toy';

const { model: _model, ...SETTINGS } = TOY_CONFIG;
const PACKED = { ...SETTINGS, contextLen: 160, chunkLen: 160, batchSize: 2, evalEvery: 6, evalTokens: null };

let engine: Engine;
let data: string;
let base: string;
const tuned = temporaryFolder();
beforeAll(async () => {
  engine = await useEngine('wasm');
  data = (await flowDataset({ timeTokens: true, validationShare: 0.2 })).dir;
  base = join(temporaryFolder(), 'base');
  const model = { ...TOY_CONFIG.model, label_every_packet: true };
  await fit({
    run: base,
    data,
    engine,
    config: { ...PACKED, mode: 'packed', model, steps: 4, evalEvery: 0 },
  });
  for (const phase of PHASES)
    await fit({
      run: join(tuned, phase),
      data,
      engine,
      config: { ...PACKED, init: base, phase, steps: 6, lr: 1e-2, warmupSteps: 0 },
    });
});

describe('fine-tuning for a phase', () => {
  it('is written down, and better at its phase than the base', async () => {
    const dataset = openDataset(data);
    const loss = async (dir: string, phase: Phase) => {
      const { config, weights } = loadModelFiles(dir);
      const params = toParams(engine.tf, weights);
      const window = phaseWindow(phase);
      return evaluateLoss(engine, config, params, dataset, 'validation', { window });
    };
    for (const phase of PHASES) {
      expect(readCard(join(tuned, phase))).toMatchObject({ phase, layout: 'compact-rel' });
      const [before, after] = [await loss(base, phase), await loss(join(tuned, phase), phase)];
      expect(after.lossNats).toBeLessThan(before.lossNats);
      const counted = dataset.sequences.reduce((sum, { split }, i) => {
        const span = phaseTokens(dataset, i, phase);
        return sum + (split === 'validation' && span ? span.to - span.from : 0);
      }, 0);
      expect(after.tokens).toBe(counted);
      expect(readCard(join(tuned, phase)).heldOutLossNats).toBeCloseTo(after.lossNats, 5);
    }
    expect(readCard(base)).not.toHaveProperty('phase');
    dataset.close();
  });

  it('counts what a budget leaves, and all where it leaves nothing', async () => {
    const dataset = openDataset(data);
    const { config, weights } = loadModelFiles(base);
    const params = toParams(engine.tf, weights);
    const run = (maxTokens: number) =>
      evaluateLoss(engine, config, params, dataset, 'validation', {
        window: phaseWindow('teardown'),
        maxTokens,
      });
    const all = await run(Infinity);
    expect((await run(2)).tokens).toBe(all.tokens);
    const some = (await run(2000)).tokens;
    expect(some).toBeGreaterThan(0);
    expect(some).toBeLessThanOrEqual(all.tokens);
    dataset.close();
  });

  it('needs single flows, and rows of pieces', async () => {
    const sessions = (await eightSessions({ layout: 'compact-rel' })).dir;
    const run = join(temporaryFolder(), 'run');
    await expect(
      fit({ run, data: sessions, engine, config: { ...TOY_CONFIG, phase: 'data' } }),
    ).rejects.toMatchObject({ code: 'phase_needs_flows' });
    expect(validateTrainConfig({ phase: 'data' }).mode).toBe('packed');
    expect(() => validateTrainConfig({ phase: 'data', mode: 'stream' })).toThrow('phase needs mode "packed"');
    expect(() => validateTrainConfig({ phase: 'middle' })).toThrow(
      'phase must be handshake, data, teardown or null',
    );
  });
});

describe('models by phase', () => {
  const folders = () => parsePhaseFolders(tuned);

  it('whose turn begins has read all tokens so far, label at every packet included', async () => {
    const model = await loadPhaseModels(folders(), { engine: 'loops' });
    const { vocabulary, layout, logitsLength } = model;
    const { tokens } = encodeSession(tcpFlow(41000, 3), 'web', vocabulary, layout);
    const stepper = model.stepper as unknown as PhaseStepper;
    const [drawn, expected] = [new Float32Array(logitsLength), new Float32Array(logitsLength)];
    const state = stepper.newState();
    stepper.prefill(state, tokens.subarray(0, 100), drawn);
    for (const phase of ['data', 'teardown'] as const) {
      stepper.turnTo(state, phase, tokens.subarray(0, 200), drawn);
      const alone = (await loadModel(join(tuned, phase), { engine: 'loops' })).stepper;
      const own = alone.newState();
      alone.prefill(own, tokens.subarray(0, 200), expected);
      expect(drawn).toEqual(expected);
      const copy = stepper.newState(); // of another phase
      stepper.copyStateInto(state, copy);
      stepper.step(copy, PKT, drawn);
      alone.step(own, PKT, expected);
      expect(drawn).toEqual(expected);
    }
    expect(vocabulary.times).toEqual(loadVocabulary(join(base, 'tokenizer.json')).times);
    const folder = await loadModel(tuned, { engine: 'loops' });
    expect([folder.name, folder.card.phases]).toEqual([tuned, folders()]);
    expect(inspect(folder)).toBe(
      `LoadedModel ${tuned}: compact-rel, three models by phase, labels mqtt, web`,
    );
    expect(model.name).toBe(PHASES.map((phase) => `${phase}=${join(tuned, phase)}`).join(','));
  });

  it('packet by packet, the loss of a flow is that of the model whose turn it is', async () => {
    const frames = tcpFlow(41000, 4);
    const losses = async (dir: string) =>
      packetLosses(await loadModel(dir, { engine: 'loops' }), 'web', frames).nats;
    const three = await losses(tuned);
    for (const phase of PHASES) {
      const alone = await losses(join(tuned, phase));
      frames.forEach((_, i) => {
        if (phaseAfter(frames.slice(0, i)) === phase) expect(three[i]).toBe(alone[i]);
      });
    }
  });

  it('must be of one kind, and for the phases they were trained for', async () => {
    const wrong = { ...folders(), data: join(tuned, 'teardown') };
    await expect(loadPhaseModels(wrong)).rejects.toMatchObject({ code: 'phase_wrong' });
    await expect(loadPhaseModels({ ...folders(), handshake: 'demo' })).rejects.toMatchObject({
      code: 'phases_differ',
    });
    // The base may stand in.
    expect((await loadPhaseModels({ ...folders(), data: base })).card.phases).toMatchObject({ data: base });
  });

  it('behind a prompt, the one whose turn it is begins: alone, it draws the same', async () => {
    const three = await loadPhaseModels(folders(), { engine: 'loops' });
    for (const [packets, phase] of [
      [2, 'handshake'],
      [4, 'data'],
      [9, 'teardown'],
    ] as const) {
      const prompt = tcpFlow(41000, 4).slice(0, packets);
      expect(phaseAfter(prompt)).toBe(phase);
      const alone = await loadModel(join(tuned, phase), { engine: 'loops' });
      const request = { label: 'web', packets: 1, seed: 6, prompt, tries: 3 };
      const [a] = await generateTraces({ ...request, model: three });
      const [b] = await generateTraces({ ...request, model: alone });
      expect(a.frames).toEqual(b.frames);
      expect(a.report).toEqual(b.report);
      expect(a.report.tokens).toBeGreaterThan(3);
    }
  });
});

describe('losses by field', () => {
  it('have one for time tokens', async () => {
    const dataset = openDataset(data);
    const { config, weights } = loadModelFiles(base);
    const fields = tokenFieldsOf();
    const { perField } = await evaluateLoss(
      engine,
      config,
      toParams(engine.tf, weights),
      dataset,
      'validation',
      {
        fields,
      },
    );
    const own = dataset.sequences.filter(({ split }) => split === 'validation');
    const expected = own.reduce((sum, { packets }) => sum + packets - 1, 0);
    expect(perField!.time.tokens).toBe(expected);
    expect(Number.isFinite(perField!.time.lossNats)).toBe(true);
    dataset.close();
  });
});

describe('fine-tuning and time tokens', () => {
  it('a model without them gets them behind its labels; one with them needs them', async () => {
    const plain = (await flowDataset({ validationShare: 0.2 })).dir;
    const run = () => join(temporaryFolder(), 'run');
    const config = { ...PACKED, mode: 'packed' as const, steps: 1, evalEvery: 0 };
    const without = run();
    await fit({ run: without, data: plain, engine, config: { ...config, model: TOY_CONFIG.model } });
    const added = run();
    const { notes } = await fit({ run: added, data, engine, config: { ...config, init: without } });
    expect(notes).toContain(`weights of ${without}, new: time tokens`);
    const vocabulary = loadVocabulary(join(added, 'tokenizer.json'));
    expect([vocabulary.times!.first, vocabulary.size]).toEqual([262, 294]);
    expect(loadModelFiles(added).config.vocab_size).toBe(294);
    await expect(fit({ run: run(), data: plain, engine, config: { ...config, init: base } })).rejects.toThrow(
      `${base} knows 32 time tokens, ${plain} has none`,
    );
    const resumed = await fit({ run: added, data, engine, resume: true, config: { steps: 2 } });
    expect(resumed.step).toBe(2);
    // A label that comes later stands behind the time tokens; no id has moved.
    const more = (await flowDataset({ timeTokens: true, validationShare: 0.2 }, ['dash', 'web'])).dir;
    const late = run();
    await fit({ run: late, data: more, engine, config: { ...config, init: added, lr: 1e-9 } });
    const after = loadVocabulary(join(late, 'tokenizer.json'));
    expect([after.labelId('web'), after.times!.first, after.labelId('dash'), after.size]).toEqual([
      261, 262, 294, 295,
    ]);
    const [old, grown] = [added, late].map((dir) => loadModelFiles(dir).weights['backbone.embedding.weight']);
    expect(grown.data.subarray(0, 294 * 16)).toBeWithin(old.data.subarray(0, 294 * 16), 1e-6);
    expect(Object.keys(loadTiming(join(late, 'timing.json')).labels).sort()).toEqual(['dash', 'mqtt', 'web']);
  });
});
