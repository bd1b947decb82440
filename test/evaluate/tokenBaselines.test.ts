import { describe, expect, it } from 'vitest';
import { bestBaseline, fitTokenBaselines } from '../../src/evaluate/tokenBaselines';
import { SmoothedTable } from '../../src/evaluate/smoothedTable';
import { tokenEvents, type TokenSource } from '../../src/evaluate/tokenEvents';
import { END_OF_TEXT, PKT, Vocabulary, getLayout } from '../../src/tokens';
import { lengthCap } from '../../src/train/evaluateLoss';
import { Rng } from '../../src/util';
import { tcpFrame } from './frames';

const vocabulary = new Vocabulary(['a', 'b']);
const layout = getLayout('compact');

/** A dataset of hand-made sequences. */
function source(
  sequences: { label: string; split: string; source: number; packets: Uint8Array[] }[],
): TokenSource {
  const tokens = sequences.map(({ label, packets }) =>
    Uint16Array.from([vocabulary.labelId(label), ...packets.flatMap((p) => [...p, PKT]), END_OF_TEXT]),
  );
  return {
    layout,
    vocabulary,
    sequences: sequences.map((s, i) => ({ ...s, length: tokens[i].length, packets: s.packets.length })),
    tokens: (i) => tokens[i],
  };
}

describe('SmoothedTable', () => {
  it('gives probabilities that sum to 1 in every context, seen or not, with any fold left out', () => {
    const rng = new Rng(1);
    const table = new SmoothedTable(3, 5, 2, 2);
    for (let i = 0; i < 200; i++) table.add(rng.int(2), rng.int(2), rng.int(2), rng.int(4));
    table.fit();
    for (const label of [0, 1]) {
      for (const context of [0, 1, 2]) {
        for (const fold of [0, 1, undefined]) {
          let sum = 0;
          for (let x = 0; x < 5; x++) sum += table.probability(label, context, x, fold);
          expect(sum).toBeCloseTo(1, 10);
        }
      }
    }
    expect(table.probability(0, 0, 4)).toBeGreaterThan(0);
  });

  it('uses the label where it tells something, and not where it does not', () => {
    const fit = (symbol: (label: number, i: number) => number) => {
      const table = new SmoothedTable(1, 2, 2, 2);
      for (let i = 0; i < 400; i++) table.add((i >> 1) & 1, i & 1, 0, symbol(i & 1, i));
      table.fit();
      return table;
    };
    expect(fit((label) => label).usesLabel).toBe(true);
    expect(fit((label) => label).probability(1, 0, 1)).toBeGreaterThan(0.99);
    const rng = new Rng(2);
    expect(fit(() => rng.int(2)).usesLabel).toBe(false);
  });
});

describe('tokenEvents', () => {
  it("lists every token but the label, with its flow's previous packet in either and the same direction", () => {
    const up = tcpFrame({ seq: 1 });
    const down = tcpFrame({ seq: 2, down: true });
    const up2 = tcpFrame({ seq: 3 });
    const other = tcpFrame({ seq: 4, sport: 40001 });
    const dataset = source([{ label: 'b', split: 'train', source: 0, packets: [up, down, other, up2] }]);
    const events = tokenEvents(dataset, [0], () => 0);
    expect(up.length).toBe(54);
    expect(events.count).toBe(4 * 55 + 1);
    expect(events.packets).toBe(4);
    expect([events.previous[0], events.symbol[0], events.label[0]]).toEqual([261, up[0], 1]);
    const seqByte = 14 + 20 + 7;
    // Second packet: the flow's previous one is `up`; in its own direction there is none.
    const second = 55 + seqByte;
    expect([events.symbol[second], events.copyFlow[second], events.copyDirection[second]]).toEqual([
      2, 1, -1,
    ]);
    // Third packet opens another flow.
    expect(events.copyFlow[2 * 55 + seqByte]).toBe(-1);
    // Fourth: previous of the flow is `down`, previous in the same direction is `up`.
    const fourth = 3 * 55 + seqByte;
    expect([events.symbol[fourth], events.copyFlow[fourth], events.copyDirection[fourth]]).toEqual([3, 2, 1]);
    // The mark that closes a packet can be copied, too.
    expect(events.copyFlow[3 * 55 + 54]).toBe(PKT);
    expect([events.symbol[220], events.position[220], events.copyFlow[220]]).toEqual([END_OF_TEXT, 0, -1]);
  });
});

