import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writePcap } from '../../src/capture';
import { evaluateTraces, type Evaluation, type TokenBaseline } from '../../src/evaluate';
import { trivialBaselines } from '../../src/generators';
import { reportHtml, writeReport, type FigureSpec, type ReportInput } from '../../src/viz';
import { writeJson } from '../../src/util';
import { connection } from '../evaluate/frames';

const dir = mkdtempSync(join(tmpdir(), 'netssm-report-'));
const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((p) =>
  existsSync(p),
);
const baseline = (name: string, lossNats: number): TokenBaseline => ({
  name,
  lossNats,
  description: `about ${name}`,
  tokens: 1000,
  bitsPerPacket: 60,
  trainTokens: 5000,
});

let evaluation: Evaluation;
let input: ReportInput;
beforeAll(async () => {
  for (const label of ['mqtt', 'web']) {
    mkdirSync(join(dir, 'real', label), { recursive: true });
    for (let i = 0; i < 4; i++) {
      const frames = [0, 1, 2].flatMap((k) =>
        connection(40000 + 10 * i + k, 77 * i, label === 'web' ? 1400 : 30),
      );
      await writePcap(join(dir, 'real', label, `${i}.pcap`), frames);
    }
  }
  mkdirSync(join(dir, 'made'));
  await writePcap(join(dir, 'made', 'web-000.pcap'), connection(50000));
  writeJson(join(dir, 'made', 'generation.json'), {
    files: [
      {
        file: 'web-000.pcap',
        label: 'web',
        promptPackets: 0,
        report: { packets: 9, refused: { not_ip: 3 } },
      },
    ],
  });
  evaluation = await evaluateTraces({
    real: join(dir, 'real'),
    synthetic: join(dir, 'made'),
    baselines: trivialBaselines(),
    utility: { trees: 3, seeds: 1, trainItems: 20, testItems: 20, jobs: 1 },
    seed: 1,
    provenance: { engine: 'wasm' },
  });
  input = {
    title: 'Title & <more>',
    evaluation,
    model: { heldOutLossNats: 0.8, layout: 'compact' },
    baselines: [baseline('bigram', 3), baseline('mixture-flow', 1)],
    history: {
      steps: [
        { step: 1, lossNats: 5 },
        { step: 2, lossNats: 4 },
      ],
      evals: [{ step: 2, lossNats: 4.5 }],
    },
    timings: { train: 61 },
    traces: [{ file: 'web-000.pcap', label: 'web', packets: 9, tokens: 500, refused: 3 }],
    sections: [
      { title: 'Own section', text: 'Own words.', table: { columns: ['a', 'b'], rows: [['x', 0.123456]] } },
    ],
    provenance: { command: 'netssm evaluate' },
  };
});
afterAll(() => rmSync(dir, { recursive: true }));

