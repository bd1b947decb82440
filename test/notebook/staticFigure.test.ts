/** Row 15 of the checklist in docs/notebooks.md: the picture that stands in for plotly's. */
import { describe, expect, test } from 'vitest';
import { staticSvg } from '../../src/notebook';

const scatter = (name: string, y: number[]) => ({ type: 'scatter', name, y });

describe('static pictures have the axes and marks that plotly draws', () => {
  const at = (svg: string, pattern: RegExp) =>
    [...svg.matchAll(pattern)].map((match) => match.slice(1).map(Number));
  const points = (svg: string) =>
    /points="([^"]+)"/.exec(svg)![1].split(' ').map((point) => point.split(',').map(Number)); // prettier-ignore

  test('logarithmic axes: equal factors are equally far apart, and powers of ten are named', () => {
    const log = { type: 'log' };
    const spec = { data: [{ type: 'scatter', x: [1, 10, 1000], y: [1, 100, 10_000] }], layout: { xaxis: log, yaxis: log } }; // prettier-ignore
    const svg = staticSvg(spec)!;
    const [a, b, c] = points(svg);
    expect((c[0] - b[0]) / (b[0] - a[0])).toBeCloseTo(2, 1);
    expect((c[1] - b[1]) / (b[1] - a[1])).toBeCloseTo(1, 2);
    for (const text of ['1', '10', '100', '1000', '10k']) expect(svg).toContain(`>${text}<`);
    // Nothing below 0 has a place: the line has a gap there.
    const gap = staticSvg({
      data: [{ type: 'scatter', y: [1, 2, 0, 4, 8] }],
      layout: { yaxis: log },
    })!;
    expect(gap.match(/<polyline/g)).toHaveLength(2);
    expect(gap).not.toContain('NaN');
    // Less than three decades: 1, 2 and 5 times the powers.
    for (const text of ['1', '2', '5']) expect(gap).toContain(`>${text}<`);
  });

  test('the range of a logarithmic axis counts in exponents', () => {
    const svg = staticSvg({
      data: [{ type: 'scatter', y: [1, 10] }],
      layout: { yaxis: { type: 'log', range: [0, 2] } },
    })!;
    const [[, low], [, high]] = points(svg);
    const [[bottom]] = at(svg, /<line x1="64" y1="([\d.]+)" x2="624" y2="[\d.]+" class="nf-line"/g);
    expect(low).toBeCloseTo(bottom, 1);
    expect(bottom - high).toBeCloseTo((bottom - 34) / 2, 0);
  });

  test('logarithmic bars grow from the decade below the shortest', () => {
    const svg = staticSvg({
      data: [{ type: 'bar', x: ['a', 'b'], y: [10, 1000] }],
      layout: { yaxis: { type: 'log' } },
    })!;
    const [[ten], [thousand]] = at(svg, /height="([\d.]+)" fill="#0072b2"/g);
    expect(thousand / ten).toBeCloseTo(3, 1);
  });

  test('markers have their shapes, sizes and colours', () => {
    const draw = (symbol: unknown, more = {}) =>
      staticSvg({
        data: [{ type: 'scatter', mode: 'markers', x: [0, 1], y: [0, 1], marker: { symbol, ...more } }],
      })!;
    expect(draw('circle').match(/<circle [^>]*r="2.6" fill="#0072b2"/g)).toHaveLength(2);
    expect(draw(undefined)).toBe(draw('circle'));
    expect(draw('circle-open').match(/<circle [^>]*fill="none" stroke="#0072b2"/g)).toHaveLength(2);
    expect(draw(100)).toBe(draw('circle-open'));
    expect(draw('x').match(/<path d="M[^"]*M[^"]*" fill="none" stroke="#0072b2"/g)).toHaveLength(2);
    const corners = (symbol: string) => /<path d="([^"]+)z"/.exec(draw(symbol))![1].split('L').length;
    expect(['diamond', 'square', 'triangle-up', 'star'].map(corners)).toEqual([4, 4, 3, 10]);
    const sizes = draw(['circle', 'square'], { size: [6, 12], color: ['#d55e00', '#009e73'] });
    expect(sizes).toMatch(/<circle [^>]*fill="#d55e00"/);
    expect(sizes).toMatch(/<path d="M[^"]+z" fill="#009e73"/);
    // The legend shows the shapes, too.
    const two = ['x', 'star'].map((symbol) => ({ type: 'scatter', mode: 'markers', name: symbol, y: [1], marker: { symbol } })); // prettier-ignore
    expect(staticSvg({ data: two })!.match(/fill="none" stroke="#0072b2" stroke-width/g)).toHaveLength(2);
  });

  test('stacked bars stand on each other, error bars reach from low to high, ranges cut', () => {
    const bar = (y: number[], color: string) => ({ type: 'bar', x: ['a', 'b'], y, marker: { color } });
    const svg = staticSvg({
      data: [bar([2, 1], '#0072b2'), bar([1, 3], '#d55e00')],
      layout: { barmode: 'stack' },
    })!;
    const boxes = at(svg, /<rect x="[\d.]+" y="([\d.]+)" width="[\d.]+" height="([\d.]+)" fill="#0072b2"/g);
    const upper = at(svg, /<rect x="[\d.]+" y="([\d.]+)" width="[\d.]+" height="([\d.]+)" fill="#d55e00"/g);
    expect(upper[0][0] + upper[0][1]).toBeCloseTo(boxes[0][0], 0);
    expect(upper[1][1] / boxes[1][1]).toBeCloseTo(3, 1);
    const errors = staticSvg({
      data: [{ type: 'bar', x: ['a'], y: [4], error_y: { type: 'data', symmetric: false, array: [1], arrayminus: [2] } }],
    })!; // prettier-ignore
    const [[low, high]] = at(errors, /<path d="M[\d.]+ ([\d.]+)V([\d.]+)/g);
    const [[height]] = at(errors, /height="([\d.]+)" fill="#0072b2"/g);
    expect((low - high) / height).toBeCloseTo(3 / 4, 1);
    const cut = staticSvg({ data: [scatter('a', [0, 9])], layout: { yaxis: { range: [0, 3] } } })!;
    expect(cut).toMatch(/<svg x="64" y="31" [^>]*overflow="hidden"><polyline/);
  });

  test('numbers that are wider than their bars stand upright', () => {
    const bars = (count: number) =>
      staticSvg({
        data: [
          {
            type: 'bar',
            x: Array.from({ length: count }, (_, i) => `c${i}`),
            y: Array.from({ length: count }, () => 1),
            text: Array.from({ length: count }, () => '0.0123'),
          },
        ],
      })!;
    expect(bars(8)).not.toContain('rotate(-90 ');
    expect(bars(30).match(/rotate\(-90 [\d. ]+\)">0\.0123</g)).toHaveLength(30);
  });

  test('texts and lines of the layout stand at their values; steps have corners', () => {
    const svg = staticSvg({
      data: [{ type: 'scatter', x: [0, 10], y: [0, 4], line: { shape: 'hv' } }],
      layout: {
        yaxis: { range: [0, 4] },
        shapes: [{ type: 'line', xref: 'paper', x0: 0, x1: 1, y0: 2, y1: 2 }],
        annotations: [{ text: 'guessing', xref: 'paper', x: 1, y: 2, xanchor: 'left' }],
      },
    })!;
    expect(points(svg)).toHaveLength(3);
    const [[line]] = at(svg, /y1="([\d.]+)"[^>]*stroke-dasharray="5 3"/g);
    const [[text]] = at(svg, /y="([\d.]+)" text-anchor="end"[^>]*>guessing</g);
    expect(line - text).toBeCloseTo(4, 1);
  });

  test('heat maps beside each other stay so, and only the first has names', () => {
    const heat = (axis: string) => ({
      type: 'heatmap',
      z: [[1, 2]],
      x: ['a', 'b'],
      y: ['row'],
      xaxis: `x${axis}`,
      yaxis: `y${axis}`,
    });
    const svg = staticSvg({
      data: [heat(''), heat('2')],
      layout: {
        xaxis: { domain: [0, 0.4] },
        xaxis2: { domain: [0.6, 1] },
        yaxis2: { showticklabels: false },
      },
    })!;
    const cells = at(svg, /<rect x="([\d.]+)" y="([\d.]+)" width="[\d.]+" height="[\d.]+" fill="hsl/g);
    expect(cells.map(([x]) => x)).toEqual([124, 224, 424, 524]);
    expect(new Set(cells.map(([, y]) => y)).size).toBe(1);
    expect(svg.match(/>row</g)).toHaveLength(1);
  });

  test('turned axes: the first category stands above', () => {
    const rows = (autorange?: string) =>
      at(
        staticSvg({
          data: [{ type: 'bar', orientation: 'h', y: ['first', 'second'], x: [1, 2] }],
          layout: { yaxis: { autorange } },
        })!,
        /y="([\d.]+)" text-anchor="end"[^>]*>(?:first|second)</g,
      ).flat();
    expect(rows()[0]).toBeGreaterThan(rows()[1]);
    expect(rows('reversed')[0]).toBeLessThan(rows('reversed')[1]);
  });
});