describe('fitTokenBaselines', () => {
  const session = (seed: number, label: string, split: string, n: number) => {
    const rng = new Rng(seed);
    const sport = 40000 + rng.int(20000);
    const window = rng.int(65536);
    const packets = Array.from({ length: n }, (_, i) =>
      tcpFrame({ sport, window, seq: rng.int(256), down: i % 2 === 1, ttl: label === 'a' ? 64 : 128 }),
    );
    return { label, split, source: seed, packets };
  };
  const dataset = source([
    ...[1, 2, 3, 4, 5, 6, 7, 8].map((s) => session(s, s % 2 ? 'a' : 'b', 'train', 40)),
    ...[11, 12].map((s) => session(s, s % 2 ? 'a' : 'b', 'test', 40)),
  ]);
  const baselines = fitTokenBaselines(dataset);
  const [bigram, position, flow, direction] = baselines;

  it('judges all four on every token but the labels', () => {
    expect(baselines.map((b) => b.name)).toEqual(['bigram', 'position', 'mixture-flow', 'mixture-direction']);
    for (const b of baselines) {
      expect(b.tokens).toBe(2 * (40 * 55 + 1));
      expect(b.trainTokens).toBe(8 * (40 * 55 + 1));
      expect(b.bitsPerPacket).toBeCloseTo((b.lossNats * b.tokens) / Math.LN2 / 80, 9);
    }
  });

  it('mixtures beat their parts, and copying within a direction beats copying within the flow', () => {
    expect(flow.lossNats).toBeLessThan(Math.min(bigram.lossNats, position.lossNats));
    expect(direction.lossNats).toBeLessThan(flow.lossNats);
    expect(bestBaseline(baselines).name).toBe('mixture-flow'); // the oracle is no bar
    expect(baselines.map((b) => b.role)).toEqual(['baseline', 'baseline', 'baseline', 'oracle']);
  });

  it("comes close to the data's own entropy: a random byte a packet, and what opens a session", () => {
    // A packet: the random byte and its direction. A session: ports and window (4 bytes) in either direction.
    const floor = (40 * (Math.log(256) + Math.LN2) + 8 * Math.log(256)) / (40 * 55 + 1);
    expect(direction.lossNats).toBeGreaterThan(floor);
    expect(direction.lossNats).toBeLessThan(floor * 1.35);
  });

  it('gives the same numbers again', () => expect(fitTokenBaselines(dataset)).toEqual(baselines));

  it('works with a single training capture, cut into runs of packets', () => {
    const one = source([session(1, 'a', 'train', 60), session(2, 'a', 'test', 10)]);
    const results = fitTokenBaselines(one);
    expect(results.every((b) => b.lossNats > 0 && b.lossNats < Math.log(262))).toBe(true);
  });

  it('judges the tokens that evaluateLoss judges for the same limit', () => {
    const [limited] = fitTokenBaselines(dataset, { maxTestTokens: 1001 });
    expect(limited.tokens).toBe(2 * lengthCap([2201, 2201], 1001));
    expect(limited.tokens).toBe(1000);
  });

  it('takes labels in turn when training tokens are limited', () => {
    const [limited] = fitTokenBaselines(dataset, { maxTokens: 5000 });
    expect(limited.trainTokens).toBe(2 * 2201);
    expect(limited.lossNats).toBeGreaterThan(bigram.lossNats);
  });

  it('names the splits there are when one is empty', () => {
    expect(() => fitTokenBaselines(dataset, { splitTest: 'validation' })).toThrow(
      'no tokens in split "validation"',
    );
  });
});
