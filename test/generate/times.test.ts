import { describe, expect, it } from 'vitest';
import { generateTraces, type GenerateRequest } from '../../src/generate';
import { END_OF_TEXT, PKT, TIME_EDGES_MICROS, timeBinOf, Vocabulary } from '../../src/tokens';
import { frame, SYN } from '../tokens/frames';
import { choices, closed, fakeModel, scripted } from './fakes';

const vocabulary = new Vocabulary(['mqtt', 'web'], { edgesMicros: TIME_EDGES_MICROS });
const times = vocabulary.times!;
const dt = (micros: number) => times.first + timeBinOf(times, micros);
const bins = TIME_EDGES_MICROS.map((edge) => (edge === 1000 ? [1234] : []));

function timed(stepper: Parameters<typeof fakeModel>[0]) {
  const model = fakeModel(stepper);
  model.vocabulary = vocabulary;
  model.logitsLength = 304;
  model.timing!.labels.web.bins = bins;
  return model;
}
const gapsOf = (frames: readonly { tsMicros: number }[]) =>
  frames.slice(1).map((f, i) => f.tsMicros - frames[i].tsMicros);
const draw = async (stepper: Parameters<typeof fakeModel>[0], more: Partial<GenerateRequest> = {}) => {
  const [trace] = await generateTraces({
    model: timed(stepper),
    label: 'web',
    packets: 20,
    seed: 2,
    ...more,
  });
  return trace;
};

describe('generation with time tokens', () => {
  const script = [...closed(SYN), dt(1000), ...closed(SYN), dt(100)];

  it('takes gaps from their bins: real ones where timing.json has some, else anywhere in the bin', async () => {
    const { frames, report } = await draw(scripted(script));
    expect(report).toMatchObject({ packets: 20, tries: 20, skipped: 0 });
    expect(report.tokens).toBe(20 * 75 + 19);
    const gaps = gapsOf(frames);
    expect(gaps.filter((_, i) => i % 2 === 0)).toEqual(Array(10).fill(1234));
    const others = gaps.filter((_, i) => i % 2 === 1);
    expect(Math.min(...others)).toBeGreaterThanOrEqual(100);
    expect(Math.max(...others)).toBeLessThan(178);
    expect(new Set(others).size).toBeGreaterThan(4);
  });

  it('or resamples them, with the same packets', async () => {
    const { frames } = await draw(scripted(script), { timing: 'resample' });
    expect(frames.map((f) => f.data)).toEqual(Array(20).fill(SYN));
    for (const gap of gapsOf(frames)) expect([10, 20, 30]).toContain(gap);
  });

  it('asks a model without time tokens in vain', async () => {
    const model = fakeModel(scripted(closed(SYN)));
    await expect(generateTraces({ model, label: 'web', timing: 'tokens' })).rejects.toMatchObject({
      code: 'time_tokens_missing',
    });
    const [{ frames }] = await generateTraces({ model, label: 'web', packets: 5, timing: 'resample' });
    for (const gap of gapsOf(frames)) expect([10, 20, 30]).toContain(gap);
  });

  it('draws them in their place only: behind a packet, not before the first, and then a packet', async () => {
    const read: number[] = [];
    // A model that would as soon say anything: all of it within the grammar.
    const stepper = scripted([0], 0);
    const { step } = stepper;
    stepper.step = (state, token, logits) => {
      read.push(token);
      step(state, token, logits);
    };
    await draw(stepper, { tries: 1, packets: 3, tokens: 5000, continueAfterEnd: true });
    const placed = read.flatMap((token, i) => (vocabulary.timeBin(token) === undefined ? [] : [i]));
    expect(placed.length).toBeGreaterThan(3);
    for (const i of placed) {
      expect(read[i - 1]).toBe(PKT);
      if (i + 1 < read.length) expect(read[i + 1]).toBeLessThan(256);
    }
    read.forEach((token, i) => {
      if (token === PKT && i + 1 < read.length) expect(vocabulary.timeBin(read[i + 1])).not.toBe(undefined);
    });
    expect(read).not.toContain(END_OF_TEXT);
  });

  it('draws a refused packet again with its time', async () => {
    const good = [dt(1000), ...closed(SYN)];
    const bad = [dt(10), 1, 2, PKT];
    const stepper = choices([closed(SYN), good, bad, [1, 2, PKT]]);
    const { frames, report } = await draw(stepper);
    expect(report.packets).toBe(20);
    expect(report.refused.ethernet_cut).toBeGreaterThan(3);
    expect(gapsOf(frames)).toEqual(Array(19).fill(1234));
  });

  it('reads the times of a prompt, and tells the first gap behind it', async () => {
    const read: number[] = [];
    const stepper = scripted([dt(1000), ...closed(SYN)]);
    const { prefill } = stepper;
    stepper.prefill = (state, tokens, logits) => {
      read.push(...Array.from(tokens));
      prefill(state, tokens, logits);
    };
    const prompt = [frame(SYN, 50), frame(SYN, 170)];
    const { frames, promptPackets } = await draw(stepper, { prompt, packets: 3 });
    expect(read).toEqual([261, ...closed(SYN), dt(120), ...closed(SYN)]);
    expect(promptPackets).toBe(2);
    expect(gapsOf(frames)).toEqual([120, 1234, 1234, 1234]);
  });
});
