import { beforeAll, describe, expect, it } from 'vitest';
import {
  attachStepper,
  decodeTrace,
  decodeTraces,
  generateTraces,
  loadModel,
  NativeStepper,
  openStepper,
  packStepper,
  readPrompt,
  toJob,
  WEIGHT_FORMATS,
} from '../../src/generate';
import type { GeneratedTrace, Stepper, TraceSpec } from '../../src/generate';
import { forward, StepModel, toParams } from '../../src/model';
import { useEngine } from '../../src/tensor';
import { loadNative, type Addon } from '../../src/tensor/native';
import { Vocabulary } from '../../src/tokens';
import { int2d, livelyWeights, randomTokens, tinyConfig, tinyMamba1, values } from '../model/helpers';
import { engines } from '../tensor/presentEngines';
import { fakeModel, scripted } from './fakes';

const present = engines.includes('native');

describe.skipIf(!present)('the native decoder (skipped where the native library cannot be built)', () => {
  let library: Addon;
  beforeAll(async () => {
    library = (await loadNative()) as Addon;
  });

  it.each([
    [29, tinyConfig()],
    [200, tinyConfig({ ngroups: 2 })],
    [29, tinyConfig({ d_conv: 2, d_state: 7 })],
    [5, tinyConfig({ d_conv: 1, headdim: 48 })],
    [29, tinyMamba1()],
    [200, tinyMamba1({ d_state: 16, dt_rank: 'auto' })],
    [5, tinyMamba1({ d_conv: 1, n_layer: 1 })],
  ])('equals the whole forward pass under teacher forcing: L = %i, %o', async (L, config) => {
    const { tf } = await useEngine('native');
    const weights = livelyWeights(config);
    const ids = randomTokens(1, L, 37, L);
    const whole = forward(tf, config, toParams(tf, weights), int2d(tf, ids, 1, L));
    const stepper = await packStepper(library, config, weights);
    const state = stepper.newState();
    const logits = new Float32Array(stepper.vocabSize);
    const all = [...ids].flatMap((id) => {
      stepper.step(state, id, logits);
      return [...logits];
    });
    expect(stepper.vocabSize).toBe(40);
    expect(all).toBeWithin(values(whole.logits), 1e-4);
  });

  it.each(WEIGHT_FORMATS)('%s: runs, batches and single tokens have the same bits', async (format) => {
    const config = format === 'bf16' ? tinyMamba1() : tinyConfig({ ngroups: 2 });
    const stepper = await packStepper(library, config, livelyWeights(config), { format });
    const ids = [...randomTokens(1, 230, 37, 2)];
    const [alone, inRuns, batched] = [0, 1, 2].map(() => new Float32Array(40));
    const state = stepper.newState();
    for (const id of ids) stepper.step(state, id, alone);
    const other = stepper.newState();
    stepper.prefill(other, ids.slice(0, 101));
    stepper.prefill(other, ids.slice(101), inRuns);
    expect([...inRuns]).toEqual([...alone]);
    const many = Array.from({ length: 70 }, () => stepper.newState()); // more than one call takes
    const scores = many.map((_, i) => (i === 66 ? batched : new Float32Array(40)));
    for (const id of ids)
      stepper.stepMany(
        many,
        many.map((_, i) => (i === 66 ? id : (id + i) % 37)),
        scores,
      );
    expect([...batched]).toEqual([...alone]);
    expect([...scores[65]]).not.toEqual([...alone]);
  });

  it('bf16 and int8 weights stay close to float32', async () => {
    const config = tinyConfig();
    const weights = livelyWeights(config);
    const model = new StepModel(config, weights);
    const ids = randomTokens(1, 60, 37, 3);
    const expected = new Float32Array(40);
    const start = model.newState();
    for (const id of ids) model.step(start, id, expected);
    const largest = Math.max(...expected.map(Math.abs));
    const bytes: number[] = [];
    for (const [i, format] of WEIGHT_FORMATS.entries()) {
      const stepper = await packStepper(library, config, weights, { format });
      const logits = new Float32Array(40);
      stepper.prefill(stepper.newState(), ids, logits);
      expect([...logits]).toBeWithin([...expected], [1e-5, 0.03, 0.05][i] * largest);
      bytes.push(stepper.bytes.weights);
    }
    expect(bytes[1]).toBeLessThan(bytes[0]);
    expect(bytes[2]).toBeLessThan(bytes[1]);
  });

  it('copies go their own ways, whichever reads first', async () => {
    const config = tinyConfig();
    const stepper = await packStepper(library, config, livelyWeights(config));
    const after = (...tokens: number[]) => {
      const logits = new Float32Array(40);
      stepper.prefill(stepper.newState(), tokens, logits);
      return [...logits];
    };
    const read = (state: ReturnType<typeof stepper.newState>, token: number) => {
      const logits = new Float32Array(40);
      stepper.step(state, token, logits);
      return [...logits];
    };
    const a = stepper.newState();
    stepper.prefill(a, [1, 2, 3]);
    const [b, c] = [stepper.copyState(a), stepper.newState()];
    stepper.copyStateInto(a, c);
    stepper.copyStateInto(c, c);
    expect(read(a, 4)).toEqual(after(1, 2, 3, 4));
    expect(read(c, 5)).toEqual(after(1, 2, 3, 5));
    stepper.copyStateInto(b, a); // back, as after a packet that does not decode
    expect(read(a, 6)).toEqual(after(1, 2, 3, 6));
    expect(read(b, 7)).toEqual(after(1, 2, 3, 7));
    expect(read(b, 8)).toEqual(after(1, 2, 3, 7, 8));
    expect(read(stepper.newState(), 9)).toEqual(after(9));
  });

  it('a state that was sent to another thread, and weights found by number, go on with the same bits', async () => {
    const config = tinyConfig();
    const stepper = await packStepper(library, config, livelyWeights(config));
    const state = stepper.newState();
    stepper.prefill(state, [1, 2, 3]);
    const there = attachStepper(library, config, stepper.id);
    const sent = structuredClone(state);
    const [a, b] = [new Float32Array(40), new Float32Array(40)];
    stepper.step(state, 4, a);
    there.step(sent, 4, b);
    expect([...b]).toEqual([...a]);
    expect(there.bytes).toEqual(stepper.bytes);
  });

  it('a saved state goes on with the same bits, as often as it is restored', async () => {
    const config = tinyMamba1();
    const stepper = await packStepper(library, config, livelyWeights(config));
    const state = stepper.newState();
    stepper.prefill(state, [1, 2, 3]);
    const saved = stepper.saveState(state);
    const read = (from: ReturnType<typeof stepper.newState>, token: number) => {
      const logits = new Float32Array(40);
      stepper.step(from, token, logits);
      return [...logits];
    };
    const expected = [4, 5].map((token) => read(stepper.copyState(state), token));
    expect(read(stepper.restoreState(saved), 4)).toEqual(expected[0]);
    expect(read(stepper.restoreState(saved), 5)).toEqual(expected[1]);
    expect(() => stepper.restoreState(saved.subarray(1))).toThrow(
      `holds ${saved.length - 1} numbers, this model's ${saved.length}`,
    );
  });

  it('wrong arguments are errors', async () => {
    const config = tinyConfig();
    const weights = livelyWeights(config);
    const stepper = await packStepper(library, config, weights);
    const state = stepper.newState();
    const logits = new Float32Array(40);
    for (const token of [-1, 40, NaN])
      expect(() => stepper.step(state, token, logits)).toThrow(`token ${token} is not in 0..39`);
    expect(() => stepper.step(state, 1, new Float32Array(39))).toThrow('holds 39 values, 40 are needed');
    const again = stepper.newState();
    expect(() => stepper.stepMany([again, again], [1, 2], [logits, logits])).toThrow('share a state');
    await expect(packStepper(library, config, weights, { format: 'int4' as 'int8' })).rejects.toThrow(
      '"int4"',
    );
    await expect(packStepper(library, { ...config, n_layer: 3 }, weights)).rejects.toThrow('is missing');
    expect(() => attachStepper(library, config, 123456)).toThrow('there is no decoder 123456');

    const { Decoder } = library;
    const good = [2, 0, 4, 1, 8, 8, 4, 2, 2, 1, 0];
    const lengths = [32, 4, 4, 34 * 4, 16 * 2, 16, 2, 2, 2, 8, 32];
    const tensors = lengths.map((n) => new Float32Array(n));
    const make = (sizes: number[], list: unknown = tensors) =>
      new Decoder(Int32Array.from(sizes), list as Float32Array[]);
    const change = (at: number, to: number) => good.map((v, i) => (i === at ? to : v));
    expect(make(good).stateLength).toBeGreaterThan(0);
    for (const [at, to] of [
      [0, 3],
      [1, 3],
      [2, 0],
      [3, -1],
      [4, 1 << 30],
      [8, 3],
      [9, 4],
      [10, 2],
    ])
      expect(() => make(change(at, to)), `size ${at} = ${to}`).toThrow('decoder');
    expect(() => make(good, tensors.slice(1))).toThrow('10 tensors, 11 are needed');
    expect(() => make(good, [...tensors.slice(1), new Float32Array(1)])).toThrow('tensor 0 holds 4 values');
    expect(() => make(good, [...tensors.slice(1), [1]])).toThrow('tensor 0 holds 4 values');
    expect(() => make(good, {})).toThrow('not an array');
    expect(() => new Decoder(new Int32Array(3), tensors)).toThrow('11 are needed');
    const d = make(good);
    const numbers = new Float32Array(d.stateLength);
    const short = new Float32Array(d.stateLength - 1);
    const one = Int32Array.of(1);
    const none = [null];
    expect(() => d.run(one, 1, [short], [numbers], none, false)).toThrow('state 0 holds');
    expect(() => d.run(one, 1, [numbers], [numbers, numbers], none, false)).toThrow('has 2 entries');
    expect(() => d.run(one, 2, [numbers], [numbers], none, false)).toThrow('2 are needed');
    expect(() => d.run(one, 0, [numbers], [numbers], none, false)).toThrow('1 sequences of 0 tokens');
    expect(() => d.run(one, 1, [], [], [], false)).toThrow('0 sequences');
    expect(() => d.run(Int32Array.of(8), 1, [numbers], [numbers], none, false)).toThrow(
      'token 8 is not in 0..7',
    );
    const gone = new Float32Array(d.stateLength);
    structuredClone(gone, { transfer: [gone.buffer] });
    expect(() => d.run(one, 1, [gone], [numbers], none, false)).toThrow('detached');
    const run = (d as unknown as { run: (...args: unknown[]) => void }).run;
    expect(() => run.call({}, one, 1, [numbers], [numbers], none)).toThrow(TypeError);
    expect(() => run.call(d, one, 1, [[]], [numbers], none)).toThrow('not a Float32Array');
  });

  it('loadModel takes it, unless NETSSM_ENGINE names another engine', async () => {
    const config = tinyConfig();
    const weights = livelyWeights(config);
    const named = process.env.NETSSM_ENGINE;
    try {
      delete process.env.NETSSM_ENGINE;
      expect(await openStepper(config, weights)).toBeInstanceOf(NativeStepper);
      expect(await openStepper(config, weights, { engine: 'loops' })).toBeInstanceOf(StepModel);
      process.env.NETSSM_ENGINE = 'wasm';
      expect(await openStepper(config, weights)).toBeInstanceOf(StepModel);
      expect(await openStepper(config, weights, { engine: 'native' })).toBeInstanceOf(NativeStepper);
      expect(await openStepper(config, weights, { weights: 'int8' })).toBeInstanceOf(NativeStepper);
      await expect(openStepper(config, weights, { engine: 'loops', weights: 'bf16' })).rejects.toThrow(
        'no bf16 weights',
      );
    } finally {
      if (named === undefined) delete process.env.NETSSM_ENGINE;
      else process.env.NETSSM_ENGINE = named;
    }
  });

  it('the demo model draws the same traces together, alone, and with the plain loops', async () => {
    const draw = async (engine: 'native' | 'loops', count: number) => {
      const model = await loadModel('demo', { engine });
      return generateTraces({ model, label: 'web', packets: 12, count, seed: 3, jobs: 1 });
    };
    const together = await draw('native', 3);
    expect(together.map((t) => t.index)).toEqual([0, 1, 2]);
    expect(await draw('native', 1)).toEqual(together.slice(0, 1));
    // Rounding might change a sample; in this one it does not.
    expect(await draw('loops', 1)).toEqual(together.slice(0, 1));
  });
});

