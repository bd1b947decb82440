/** Figures of linear state spaces: the box that is updated, poles, matrices, states of a model. */
import type { Complex } from '../lecture';
import type { Curve } from './lines';
import { svgPage, svgRule, svgText, px, shortNumber } from './svgTheme';
import { COLORS, layout, SERIES_COLORS, type FigureSpec } from './theme';
import type { AnnotatedPacket } from './tokenFields';

/** One moment of {@link stateBox}. */
export interface StateBoxMoment {
  /** All inputs, those to come included. */
  inputs: readonly number[];
  /** Inputs that have been read. */
  seen: number;
  /** The state after them. */
  state: ArrayLike<number>;
  /** What the state says about each input read so far; one value for each. */
  recalled: ArrayLike<number>;
  /** The input just read, in words. */
  token: string;
  /** Unit of the inputs. */
  unit: string;
  /** The largest absolute state value of the whole sequence, so that colours mean the same in each picture. */
  scale: number;
}

const BOX_WIDTH = 720;
const LEFT = 56;
const RIGHT = BOX_WIDTH - 12;

/** The state box of a lecture: inputs above, the box that is updated with each, and below what can be read from it. */
export function stateBox(moment: StateBoxMoment): string {
  const { inputs, seen, state, recalled, token, unit, scale } = moment;
  const most = Math.max(...inputs, 1e-9);
  const low = Math.min(0, ...inputs);
  const x = (i: number): number => LEFT + ((i + 0.5) / inputs.length) * (RIGHT - LEFT);
  const width = Math.max(1.5, ((RIGHT - LEFT) / inputs.length) * 0.7);
  const panel = (top: number, height: number) => {
    const y = (v: number): number => top + height - ((v - low) / (most - low)) * height;
    const axis =
      svgRule(LEFT, y(0), RIGHT, y(0), 'axis') +
      svgRule(LEFT, y(most), RIGHT, y(most), 'grid') +
      svgText(LEFT - 6, y(0) + 4, '0', 'end') +
      svgText(LEFT - 6, y(most) + 4, `${shortNumber(Number(most.toPrecision(2)))} ${unit}`, 'end');
    const bars = (from: number, to: number, colour: string, opacity: number): string =>
      inputs
        .slice(from, to)
        .map((v, k) => {
          const [a, b] = [Math.min(y(v), y(0)), Math.abs(y(v) - y(0))];
          return `<rect x="${px(x(from + k) - width / 2)}" y="${px(a)}" width="${px(width)}" height="${px(b)}" fill="${colour}" fill-opacity="${opacity}"/>`;
        })
        .join('');
    return { y, axis, bars };
  };
  const above = panel(40, 70);
  const below = panel(246, 84);
  const now = seen - 1;
  const points = Array.from(recalled, (v, i) => {
    const clipped = Math.min(most * 1.15, Math.max(low - 0.15 * (most - low), v));
    return `${px(x(i))},${px(below.y(clipped))}`;
  }).join(' ');
  return svgPage(
    {
      width: BOX_WIDTH,
      height: 362,
      label: `after ${seen} inputs the state is ${Array.from(state, two).join(', ')}`,
    },
    [
      svgText(LEFT, 18, `input ${seen} of ${inputs.length}: ${token}`, 'start', 'font-weight="600"'),
      above.axis,
      above.bars(0, now, COLORS.blue, 0.85),
      above.bars(now, seen, COLORS.vermilion, 1),
      above.bars(seen, inputs.length, COLORS.grey, 0.28),
      arrow(x(now), 116, 146),
      cells(state, scale),
      arrow(x(now), 216, 236),
      svgText(RIGHT, 240, 'line: the past, read from the box alone', 'end'),
      below.axis,
      below.bars(0, seen, COLORS.grey, 0.4),
      points === ''
        ? ''
        : `<polyline points="${points}" fill="none" stroke="${COLORS.vermilion}" stroke-width="2"/>`,
      svgText((LEFT + RIGHT) / 2, 354, 'packets, in the order in which they came', 'middle'),
    ].join(''),
  );
}

