import { describe, expect, it } from 'vitest';
import {
  decodeTokens,
  END_OF_TEXT,
  PADDING,
  PacketStore,
  phaseAfter,
  PHASES,
  phaseSpan,
  phaseTokens,
  PhaseTracker,
  PKT,
  planPieces,
  type Phase,
} from '../../src/tokens';
import { flowDataset, tcpFlow, udpFlow } from './flows';
import { frame, tcp } from './frames';

/** The phase of every packet, and that of the flow's end. */
function phasesOf(frames: ReturnType<typeof tcpFlow>): string {
  const tracker = new PhaseTracker();
  return frames
    .map((packet) => {
      const { phase } = tracker;
      tracker.add(packet);
      return phase[0];
    })
    .concat(`.${tracker.phase[0]}`)
    .join('');
}

describe('phases of a flow', () => {
  it('SYN, SYN+ACK, ACK; up to the first FIN or RST; and what follows', () => {
    expect(phasesOf(tcpFlow(40000, 4))).toBe('hhhddddd' + 'tt.t');
    expect(phasesOf(tcpFlow(40000, 2, 'rst'))).toBe('hhhddd.t');
    expect(phasesOf(tcpFlow(40000, 2, 'none'))).toBe('hhhdd.d');
  });

  it('a refused or unanswered SYN, a flow that is cut at its beginning, UDP', () => {
    const syn = frame(tcp(40000, 80, 1, 2));
    expect(phasesOf([syn, syn, frame(tcp(80, 40000, 0, 0x14))])).toBe('hhh.t');
    expect(phasesOf([syn, syn])).toBe('hh.h');
    expect(phasesOf(tcpFlow(40000, 3).slice(4))).toBe('hdd' + 'tt.t');
    expect(phasesOf(udpFlow(3))).toBe('hdd.d');
    expect(phaseAfter([])).toBe('handshake');
    expect(phaseAfter(tcpFlow(40000, 3).slice(0, 3))).toBe('data');
  });
});

describe.each([
  ['compact-rel', true],
  ['compact', false],
  ['paper-94', true],
])('pieces of one phase: %s, time tokens %s', async (layout, timeTokens) => {
  const data = await flowDataset({ layout, timeTokens, validationShare: 0 });
  const store = new PacketStore(data, true);

  it('packets and tokens of a phase lie where the flow is in it', () => {
    data.sequences.forEach((_, i) => {
      const packets = store.get(i);
      const tokens = data.tokens(i);
      let next = 1;
      for (const phase of PHASES) {
        const span = phaseSpan(packets, phase);
        const place = phaseTokens(data, i, phase);
        if (!place) {
          expect([span.from, span.to]).toEqual([packets.count, packets.count]);
          // The end of the paper's sequences is no token.
          if (layout !== 'paper-94') expect(span.ends).toBe(false);
          continue;
        }
        // One phase after the other, without gap.
        expect(place.from).toBe(next);
        next = place.to;
        const closed = tokens.subarray(place.from, place.to).filter((t) => t === PKT).length;
        // Nothing closes the paper's last packet.
        const stops = layout === 'paper-94' && place.to === tokens.length && span.to > span.from ? 1 : 0;
        expect(closed).toBe(span.to - span.from - stops);
        if (span.ends && layout !== 'paper-94') expect(tokens[place.to - 1]).toBe(END_OF_TEXT);
      }
      expect(next).toBe(tokens.length);
    });
  });

  it.each(PHASES)(
    '%s: the loss is on its tokens alone, all of them, and what leads up to them is read',
    (phase) => {
      const change = () => (packet: never) => packet;
      const plan = planPieces({
        dataset: data,
        split: 'train',
        rowLen: 1500,
        batch: 2,
        seed: 3,
        openings: 0.5,
        shortest: 40,
        phase,
        change,
      });
      let openings = 0;
      let insides = 0;
      for (let i = 0; i < 3; i++) {
        const { tokens, targets, mask, starts } = plan.at(i);
        for (let at = 0; at < tokens.length; at++) {
          if (starts[at] === 0 || tokens[at] === PADDING) continue;
          let end = at + 1;
          while (end % 1500 !== 0 && starts[end] === 0) end++;
          const ids = [...tokens.subarray(at, end), targets[end - 1]];
          const inside = ids[1] === PKT;
          const whole = decodeTokens(ids, data.vocabulary, data.layout);
          // Cut rows end anywhere.
          expect(whole.refusals.filter(({ code }) => code !== 'unfinished')).toEqual([]);
          const counted = mask.subarray(at, end);
          const first = counted.indexOf(1);
          // Only where the row's end left no room for it.
          if (first < 0) expect(end % 1500).toBe(0);
          if (first < 0) continue;
          expect([...counted.subarray(first)]).toEqual(Array(counted.length - first).fill(1));
          if (inside) {
            insides++;
            expect(phase).not.toBe('handshake');
            continue;
          }
          openings++;
          expect(first + 1).toBe(phaseStart(ids, phase));
        }
      }
      expect(openings).toBeGreaterThan(1);
      if (phase !== 'handshake') expect(insides).toBeGreaterThan(1);
    },
  );

  /** Position of the first token of a phase in a sequence. */
  function phaseStart(ids: number[], phase: Phase): number | undefined {
    const one = { ...data, sequences: [data.sequences[0]], tokens: () => Uint16Array.from(ids) };
    Object.defineProperty(one, 'layout', { value: data.layout });
    Object.defineProperty(one, 'vocabulary', { value: data.vocabulary });
    return phaseTokens(one as never, 0, phase)?.from;
  }

  it('context that leaves no room is shortened', () => {
    const rowLen = layout === 'compact-rel' ? 140 : 260;
    const plan = planPieces({
      dataset: data,
      split: 'train',
      rowLen,
      batch: 4,
      seed: 3,
      openings: 1,
      phase: 'teardown',
    });
    let rows = 0;
    for (let i = 0; i < 10; i++) {
      const { mask } = plan.at(i);
      for (let b = 0; b < 4; b++) rows += mask.subarray(b * rowLen, (b + 1) * rowLen).includes(1) ? 1 : 0;
    }
    expect(rows).toBe(40);
  });
});

it('says where a split has nothing of a phase', async () => {
  const data = await flowDataset({ validationShare: 0 });
  const sequences = data.sequences.filter((_, i) => phaseTokens(data, i, 'teardown') === undefined);
  expect(sequences.length).toBeGreaterThan(3);
  const split = 'validation';
  expect(() =>
    planPieces({ dataset: data, split, rowLen: 64, batch: 1, seed: 1, openings: 1, phase: 'teardown' }),
  ).toThrow('no flow of the validation split has a teardown');
  data.close();
});
