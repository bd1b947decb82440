/** Small multiples as one SVG: panels in a grid, curves with markers and bands, one legend above. For printing and pages. */
import { px, roundTicks, shortNumber, svgColour, svgPage, svgPath, svgRule, svgText } from './svgTheme';

export type MarkShape =
  'circle' | 'ring' | 'plus' | 'triangle' | 'square' | 'diamond' | 'openSquare' | 'openDiamond';

/** How something is drawn, the same in all panels and in the legend. */
export interface SeriesLook {
  color: string;
  /** Dash pattern of its line, as SVG has it; null: no line. Default solid. */
  dash?: string | null;
  marker?: MarkShape;
  /** Of the line; default 1.6. */
  width?: number;
}

/** One curve of a panel; null breaks it. `name` is that of the legend, which has each name once. */
export interface PanelCurve extends SeriesLook {
  name: string;
  x: readonly number[];
  y: readonly (number | null)[];
  /** A band, where there is one. */
  low?: readonly (number | null)[];
  high?: readonly (number | null)[];
  /** Default true. */
  legend?: boolean;
}

export interface Panel {
  title: string;
  xAxis: string;
  yAxis: string;
  curves: readonly PanelCurve[];
  xRange?: readonly [number, number];
  yRange?: readonly [number, number];
  logX?: boolean;
  /** Instead of curves, where there are none. Default "nothing to show". */
  empty?: string;
}

export interface PanelGridOptions {
  title: string;
  /** Panels side by side. Default 2. */
  columns?: number;
  /** Pixels; default 760. */
  width?: number;
  panelHeight?: number;
  /** For a file of its own rather than a page's part. */
  standalone?: boolean;
}

const MARGIN = { left: 50, right: 12, top: 24, bottom: 40 };
const LEGEND_ROW = 18;

/** The panels as an SVG, row by row. */
export function panelGrid(panels: readonly Panel[], options: PanelGridOptions): string {
  const { title, columns = 2, width = 760, panelHeight = 210, standalone } = options;
  const legend = legendMarks(
    panels.flatMap(({ curves }) => curves.filter((curve) => curve.legend !== false)),
    width,
    42,
  );
  const top = 34 + legend.height;
  const rows = Math.ceil(panels.length / columns);
  const height = top + rows * panelHeight + 4;
  const cell = width / columns;
  const bodies = panels.map((panel, i) =>
    panelMarks(panel, {
      left: (i % columns) * cell + MARGIN.left,
      right: (i % columns) * cell + cell - MARGIN.right,
      top: top + Math.floor(i / columns) * panelHeight + MARGIN.top,
      bottom: top + (Math.floor(i / columns) + 1) * panelHeight - MARGIN.bottom,
    }),
  );
  return svgPage(
    { width, height, label: title, standalone },
    svgText(12, 20, title, 'start', 'font-size="15" font-weight="600"') + legend.marks + bodies.join(''),
  );
}

export interface Area {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

function panelMarks(panel: Panel, area: Area): string {
  const { title, xAxis, yAxis, curves, logX = false } = panel;
  const heading = svgText(area.left, area.top - 9, title, 'start', 'font-weight="600"');
  const xs = curves.flatMap(({ x }) => x).filter((value) => !logX || value > 0);
  const ys = curves
    .flatMap(({ y, low = [], high = [] }) => [...y, ...low, ...high])
    .filter((value) => value !== null);
  if (xs.length === 0 || ys.length === 0) {
    const middle = [(area.left + area.right) / 2, (area.top + area.bottom) / 2] as const;
    return (
      heading +
      svgText(...middle, panel.empty ?? 'nothing to show', 'middle', 'font-style="italic" opacity=".7"')
    );
  }
  const xRange = panel.xRange ?? rangeOf(xs, logX);
  const yRange = panel.yRange ?? [Math.min(0, ...ys), 1.05 * Math.max(...ys) || 1];
  const toX = scale(xRange, [area.left, area.right], logX);
  const toY = scale(yRange, [area.bottom, area.top], false);
  // Slices are numbered: there is nothing between two of them.
  const whole = xs.every(Number.isInteger);
  const xTicks = logX
    ? decades(xRange)
    : roundTicks(xRange[0], xRange[1], 5).filter((v) => !whole || Number.isInteger(v));
  const yTicks = roundTicks(yRange[0], yRange[1], area.bottom - area.top > 110 ? 6 : 3);
  const grid = [
    ...yTicks.map((v) => svgRule(area.left, toY(v), area.right, toY(v), 'grid')),
    ...yTicks.map((v) => svgText(area.left - 5, toY(v) + 4, shortNumber(v), 'end', 'font-size="10.5"')),
    ...xTicks.map((v) => svgRule(toX(v), area.bottom, toX(v), area.bottom + 4, 'axis')),
    ...xTicks.map((v) => svgText(toX(v), area.bottom + 15, tickText(v, logX), 'middle', 'font-size="10.5"')),
    svgRule(area.left, area.bottom, area.right, area.bottom, 'axis'),
  ];
  const middle = (area.top + area.bottom) / 2;
  const names = [
    svgText((area.left + area.right) / 2, area.bottom + 31, xAxis, 'middle', 'opacity=".8"'),
    `<g transform="rotate(-90 ${px(area.left - 37)} ${px(middle)})">${svgText(area.left - 37, middle, yAxis, 'middle', 'opacity=".8"')}</g>`,
  ];
  const drawn = curves.map((curve) => curveMarks(curve, toX, toY, logX));
  return heading + grid.join('') + names.join('') + drawn.join('');
}

type Scale = (value: number) => number;

function scale(
  [low, high]: readonly [number, number],
  [from, to]: readonly [number, number],
  log: boolean,
): Scale {
  const place = (value: number): number => (log ? Math.log10(value) : value);
  const span = place(high) - place(low) || 1;
  return (value) => from + ((place(value) - place(low)) / span) * (to - from);
}

function rangeOf(values: readonly number[], log: boolean): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  if (log) return [10 ** Math.floor(Math.log10(low)), 10 ** Math.ceil(Math.log10(high))];
  return low === high ? [low - 0.5, high + 0.5] : [low, high];
}

