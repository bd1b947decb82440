import { describe, expect, it } from 'vitest';
import type { Evaluation, MemorisationResult, UtilityResult } from '../../src/evaluate';
import {
  betweenLabelsFigure,
  nearestFigure,
  quantileFigure,
  sliceFigure,
  utilityFigure,
} from '../../src/viz';

const evaluation = {
  sources: [
    { name: 'mine', role: 'synthetic' },
    { name: 'real', role: 'floor' },
    { name: 'byte marginals', role: 'baseline' },
    { name: 'shuffled fields', role: 'baseline' },
  ],
} as unknown as Evaluation;

describe('figures of an evaluation', () => {
  it('cumulative curves from quantiles, of the sources that matter', () => {
    const curve = Array.from({ length: 101 }, (_, i) => i);
    const curves = { reference: curve, mine: curve, real: curve, 'byte marginals': curve };
    const figure = quantileFigure(curves, evaluation, 'Lengths', 'bytes')!;
    expect(figure.data.map((d) => d.name)).toEqual(['held-out real', 'mine', 'other real (floor)']);
    expect((figure.data[0].y as number[])[50]).toBe(50);
    // The largest hundredth is beyond the axis.
    expect((figure.layout.xaxis as { range: number[] }).range[1]).toBeCloseTo(1.05 * 99, 9);
    const gaps = quantileFigure({ reference: [0, 0, 1] }, evaluation, 'Gaps', 'seconds', true)!;
    expect(gaps.data[0].x).toEqual([1e-6, 1e-6, 1]);
    expect(quantileFigure({}, evaluation, 'x', 'x')).toBeUndefined();
  });
  it('two heat maps of labels against labels', () => {
    const tcp = [
      [0, 0.2],
      [0.3, 0],
    ];
    const figure = betweenLabelsFigure({
      labels: ['a', 'b'],
      tcp,
      fields: tcp,
      same: { tcp: 0, fields: 0 },
      other: { tcp: 0.25, fields: 0.25 },
    });
    expect(figure.data.map((d) => [d.type, d.z, d.y])).toEqual(Array(2).fill(['heatmap', tcp, ['a', 'b']]));
  });
  it('slices by flow, one row of axes a trace; nothing of fewer than three', () => {
    const series = (n: number) => ({
      slicePackets: 100,
      slices: n,
      flows: ['f', '3 others'],
      kilobits: [Array<number>(n).fill(2), Array<number>(n).fill(1)],
      total: Array<number>(n).fill(3),
    });
    const pattern = (n: number) => ({ source: 'mine', label: 'a', file: 'x', series: series(n) });
    const figure = sliceFigure([pattern(4), pattern(4)], 100)!;
    expect(figure.data).toHaveLength(4);
    expect(figure.data[3]).toMatchObject({ y: [1, 1, 1, 1], yaxis: 'y2', marker: { color: '#8a8a8a' } });
    expect(sliceFigure([pattern(2)], 100)).toBeUndefined();
  });
  it('histograms of the nearest training packet', () => {
    const row = (source: string) => ({
      source,
      label: 'pooled',
      nearest: { histogram: [0.25, 0.75] },
    });
    const memorisation = { rows: [row('reference'), row('byte marginals')] } as unknown as MemorisationResult;
    const figure = nearestFigure(memorisation, evaluation)!;
    expect(figure.data).toHaveLength(1);
    expect(figure.data[0]).toMatchObject({ x: [0.25, 0.75], y: [25, 75] });
  });
  it('accuracies with their intervals, and the line of guessing', () => {
    const utility = {
      chance: 0.25,
      rows: [
        { source: 'mine', task: 'packet', accuracy: { mean: 0.5, low: 0.4, high: 0.7 } },
        { source: 'empty', task: 'packet', accuracy: null },
      ],
    } as unknown as UtilityResult;
    const { data, layout } = utilityFigure(utility)!;
    expect(data).toHaveLength(1);
    expect(data[0]).toMatchObject({ x: ['one packet'], y: [50] });
    const error = data[0].error_y as { array: number[]; arrayminus: number[] };
    expect([error.array[0], error.arrayminus[0]].map((v) => Number(v.toFixed(9)))).toEqual([20, 10]);
    expect((layout.shapes as { y0: number }[])[0].y0).toBe(25);
  });
});