const text = (html: string): string =>
  html
    .replace(/<(script|style)[^>]*>[\s\S]*?<\/\1>/g, ' ')
    .replace(/<[^>]+>/g, ' ')
    .replace(/&#39;/g, "'")
    .replace(/\s+/g, ' ');

describe('reportHtml', () => {
  it('says the key numbers in words, each beside its bar', () => {
    const words = text(reportHtml(input, { withPlotly: false }));
    expect(words).toContain('Judged: 9 packets in 1 capture of 1 label.');
    expect(words).toContain(
      '0.800 held-out loss, nats a token 20.0 % below the best baseline (mixture-flow, 1.000)',
    );
    expect(words).toContain('75.0 % of attempts became packets');
    expect(words).toContain('100 % of packets pass every check real 100 %');
    expect(words).toContain('100 % of connections with a SYN complete the handshake real 100 %');
    expect(words).toContain('Not judged, because no capture of it was generated: mqtt.');
  });
  it('says so when the model does not reach its bar', () => {
    const words = text(reportHtml({ ...input, model: { heldOutLossNats: 1.5 } }, { withPlotly: false }));
    expect(words).toContain('50.0 % ABOVE the best baseline');
  });
  it("has the tables: similarity, validity, refused, provenance, the caller's own", () => {
    const words = text(reportHtml(input, { withPlotly: false }));
    for (const part of [
      'complete handshake 100 % (12 of 12) 100 % (1 of 1) 100 % (12 of 12)',
      'not_ip 3',
      'engine wasm',
      'model: layout compact',
      'time: train 1 min 1 s',
      'command netssm evaluate',
      'Own words.',
      'x 0.123',
      'web-000.pcap web 9 500 3',
    ])
      expect(words).toContain(part);
  });
  it('has a section for each suite that ran, in the contents and with its numbers', () => {
    const html = reportHtml(input, { withPlotly: false });
    const contents = [...html.matchAll(/<li><a href="#([^"]+)">([^<]+)<\/a>/g)];
    expect(contents.map(([, , name]) => name)).toEqual([
      'Summary',
      'The model',
      'Traffic',
      'Similarity',
      'Validity',
      'Compliance',
      'Semantics',
      'Memorisation',
      'Own section',
      'Origin',
    ]);
    for (const [, id] of contents) expect(html).toContain(`<h2 id="${id}">`);
    const words = text(html);
    for (const part of [
      'of the same label 0.',
      'correct handshakes found 100 % 0.0',
      'raw segment size (bytes) generated 1',
      'identical to a training packet',
      'Utility was not measured: a classifier needs two labels',
    ])
      expect(words).toContain(part);
    for (const bad of ['NaN', 'undefined', 'Infinity', '[object']) expect(words).not.toContain(bad);
  });
  it('leaves out the sections of suites that did not run', () => {
    const { compliance: _a, semantics: _b, memorisation: _c, ...rest } = evaluation;
    const bare = { ...rest, compliance: null, semantics: null, memorisation: null };
    const html = reportHtml({ title: 'x', evaluation: bare }, { withPlotly: false });
    expect([...html.matchAll(/<h2 id="s\d+-([^"]+)">/g)].map(([, name]) => name)).toEqual([
      'summary',
      'traffic',
      'similarity',
      'validity',
      'origin',
    ]);
  });
  it('escapes what it is given', () => {
    const html = reportHtml(input, { withPlotly: false });
    expect(html).toContain('<title>Title &#38; &#60;more&#62;</title>');
    expect(html).not.toContain('<more>');
  });
  it('has a place, with words in it, for each figure that the script draws', () => {
    const html = reportHtml(input, { withPlotly: false });
    const figures = JSON.parse(/var figures = (.*);\n/.exec(html)![1]) as Record<string, FigureSpec>;
    const ids = [...html.matchAll(/<div class="plot" id="([^"]+)"[^>]*><p class="fallback">/g)].map(
      (m) => m[1],
    );
    expect(ids).toEqual(Object.keys(figures));
    expect(Object.values(figures).map((f) => (f.layout.title as { text: string }).text)).toEqual([
      'Loss on held-out captures',
      'Loss while training',
      'Packets of one real and one generated trace',
      'Packet length on the wire, cumulative',
      'Time between packets of a capture, cumulative',
      'Packet length on the wire',
      'TCP flags',
      'TCP window',
      'Distance from held-out real captures, mean over labels',
      'Distance between real captures of every two labels (JS, base 2)',
      'Bits of the TCP header (nPrint), all labels together',
      'TCP metrics of Table 4: mean over the captures of how often',
      'Distance of each packet from the nearest training packet',
    ]);
  });
  it('does without what is not known', () => {
    const words = text(reportHtml({ title: 'x', evaluation: null }, { withPlotly: false }));
    expect(words).not.toContain('NaN');
    expect(words).not.toContain('undefined');
    const judged = text(
      reportHtml({ title: 'x', evaluation: { ...evaluation, similarity: [] } }, { withPlotly: false }),
    );
    expect(judged).toContain('Validity');
    expect(judged).not.toContain('NaN');
  });
});

describe('writeReport', () => {
  const path = join(dir, 'report.html');
  it('writes one file with plotly inside, that asks the network for nothing', () => {
    writeReport(path, input);
    expect(statSync(path).size).toBeGreaterThan(5e6);
    const html = readFileSync(path, 'utf8');
    expect(html).toContain("default-src 'none'");
    expect(html.match(/<(link|img|iframe)\b|<script[^>]+src=/g)).toBeNull();
    expect(html.match(/<script>/g)!.length).toBe(html.match(/<\/script>/g)!.length);
  });
  /** What stands in <main> after the scripts have run. */
  const rendered = (file: string): string => {
    const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'];
    const more = [
      `--user-data-dir=${join(dir, 'profile')}`,
      '--virtual-time-budget=20000',
      '--window-size=1280,3000',
    ];
    const dom = execFileSync(CHROMIUM as string, [...flags, ...more, '--dump-dom', `file://${file}`], {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return dom.slice(dom.indexOf('<main>'), dom.indexOf('</main>'));
  };
  it.skipIf(!CHROMIUM)(
    `draws every figure in a browser without network, or says why not${CHROMIUM ? '' : ' (skipped: no Chromium here)'}`,
    () => {
      const body = rendered(path);
      expect(body.match(/class="plot[^"]*js-plotly-plot"/g)?.length).toBe(13);
      expect(body).not.toContain('class="fallback"');
      const bare = join(dir, 'bare.html');
      writeFileSync(bare, reportHtml(input, { withPlotly: false }));
      expect(rendered(bare).match(/could not be drawn \(plotly did not load\)/g)?.length).toBe(13);
    },
    180_000,
  );
});
