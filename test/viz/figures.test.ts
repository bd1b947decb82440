import { describe, expect, it } from 'vitest';
import {
  bitStrip,
  lines,
  lossBars,
  lossCurve,
  packetLanes,
  runningMean,
  sourceStyle,
  htmlTable,
} from '../../src/viz';

describe('figures are plain plotly JSON', () => {
  it('loss bars draw the line 15 % below the best baseline, and the model last', () => {
    const figure = lossBars({ name: 'this model', lossNats: 0.7 }, [
      { name: 'a', lossNats: 1 },
      { name: 'b', lossNats: 3 },
      { name: 'c', lossNats: 0.5, role: 'oracle' },
    ]);
    expect(figure.data[0].y).toEqual(['b', 'a', 'c (oracle)', 'this model']);
    expect((figure.layout.shapes as { x0: number }[])[0].x0).toBeCloseTo(0.85, 12);
    expect(JSON.parse(JSON.stringify(figure))).toEqual(figure);
  });
  it('loss bars without baselines have no line', () => {
    expect(lossBars({ name: 'm', lossNats: 1 }, []).layout.shapes).toEqual([]);
  });
  it('loss curve: each update, running mean, validation', () => {
    const figure = lossCurve({
      steps: [1, 2, 3].map((step) => ({ step, lossNats: 4 - step })),
      evals: [{ step: 3, lossNats: 2 }],
    });
    expect(figure.data.map((d) => d.name)).toEqual([
      'training, each update',
      'training, running mean',
      'validation',
    ]);
    expect(runningMean([1, 2, 3, 4], 2)).toEqual([1, 1.5, 2.5, 3.5]);
  });
  it('lanes: one set of axes a trace, colours by number of packets, grey beyond seven flows', () => {
    const packets = [0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8].map((flow, i) => ({
      size: i % 2 ? -60 : 1500,
      flow,
    }));
    const figure = packetLanes([
      { source: 'reference', label: 'web', file: 'a.pcap', packets },
      { source: 'synthetic', label: 'web', file: 'b.pcap', packets: packets.slice(0, 3) },
    ]);
    expect(figure.data.length).toBe(10);
    expect(figure.data[0]).toMatchObject({
      x: [0, 1, 2],
      y: [1500, -60, 1500],
      yaxis: 'y',
      marker: { color: '#0072b2' },
    });
    expect(figure.data[8]).toMatchObject({ marker: { color: '#8a8a8a' } });
    expect(figure.data[9]).toMatchObject({ yaxis: 'y2' });
    expect((figure.layout.yaxis2 as { range: number[] }).range[1]).toBeCloseTo(1650, 6);
  });
  it('bit strip: 480 columns, the difference of the last row from the first', () => {
    const bits = (v: number): number[] => Array(1024).fill(v);
    const figure = bitStrip({ reference: bits(0.5), real: bits(0.4), synthetic: bits(0.25) });
    expect((figure.data[0].z as number[][]).map((row) => [row.length, row[0]])).toEqual([
      [480, 0.25],
      [480, 0.4],
      [480, 0.5],
    ]);
    expect((figure.data[1].z as number[][])[0][479]).toBe(0.25);
  });
  it('curves: sources that are known have their colours, others the next of the palette', () => {
    const curve = { x: [1], y: [1] };
    const { data } = lines({ mine: curve, 'byte marginals': curve, reference: curve, other: curve }, { title: 't', xAxis: 'x', yAxis: 'y' }); // prettier-ignore
    const colours = data.map((trace) => (trace.line as { color: string }).color);
    expect(colours).toEqual(['#0072b2', '#e69f00', '#4d4d4d', '#cc79a7']);
  });
  it('names and colours of sources', () => {
    expect(sourceStyle('synthetic')).toEqual({ title: 'generated', color: '#0072b2' });
    expect(sourceStyle('netshare').title).toBe('netshare');
  });
});

describe('htmlTable', () => {
  it('right-aligns columns of numbers only, and shows what is not known as a dash', () => {
    const html = htmlTable({
      columns: ['a', 'n', 't'],
      rows: [
        ['x', 1234, 'b'],
        ['y', null, '5 %'],
      ],
      highlight: [0],
    });
    expect(html).toContain('<th>a</th><th class="n">n</th><th>t</th>');
    expect(html).toContain('<tr class="main"><th scope="row">x</th><td class="n">1,234</td><td>b</td></tr>');
    expect(html).toContain('<td class="n">–</td><td>5 %</td>');
  });
});
