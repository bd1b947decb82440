import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { readCapture, writePcap, type Frame } from '../../src/capture';
import {
  explain,
  explainCapture,
  generateTraces,
  LAW_BITS,
  loadModel,
  relativeMeaning,
  stepThrough,
  wiresharkName,
  type LoadedModel,
} from '../../src/generate';
import { initWeights, StepModel, toParams, validateConfig, type MambaConfig } from '../../src/model';
import { useEngine, type Engine } from '../../src/tensor';
import { buildDataset, getLayout, openDataset, PKT, Vocabulary, type TokenDataset } from '../../src/tokens';
import { evaluateLoss } from '../../src/train';
import { projectRoot, Rng } from '../../src/util';
import { annotateTokens } from '../../src/viz';

const fields = annotateTokens;
const capture = join(projectRoot, 'data', 'captures', 'web', 'web-16.pcap');
const PACKETS = 10;
let demo: LoadedModel;
let frames: Frame[];
let engine: Engine;

beforeAll(async () => {
  demo = await loadModel('demo', { engine: 'loops' });
  ({ frames } = await readCapture(capture));
  engine = await useEngine();
}, 300_000);

/** A session as a data set of one sequence, with the vocabulary of the model. */
async function datasetOf(layout: string): Promise<TokenDataset> {
  const dir = mkdtempSync(join(tmpdir(), 'netssm-explain-'));
  const path = join(dir, 'session.pcap');
  writePcap(path, frames.slice(0, PACKETS));
  const out = join(dir, 'data');
  await buildDataset({ inputs: [{ path, label: 'web', split: 'validation' }], layout, out });
  return openDataset(out);
}

/** Loss of the session by packet, as training counts it. */
async function lossByPacket(dataset: TokenDataset, config: MambaConfig, model: LoadedModel) {
  const tokens = dataset.tokens(0);
  let packet = 0;
  const names = Array.from(tokens, (token, at) => {
    if (at === 0) return undefined;
    const name = `packet ${packet}`;
    if (token === PKT) packet++;
    return name;
  });
  const idMap = Int32Array.from({ length: dataset.vocabulary.size }, (_, id) =>
    id === dataset.vocabulary.labelId('web') ? model.vocabulary.labelId('web') : id,
  );
  const params = toParams(engine.tf, model.files!.weights);
  const options = { fields: () => names, idMap, chunkLen: 64 };
  const loss = await evaluateLoss(engine, config, params, dataset, 'validation', options);
  engine.tf.dispose(Object.values(params));
  return loss;
}

/** A model with random weights, to be told from others. */
function toyModel(layer: 'Mamba1' | 'Mamba2', layout: string, label_every_packet: boolean): LoadedModel {
  const vocabulary = new Vocabulary(['web']);
  const config = validateConfig({
    d_model: 24,
    n_layer: 2,
    vocab_size: vocabulary.size,
    ssm_cfg:
      layer === 'Mamba1'
        ? { layer, d_state: 5, d_conv: 4, expand: 2, dt_rank: 3 }
        : { layer, d_state: 6, d_conv: 4, expand: 2, headdim: 12, ngroups: 2, chunk_size: 16 },
    label_every_packet,
  });
  const weights = initWeights(config, new Rng(5));
  for (const { data } of Object.values(weights)) for (let i = 0; i < data.length; i++) data[i] *= 1.5;
  const stepper = new StepModel(config, weights) as unknown as LoadedModel['stepper'];
  return {
    name: 'toy',
    dir: '',
    labels: vocabulary.labels,
    vocabulary,
    layout: getLayout(layout),
    checksums: getLayout(layout).checksums,
    timing: undefined,
    card: { labels: ['web'], layout, checksums: getLayout(layout).checksums },
    logitsLength: stepper instanceof StepModel ? stepper.vocabSize : 272,
    stepper,
    files: { config, weights },
  };
}