/** The numbers of a state side by side: blue above 0, orange below, paler nearer to it. */
function cells(state: ArrayLike<number>, scale: number): string {
  const gap = 4;
  const width = Math.min(84, (RIGHT - LEFT + gap) / state.length - gap);
  const total = state.length * (width + gap) - gap;
  const from = LEFT + (RIGHT - LEFT - total) / 2;
  const frame = `<rect x="${px(from - 8)}" y="150" width="${px(total + 16)}" height="62" rx="6" fill="none" class="nf-line" stroke="#1f1f1f" stroke-width="1.6"/>`;
  const inner = Array.from(state, (value, i) => {
    const strength = Math.min(1, Math.abs(value) / (scale || 1));
    const colour = value < 0 ? COLORS.orange : COLORS.sky;
    const left = from + i * (width + gap);
    const text = width >= 34 ? svgText(left + width / 2, 185, two(value), 'middle') : '';
    return `<rect x="${px(left)}" y="158" width="${px(width)}" height="46" rx="3" fill="${colour}" fill-opacity="${(0.08 + 0.75 * strength).toFixed(2)}"/>${text}`;
  });
  return frame + inner.join('') + svgText(LEFT - 14, 185, 'state', 'end');
}

function arrow(x: number, from: number, to: number): string {
  return (
    `<line x1="${px(x)}" y1="${from}" x2="${px(x)}" y2="${to - 5}" stroke="${COLORS.vermilion}" stroke-width="1.6"/>` +
    `<path d="M${px(x - 4)} ${to - 6}h8l-4 6z" fill="${COLORS.vermilion}"/>`
  );
}

function two(value: number): string {
  return value.toFixed(2).replace('-', '−');
}

/** One moment of {@link modelStateBox}. */
export interface ModelStateMoment {
  /** A value a head, layer after layer, from 0 to 1: how much of it is new. */
  change: ArrayLike<number>;
  layers: number;
  nheads: number;
  /** Above the box. */
  title: string;
  /** Below it. */
  footer: string;
}

/** A trained model's state as one cell a head, a row a layer; the darker, the more of it was just rewritten. */
export function modelStateBox({ change, layers, nheads, title, footer }: ModelStateMoment): string {
  const [left, top, height] = [86, 62, 34];
  const width = Math.min(76, (BOX_WIDTH - left - 20) / nheads);
  const heads = Array.from({ length: nheads }, (_, j) =>
    svgText(left + (j + 0.5) * width, top - 8, width > 40 ? `head ${j + 1}` : `${j + 1}`, 'middle'),
  );
  const rows = Array.from({ length: layers }, (_, i) => {
    const y = top + i * height;
    const row = Array.from({ length: nheads }, (_, j) => {
      const value = Math.min(1, change[i * nheads + j]);
      const text =
        width > 34 ? svgText(left + (j + 0.5) * width, y + 21, `${Math.round(100 * value)}`, 'middle') : '';
      return `<rect x="${px(left + j * width)}" y="${y}" width="${px(width - 3)}" height="${height - 3}" rx="3" fill="${COLORS.sky}" fill-opacity="${(0.06 + 0.9 * value).toFixed(2)}"/>${text}`;
    });
    return svgText(left - 8, y + 21, `layer ${i + 1}`, 'end') + row.join('');
  });
  const bottom = top + layers * height;
  return svgPage(
    { width: BOX_WIDTH, height: bottom + 34, label: `${title}: ${footer}` },
    [
      svgText(12, 20, title, 'start', 'font-weight="600"'),
      ...heads,
      ...rows,
      svgText(left, bottom + 20, footer),
    ].join(''),
  );
}

/**
 * Poles as points of the complex plane. `continuous`: left of the upright line they fade, and height is how fast they
 * swing. `discrete`: inside the circle they fade.
 */
