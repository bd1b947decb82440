import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  DATASET_FILES,
  decodeTokens,
  drawGapOfBin,
  encodePackets,
  encodeSession,
  END_OF_TEXT,
  FIRST_LABEL,
  fromTokenizerJson,
  GapSample,
  getLayout,
  loadTiming,
  PKT,
  planBatches,
  planPieces,
  saveTiming,
  TIME_EDGES_MICROS,
  timeBinOf,
  toTokenizerJson,
  Vocabulary,
} from '../../src/tokens';
import { Rng } from '../../src/util';
import { DNS, frame, SYN, tcp, UDP6 } from './frames';
import { eightSessions } from './sessions';

const BINS = TIME_EDGES_MICROS.length;
const vocabulary = new Vocabulary(['mqtt', 'web'], { edgesMicros: TIME_EDGES_MICROS });
const times = vocabulary.times!;

describe('time tokens in a vocabulary', () => {
  it('have ids behind the labels; labels that come later stand behind them', () => {
    expect([BINS, vocabulary.size, times.first]).toEqual([32, 294, 262]);
    expect([vocabulary.labelId('mqtt'), vocabulary.labelId('web')]).toEqual([260, 261]);
    expect([262, 266, 275, 293].map((id) => vocabulary.text(id))).toEqual([
      '<|dt:0us|>',
      '<|dt:10us|>',
      '<|dt:1778us|>',
      '<|dt:100000000us|>',
    ]);
    const more = new Vocabulary(['mqtt', 'web', 'dns'], times);
    expect([more.labelId('web'), more.times!.first, more.labelId('dns'), more.size]).toEqual([
      261, 262, 294, 295,
    ]);
    expect([261, 262, 293, 294, 295].map((id) => more.labelOf(id))).toEqual([
      'web',
      undefined,
      undefined,
      'dns',
      undefined,
    ]);
    const back = fromTokenizerJson(JSON.parse(JSON.stringify(toTokenizerJson(more))));
    expect([back.labels, back.times]).toEqual([more.labels, more.times]);
  });

  it('refuses bins that do not ascend from 0, and blocks that are cut in two', () => {
    for (const edgesMicros of [[], [1, 2], [0, 2, 2], [0, 0.5]])
      expect(() => new Vocabulary(['a'], { edgesMicros })).toThrow(
        'must be whole microseconds, ascending from 0',
      );
    expect(() => new Vocabulary(['a'], { edgesMicros: [0, 1], first: 262 })).toThrow(
      'cannot begin with id 262',
    );
    const json = toTokenizerJson(new Vocabulary(['a', 'b'], { edgesMicros: [0, 1], first: 261 }));
    const { vocab } = json.model;
    [vocab['<|dt:1us|>'], vocab['<|b|>']] = [263, 262];
    json.added_tokens = [];
    expect(() => fromTokenizerJson(json)).toThrow('its time tokens are not in one block: <|dt:1us|>');
  });

  it('puts every gap into its bin, four a decade from 10 microseconds to 10 seconds', () => {
    TIME_EDGES_MICROS.forEach((edge, bin) => {
      expect(timeBinOf(times, edge)).toBe(bin);
      if (bin > 0) expect(timeBinOf(times, edge - 1)).toBe(bin - 1);
    });
    expect([-5, 1e15].map((gap) => timeBinOf(times, gap))).toEqual([0, BINS - 1]);
    const middle = TIME_EDGES_MICROS.filter((e) => e >= 100 && e <= 1e7);
    for (let i = 1; i < middle.length; i++) expect(middle[i] / middle[i - 1]).toBeCloseTo(10 ** 0.25, 1);
  });
});

/** Gaps from nothing to minutes, one that goes back. */
const GAPS = [0, 3, 17, 180, 900, 25_000, 1_400_000, 61_000_000, 200_000_000, -40];
const frames = [...GAPS, 12].reduce(
  (list, gap, i) => [
    ...list,
    frame(tcp(40000, 80, 1000 + i), (list.at(-1)?.tsMicros ?? 5e6) + (i === 0 ? 0 : gap)),
  ],
  [] as ReturnType<typeof frame>[],
);

