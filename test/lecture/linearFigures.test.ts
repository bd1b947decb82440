/** Pictures of state spaces: what is in them, in which place. */
import { describe, expect, test } from 'vitest';
import { staticSvg } from '../../src/notebook';
import {
  curveOverSteps,
  matrixPicture,
  modelStateBox,
  polePlot,
  sequenceFields,
  stateBox,
} from '../../src/viz';

describe('the state box', () => {
  const moment = {
    inputs: [0.1, 1.5, 0.1, 1.5],
    seen: 2,
    state: [0.8, -0.25],
    recalled: [0.2, 1.4],
    token: 'IP a > b, <1514> bytes',
    unit: 'kB',
    scale: 1,
  };

  test('has a bar for each input twice where it was read, the numbers, and a line of the past', () => {
    const svg = stateBox(moment);
    // Above: one read before, one just read, two to come; below: the two that were read; two cells; paper and frame.
    expect(svg.match(/<rect/g)).toHaveLength(4 + 2 + 2 + 2);
    expect(svg).toContain('>0.80<');
    expect(svg).toContain('>−0.25<');
    expect(svg.match(/<polyline points="([^"]*)"/)![1].split(' ')).toHaveLength(2);
    expect(svg).toContain('input 2 of 4: IP a &#62; b, &#60;1514&#62; bytes');
    expect(svg).toContain('aria-label="after 2 inputs the state is 0.80, −0.25"');
  });

  test('shows many numbers without their text, and keeps the line inside', () => {
    const svg = stateBox({ ...moment, state: new Array<number>(40).fill(0.5), recalled: [-99, 99] });
    expect(svg).not.toContain('>0.50<');
    const heights = svg.match(/<polyline points="([^"]*)"/)![1].split(' ').map((point) => Number(point.split(',')[1])); // prettier-ignore
    expect(Math.min(...heights)).toBeGreaterThan(225);
    expect(Math.max(...heights)).toBeLessThan(350);
  });

  test('a model’s state: a row a layer, percent that are new', () => {
    const svg = modelStateBox({ change: [0, 0.5, 1, 2], layers: 2, nheads: 2, title: 'T', footer: 'F' });
    expect([...svg.matchAll(/>(\d+)</g)].map(([, percent]) => Number(percent))).toEqual([0, 50, 100, 100]);
    expect(svg).toContain('layer 2');
    expect(svg).toContain('head 2');
  });
});

describe('figures', () => {
  test('poles: the border of what fades, and a group each', () => {
    const poles = { one: [{ re: -1, im: 3 }], two: [{ re: -2, im: 0 }] };
    const continuous = polePlot(poles, 'continuous', 'Poles');
    expect(continuous.data[0]).toMatchObject({ x: [0, 0], y: [-3, 3] });
    expect(continuous.data.slice(1).map(({ name, x, y }) => [name, x, y])).toEqual([
      ['one', [-1], [3]],
      ['two', [-2], [0]],
    ]);
    const circle = polePlot(poles, 'discrete', 'Poles').data[0] as { x: number[]; y: number[] };
    for (const [i, x] of circle.x.entries()) expect(Math.hypot(x, circle.y[i])).toBeCloseTo(1, 12);
    expect(staticSvg(continuous)).toContain('two');
  });

  test('a matrix has its first row on top', () => {
    const { data } = matrixPicture([[1, 0], [-4, 2]], { title: 'A', rowName: 'n', columnName: 'k' }); // prettier-ignore
    expect(data[0]).toMatchObject({ z: [[-4, 2], [1, 0]], x: ['k 0', 'k 1'], y: ['n 1', 'n 0'], zmin: -4, zmax: 4 }); // prettier-ignore
  });

  test('values over their number, and gaps for what is no number', () => {
    const curve = curveOverSteps([0.5, -Infinity, 1], { factor: 100, dash: 'dot' });
    expect(curve).toEqual({ x: [0, 1, 2], y: [50, null, 100], dash: 'dot' });
  });

  test('what each token of a sequence says', () => {
    const packet = (name: string, tokens: number) => ({
      packet: 0,
      tokens: new Uint8Array(tokens),
      fields: tokens === 0 ? [] : [{ name, protocol: '', from: 0, to: tokens, meaning: '' }],
    });
    expect(sequenceFields([packet('head', 2), packet('refused', 0), packet('mask', 1)])).toEqual([
      'label',
      'head',
      'head',
      'end of packet',
      'mask',
      'end of packet',
    ]);
  });
});