export function polePlot(
  groups: Readonly<Record<string, readonly Complex[]>>,
  plane: 'continuous' | 'discrete',
  title: string,
): FigureSpec {
  const all = Object.values(groups).flat();
  const reach = all.reduce((most, { im }) => Math.max(most, Math.abs(im)), 1);
  const border =
    plane === 'continuous'
      ? { x: [0, 0], y: [-reach, reach], name: 'neither grows nor fades' }
      : {
          x: Array.from({ length: 121 }, (_, i) => Math.cos((Math.PI * i) / 60)),
          y: Array.from({ length: 121 }, (_, i) => Math.sin((Math.PI * i) / 60)),
          name: 'neither grows nor fades',
        };
  // Open ones last, so that equal poles are seen below them.
  const symbols = ['circle', 'x', 'diamond', 'circle-open', 'square-open', 'diamond-open'];
  return {
    data: [
      {
        type: 'scatter',
        mode: 'lines',
        ...border,
        line: { color: COLORS.grey, width: 1.5, dash: 'dash' },
        hoverinfo: 'skip',
      },
      ...Object.entries(groups).map(([name, poles], i) => ({
        type: 'scatter',
        mode: 'markers',
        name,
        x: poles.map(({ re }) => re),
        y: poles.map(({ im }) => im),
        marker: {
          color: SERIES_COLORS[i % SERIES_COLORS.length],
          size: symbols[i % symbols.length].endsWith('open') ? 13 : 7,
          symbol: symbols[i % symbols.length],
        },
        hovertemplate: `${name}: %{x:.3f} + %{y:.3f} i<extra></extra>`,
      })),
    ],
    layout: layout(title, {
      height: plane === 'discrete' ? 480 : 400,
      margin: { l: 64, r: 24, t: 108, b: 56 }, // the legend may need two rows
      xaxis: {
        title: { text: plane === 'discrete' ? 'real part' : 'real part, 1 / time (growth)' },
        ...(plane === 'discrete' && { range: [-1.1, 1.1], constrain: 'domain' }),
      },
      yaxis: {
        title: { text: plane === 'discrete' ? 'imaginary part' : 'imaginary part, radians / time' },
        ...(plane === 'discrete' && { range: [-1.1, 1.1], scaleanchor: 'x' }),
      },
    }),
  };
}

/** A matrix as a picture, row 0 on top; blue above 0, red below. */
export function matrixPicture(
  rows: readonly (readonly number[])[],
  options: { title: string; rowName: string; columnName: string },
): FigureSpec {
  const most = rows.flat().reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  const names = (count: number, name: string): string[] =>
    Array.from({ length: count }, (_, i) => `${name} ${i}`);
  return {
    data: [
      {
        type: 'heatmap',
        // The first row of a heat map lies at the bottom.
        z: [...rows].reverse().map((row) => [...row]),
        x: names(rows[0]?.length ?? 0, options.columnName),
        y: names(rows.length, options.rowName).reverse(),
        zmin: -most,
        zmax: most,
        colorscale: [
          [0, '#b2182b'],
          [0.5, '#f7f7f7'],
          [1, '#2166ac'],
        ],
        colorbar: { thickness: 14 },
        hovertemplate: '%{y}, %{x}: %{z:.2f}<extra></extra>',
      },
    ],
    layout: layout(options.title, {
      height: 400,
      xaxis: { showgrid: false, nticks: 9 },
      yaxis: { showgrid: false, nticks: 9 },
    }),
  };
}

/** What each token of a sequence says: the label, then each packet's fields, then the mark of its end. */
export function sequenceFields(packets: readonly AnnotatedPacket[]): string[] {
  const ofPacket = ({ fields }: AnnotatedPacket): string[] => [
    ...fields.flatMap(({ name, from, to }) => new Array<string>(to - from).fill(name)),
    'end of packet',
  ];
  return ['label', ...packets.filter(({ tokens }) => tokens.length > 0).flatMap(ofPacket)];
}

/** Values over their own number, 0, 1, 2 ...: a curve for {@link lines}. Times `factor`, for percent or other units. */
export function curveOverSteps(
  values: ArrayLike<number>,
  more: Omit<Curve, 'x' | 'y'> & { factor?: number } = {},
): Curve {
  const { factor = 1, ...look } = more;
  return {
    x: Array.from(values, (_, k) => k),
    y: Array.from(values, (v) => (Number.isFinite(v) ? factor * v : null)),
    ...look,
  };
}