describe('surprises sum to the loss that training counts', () => {
  test('the demo model, packet by packet', async () => {
    const dataset = await datasetOf('compact-rel');
    const { perField, lossNats, tokens } = await lossByPacket(dataset, demo.files!.config, demo);
    for (const packet of [0, PACKETS - 1]) {
      const { bits, tokens: own } = await explain(demo, frames, { packet, label: 'web', fields });
      const expected = perField![`packet ${packet}`];
      expect(own).toHaveLength(expected.tokens);
      expect((bits * Math.LN2) / own.length).toBeCloseTo(expected.lossNats, 4);
    }
    const session = frames.slice(0, PACKETS);
    const whole = await explainCapture(demo, session, { label: 'web', fields });
    expect(whole.tokens).toBe(tokens);
    expect((whole.bits * Math.LN2) / tokens).toBeCloseTo(lossNats, 4);
    const { bits, entropyBits } = await explain(demo, frames, { packet: 3, label: 'web', fields });
    expect(whole.packets[3].bits).toBeCloseTo(bits, 4);
    expect(whole.packets[3].entropyBits).toBeCloseTo(entropyBits, 4);
    const sums = whole.fields.reduce((sum, row) => sum + row.bits, 0);
    expect(sums).toBeCloseTo(whole.bits, 6);
    expect(whole.law + whole.free + whole.broken).toBe(whole.tokens);
  });

  test.each([
    ['Mamba1', 'compact-rel', true],
    ['Mamba2', 'compact-rel', true],
    ['Mamba1', 'paper-94', false],
  ] as const)('%s, %s, label at every packet: %s', async (layer, layout, everyPacket) => {
    const model = toyModel(layer, layout, everyPacket);
    const { perField } = await lossByPacket(await datasetOf(layout), model.files!.config, model);
    const packet = 3;
    const { bits, tokens } = await explain(model, frames, { packet, fields });
    expect(tokens).toHaveLength(perField![`packet ${packet}`].tokens);
    expect((bits * Math.LN2) / tokens.length).toBeCloseTo(perField![`packet ${packet}`].lossNats, 4);
  });
});

