import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeTokens, END_OF_TEXT, PADDING, PKT, planPieces, PacketStore } from '../../src/tokens';
import type { PieceOptions, TokenBatch, TokenDataset } from '../../src/tokens';
import { Rng } from '../../src/util';
import { eightSessions } from './sessions';

const ROW = 400;
let data: TokenDataset;
beforeAll(async () => {
  data = await eightSessions();
});
afterAll(() => data.close());

const plan = (more: Partial<PieceOptions> = {}) =>
  planPieces({ dataset: data, split: 'train', rowLen: ROW, batch: 3, seed: 5, openings: 0.5, ...more });

/** The pieces of a batch: tokens with the last target, mask, and where they begin. */
function piecesOf(batch: TokenBatch, rowLen = ROW) {
  const out: { tokens: number[]; mask: number[]; at: number }[] = [];
  const n = batch.tokens.length;
  for (let at = 0; at < n;) {
    let end = at + 1;
    while (end < n && end % rowLen !== 0 && batch.starts[end] === 0) end++;
    if (batch.tokens[at] !== PADDING) {
      const tokens = [...batch.tokens.subarray(at, end), batch.targets[end - 1]];
      out.push({ tokens, mask: [...batch.mask.subarray(at, end)], at });
    }
    at = end;
  }
  return out;
}

/**
 * The loss mask of a piece from inside whose packets were decoded: nothing on the prefix, nor on what older flows show
 * first. Up to the last packet, which may be cut.
 */
function insideMask(tokens: number[]): number[] {
  const known = new Set<number>();
  let silent = false;
  return tokens.slice(1, tokens.lastIndexOf(PKT) + 1).map((target, k) => {
    if (tokens[k] === PKT) {
      const frame = Buffer.from(tokens.slice(k + 1, k + 43));
      const port = frame.readUInt16BE(34);
      // Captures are TCP of two flows in turn, sequence numbers from 1000 on, then DNS.
      silent = frame[23] === 6 && frame.readUInt32BE(38) >= 1002 && !known.has(port);
      known.add(port);
    }
    return k < 2 || (silent && target < 256) ? 0 : 1;
  });
}

const many = (p: ReturnType<typeof plan>, batches = 40) =>
  Array.from({ length: batches }, (_, i) => piecesOf(p.at(i))).flat();

