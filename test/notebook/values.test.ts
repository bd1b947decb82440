/** Row 8 of the checklist in docs/notebooks.md: values show themselves, richly in a notebook, as a line in a terminal. */
import { join } from 'node:path';
import { inspect } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { readCapture, type Capture } from '../../src/capture';
import { evaluateSources, traceOfFrames } from '../../src/evaluate';
import { toSession } from '../../src/flows';
import { loadModel, generateTraces, DEMO_MODEL_DIR, type GeneratedTrace } from '../../src/generate';
import { describeLine, richBundle } from '../../src/notebook';
import { modelBundle } from '../../src/notebook/richModels';
import { decodeFrame } from '../../src/packets';
import { encodeSession, getLayout, Vocabulary } from '../../src/tokens';
import { DEFAULT_TRAIN, type History } from '../../src/train';
import { describe as describeModel, loadModelFiles } from '../../src/model';
import { NetssmError, projectRoot, readJson } from '../../src/util';
import { lossCurve } from '../../src/viz';

/** The card of the shipped model: what it says, its values say, too. */
const { heldOutLossNats, steps } = readJson<{ heldOutLossNats: number; steps: number }>(
  join(DEMO_MODEL_DIR, 'netssm.json'),
);
const heldOut = heldOutLossNats.toFixed(3);

const text = (value: unknown) => String(richBundle(value)?.['text/plain']);
const html = (value: unknown) => String(richBundle(value)?.['text/html']);
let capture: Capture;
let traces: GeneratedTrace[];
beforeAll(async () => {
  capture = await readCapture(join(projectRoot, 'data', 'captures', 'web', 'web-16.pcap'));
  const model = await loadModel(DEMO_MODEL_DIR, { engine: 'loops' });
  const prompt = capture.frames.slice(0, 6);
  traces = await generateTraces({ model, label: 'web', packets: 8, count: 2, prompt, jobs: 1, seed: 3 });
});

describe('in a terminal: a readable line, also inside other values', () => {
  test('captures, sessions, tokens, traces', () => {
    expect(inspect(capture)).toMatch(/^Capture .*web-16\.pcap: pcap, 324 packets$/);
    expect(inspect({ sessions: [toSession('web-16', capture.frames)] })).toMatch(
      /^{ sessions: \[ Session web-16: 324 packets, 7 flows, [\d.]+ s \] }$/,
    );
    const vocabulary = new Vocabulary(['web']);
    expect(inspect(encodeSession(capture.frames.slice(0, 3), 'web', vocabulary, getLayout()))).toMatch(
      /^EncodedSession web: \d+ tokens of 3 packets$/,
    );
    expect(inspect(traces[1])).toMatch(
      /^GeneratedTrace web 1 of seed 3: 8 packets behind a prompt of 6, \d+ tries refused, ended by packets$/,
    );
    const session = toSession('web-16', capture.frames);
    expect(inspect(session.flows[1])).toMatch(
      /^Flow tcp [\d.]+:\d+ > 203\.0\.113\.10:80: \d+ packets, [\d.]+ k?M?B in [\d.]+ s, closed by fin$/,
    );
    expect(inspect([decodeFrame(capture.frames[2])])).toMatch(
      /^\[\s+Packet IP [\d.]+ > 203\.0\.113\.10\.80: Flags \[S\], seq \d+, win \d+, options \[.*\], length 0\s+\]$/,
    );
    // They are what they were: nothing is added that copies, JSON or comparisons see.
    expect(Object.keys(capture)).toEqual(['info', 'frames', 'problems']);
    expect({ ...traces[1] }).toEqual(traces[1]);
    expect(JSON.parse(JSON.stringify(structuredClone(traces[1]).report))).toEqual(traces[1].report);
    const [flow] = session.flows;
    expect(JSON.parse(JSON.stringify(flow))).toStrictEqual(structuredClone(flow));
    const packet = decodeFrame(capture.frames[2]);
    expect(Object.keys(packet)).toEqual(['bytes', 'linkType', 'layers', 'problems', 'payloadOffset']);
    expect({ ...packet }).toEqual(packet);
    expect(JSON.stringify(packet)).toBe(JSON.stringify({ ...packet }));
    expect(inspect(packet, { customInspect: false })).toContain('payloadOffset: ');
  });

  test('models, trained runs and evaluations', async () => {
    const model = await loadModel(DEMO_MODEL_DIR, { engine: 'loops' });
    expect(inspect(model)).toBe(
      `LoadedModel demo: compact-rel, 4 layers of width 128, labels dns, mqtt, ssh, stream, voip, web, held-out loss ${heldOut} nats`,
    );
    const half = capture.frames.length / 2;
    const trace = (name: string, from: number) =>
      traceOfFrames('web', capture.frames.slice(from, from + half), name);
    const evaluation = await evaluateSources({
      reference: [trace('a', 0)],
      sources: [{ name: 'mine', traces: [trace('b', half)] }],
      suites: ['similarity'],
      seed: 7,
    });
    expect(inspect(evaluation)).toMatch(
      /^Evaluation similarity of 1 labels, seed 7; fields' mean distance: mine 0\.\d+$/,
    );
    expect(JSON.parse(JSON.stringify(evaluation))).toEqual(evaluation);
  });
});

