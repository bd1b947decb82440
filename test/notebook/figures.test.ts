/** Rows 14, 15, 23, 25 and 31 of the checklist in docs/notebooks.md. */
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { readCapture, type Frame } from '../../src/capture';
import { download, figure, figureCsv, slider, sliderHtml, staticSvg, toCsv } from '../../src/notebook';
import * as display from '../../src/notebook/display';
import type { Evaluation, MemorisationResult } from '../../src/evaluate';
import {
  lossBars,
  lossByField,
  lossByLabel,
  lossCurve,
  nearestFigure,
  roomForLegend,
  runOverlay,
} from '../../src/viz';

let folder: string;
let shown: display.MimeBundle[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'netssm-figures-'));
  shown = [];
  vi.spyOn(display, 'showBundle').mockImplementation((bundle) => void shown.push(bundle));
});
afterEach(() => vi.restoreAllMocks());
const html = () => String(shown[0]['text/html']);
const read = (name: string) => readFileSync(join(folder, name), 'utf8');
const scatter = (name: string, y: (number | null)[], more = {}) => ({ type: 'scatter', name, y, ...more });

describe('figures are saved with their data', () => {
  test('svg, json and csv of a plotly figure', () => {
    const spec = { data: [scatter('a, b', [3, null, 2])], layout: { title: { text: 'Loss' } } };
    figure('fig2a', spec, { save: folder });
    expect(JSON.parse(read('fig2a.json'))).toEqual(spec);
    expect(read('fig2a.csv')).toBe('trace,x,y\n"a, b",0,3\n"a, b",1,\n"a, b",2,2\n');
    expect(read('fig2a.svg')).toBe(staticSvg(spec));
  });

  test('heat maps as x, y, z', () => {
    expect(figureCsv({ data: [{ type: 'heatmap', z: [[1, 2]], x: ['p', 'q'], y: [7] }] })).toBe(
      'trace,x,y,z\ntrace 1,p,7,1\ntrace 1,q,7,2\n',
    );
  });

  test('an SVG of one’s own, with the numbers behind it', () => {
    figure('mine', '<svg></svg>', { save: folder, data: [{ a: 1, b: 'x' }] });
    expect([read('mine.svg'), read('mine.csv')]).toEqual(['<svg></svg>', 'a,b\n1,x\n']);
    expect(html()).toContain('<svg></svg>');
    expect(html()).not.toContain('<script>');
  });

  test('save: null writes nothing', () => {
    figure('none', { data: [scatter('a', [1, 2])] }, { save: null });
    expect(existsSync(join(folder, 'none.svg'))).toBe(false);
    expect(shown).toHaveLength(1);
  });
});

describe('plotly figures have a fallback: no output is blank', () => {
  test('the SVG stands in the HTML, and in the bundle for viewers without HTML', () => {
    figure('a', { data: [scatter('a', [1, 2])] }, { save: null });
    expect(html()).toMatch(/<div id="netssm-figure-a"[^>]*><svg /);
    expect(String(shown[0]['image/svg+xml'])).toContain('<polyline');
  });

  test('what cannot be drawn as SVG says so in words', () => {
    figure(
      'cloud',
      { data: [{ type: 'scatter3d', z: [1] }], layout: { title: 'A cloud' } },
      { save: folder },
    );
    expect(read('cloud.svg')).toContain('>A cloud<');
    expect(html()).toContain('This figure is drawn where scripts run');
  });
});

describe('download links are data: URLs', () => {
  test('figures: svg and csv', () => {
    figure('a', { data: [scatter('a', [1, 2])] }, { save: null });
    const [, csv] = /download="a\.csv" href="data:text\/csv;base64,([^"]+)"/.exec(html())!;
    expect(Buffer.from(csv, 'base64').toString()).toBe('trace,x,y\na,0,1\na,1,2\n');
    expect(html()).toContain('download="a.svg" href="data:image/svg+xml;base64,');
  });

  test('captures: a pcap file that reads back the same', async () => {
    const frame: Frame = {
      data: Uint8Array.from({ length: 60 }, (_, i) => i),
      wireLen: 1500,
      tsMicros: 1_700_000_000_123_456,
      tsNanos: 0,
      linkType: 1,
      interfaceId: 0,
    };
    download('one.pcap', [frame]);
    const [, base64] = /href="data:application\/vnd\.tcpdump\.pcap;base64,([^"]+)"/.exec(html())!;
    const bytes = Buffer.from(base64, 'base64');
    expect(bytes.length).toBe(24 + 16 + 60);
    const back = await readCapture(bytes);
    expect(back.frames[0]).toMatchObject({ wireLen: 1500, tsMicros: 1_700_000_000_123_456 });
    expect(Array.from(back.frames[0].data)).toEqual(Array.from(frame.data));
  });

  test('records as CSV: commas, quotes, missing values', () => {
    expect(toCsv([{ a: 'x,"y"', b: 1 }, { c: null }])).toBe('a,b,c\n"x,""y""",1,\n,,\n');
  });

  test('too much for a notebook: a sentence instead of a link', () => {
    download('big.bin', new Uint8Array(9_000_000));
    expect(html()).toBe(
      '<p>big.bin: 9.00 MB are too much to keep inside a notebook. Write the file with writeCapture or fs.writeFileSync.</p>',
    );
  });
});