describe.each(['compact-rel', 'compact', 'paper-94'])('%s with time tokens', (name) => {
  const layout = getLayout(name, { checksums: 'keep' });
  const { tokens } = encodeSession(frames, 'web', vocabulary, layout);

  it('has one behind every <|pkt|> that a packet follows; its bytes are those of the sequence without', () => {
    const plain = encodeSession(frames, 'web', new Vocabulary(['mqtt', 'web']), layout).tokens;
    expect([...tokens].filter((t) => vocabulary.timeBin(t) === undefined)).toEqual([...plain]);
    tokens.forEach((token, i) => {
      if (vocabulary.timeBin(token) !== undefined) expect(tokens[i - 1]).toBe(PKT);
      if (token === PKT)
        expect([END_OF_TEXT, undefined]).toContain(
          vocabulary.timeBin(tokens[i + 1]) === undefined ? tokens[i + 1] : undefined,
        );
    });
    expect(tokens[0]).toBe(FIRST_LABEL + 1);
  });

  it('gives packets back, and gaps within their bins', () => {
    const { packets, timeBins, refusals, label } = decodeTokens(tokens, vocabulary, layout);
    expect([packets.length, refusals.length, label]).toEqual([frames.length, 0, 'web']);
    expect(packets.map((p) => p.data)).toEqual(frames.map((f) => f.data));
    expect(timeBins![0]).toBe(-1);
    const rng = new Rng(3);
    for (let i = 1; i < frames.length; i++) {
      const gap = frames[i].tsMicros - frames[i - 1].tsMicros;
      const bin = timeBins![i];
      const drawn = drawGapOfBin(times, bin, undefined, rng);
      expect(drawn).toBeGreaterThanOrEqual(TIME_EDGES_MICROS[bin]);
      if (bin + 1 < BINS) expect(drawn).toBeLessThan(TIME_EDGES_MICROS[bin + 1]);
      expect(timeBinOf(times, gap)).toBe(bin);
    }
  });

  it('is what encodePackets makes of decoded packets', () => {
    const { packets, timeBins } = decodeTokens(tokens, vocabulary, layout);
    const coded = packets.map((packet, i) => ({ ...packet, timeBin: timeBins![i] }));
    expect(encodePackets(coded, 261, layout, { times })).toEqual(tokens);
  });
});

describe('decoding', () => {
  const layout = getLayout('compact');
  const dt = times.first + 9;
  const decode = (...body: number[]) => decodeTokens([261, ...body], vocabulary, layout);

  it('takes a packet without time token; refuses a second one, one inside, and one alone', () => {
    expect(decode(...SYN, PKT, ...UDP6, PKT).timeBins).toEqual([-1, -1]);
    expect(decode(dt, ...SYN, PKT).timeBins).toEqual([9]);
    const refused = decode(dt, dt, ...SYN, PKT, dt, 2, dt, 3, PKT, dt, PKT, dt, ...DNS, PKT);
    expect(refused.refusals.map(({ code, token }) => [code, token])).toEqual([
      ['special_token', 2],
      ['special_token', 79],
      ['empty', 84],
    ]);
    expect(refused.timeBins).toEqual([9]);
  });

  it('without time tokens in the vocabulary they are what any other id is: no part of a packet', () => {
    const plain = new Vocabulary(['mqtt', 'web']);
    const { refusals, timeBins } = decodeTokens([261, ...SYN, PKT, dt, ...SYN, PKT], plain, layout);
    expect(refusals.map(({ code }) => code)).toEqual(['special_token']);
    expect(timeBins).toBe(undefined);
  });
});

describe('timing.json with time tokens', () => {
  it("keeps a bin's real gaps, and gaps are drawn from them", () => {
    const sample = new GapSample(new Rng(1));
    for (let i = 0; i < 1000; i++) sample.add(i < 500 ? 11 + (i % 3) : 1001 + (i % 300));
    expect(sample.summary()).not.toHaveProperty('bins');
    const timing = sample.summary(times);
    expect(timing.bins!.map((gaps) => gaps.length).filter(Boolean)).toEqual([32, 32]);
    const path = join(mkdtempSync(join(tmpdir(), 'netssm-times-')), 'timing.json');
    saveTiming(path, { format: 'netssm-timing', version: 1, unit: 'microseconds', labels: { web: timing } });
    expect(loadTiming(path).labels.web).toEqual(timing);
    const rng = new Rng(2);
    const drawn = new Set(
      Array.from({ length: 200 }, () => drawGapOfBin(times, timeBinOf(times, 12), timing, rng)),
    );
    expect([...drawn].sort()).toEqual([11, 12, 13]);
    // Nothing real is known of this bin: its logarithm is uniform.
    const bin = timeBinOf(times, 100_000);
    const others = Array.from({ length: 2000 }, () => drawGapOfBin(times, bin, timing, rng));
    expect(Math.min(...others)).toBeGreaterThanOrEqual(100_000);
    expect(Math.max(...others)).toBeLessThan(TIME_EDGES_MICROS[bin + 1]);
    const median = others.sort((a, b) => a - b)[1000];
    expect(median / Math.sqrt(100_000 * TIME_EDGES_MICROS[bin + 1])).toBeCloseTo(1, 1);
  });

  it('refuses bins that hold no gaps', () => {
    const path = join(mkdtempSync(join(tmpdir(), 'netssm-times-')), 'timing.json');
    const web = { count: 1, meanMicros: 1, quantiles: [1], bins: [[1], ['x' as never]] };
    saveTiming(path, { format: 'netssm-timing', version: 1, unit: 'microseconds', labels: { web } });
    expect(() => loadTiming(path)).toThrow('is not a timing file: gaps of "web"');
  });
});