describe.each(['tokens as they are', 'decoded and encoded again'] as const)('planPieces: %s', (how) => {
  const change = how === 'tokens as they are' ? undefined : () => (packet: never) => packet;
  const planned = (more: Partial<PieceOptions> = {}) => plan({ change, ...more });

  it('cuts runs of packets from sessions, label first', () => {
    const sessions = data.sequences.map((_, i) => [...data.tokens(i)].join(' '));
    const pieces = many(planned());
    expect(pieces.length).toBeGreaterThan(120);
    let silent = 0;
    for (const { tokens, mask } of pieces) {
      const inside = tokens[1] === PKT;
      const body = tokens.slice(inside ? 2 : 1).join(' ');
      const label = tokens[0];
      const found = sessions.some((s) =>
        inside
          ? s.startsWith(`${label} `) && s.includes(` ${PKT} ${body}`)
          : s.startsWith(`${label} ${body}`),
      );
      expect(found).toBe(true);
      if (inside && change !== undefined) {
        const expected = insideMask(tokens);
        expect(mask.slice(0, expected.length)).toEqual(expected);
        silent += expected.slice(2).filter((m) => m === 0).length;
      } else expect(mask).toEqual(mask.map((_, k) => (inside && k < 2 ? 0 : 1)));
    }
    if (change !== undefined) expect(silent).toBeGreaterThan(1000);
  });

  it('begins the asked share of the pieces at the start of sessions, all of them in turn', () => {
    for (const openings of [0, 0.25, 1]) {
      const pieces = many(planned({ openings, shortest: 80 }), 60);
      const first = pieces.filter(({ tokens }) => tokens[1] !== PKT).length;
      expect(first / pieces.length).toBeCloseTo(openings, openings === 0.25 ? 1 : 9);
    }
    const starts = many(planned({ openings: 1 }), 20).map(({ tokens }) => tokens.slice(0, 200).join());
    // Sessions of one label have the same first packets here; their lengths tell them apart.
    expect(new Set(starts.map((s) => s.split(',')[0])).size).toBe(2);
  });

  it('sees every label as often with evenLabels, and by the number of packets without', () => {
    const [first] = data.sequences;
    const label = data.vocabulary.labelId(first.label);
    // Of the first label one session stays.
    const sequences = data.sequences.map((s) =>
      s.label !== first.label || s === first ? s : { ...s, split: 'validation' },
    );
    const uneven = Object.create(data, { sequences: { value: sequences } }) as TokenDataset;
    for (const openings of [0, 1]) {
      const share = (evenLabels: boolean) => {
        const pieces = many(planned({ openings, evenLabels, shortest: 80, dataset: uneven }), 80);
        return pieces.filter(({ tokens }) => tokens[0] === label).length / pieces.length;
      };
      expect(share(true)).toBeCloseTo(0.5, 1);
      expect(share(false)).toBeLessThan(0.4);
    }
  });

  it('draws lengths on a logarithmic scale from the shortest to the row', () => {
    const count = (shortest?: number) => many(planned({ shortest, openings: 1 })).length;
    expect(count(75)).toBeGreaterThan(1.5 * count());
  });

  it('ends a session with <|endoftext|>, and only there', () => {
    const pieces = many(planned());
    const ends = pieces.filter(({ tokens }) => tokens.includes(END_OF_TEXT));
    expect(ends.length).toBeGreaterThan(20);
    for (const { tokens } of ends) expect(tokens.indexOf(END_OF_TEXT)).toBe(tokens.length - 1);
  });

  it('ends the asked share of the pieces where their sessions end', () => {
    const ended = (more: Partial<PieceOptions>) => {
      const pieces = many(planned({ openings: 0, ...more }), 60);
      return pieces.filter(({ tokens }) => tokens.includes(END_OF_TEXT)).length / pieces.length;
    };
    const [all, half, none] = [1, 0.5, 0].map((endings) => ended({ endings }));
    // Rows' ends cut some, and the sessions are short: pieces from anywhere in them often reach their end.
    expect(all - none).toBeGreaterThan(0.15);
    expect((half - none) / (all - none)).toBeGreaterThan(0.25);
    expect((half - none) / (all - none)).toBeLessThan(0.75);
  });

  it('weighs the first two tokens of each packet and the end of the session', () => {
    const [weighted, plain] = [3, 1].map((headWeight) => planned({ headWeight }).at(0));
    expect(weighted.tokens).toEqual(plain.tokens);
    const pieces = piecesOf(plain);
    let heads = 0;
    piecesOf(weighted).forEach(({ tokens, mask }, p) => {
      // Of a piece from inside the label and the first <|pkt|> lead in; every packet but the first follows a <|pkt|>.
      const begins = tokens.map(
        (token, k) => token === END_OF_TEXT || (k > 0 && (tokens[k - 1] === PKT || k === 1)),
      );
      const expected = pieces[p].mask.map((m, k) => (begins[k + 1] || begins[k] ? 3 * m : m));
      expect(mask).toEqual(expected);
      heads += expected.filter((m) => m === 3).length;
    });
    expect(heads).toBeGreaterThan(20);
    expect(weighted.lossTokens).toBe(plain.lossTokens + 2 * heads);
  });

  it('gives row r the same tokens whatever was asked for before, and whatever the batch is', () => {
    const all = Array.from({ length: 6 }, (_, i) => planned().at(i));
    const p = planned();
    for (const i of [3, 5, 0, 4]) expect(p.at(i)).toEqual(all[i]);
    const single = planned({ batch: 1 });
    for (let r = 0; r < 18; r++)
      expect(single.at(r).tokens).toEqual(
        all[Math.floor(r / 3)].tokens.slice((r % 3) * ROW, ((r % 3) + 1) * ROW),
      );
    expect(planned({ seed: 6 }).at(0)).not.toEqual(all[0]);
  });
});