describe('explain', () => {
  test('probabilities sum to 1; surprise, rank and entropy follow from them', async () => {
    const top = demo.logitsLength;
    const { tokens } = await explain(demo, frames, { packet: 3, label: 'web', fields, top });
    for (const { token, expected, probability, rank, surpriseBits, entropyBits, verdict } of tokens) {
      expect(expected.reduce((sum, guess) => sum + guess.probability, 0)).toBeCloseTo(1, 9);
      expect(expected[rank - 1].token).toBe(token);
      expect(expected[rank - 1].probability).toBe(probability);
      expect(surpriseBits).toBeCloseTo(-Math.log2(probability), 6);
      const entropy = expected.reduce((sum, { probability: p }) => sum - (p > 0 ? p * Math.log2(p) : 0), 0);
      expect(entropyBits).toBeCloseTo(entropy, 6);
      expect(verdict).toBe(entropyBits >= LAW_BITS ? 'free' : rank === 1 ? 'law' : 'broken');
    }
  });

  test('a captured session: the grammar is law, a new flow’s port is free', async () => {
    // The third packet: the first SYN of a visit to a web site.
    const syn = await explain(demo, frames, { packet: 2, label: 'web', fields });
    const at = (field: string) => syn.tokens.filter((token) => token.field === field);
    expect(at('new flow')[0]).toMatchObject({ text: '254', meaning: 'a new flow' });
    expect(at('flags')[0]).toMatchObject({ meaning: '[S]', verdict: 'law', wireshark: 'tcp.flags' });
    const port = at('source port');
    expect(port).toHaveLength(2);
    expect(port[0].verdict).toBe('free');
    expect(port[0].entropyBits + port[1].entropyBits).toBeGreaterThan(8);
    expect(port[1].meaning).toBe(String(port[0].token * 256 + port[1].token));
    expect(port[0].wireshark).toBe('tcp.srcport');
    // The initial sequence number: a mark that it follows, and 32 random bits.
    const [first, ...rest] = at('sequence number');
    expect([first.verdict, first.meaning]).toEqual(['law', 'four bytes follow']);
    expect(rest.reduce((sum, token) => sum + token.entropyBits, 0)).toBeGreaterThan(31.5);
    expect(rest.every(({ verdict }) => verdict === 'free')).toBe(true);
    const row = syn.fields.find(({ field }) => field === 'source port')!;
    expect(row.bits).toBeCloseTo(port[0].surpriseBits + port[1].surpriseBits, 9);
    expect(inspect(syn)).toMatch(
      /^Explanation of packet 2, web, by demo: \d+ tokens, [\d.]+ bits; \d+ law, /,
    );
  });

  test('without a label: the one that fits best; an unknown one is an error', async () => {
    const few = frames.slice(0, 1);
    const bits: [number, string][] = [];
    for (const label of demo.labels)
      bits.push([(await explainCapture(demo, few, { label, fields, end: false })).bits, label]);
    const { label, labelGiven } = await explain(demo, few, { packet: 0, fields });
    expect([label, labelGiven]).toEqual([bits.sort((x, y) => x[0] - y[0])[0][1], false]);
    await expect(explain(demo, frames.slice(0, 2), { label: 'none', fields })).rejects.toThrow(
      'unknown label "none"',
    );
  });

  test('fewer packets before it: the session as one that begins inside', async () => {
    const all = await explain(demo, frames, { packet: 4, label: 'web', fields });
    const few = await explain(demo, frames, { packet: 4, context: 2, label: 'web', fields });
    const none = await explain(demo, frames, { packet: 4, context: 0, label: 'web', fields });
    expect([all.contextPackets, few.contextPackets, none.contextPackets]).toEqual([4, 2, 0]);
    // The label and the mark that says that packets before are not shown.
    expect(none.contextTokens).toBe(2);
    expect(none.bits).toBeGreaterThan(all.bits);
  });

  test('header bytes: named as in the headers, candidates read in their place', async () => {
    const model = toyModel('Mamba2', 'compact', false);
    const { tokens } = await explain(model, frames, { packet: 2, fields, top: 3 });
    expect(tokens[0]).toMatchObject({ field: 'destination', protocol: 'ethernet', wireshark: 'eth.dst' });
    const ttl = tokens.find(({ field }) => field === 'timeToLive')!;
    expect(ttl).toMatchObject({ protocol: 'ipv4', wireshark: 'ip.ttl' });
    expect(ttl.meaning).toBe(`timeToLive = ${ttl.token}`);
    for (const guess of ttl.expected)
      expect(guess.meaning).toBe(guess.token < 256 ? `timeToLive = ${guess.token}` : guess.meaning);
  });

  test('what cannot be explained is said', async () => {
    await expect(explain(demo, [], { fields })).rejects.toThrow('no packets');
    await expect(explain(demo, frames, { packet: 9999, fields })).rejects.toThrow(/no packet 9999 among/);
    await expect(explain(demo, frames, { packet: 1, label: 'web', top: 0, fields })).rejects.toThrow(
      'top one of at least 1',
    );
    const arp: Frame = { ...frames[0], data: new Uint8Array(42), wireLen: 42 };
    await expect(explain(demo, [frames[0], arp], { label: 'web', fields })).rejects.toThrow(
      'packet 1 is not among the tokens',
    );
    await expect(
      explain({ ...demo, files: undefined }, frames, { packet: 0, label: 'web', fields }),
    ).rejects.toThrow('demo has no weights to look at');
  });
});