function decades([low, high]: readonly [number, number]): number[] {
  const [from, to] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => 10 ** (from + i));
}

function tickText(value: number, log: boolean): string {
  return log && (value >= 1e5 || value < 1e-2) ? `1e${Math.round(Math.log10(value))}` : shortNumber(value);
}

function curveMarks(curve: PanelCurve, toX: Scale, toY: Scale, logX: boolean): string {
  const { x, y, low, high, color, dash = '', width = 1.6, marker } = curve;
  const usable = x.map((value, i) => (y[i] !== null && (!logX || value > 0) ? i : -1));
  const runs: number[][] = [];
  usable.forEach((i, k) => {
    if (i < 0) return;
    if (k > 0 && usable[k - 1] >= 0) runs[runs.length - 1].push(i);
    else runs.push([i]);
  });
  const point = (i: number, values: readonly (number | null)[] = y): [number, number] => [
    toX(x[i]),
    toY(values[i] as number),
  ];
  const banded = low && high ? runs.flat().filter((i) => low[i] != null && high[i] != null) : [];
  const outline = [...banded.map((i) => point(i, high)), ...banded.map((i) => point(i, low)).reverse()];
  const band =
    banded.length > 1
      ? `<polygon points="${outline.map(([a, b]) => `${px(a)},${px(b)}`).join(' ')}" ${svgColour('fill', color)} fill-opacity=".16"/>`
      : '';
  const look = `stroke-width="${width}" stroke-linejoin="round"${dash ? ` stroke-dasharray="${dash}"` : ''}`;
  const path =
    dash === null
      ? ''
      : runs
          .map((run) =>
            svgPath(
              run.map((i) => point(i)),
              color,
              look,
            ),
          )
          .join('');
  const dots = marker
    ? runs
        .flat()
        .map((i) => markAt(marker, ...point(i), 3.4, color))
        .join('')
    : '';
  return band + path + dots;
}

/** A marker of a radius around a point. */
export function markAt(shape: MarkShape, x: number, y: number, r: number, color: string): string {
  const fill = svgColour('fill', color);
  const open = `fill="none" ${svgColour('stroke', color)} stroke-width="1.5"`;
  const at = (dx: number, dy: number): string => `${px(x + dx)} ${px(y + dy)}`;
  const diamond = `M${at(0, -1.25 * r)}L${at(1.25 * r, 0)}L${at(0, 1.25 * r)}L${at(-1.25 * r, 0)}Z`;
  const square = `M${at(-r, -r)}L${at(r, -r)}L${at(r, r)}L${at(-r, r)}Z`;
  switch (shape) {
    case 'circle':
      return `<circle cx="${px(x)}" cy="${px(y)}" r="${r}" ${fill}/>`;
    case 'ring':
      return `<circle cx="${px(x)}" cy="${px(y)}" r="${r}" ${open}/>`;
    case 'plus':
      return `<path d="M${at(-1.2 * r, 0)}L${at(1.2 * r, 0)}M${at(0, -1.2 * r)}L${at(0, 1.2 * r)}" ${open}/>`;
    case 'triangle':
      return `<path d="M${at(0, -1.2 * r)}L${at(1.1 * r, 0.9 * r)}L${at(-1.1 * r, 0.9 * r)}Z" ${open}/>`;
    case 'square':
    case 'openSquare':
      return `<path d="${square}" ${shape === 'square' ? fill : open}/>`;
    case 'diamond':
    case 'openDiamond':
      return `<path d="${diamond}" ${shape === 'diamond' ? fill : open}/>`;
  }
}

/** Each name once, with a piece of its line and its marker, in as many rows as it takes. */
export function legendMarks(
  series: readonly (SeriesLook & { name: string })[],
  width: number,
  top: number,
): { marks: string; height: number } {
  const unique = [...new Map(series.map((each) => [each.name, each])).values()];
  if (unique.length < 2) return { marks: '', height: 0 };
  let [x, row] = [12, 0];
  const marks = unique.map(({ name, color, dash = '', marker, width: thick = 1.6 }) => {
    const wide = 40 + name.length * 6.2;
    if (x + wide > width && x > 12) [x, row] = [12, row + 1];
    const y = top + row * LEGEND_ROW;
    const line =
      dash === null
        ? ''
        : svgPath([[x, y - 4], [x + 22, y - 4]], color, `stroke-width="${thick}"${dash ? ` stroke-dasharray="${dash}"` : ''}`); // prettier-ignore
    const dot = marker ? markAt(marker, x + 11, y - 4, 3.4, color) : '';
    const text = svgText(x + 28, y, name);
    x += wide;
    return line + dot + text;
  });
  return { marks: marks.join(''), height: (row + 1) * LEGEND_ROW + 6 };
}
