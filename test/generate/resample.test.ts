import { describe, expect, it } from 'vitest';
import { firstTryRate, generateTraces } from '../../src/generate';
import type { GenerateRequest } from '../../src/generate';
import { END_OF_TEXT, PKT } from '../../src/tokens';
import type { Layout } from '../../src/tokens';
import { frame, SYN, UDP6 } from '../tokens/frames';
import { choices, closed, fakeModel } from './fakes';

const GOOD = [...closed(SYN)];
const BAD = [1, 2, PKT];

/** One trace, and the tokens that the model had read at its end. */
async function draw(alternatives: number[][], more: Partial<GenerateRequest> = {}, layout?: Layout) {
  const stepper = choices(alternatives);
  let last: number[] = [];
  const { step } = stepper;
  stepper.step = (state, token, logits) => {
    step(state, token, logits);
    last = state.history;
  };
  const model = fakeModel(stepper);
  if (layout) model.layout = layout;
  const [trace] = await generateTraces({ model, label: 'web', packets: 40, seed: 2, ...more });
  return { ...trace, history: last };
}

describe('a packet that does not decode', () => {
  it('is drawn again from the state before it, which knows nothing of it; the report tells', async () => {
    const { frames, report, history } = await draw([GOOD, BAD]);
    expect(frames.map((f) => f.data)).toEqual(Array(40).fill(SYN));
    // The last packet's <|pkt|> is not read any more.
    expect(history).toEqual([261, ...Array(40).fill(GOOD).flat()].slice(0, -1));
    const { tries, firstTry, refused } = report;
    expect(report).toMatchObject({ packets: 40, skipped: 0, stopped: 'packets' });
    expect(refused).toEqual({ ethernet_cut: tries - 40 });
    expect(report.tokens).toBe(40 * 75 + 3 * (tries - 40));
    expect(firstTry).toBeGreaterThan(10);
    expect(firstTry).toBeLessThan(30);
    expect(firstTryRate(report)).toBe(firstTry / 40);
    expect(report.refusals).toHaveLength(tries - 40);
    // Places are those at which it was drawn: behind label and whole packets.
    for (const { token } of report.refusals) expect(token % 75).toBe(1);
  });

  it('stays in the sequence with one try, as in the paper', async () => {
    const { report, history } = await draw([GOOD, BAD], { tries: 1 });
    expect(report.skipped).toBe(report.refused.ethernet_cut);
    expect(report.skipped).toBeGreaterThan(10);
    expect([report.tries, report.firstTry]).toEqual([40 + report.skipped, 40]);
    expect(history.filter((t) => t === PKT)).toHaveLength(report.tries - 1);
    expect(firstTryRate(report)).toBe(40 / report.tries);
  });

  it('stays in the sequence where the likeliest token is always taken: it would be the same again', async () => {
    const { report } = await draw([BAD], { sampling: { greedy: true }, packets: 2 });
    expect(report).toMatchObject({ packets: 0, tries: 20, skipped: 20, stopped: 'unusable' });
  });

  it('is skipped after all tries, and counted', async () => {
    const { report, frames } = await draw([GOOD, BAD, [3, 4, PKT], [5, 6, PKT]], { tries: 2, seed: 4 });
    expect(frames.length).toBe(report.packets);
    expect(report.skipped).toBeGreaterThan(0);
    const refused = Object.values(report.refused).reduce((a, b) => a + b, 0);
    expect(report.tries).toBe(report.packets + refused);
    expect(report.firstTry).toBeLessThan(report.packets);
  });

  it('may be one that the end of the session interrupts, or that never ends', async () => {
    const { report } = await draw([GOOD, [1, END_OF_TEXT], [3, ...Array(400).fill(9)] as number[]], {
      packets: 12,
    });
    expect(report).toMatchObject({ packets: 12, stopped: 'packets', skipped: 0 });
    expect(Object.keys(report.refused).sort()).toEqual(['ethernet_cut', 'too_long']);
  });

  it('is the same whatever is drawn beside it', async () => {
    const model = fakeModel(choices([GOOD, BAD]));
    const run = (count: number) => generateTraces({ model, label: 'web', packets: 9, count });
    expect((await run(3)).slice(0, 2)).toEqual(await run(2));
  });
});