describe('stepThrough', () => {
  test('draws what generateTraces draws, with what else could have come', async () => {
    const settings = { label: 'web', packets: 4, seed: 4 };
    const [trace] = await generateTraces({ model: demo, ...settings, count: 1, jobs: 1 });
    const { steps, frames: drawn, report } = await stepThrough(demo, { ...settings, fields });
    expect(drawn.map(({ data }) => [...data])).toEqual(trace.frames.map(({ data }) => [...data]));
    expect(report).toEqual(trace.report);
    expect(steps).toHaveLength(report.tokens);
    for (const { candidates, token, probability, drawProbability } of steps) {
      expect(candidates).toHaveLength(5);
      expect(candidates[0].probability).toBeGreaterThanOrEqual(candidates[4].probability);
      expect(candidates.find((each) => each.token === token)?.probability ?? probability).toBe(probability);
      // Temperature 1: drawn as the model says.
      expect(drawProbability).toBeCloseTo(probability, 6);
    }
    const kept = steps.filter(({ refused }) => refused === undefined);
    expect(new Set(kept.map(({ packet }) => packet)).size).toBe(4);
    expect(kept.every(({ field }) => field !== undefined)).toBe(true);
  });

  test('hot draws: refused tries are marked, and the packets that decoded have their names', async () => {
    const settings = { label: 'web', packets: 5, seed: 2, prompt: frames.slice(0, 6) };
    const { steps, report } = await stepThrough(demo, { ...settings, temperature: 1.8, fields });
    const refused = Object.values(report.refused).reduce((a, b) => a + b, 0);
    expect(refused).toBeGreaterThan(0);
    const tries = new Set(steps.filter((s) => s.refused).map((s) => `${s.packet}/${s.attempt}`));
    expect(tries.size).toBe(refused);
    for (const step of steps) {
      if (step.refused) expect(step.refused).toMatch(/^\w+: /);
    }
    const kept = steps.filter((step) => step.refused === undefined);
    expect(kept.filter((step) => step.field !== undefined).length).toBeGreaterThan(0.9 * kept.length);
    expect(steps.some((s) => Math.abs(s.drawProbability - s.probability) > 0.01)).toBe(true);
  });

  test('greedy, and what is missing', async () => {
    const { steps } = await stepThrough(demo, { label: 'dns', packets: 1, temperature: 0, fields });
    for (const { candidates, token } of steps) expect(token).toBe(candidates[0].token);
    await expect(stepThrough(demo, { fields })).rejects.toThrow('several kinds of traffic');
    await expect(stepThrough(demo, { label: 'web', packets: 0, fields })).rejects.toThrow('at least 1');
  });
});

test('what tokens of compact-rel say', () => {
  const place = { before: [], length: 1, transport: 'tcp', mask: 0, xmask: 0 } as const;
  const says = (field: string, token: number, more: object = {}) =>
    relativeMeaning({ ...place, field, ...more }, token);
  expect(says('head', 1)).toBe('TCP flow used last, from its server');
  expect(says('head', 164)).toBe('UDP flow used 3 flows ago, from its client');
  expect(says('mask', 0b1100101)).toBe(
    'longest payload so far, same ack, seq follows, window follows, timestamps',
  );
  expect(says('mask', 0b10, { transport: 'udp' })).toBe('same length, some payload bytes changed');
  expect(says('source port', 187, { length: 2 })).toBe('47872 to 48127');
  expect(says('source port', 3, { length: 2, before: [187] })).toBe('47875');
  expect(says('sequence number', 5)).toBe('-2 to the expected one');
  expect(says('acknowledgement number', 2)).toBe('+1 to the last one');
  expect(says('acknowledgement number', 2, { mask: 16 })).toBe("end of the peer's open segment 2");
  expect(says('IP id', 255, { xmask: 1 })).toBe('-1 to the expected one');
  expect(says('timestamps and SACK', 9)).toBe('clock +4, the same echo');
  expect(says('payload bytes', 9)).toBeUndefined();
  expect(wiresharkName('version, headerLength', 'ipv4', { transport: 'tcp', version: 4 })).toBe(
    'ip.version, ip.hdr_len',
  );
  expect(wiresharkName('mask', '', { transport: 'tcp', version: 4 })).toBeUndefined();
});