describe('decodeTraces', () => {
  it('fills places as traces end, and draws what one after the other draws', async () => {
    const stepper = scripted([1, 2, 3]);
    const calls: number[] = [];
    const many = {
      ...stepper,
      stepMany(states: { at: number }[], tokens: readonly number[], logits: readonly Float32Array[]) {
        calls.push(states.length);
        states.forEach((state, i) => stepper.step(state, tokens[i], logits[i]));
      },
    };
    const model = fakeModel(many as Stepper);
    const prompt = {
      tokens: Uint16Array.of(new Vocabulary(['mqtt', 'web']).labelId('web')),
      frames: [],
      refused: {},
      linkType: 1,
    };
    const spec = (tokens: number): TraceSpec => ({
      label: 'web',
      seed: 1,
      prompt,
      layout: 'compact',
      checksums: 'keep',
      sampling: { temperature: 1, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, greedy: true },
      logitsLength: 272,
      packets: Infinity,
      tokens,
      tries: 1,
      continueAfterEnd: true,
      repair: false,
      timing: undefined,
      startMicros: 0,
    });
    const start = (await readPrompt(many, prompt, 272))!;
    const lengths = [5, 1, 9, 3, 4];
    const job = (i: number) => toJob(spec(lengths[i]), i, model.layout);
    const traces: GeneratedTrace[] = [];
    let index = 0;
    const next = () => (index < lengths.length ? { job: job(index++) } : undefined);
    await decodeTraces(many, next, start, 2, (trace) => traces.push(trace));
    traces.sort((a, b) => a.index - b.index);
    expect(traces.map((t) => t.report.tokens)).toEqual(lengths);
    for (const [i, trace] of traces.entries())
      expect(trace).toEqual(await decodeTrace(stepper, job(i), start));
    // The last token of a trace is not read any more: 17 steps, two at a time while there are traces.
    expect(calls.reduce((a, b) => a + b)).toBe(17);
    expect(Math.max(...calls)).toBe(2);
  });
});