describe('slider: interactive without the kernel', () => {
  const frames = [0.5, 1, 2].map((t) => ({
    label: `temperature ${t}`,
    show: { data: [scatter('a', [t, 2 * t])] },
  }));

  test('all frames are in the output, and the saved file is the same', () => {
    slider('t', frames, { save: folder, title: 'Temperature' });
    expect(html().match(/<svg /g)).toHaveLength(3);
    expect(html()).toContain('type="range" min="0" max="\'+(labels.length-1)');
    expect(read('t.html')).toContain(html());
    expect(JSON.parse(read('t.json'))).toEqual(frames);
  });

  test('without scripts every frame can be opened by its name; the chosen one is open', () => {
    const markup = sliderHtml('t', frames, { start: 1 });
    const open = [...markup.matchAll(/<details( open)?><summary>([^<]*)/g)].map(([, o, name]) => [!!o, name]);
    expect(open).toEqual([
      [false, 'temperature 0.5'],
      [true, 'temperature 1'],
      [false, 'temperature 2'],
    ]);
  });

  test('nothing to choose from is an error', () => {
    expect(() => slider('t', [])).toThrow(/nothing to choose from/);
  });
});

describe('light and dark pages, words for pictures, more than colour', () => {
  const steps = [1, 2, 3, 4].map((step) => ({ step, lossNats: 5 - step, tokens: 100, ms: 10 }));
  const evals = [2, 4].map((step) => ({
    step,
    lossNats: 4 - step / 2,
    perLabel: { dns: { lossNats: step }, web: { lossNats: 2 } },
    perField: { flags: { lossNats: 2, tokens: 10 }, window: { lossNats: 1, tokens: 30 } },
  }));
  const figures = {
    lossCurve: lossCurve({ steps, evals }),
    lossByLabel: lossByLabel({ evals }),
    lossByField: lossByField(evals),
    lossBars: lossBars({ name: 'm', lossNats: 1 }, [{ name: 'b', lossNats: 2 }]),
    runOverlay: runOverlay([
      { name: 'a', history: { steps, evals } },
      { name: 'b', history: { steps, evals } },
    ]),
  };

  test.each(Object.entries(figures))('%s', (_, spec) => {
    const svg = staticSvg(spec)!;
    expect(svg).toMatch(/role="img" aria-label="[^"]{5,}"/);
    // Text and paper follow the page; without CSS variables they are dark on white.
    expect(svg).toContain('--jp-content-font-color1');
    expect(svg).toContain('prefers-color-scheme:dark');
    expect(staticSvg(spec, { standalone: false })).not.toContain('prefers-color-scheme');
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
    const colours = new Set([...svg.matchAll(/(?:stroke|fill)="(#[0-9a-f]{6})"/g)].map(([, c]) => c));
    const allowed = ['#1f1f1f', '#ffffff', '#0072b2', '#d55e00', '#009e73', '#c8c8c8'];
    expect([...colours].filter((c) => !allowed.includes(c))).toEqual([]);
  });

  test('lines of one figure differ in their dashes, too', () => {
    const dashes = [
      ...staticSvg(figures.lossByLabel)!.matchAll(/<polyline [^>]*?(stroke-dasharray="[^"]*")?\/>/g),
    ];
    expect(dashes.map(([, dash]) => dash)).toEqual([undefined, 'stroke-dasharray="7 3"']);
  });

  test('parts of the loss by field add up to the loss; lying bars in proportion', () => {
    const [{ x, y }] = lossByField(evals.slice(1)).data as { x: number[]; y: string[] }[];
    expect([y, x]).toEqual([
      ['flags', 'window'],
      [0.5, 0.75],
    ]);
    const widths = [
      ...staticSvg(lossByField(evals.slice(1)))!.matchAll(/width="([\d.]+)" height="[\d.]+" fill="#0072b2"/g),
    ];
    expect(Number(widths[1][1]) / Number(widths[0][1])).toBeCloseTo(1.5, 2);
  });

  test('runs over each other: tokens, steps or seconds, best evaluations marked', () => {
    expect(figures.runOverlay.data.map(({ name }) => name)).toEqual(['a', 'a, best', 'b', 'b, best']);
    expect(figures.runOverlay.data[1]).toMatchObject({ x: [400], y: [2] });
    const seconds = runOverlay([{ name: 'a', history: { steps, evals } }], 'seconds');
    expect(seconds.data[0].x).toEqual([0.02, 0.04]);
  });
});

test('a legend of several lines has room below the title', () => {
  const rows = ['reference', 'real', 'synthetic', 'shuffled fields', 'training', 'mine'].map((source) => ({
    source,
    label: 'pooled',
    nearest: { histogram: [0.25, 0.75] },
  }));
  const sources = ['synthetic', 'mine'].map((name) => ({ name, role: 'synthetic' }));
  sources.push({ name: 'real', role: 'floor' });
  const spec = nearestFigure(
    { rows } as unknown as MemorisationResult,
    { sources } as unknown as Evaluation,
  )!;
  expect(spec.data).toHaveLength(6);
  figure('nearest', spec, { save: null });
  const margin = (text: string) => Number(/"margin":\{[^}]*"t":(\d+)/.exec(text)![1]);
  const lines = 3; // of two names each: the longest is that of the training captures
  expect(margin(html())).toBe(48 + 20 * lines);
  expect(html()).toContain(`"height":${380 + 48 + 20 * lines - 76}`);
  expect(roomForLegend({ ...spec, data: spec.data.slice(0, 2) }).layout).toBe(spec.layout);
});

test('dark pages: figures have their colours again, and follow a change of the page', () => {
  figure('a', { data: [scatter('a', [1, 2])] }, { save: null });
  expect(html()).toContain('"#000000":"#f0f2f4"');
  expect(html()).toContain('new MutationObserver(look)');
  const svg = staticSvg({
    data: [scatter('a', [1, 2], { line: { color: '#332288' } }), scatter('b', [1, 2])],
  })!;
  expect(svg).toContain('stroke="#332288" style="stroke:color-mix(in srgb,#332288 60%,var(--nf-fg))"');
  expect(svg).toContain('stroke="#d55e00" stroke-width');
});
