import { describe, expect, test } from 'vitest';
import { PAPER_CURVES, type ResultFigure, type ResultTable } from '../../src/experiments';
import {
  classifierFigure,
  complianceDots,
  confusionFigure,
  densityGrid,
  dotPanels,
  mixingFigure,
  panelGrid,
  patternFigure,
  pipelineFigure,
  segmentsFigure,
  similarityDots,
} from '../../src/viz';

const count = (svg: string, what: RegExp): number => [...svg.matchAll(what)].length;
const figure = (series: ResultFigure['series']): ResultFigure => ({
  id: 'f',
  title: 'F',
  reproduces: [],
  x: 'slice of 100 packets',
  y: 'y',
  series,
  notes: [],
});
const curve = (panel: string, name: string, y: (number | null)[], more = {}) => ({
  name,
  from: 'ours' as const,
  panel,
  x: y.map((_, i) => i),
  y,
  ...more,
});

describe('panels', () => {
  const panel = (curves: Parameters<typeof panelGrid>[0][0]['curves'], more = {}) => ({
    title: 'a & b',
    xAxis: 'x',
    yAxis: 'y',
    curves,
    ...more,
  });
  test('null breaks a line; a band is one polygon; names stand once in the legend', () => {
    const one = { name: 'one', color: '#0072b2', x: [0, 1, 2, 3], y: [1, 2, null, 3] };
    const two = { name: 'two', color: '#d55e00', x: [0, 1], y: [1, 1], low: [0, 0], high: [2, 2] };
    const svg = panelGrid([panel([one, two]), panel([one])], { title: 'T' });
    expect(count(svg, /<polygon/g)).toBe(1);
    expect(count(svg, />one</g)).toBe(1);
    // Two names with a line each; in the panels one broken line twice (the single point draws nothing to see) and one whole.
    expect(count(svg, /<polyline/g)).toBe(2 + 2 * 2 + 1);
    expect(svg).toContain('a &#38; b');
  });
  test('an empty panel says so; logarithms leave out what has none', () => {
    expect(panelGrid([panel([], { empty: 'no services' })], { title: 'T' })).toContain('no services');
    const log = { name: 'l', color: '#000', x: [0, 10, 1000], y: [0, 0.5, 1], marker: 'circle' as const };
    const svg = panelGrid([panel([log], { logX: true })], { title: 'T' });
    expect(count(svg, /<circle/g)).toBe(2);
    for (const tick of ['10', '100', '1000']) expect(svg).toContain(`>${tick}<`);
    expect(svg).not.toContain('NaN');
  });
  test('dots: a mark for each value, nothing for null', () => {
    const svg = dotPanels({
      title: 'T',
      rows: ['a', 'b'],
      panels: [
        { title: 'P', xAxis: 'x', rows: [[{ series: 's', value: 1 }, { series: 's', value: null }], [{ series: 's', value: -2 }]] }, // prettier-ignore
      ],
      series: { s: { color: '#0072b2', marker: 'circle' } },
    });
    expect(count(svg, /<circle/g)).toBe(2);
  });
});

describe('figures of the paper', () => {
  test('Figure 2 without a run has the twelve curves of the paper; appendix Figure 1 two dozen a picture', () => {
    expect(count(mixingFigure(), /<polyline/g)).toBe(12 + 3);
    const real = PAPER_CURVES.filter(({ panel }) => panel.endsWith('real'));
    expect(count(classifierFigure(), /<polyline/g)).toBe(real.length + 4);
  });
  test('ours stands in the picture with its interval, rivals without', () => {
    const panel = 'application, tested on real';
    const band = { low: [0.1, 0.1], high: [0.9, 0.9] };
    const svg = mixingFigure(
      figure([curve(panel, 'netssm', [0.5, 0.4], band), curve(panel, 'shuffled fields', [0.5, 0.2], band)]),
    );
    expect(count(svg, /<polygon/g)).toBe(1);
    expect(svg).toContain('>ours<');
    expect(svg).toContain('the data names no services');
  });
  test('pairs in rows, steps of distribution functions, rows of densities', () => {
    const pairs = figure([curve('s1, real', 'f', [1, 2, 3]), curve('s1, generated', 'f', [3, 2, 1])]);
    expect(count(patternFigure(pairs), /<circle/g)).toBe(6);
    const steps = segmentsFigure(figure([curve('d: segment size, bytes', 'real', [0.5, 1])]));
    expect(steps).toContain('>d: segment size<');
    const grid = densityGrid(
      figure([curve('s1, 150 kbit/s: segment size, kB', 'real', [0.1, 0.2]), curve('s1, 150 kbit/s: log of segment size', 'real', [0.1, 0.2])]), // prettier-ignore
    );
    expect(count(grid, />too few</g)).toBe(2);
  });
  test('Table 2 and Table 4 as dots', () => {
    const column = (title: string, kind: 'name' | 'ours' = 'ours') => ({ title, kind });
    const table2: ResultTable = {
      id: 'tab2',
      title: '',
      reproduces: [],
      notes: [],
      columns: [column('source', 'name'), column('from', 'name'), column('mean'), column('header JSD')],
      rows: [
        ['netssm', 'ours', 0.5, 0.1],
        ['real', 'ours', 0.6, 0.05],
        ['NetShare', 'paper', 0.18, null],
      ],
    };
    const svg = similarityDots(table2);
    expect(svg).toContain('>paper: NetShare<');
    expect(count(svg, /<circle/g)).toBe(1 + 2); // legend, two measures
    const table4: ResultTable = {
      ...table2,
      columns: [
        column('metric', 'name'),
        ...['change, points', 'real, mean rate %', 'netssm, mean rate %'].map((title) => column(title)),
        ...['paper multi-flow, %', 'paper single-flow, %', 'NetDiffusion, %'].map((title) => column(title)),
      ],
      rows: [['FIN seen', 2, 23, 19, 50, 9.4, 45.7]],
    };
    expect(count(complianceDots(table4), /<circle/g)).toBe(1 + 1);
  });
  test('confusions in percent of the row, and the drawing of the pipeline', () => {
    const svg = confusionFigure({ a: { classes: ['x', 'y'], counts: [[3, 1], [0, 0]] } }); // prettier-ignore
    expect(svg.match(/>(\d+)<\/text>/g)).toEqual(['>75</text>', '>25</text>', '>0</text>', '>0</text>']);
    expect(pipelineFigure()).toContain('>Mamba-2<');
  });
});
