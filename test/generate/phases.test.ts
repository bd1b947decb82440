import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { generateTraces, parsePhaseFolders, PhaseStepper, type Stepper } from '../../src/generate';
import { PHASES, PKT, type Phase } from '../../src/tokens';
import { tcpFlow } from '../tokens/flows';
import { choices, fakeModel } from './fakes';

const flow = tcpFlow(40000, 3).map(({ data }) => data);
const [syn, synAck, ack, up, down, , fin, finAck, last] = flow;
const packet = (data: Uint8Array) => [...data, PKT];
/** With another first byte, of a MAC address: what a model chooses by. */
const as = (first: number, data: Uint8Array) => Uint8Array.of(first, ...data.subarray(1));

/** Models that say one kind of packet each; what each reads is written down. */
function byPhase(says: Record<Phase, number[][]>) {
  const read: { phase: Phase; how: 'step' | 'prefill'; tokens: number[] }[] = [];
  const steppers = Object.fromEntries(
    PHASES.map((phase) => {
      const stepper = choices(says[phase]);
      const { step, prefill } = stepper;
      stepper.step = (state, token, logits) => {
        read.push({ phase, how: 'step', tokens: [token] });
        step(state, token, logits);
      };
      stepper.prefill = (state, tokens, logits) => {
        read.push({ phase, how: 'prefill', tokens: Array.from(tokens) });
        prefill(state, tokens, logits);
        state.path = -1;
        state.at = 0;
      };
      return [phase, stepper as Stepper];
    }),
  ) as Record<Phase, Stepper>;
  return { model: fakeModel(new PhaseStepper(steppers) as Stepper), read };
}

describe('models by phase', () => {
  it('take turns as the TCP state of the drawn packets says; the tokens so far are the prompt of the next', async () => {
    const { model, read } = byPhase({
      handshake: [packet(syn), packet(as(4, ack))],
      data: [packet(up)],
      teardown: [packet(last)],
    });
    const [{ frames }] = await generateTraces({ model, label: 'web', packets: 12, seed: 1 });
    const open = frames.findIndex(({ data }) => data[0] === 4) + 1;
    expect(open).toBeGreaterThan(0);
    expect(frames.map(({ data }) => data).slice(open)).toEqual(Array(12 - open).fill(up));
    const turn = read.findIndex(({ phase }) => phase === 'data');
    expect(read[turn].how).toBe('prefill');
    // All that the first model has read, and what it has drawn of the last packet but its end.
    const before = read.slice(0, turn).flatMap(({ tokens }) => tokens);
    expect(read[turn].tokens).toEqual(before);
    expect(read[turn + 1]).toEqual({ phase: 'data', how: 'step', tokens: [PKT] });
    expect(read.slice(turn).filter(({ phase }) => phase !== 'data')).toEqual([]);
  });

  it('hand over at the first FIN, with what was drawn again forgotten', async () => {
    const bad = [1, 2, PKT];
    const { model, read } = byPhase({
      handshake: [packet(ack)],
      data: [packet(fin), bad],
      teardown: [packet(finAck), bad],
    });
    const [{ frames, report }] = await generateTraces({ model, label: 'web', packets: 6, seed: 5 });
    expect(frames.map(({ data }) => data)).toEqual([ack, fin, finAck, finAck, finAck, finAck]);
    expect(report.refused.ethernet_cut).toBeGreaterThan(0);
    const turn = read.findIndex(({ phase }) => phase === 'teardown');
    expect(read[turn].tokens).toEqual([261, ...packet(ack), ...fin]);
    expect(read.slice(turn).every(({ phase }) => phase === 'teardown')).toBe(true);
  });

  it.each([
    [[], 'handshake'],
    [[syn, synAck], 'handshake'],
    [[syn, synAck, ack, up, down], 'data'],
    [[syn, synAck, ack, fin], 'teardown'],
  ] as const)('begin behind a prompt with the model whose turn it is (%#)', async (packets, phase) => {
    const { model, read } = byPhase({
      handshake: [packet(synAck)],
      data: [packet(up)],
      teardown: [packet(last)],
    });
    const prompt = packets.map((data, i) => ({ ...tcpFlow(40000, 3)[i], data }));
    await generateTraces({ model, label: 'web', packets: 1, seed: 1, prompt });
    const given = read.filter(({ how }) => how === 'prefill').flatMap(({ tokens }) => tokens);
    expect(given).toEqual([261, ...packets.flatMap(packet)]);
    expect(new Set(read.map((r) => r.phase))).toEqual(new Set([phase]));
  });
});

describe('folders by phase', () => {
  it('are named one by one, or are subfolders of one', () => {
    expect(parsePhaseFolders('data=b, handshake=a,teardown=x=y')).toEqual({
      handshake: 'a',
      data: 'b',
      teardown: 'x=y',
    });
    const dir = mkdtempSync(join(tmpdir(), 'netssm-phases-'));
    expect(() => parsePhaseFolders(dir)).toThrow(`${dir} has no subfolder handshake, data, teardown`);
    for (const phase of PHASES) mkdirSync(join(dir, phase));
    expect(parsePhaseFolders(dir).data).toBe(join(dir, 'data'));
  });

  it.each([
    ['handshake=a,data=b', 'teardown is missing'],
    ['handshake=a,data=b,teardown=', '"teardown=" is no PHASE=DIR'],
    ['handshake=a,data=b,data=c,teardown=d', 'data is named twice'],
    ['middle=a', '"middle=a" is no PHASE=DIR'],
  ])('%s: %s', (text, why) => {
    expect(() => parsePhaseFolders(text)).toThrow(why);
  });
});
