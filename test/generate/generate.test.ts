import { describe, expect, it } from 'vitest';
import { DEFAULT_START_MICROS, generateTraces, impossibleIds } from '../../src/generate';
import type { PacketEvent } from '../../src/generate';
import { END_OF_TEXT, PADDING, PKT } from '../../src/tokens';
import { DNS, ETHERNET, frame, hex, SYN, UDP6 } from '../tokens/frames';
import { closed, fakeModel, scripted } from './fakes';

const DNS_KEPT = DNS.subarray(0, 54);
const both = closed(SYN, UDP6);

describe('generateTraces', () => {
  it('draws the packets asked for, with lengths from the headers', async () => {
    const big = SYN.slice();
    big[16] = 5;
    const [trace] = await generateTraces({
      model: fakeModel(scripted(closed(big, UDP6))),
      label: 'web',
      packets: 3,
    });
    expect(trace.frames.map((f) => f.data)).toEqual([big, UDP6, big]);
    expect(trace.frames.map((f) => f.wireLen)).toEqual([14 + 1340, 62, 14 + 1340]);
    expect(trace).toMatchObject({ label: 'web', index: 0, seed: 0, promptPackets: 0 });
    expect(trace.report).toEqual({
      tokens: 75 + 63 + 75,
      packets: 3,
      stopped: 'packets',
      tries: 3,
      firstTry: 3,
      skipped: 0,
      refused: {},
      refusals: [],
      problems: {},
      promptRefused: {},
      repaired: {},
    });
  });

  it('draws times from the real gaps of the label, and none where there are none', async () => {
    const model = fakeModel(scripted(closed(UDP6)));
    const [trace] = await generateTraces({ model, label: 'web', packets: 50 });
    expect(trace.frames[0].tsMicros).toBe(DEFAULT_START_MICROS);
    const gaps = trace.frames.slice(1).map((f, i) => f.tsMicros - trace.frames[i].tsMicros);
    expect(new Set(gaps)).toEqual(new Set([10, 20, 30]));
    const [still] = await generateTraces({ model, label: 'mqtt', packets: 3, startMicros: 5 });
    expect(still.frames.map((f) => f.tsMicros)).toEqual([5, 5, 5]);
  });

  it('stops at a number of tokens, and calls the rest unfinished', async () => {
    const [trace] = await generateTraces({ model: fakeModel(scripted(both)), label: 'web', tokens: 80 });
    expect(trace.report).toMatchObject({
      tokens: 80,
      packets: 1,
      stopped: 'tokens',
      refused: { unfinished: 1 },
    });
    expect(trace.report.refusals).toEqual([
      {
        code: 'unfinished',
        layer: 'compact',
        offset: 5,
        message: 'the sequence stops 5 tokens into a packet',
        packet: 1,
        token: 76,
      },
    ]);
  });

  it('ends at <|endoftext|>, unless it is to go on', async () => {
    const model = fakeModel(scripted([...closed(SYN), END_OF_TEXT]));
    const [ended] = await generateTraces({ model, label: 'web', packets: 10 });
    expect(ended.report).toMatchObject({ packets: 1, tokens: 76, stopped: 'end', refused: {} });
    const [gone] = await generateTraces({
      model: fakeModel(scripted([...closed(UDP6), END_OF_TEXT], 400)),
      label: 'web',
      packets: 4,
      continueAfterEnd: true,
      sampling: { greedy: true },
    });
    // Where <|endoftext|> would be, the likeliest other token (0) is drawn: one byte too many, then all is shifted.
    expect(gone.report.packets).toBeGreaterThanOrEqual(1);
    expect(gone.report.stopped).not.toBe('end');
  });

  it('reports every run that is no packet, with its place', async () => {
    const arp = hex(`${ETHERNET} 08 06 00 01`);
    const model = fakeModel(scripted([...closed(SYN, arp), PKT]));
    const [trace] = await generateTraces({ model, label: 'web', packets: 2, tries: 1 });
    expect(trace.report).toMatchObject({
      packets: 2,
      tries: 4,
      firstTry: 2,
      skipped: 2,
      refused: { not_ip: 1, empty: 1 },
    });
    expect(trace.report.refusals.map((r) => [r.code, r.packet, r.token])).toEqual([
      ['not_ip', 1, 76],
      ['empty', 2, 93],
    ]);
  });

  it('counts oddities of packets that are kept', async () => {
    const [trace] = await generateTraces({
      model: fakeModel(scripted(closed(Uint8Array.from([...SYN, 9]), SYN.subarray(0, 60)))),
      label: 'web',
      packets: 2,
    });
    expect(trace.report).toMatchObject({
      packets: 2,
      refused: {},
      problems: { trailing_bytes: 1, header_cut: 1 },
    });
  });

  it('gives up on a model that draws no packets', async () => {
    const draw = async (script: number[], tries: number) => {
      const model = fakeModel(scripted(script));
      return (await generateTraces({ model, label: 'web', packets: 5, tries }))[0].report;
    };
    const none = { packets: 0, stopped: 'unusable', firstTry: 0 };
    expect(await draw([1, 2, PKT], 1)).toMatchObject({ ...none, refused: { ethernet_cut: 26 } });
    expect(await draw([7], 1)).toMatchObject({ ...none, refused: { unfinished: 1 } });
    const often = await draw([1, 2, PKT], 10);
    expect(often).toMatchObject({ ...none, tries: 30, skipped: 3, refused: { ethernet_cut: 30 } });
    expect(await draw([7], 10)).toMatchObject({ ...none, skipped: 3, refused: { too_long: 30 } });
  });

  it('never draws what no trace contains', async () => {
    expect(impossibleIds(264, true)).toEqual([256, 258, 260, 261, 262, 263]);
    expect(impossibleIds(262, false)).toEqual([256, 258, 257, 260, 261]);
    const wants = scripted([PADDING, 256, 260, 271], 30);
    const [trace] = await generateTraces({ model: fakeModel(wants), label: 'web', tokens: 400 });
    expect(trace.report.refused['special_token']).toBeUndefined();
  });

  it('goes on from the first packets of a capture, which it marks and does not count', async () => {
    const prompt = [frame(SYN, 1000, 80), frame(hex(`${ETHERNET} 08 06 00 01`), 1500), frame(DNS, 2000)];
    const seen: number[][] = [];
    const stepper = scripted(closed(UDP6));
    const { prefill } = stepper;
    stepper.prefill = (state, tokens, logits) => {
      seen.push([...tokens]);
      prefill(state, tokens, logits);
    };
    const events: PacketEvent[] = [];
    const traces = await generateTraces({
      model: fakeModel(stepper),
      label: 'web',
      packets: 2,
      count: 2,
      prompt,
      onPacket: (event) => events.push(event),
    });
    // Read once, copied for each trace.
    expect(seen).toEqual([[261, ...SYN, PKT, ...DNS_KEPT, PKT]]);
    expect(traces[0].promptPackets).toBe(2);
    expect(traces[0].frames.map((f) => f.data)).toEqual([SYN, DNS_KEPT, UDP6, UDP6]);
    expect(traces[0].frames.slice(0, 2).map((f) => [f.tsMicros, f.wireLen])).toEqual([
      [1000, 80],
      [2000, 61],
    ]);
    expect(traces[0].frames[2].tsMicros).toBeGreaterThan(2000);
    expect(traces[0].report).toMatchObject({ packets: 2, tokens: 126, promptRefused: { not_ip: 1 } });
    expect(events.map((e) => [e.trace, e.prompt])).toEqual(
      [0, 1].flatMap((t) => [true, true, false, false].map((p) => [t, p])),
    );
    await expect(
      generateTraces({ model: fakeModel(stepper), label: 'web', prompt: [prompt[1]] }),
    ).rejects.toThrow('none of the 1 packets of the prompt fits layout compact: not_ip 1');
  });

  it('works with the layout of the paper', async () => {
    const pad = (p: Uint8Array) => Uint8Array.from([...p, ...(Array(94 - p.length).fill(0) as number[])]);
    const script = [...pad(SYN), PKT, ...pad(UDP6), PKT];
    const model = fakeModel(scripted(script), 'paper-94');
    const [trace] = await generateTraces({ model, label: 'web', packets: 2 });
    expect(trace.frames.map((f) => f.data)).toEqual([SYN, UDP6]);
    // Stopped by tokens right behind the 94th byte, the last packet is whole.
    const [cut] = await generateTraces({ model, label: 'web', tokens: 95 + 94 });
    expect(cut.report).toMatchObject({ packets: 2, refused: {} });
  });

  it('repairs only when asked, and says what', async () => {
    const broken = SYN.slice();
    broken[17] = 10; // total length
    broken[24] ^= 1;
    const model = fakeModel(scripted(closed(broken)));
    const [raw] = await generateTraces({ model, label: 'web', packets: 2 });
    expect(raw.frames[0].data).toEqual(broken);
    expect(raw.report.repaired).toEqual({});
    const [repaired] = await generateTraces({ model, label: 'web', packets: 2, repair: true });
    expect(repaired.frames[0].data).toEqual(SYN);
    expect(repaired.report.repaired).toEqual({ ip_total_length: 2, ipv4_checksum: 2 });
  });

  it('is the same for the same seed; trace i does not depend on how many there are', async () => {
    const model = fakeModel(scripted(both, 6));
    const run = (more = {}) => generateTraces({ model, label: 'web', tokens: 500, seed: 9, ...more });
    const three = await run({ count: 3 });
    expect(await run({ count: 3 })).toEqual(three);
    expect(await run({ count: 2 })).toEqual(three.slice(0, 2));
    expect(three[0].report.refusals).not.toEqual(three[1].report.refusals);
    expect((await run({ seed: 10 }))[0].report.refusals).not.toEqual(three[0].report.refusals);
  });

  it('keeps what was done when aborted', async () => {
    const controller = new AbortController();
    const traces = await generateTraces({
      model: fakeModel(scripted(both)),
      label: 'web',
      packets: 10,
      count: 5,
      signal: controller.signal,
      onPacket: ({ trace }) => {
        if (trace === 1) controller.abort();
      },
    });
    expect(traces.map((t) => [t.report.packets, t.report.stopped])).toEqual([
      [10, 'packets'],
      [1, 'aborted'],
    ]);
    expect(
      await generateTraces({ model: fakeModel(scripted(both)), label: 'web', signal: controller.signal }),
    ).toEqual([]);
  });

  it('reports progress in packets', async () => {
    let last: unknown;
    await generateTraces({
      model: fakeModel(scripted(both)),
      label: 'web',
      packets: 4,
      count: 2,
      onProgress: (u) => (last = { ...u, detail: undefined }),
    });
    expect(last).toEqual({ done: 8, total: 8, unit: 'packets', detail: undefined });
  });

  it('reads a long prompt in pieces, and can be aborted there', async () => {
    const controller = new AbortController();
    const pieces: number[] = [];
    const stepper = scripted(both);
    stepper.prefill = (_state, tokens) => {
      pieces.push(tokens.length);
      if (pieces.length === 3) controller.abort();
    };
    const prompt = Array.from({ length: 100 }, () => frame(SYN));
    const request = { model: fakeModel(stepper), label: 'web', prompt, packets: 1 };
    expect(await generateTraces({ ...request, signal: controller.signal })).toEqual([]);
    expect(pieces).toEqual([256, 256, 256]);
    const [trace] = await generateTraces(request);
    expect(trace.promptPackets).toBe(100);
    expect(pieces.slice(3).reduce((a, b) => a + b, 0)).toBe(1 + 100 * 75);
  });

  it('says what is wrong with a request', async () => {
    const model = fakeModel(scripted(both));
    await expect(generateTraces({ model, label: 'ftp' })).rejects.toThrow('unknown label "ftp"');
    await expect(generateTraces({ model, label: 'web', packets: 0, jobs: 1.5 })).rejects.toThrow(
      'packets must be a whole number of at least 1, not 0; jobs must be',
    );
    await expect(generateTraces({ model, label: 'web', sampling: { topP: 2 } })).rejects.toThrow('topP');
  });
});