describe('rich repr', () => {
  test('frame: the packet it holds', () => {
    expect(html(capture.frames[2])).toContain('netssm-packet');
    expect(describeLine(capture.frames[2])).toMatch(
      /> 203\.0\.113\.10\.80: Flags \[S\].*; 70 of 70 bytes captured$/,
    );
  });

  test('tokens: a packet a line, marks and labels by name', () => {
    const session = encodeSession(capture.frames.slice(0, 3), 'web', new Vocabulary(['web']), getLayout());
    expect(text(session)).toMatch(/^\d+ tokens of 3 packets\nlabel 0 \d/);
    expect(text(session).match(/<\|pkt\|>/g)).toHaveLength(3);
    expect(html(session.tokens)).toContain('&#60;|endoftext|&#62;');
    const long = new Uint16Array(50_000).fill(7);
    expect(describeLine(long)).toBe('50,000 tokens; 46,000 more than shown');
  });

  test('model: one screen of tensors, parameters, operations, state and activations', () => {
    const { config } = loadModelFiles(DEMO_MODEL_DIR);
    const d = describeModel(config);
    const shown = text(config);
    expect(describeLine(config)).toBe(
      'Mamba2: 4 layers of width 128, state 128, 575,200 parameters, 266 tokens',
    );
    expect(shown).toContain(
      `operations a token, generating  ${d.operationsPerToken.total.toLocaleString('en')}`,
    );
    expect(shown).toContain('layers 1 to 3');
    expect(shown.split('\n').length).toBeLessThan(30);
    const large = { ...config, n_layer: 24, d_model: 768 };
    expect(text(large).split('\n').length).toBe(shown.split('\n').length);
    expect(html(config)).toContain('activations of a training step');
    const plain = (B: number) => modelBundle(config, { B, L: 2048 })['text/plain'];
    expect(plain(1)).toContain('an estimate, for 1 row of 2,048 tokens');
    expect(plain(8)).toContain('an estimate, for 8 rows of 2,048 tokens');
  });

  test('loaded model: what it was trained on and how well it does', async () => {
    const model = await loadModel(DEMO_MODEL_DIR, { engine: 'loops' });
    expect(describeLine(model)).toBe(
      `model demo: compact-rel, labels dns, mqtt, ssh, stream, voip, web; ${steps.toLocaleString('en')} updates, held-out loss ${heldOut} nats`,
    );
    expect(html(model)).toContain('575,200');
  });

  test('train config: what differs from the defaults', () => {
    const config = { ...DEFAULT_TRAIN, lr: 2e-3, batchSize: 4 };
    expect(describeLine(config)).toBe(
      '1,000 updates of 4 x 256 tokens, lr 0.002, linear; what differs from the defaults',
    );
    expect(text(config)).toMatch(/batchSize +4 +8\n/);
    expect(text(config)).toContain('clipNorm 1');
  });

  test('history: chart, evaluations, how it ended', () => {
    const step = (n: number) => ({ kind: 'step' as const, step: n, lossNats: 6 - n, bitsPerByte: 1, lr: 1, gradNorm: 1, tokens: 10, tokensPerSecond: 1, ms: 1 }); // prettier-ignore
    const perLabel = { web: { lossNats: 4.5, tokens: 5 } };
    const evaluation = {
      kind: 'eval' as const,
      step: 2,
      lossNats: 4.5,
      bitsPerByte: 2,
      perLabel,
      tokens: 5,
      ms: 40,
    };
    const history: History = { run: 'runs/a', stopped: 'interrupt', step: 2, tokens: 20, seconds: 75, overhead: 0, parameters: 9, steps: [step(1), step(2)], evals: [evaluation], best: { step: 2, lossNats: 4.5 }, notes: ['a note'] }; // prettier-ignore
    expect(describeLine(history)).toBe('runs/a: loss 4 nats, 1 min 15 s');
    expect(text(history)).toMatch(/2 +4\.500 +4\.500 \* +2\.000/);
    expect(text(history)).toContain('interrupted after 2 updates: nothing is lost');
    expect(html(history)).toContain('<svg ');
    expect(html(history)).toContain('a note');
  });

  test('traces: what was given, what was drawn, how it went', () => {
    const [trace] = traces;
    expect(describeLine(trace)).toMatch(
      /^web, trace 0 of seed 3: 8 packets in \d+ tokens; behind a prompt of 6; [\d.]+ % decoded at first try; .*ended by packets; the first 12$/,
    );
    expect(text(trace).match(/ prompt +\d/g)).toHaveLength(6);
    expect(text(trace).match(/ drawn +\d/g)).toHaveLength(6);
    expect(describeLine(traces)).toBe('2 traces');
    expect(html(traces).match(/<tr>/g)).toHaveLength(3);
  });

  test('figures as last expression: never blank', () => {
    const figure = lossCurve({ steps: [1, 2].map((n) => ({ step: n, lossNats: n })) });
    expect(html(figure)).toContain('<polyline');
    expect(html({ data: [{ type: 'scatter3d' }], layout: { title: 'A cloud' } })).toContain('A cloud');
  });

  test('vocabularies, layouts', () => {
    expect(describeLine(new Vocabulary(['a', 'b']))).toBe(
      '262 ids: bytes 0 to 255, <|unk|> 256, <|endoftext|> 257, <|padding|> 258, <|pkt|> 259, labels a 260, b 261',
    );
    expect(describeLine(getLayout('paper-94'))).toMatch(
      /^layout paper-94, checksums .*At most 94 bytes a packet/,
    );
  });

  test('evaluations: every source beside the floor', () => {
    const row = (source: string, what: string, jsDistance: number) => ({ source, label: 'macro', level: what === 'mean' ? 'field' : 'header', what, nReference: 9, nSource: 9, jsDistance }); // prettier-ignore
    const evaluation = {
      format: 'netssm-evaluation',
      date: '2024-05-01T00:00:00Z',
      seed: 4,
      reference: { path: 'real' },
      sources: [
        { name: 'synthetic', role: 'synthetic' },
        { name: 'real', role: 'floor' },
      ],
      similarity: [row('synthetic', 'tcp', 0.2), row('real', 'tcp', 0.1), row('synthetic', 'mean', 0.3)],
      validity: [{ source: 'synthetic', label: 'pooled', allChecks: { checked: 4, ok: 3 } }],
      notes: ['few packets'],
    };
    expect(text(evaluation)).toMatch(
      /synthetic +synthetic +0\.2 +0\.3 +0\.75\nreal +floor +0\.1\n- few packets$/,
    );
    expect(describeLine(evaluation)).toContain('2024-05-01, seed 4');
  });

  test('anything else in a line, as Node prints it', () => {
    expect(describeLine({ a: [1, 2], b: 'x' })).toBe("{ a: [ 1, 2 ], b: 'x' }");
    expect(describeLine('x'.repeat(500))).toHaveLength(200);
    expect(describeLine(new NetssmError('code', 'what is wrong'))).toContain('what is wrong');
  });
});