describe.each(['compact-rel', 'compact'])('a data set with time tokens, %s', (layout) => {
  it('says so, and its pieces have them; a first one inside a session carries no loss', async () => {
    const data = await eightSessions({ timeTokens: true, layout });
    const { meta, vocabulary: own } = data;
    expect([meta.timeTokens, meta.vocabSize, own.times!.first]).toEqual([true, 294, 262]);
    expect(loadTiming(join(data.dir, DATASET_FILES.timing)).labels.web.bins).toHaveLength(BINS);
    const { timeBins } = decodeTokens(data.tokens(0), own, data.layout);
    expect(timeBins!.map((bin) => (bin < 0 ? bin : TIME_EDGES_MICROS[bin]))).toEqual([
      -1, 1000, 1000, 1000, 10_000,
    ]);
    for (const change of [undefined, () => (packet: never) => packet]) {
      const plan = planPieces({
        dataset: data,
        split: 'train',
        rowLen: 120,
        batch: 2,
        seed: 1,
        openings: 0.5,
        change,
      });
      let insides = 0;
      for (let i = 0; i < 20; i++) {
        const { tokens, targets, mask, starts } = plan.at(i);
        for (let at = 0; at < tokens.length; at++) {
          if (tokens[at] === PKT && targets[at] < 256) expect.fail(`no time token behind <|pkt|> at ${at}`);
          if (starts[at] === 0 || own.labelOf(tokens[at]) === undefined) continue;
          const inside = tokens[at + 1] === PKT;
          let end = at + 1;
          while (end % 120 !== 0 && starts[end] === 0) end++;
          const ids = [...tokens.subarray(at, end), targets[end - 1]];
          const [first] = decodeTokens(ids, own, data.layout).packets;
          // What is cut by the row's end does not tell what it is.
          if (!first) continue;
          // TCP of two flows in turn, sequence numbers from 1000 on: later ones are not their flow's first. They are
          // silent in pieces from inside, unless packets are copied as tokens.
          const bytes = Buffer.from(first.data);
          const copied = layout === 'compact' && change === undefined;
          const silent = inside && !copied && bytes[23] === 6 && bytes.readUInt32BE(38) >= 1002;
          expect([...mask.subarray(at, at + 4)]).toEqual(inside ? [0, 0, 0, silent ? 0 : 1] : [1, 1, 1, 1]);
          if (inside) expect(own.timeBin(tokens[at + 2])).not.toBe(undefined);
          if (inside) insides++;
        }
      }
      expect(insides).toBeGreaterThan(5);
    }
    // Streams copy the tokens; every one but the labels is a target once.
    const stream = planBatches({ dataset: data, split: 'train', rowLen: 120, batch: 2, seed: 1, epoch: 0 });
    let timed = 0;
    for (let i = 0; i < stream.batches; i++) {
      const { targets, mask } = stream.at(i);
      targets.forEach((token, k) => (timed += mask[k] === 1 && own.timeBin(token) !== undefined ? 1 : 0));
    }
    expect(timed).toBe(meta.totals.packets - meta.totals.sequences);
    data.close();
  });
});

it('without the option nothing tells of times', async () => {
  const data = await eightSessions();
  expect(data.meta).not.toHaveProperty('timeTokens');
  expect(data.vocabulary.times).toBe(undefined);
  expect(loadTiming(join(data.dir, DATASET_FILES.timing)).labels.web).not.toHaveProperty('bins');
  data.close();
});
