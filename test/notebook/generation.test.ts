/** What notebook 07 measures: probabilities of a token under several samplings, traces drawn in several ways. */
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { readCapture, type Frame } from '../../src/capture';
import { DEMO_MODEL_DIR, generateTraces, loadModel, type LoadedModel } from '../../src/generate';
import { commonPackets, compareSamplings, measureTraces, nextTokens, sizeDistance } from '../../src/notebook';
import { projectRoot } from '../../src/util';

let model: LoadedModel;
let frames: Frame[];
beforeAll(async () => {
  model = await loadModel(DEMO_MODEL_DIR, { engine: 'loops' });
  ({ frames } = await readCapture(join(projectRoot, 'data', 'captures', 'web', 'web-16.pcap')));
});
const ofSize = (wireLen: number): Frame => ({ ...frames[0], wireLen });

describe('the next token', () => {
  test('probabilities are those of each way of drawing', async () => {
    const samplings = { plain: {}, cold: { temperature: 0.5 }, three: { topK: 3 }, greedy: { greedy: true } };
    const rows = await nextTokens({ model, label: 'web', prompt: frames.slice(0, 3), samplings, most: 300 });
    const column = (name: string) => rows.map((row) => Number(row[name]));
    for (const name of Object.keys(samplings))
      expect(column(name).reduce((a, b) => a + b, 0)).toBeCloseTo(1, 9);
    expect(column('three').filter((share) => share > 0)).toHaveLength(3);
    expect(column('greedy').filter((share) => share > 0)).toEqual([1]);
    // softmax(2 logits) is the square, normalised.
    const squares = column('plain').map((share) => share * share);
    const total = squares.reduce((a, b) => a + b, 0);
    expect(column('cold')).toBeWithin(
      squares.map((square) => square / total),
      1e-6,
    );
    // After a SYN: the server of the flow used last.
    expect(rows[0].token).toBe('1');
  });

  test('tokens of the packet under way are read, too', async () => {
    const request = { model, label: 'web', prompt: frames.slice(0, 3), samplings: { plain: {} }, most: 1 };
    const [flags] = await nextTokens({ ...request, begun: [1] });
    expect(flags.token).toBe('18'); // SYN and ACK
  });
});

describe('ways of drawing', () => {
  test('are compared on the same prompt and seeds; the prompt’s packets do not count', async () => {
    const prompt = frames.slice(0, 6);
    const request = { model, label: 'web', prompt, packets: 6, count: 2, seed: 4, jobs: 1 };
    const samplings = { plain: {}, greedy: { greedy: true } };
    const [plain, greedy] = await compareSamplings({ ...request, real: frames, samplings });
    expect([plain.sampling, plain.packets, plain.traces.length]).toEqual(['plain', 12, 2]);
    expect(plain.traces).toEqual(await generateTraces(request));
    expect(commonPackets(greedy.traces)).toBe(12); // nothing is drawn: the seed does not matter
    expect(greedy.sizes).toBeLessThanOrEqual(plain.sizes);
    expect(plain.firstTry).toBeGreaterThan(0.5);
    expect(plain.tokensPerPacket).toBeCloseTo(
      plain.traces.reduce((sum, { report }) => sum + report.tokens, 0) / 12,
      12,
    );
    expect(commonPackets(plain.traces)).toBeGreaterThanOrEqual(6);
  });

  test('sizes: 0 for the same, 1 for nothing in common', () => {
    expect(sizeDistance([ofSize(60)], [ofSize(60), ofSize(60)])).toBe(0);
    expect(sizeDistance([ofSize(60)], [ofSize(61)])).toBeCloseTo(1, 12);
    expect(sizeDistance([], [ofSize(61)])).toBe(1);
    expect(measureTraces([], frames)).toMatchObject({
      packets: 0,
      firstTry: 0,
      tokensPerPacket: 0,
      connections: 0,
    });
    expect(commonPackets([])).toBe(0);
  });
});