describe('a layout that keeps state', () => {
  /** A packet is its number, counted from 1, twice; anything else is refused. */
  const counting = (base: Layout): Layout => ({
    ...base,
    maxBytes: 2,
    stateful: true,
    forbiddenFirstBytes: [200],
    encoder: () => {
      let n = 0;
      return { encode: () => ({ ok: true, bytes: Uint8Array.of(++n, n) }) };
    },
    decoder: (options) => {
      let n = 0;
      return {
        decode: (bytes) => {
          const offset = bytes[0] !== n + 1 ? 0 : 1;
          if (bytes.length !== 2 || bytes[0] !== n + 1 || bytes[1] !== n + 1)
            return { ok: false, refusal: { code: 'not_next', layer: 'x', offset, message: `${bytes}` } };
          n++;
          const data = n === 5 ? UDP6 : SYN;
          return {
            ok: true,
            packet: { data, wireLen: 100 + n, linkType: options?.linkType ?? 1, problems: [] },
          };
        },
      };
    },
  });
  const layout = counting(fakeModel(choices([GOOD])).layout);
  const numbers = Array.from({ length: 8 }, (_, i) => [i + 1, i + 1, PKT]);

  it('goes on from the prompt, and is not moved by what it refuses', async () => {
    const { frames, report, promptPackets } = await draw(
      numbers,
      { packets: 5, prompt: [frame(SYN), frame(SYN)] },
      layout,
    );
    expect(promptPackets).toBe(2);
    expect(frames.slice(2).map((f) => f.wireLen)).toEqual([103, 104, 105, 106, 107]);
    expect(report.refused.not_next).toBe(report.tries - 5);
    // A number that is not the next one is refused for its first byte, and not drawn again before the next packet.
    expect(report.tries).toBeGreaterThan(10);
    const places = report.refusals.map(({ token, message }) => `${token}: ${message}`);
    expect(new Set(places).size).toBe(places.length);
  });

  it('lets another flow speak after a packet was skipped', async () => {
    // 95 of 100 packets begin with 3 and are refused for what follows; 7 is never right.
    const often = choices([
      [3, 9, PKT],
      [1, 1, PKT],
      [7, 7, PKT],
    ]);
    const { step, prefill } = often;
    const prefer = (logits: Float32Array) => {
      if (logits[3] > 0 && logits[1] > 0) logits[3] += 400;
    };
    often.step = (state, token, logits) => (step(state, token, logits), prefer(logits));
    often.prefill = (state, tokens, logits) => (prefill(state, tokens, logits), prefer(logits));
    const base = fakeModel(often);
    const model = {
      ...base,
      layout: {
        ...layout,
        decoder: () => {
          const inner = layout.decoder();
          // A first byte of 3 is refused for the second.
          return {
            decode: (bytes: Uint8Array) =>
              bytes[0] === 3
                ? { ok: false as const, refusal: { code: 'second', layer: 'x', offset: 1, message: '' } }
                : inner.decode(bytes),
          };
        },
      },
    };
    const [{ report }] = await generateTraces({ model, label: 'web', packets: 1, tries: 10 });
    expect(report).toMatchObject({ packets: 1, skipped: 1, stopped: 'packets' });
    expect(report.refused.second).toBe(10);
    expect(report.firstTry + report.skipped).toBeLessThanOrEqual(2);
  });

  it('never begins a packet with a byte that it forbids, but may go on with one', async () => {
    const { report } = await draw(
      [
        [200, 1, PKT],
        [1, 200, PKT],
      ],
      { packets: 1, tries: 30 },
      layout,
    );
    const first = report.refusals.slice(0, 30).map((r) => r.message);
    expect(first).toEqual(Array(30).fill('1,200'));
    expect(report.refusals.every((r) => !r.message.startsWith('200'))).toBe(true);
  });
});