describe('planPieces', () => {
  it('reads every packet, through memory for one session as well', () => {
    for (const maxBytes of [undefined, 500]) {
      const p = plan({ maxBytes, openings: 0.3, change: () => (x) => x });
      const packets = new Set<string>();
      for (const { tokens } of many(p, 150)) {
        const { packets: found, label } = decodeTokens(tokens, data.vocabulary, data.layout);
        found.forEach((x) => packets.add(`${label} ${x.data.join()}`));
      }
      // 2 labels x (7 different TCP packets, DNS).
      expect(packets.size).toBe(16);
    }
  });

  it('changes the packets of a piece together, each piece by itself', () => {
    const change = (rng: Rng) => {
      const mark = rng.int(256);
      return (packet: { data: Uint8Array; wireLen: number; linkType: number }) => {
        const bytes = packet.data.slice();
        bytes[0] = mark & 0xfe;
        return { ...packet, data: bytes };
      };
    };
    const marks = many(plan({ change }), 20).map(({ tokens }) => {
      const { packets } = decodeTokens(tokens, data.vocabulary, data.layout);
      expect(new Set(packets.map((x) => x.data[0])).size).toBeLessThanOrEqual(1);
      return packets[0]?.data[0];
    });
    expect(new Set(marks).size).toBeGreaterThan(20);
  });

  it('leaves out packets that a change has made unusable', () => {
    const change = () => (packet: { data: Uint8Array; wireLen: number; linkType: number }) =>
      packet.data.length === 54 ? { ...packet, data: packet.data.subarray(0, 9) } : packet;
    for (const { tokens } of many(plan({ change }), 10))
      for (const { data: bytes } of decodeTokens(tokens, data.vocabulary, data.layout).packets)
        expect(bytes.length).not.toBe(54);
  });

  it('fills rows to the end, up to a few tokens', () => {
    const p = plan();
    for (let i = 0; i < 20; i++) {
      const { tokens, lossTokens, mask } = p.at(i);
      for (let b = 0; b < 3; b++)
        expect(tokens.subarray(b * ROW, (b + 1) * ROW).filter((t) => t === PADDING).length).toBeLessThan(16);
      expect(mask.reduce((a, m) => a + m, 0)).toBe(lossTokens);
    }
  });

  it('works with rows of any length and splits without data, and says what is wrong', () => {
    expect(plan({ rowLen: 3, batch: 1 }).at(7).tokens).toHaveLength(3);
    expect(plan({ rowLen: 5000 }).at(0).lossTokens).toBeGreaterThan(3 * 4900);
    const none = plan({ split: 'test' });
    expect([none.epochRows, none.at(0).lossTokens]).toEqual([0, 0]);
    expect(() => plan({ rowLen: 2 })).toThrow('rowLen must be a whole number of at least 3');
    expect(() => plan({ openings: 1.5 })).toThrow('openings and endings must be from 0 to 1 together');
    expect(() => plan({ openings: 0.7, endings: 0.4 })).toThrow('not 0.7, 0.4 and');
    expect(() => plan().at(-1)).toThrow(RangeError);
  });

  it('refuses a data set that does not decode', () => {
    const tokens = (i: number) => data.tokens(i).fill(1, 1, 15);
    const damaged = Object.create(data, { tokens: { value: tokens } }) as TokenDataset;
    expect(() => new PacketStore(damaged, true).get(2)).toThrow('sequence 2, packet 0 (token 1): not_ip');
  });
});

describe('planPieces with the layout of the paper', () => {
  it('joins packets with <|pkt|> and has no end', async () => {
    const paper = await eightSessions({ layout: 'paper-94' });
    const p = plan({ dataset: paper, change: () => (x) => x });
    const sessions = paper.sequences.map((_, i) => [...paper.tokens(i)].join(' '));
    for (const { tokens } of many(p, 10)) {
      const inside = tokens[1] === PKT;
      const body = tokens.slice(inside ? 1 : 0).join(' ');
      expect(sessions.some((s) => (inside ? s.includes(body) : s.startsWith(body)))).toBe(true);
    }
    paper.close();
  });
});

describe('planPieces with compact-rel', () => {
  it('encodes every piece from the empty state: each decodes by itself to packets of its session', async () => {
    const relative = await eightSessions({ layout: 'compact-rel' });
    const p = plan({ dataset: relative, rowLen: 120, shortest: 40 });
    const packets = data.sequences.map((_, i) =>
      decodeTokens(data.tokens(i), data.vocabulary, data.layout)
        .packets.map((x) => headers(x.data))
        .join(' '),
    );
    let inside = 0;
    for (let i = 0; i < 60; i++)
      for (const { tokens } of piecesOf(p.at(i), 120)) {
        // The last piece of a row is cut where the row ends.
        const closed = tokens.slice(0, tokens.lastIndexOf(PKT) + 1);
        const found = decodeTokens(closed, relative.vocabulary, relative.layout);
        expect(found.refusals).toEqual([]);
        const text = found.packets.map((x) => headers(x.data)).join(' ');
        expect(packets.some((s) => s.includes(text))).toBe(true);
        if (tokens[1] === PKT && found.packets.length > 1) inside++;
      }
    expect(inside).toBeGreaterThan(30);
    relative.close();
  });
});

/** The bytes of a packet without its transport checksum, which compact-rel drops. */
const headers = (bytes: Uint8Array) => {
  const copy = Buffer.from(bytes);
  const at = copy[23] === 6 ? 50 : 40;
  copy.fill(0, at, at + 2);
  return copy.toString('hex');
};
