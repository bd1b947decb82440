/**
 * A plain SVG of a plotly figure, for everywhere that plotly itself does not run: saved notebooks on the web, e-mail,
 * files. Simplified: scatter, bar, histogram and heatmap traces, subplots stacked; no hover. Horizontal axes may be
 * logarithmic, vertical ones may have a range and texts of their own; null breaks a line. Straight lines among the
 * layout's shapes are drawn.
 */
import { px, roundTicks, shortNumber, svgColour, svgPage, svgRule, svgText } from '../viz';
import {
  barMarks,
  heatmapMarks,
  lineMarks,
  lyingBarMarks,
  toSeries,
  type Area,
  type Series,
  type Trace,
} from './staticMarks';

export { PALETTE } from './staticMarks';

/** A figure as plotly takes it: `Plotly.newPlot(element, data, layout)`. */
export interface FigureSpec {
  data: readonly object[];
  layout?: object;
}

/** The part of plotly's axes that is drawn. */
interface Axis {
  title?: unknown;
  type?: string;
  range?: [number, number];
  rangemode?: string;
  tickvals?: number[];
  ticktext?: string[];
}

interface Shape {
  type?: string;
  xref?: string;
  yref?: string;
  x0?: number;
  x1?: number;
  y0?: number;
  y1?: number;
  line?: { color?: string };
}

interface Annotation {
  xref?: string;
  yref?: string;
  x?: number;
  y?: number;
  text?: unknown;
  xanchor?: string;
}

const WIDTH = 640;
const HEIGHT = 360;
const HEAD = 34;

/** Options of {@link staticSvg}. */
export interface StaticSvgOptions {
  /** For a file rather than a page: follows the reader's light or dark setting. Default true. */
  standalone?: boolean;
}

/** The SVG text, or undefined for a figure without a trace that it can draw. */
export function staticSvg(
  figure: FigureSpec,
  { standalone = true }: StaticSvgOptions = {},
): string | undefined {
  const traces = figure.data as Trace[];
  const layout = (figure.layout ?? {}) as Record<string, unknown>;
  const overlay = layout.barmode === 'overlay';
  const axes = [...new Set(traces.map((trace) => trace.yaxis ?? 'y'))];
  const wanted = typeof layout.height === 'number' ? layout.height : HEIGHT;
  // Tall figures have many lanes; ordinary ones need no more room than the text beside them.
  const height = axes.length > 1 ? 60 + 210 * axes.length : wanted > 450 ? wanted : HEIGHT;
  const panelHeight = (height - HEAD - 40) / Math.max(1, axes.length);
  const series: Series[] = [];
  const turned = traces.some((trace) => trace.orientation === 'h');
  const bodies = axes.map((axis, i) => {
    const own = traces.filter((trace) => (trace.yaxis ?? 'y') === axis);
    const top = HEAD + i * panelHeight;
    const vertical = (layout[axis.replace('y', 'yaxis')] ?? {}) as Axis;
    const horizontal = (layout.xaxis ?? {}) as Axis;
    const area = {
      left: vertical.ticktext ? 124 : 64,
      top,
      right: WIDTH - 16,
      bottom: top + panelHeight - 24,
    };
    const heat = own.find((trace) => trace.type === 'heatmap' && trace.z);
    if (heat) return heatmapMarks(heat, { ...area, left: heat.y ? 124 : area.left });
    const categories: string[] = [];
    const drawn = own.flatMap((trace, k) => toSeries(trace, series.length + k, categories, overlay));
    series.push(...drawn);
    const shapes = i === 0 && Array.isArray(layout.shapes) ? (layout.shapes as Shape[]) : [];
    if (turned) return lyingBars(drawn, categories, area, shapes);
    if (horizontal.type === 'log') for (const s of drawn) s.x = s.x.map((x) => (x > 0 ? Math.log10(x) : NaN));
    return plot({ series: drawn, categories, area, overlay, vertical, horizontal, shapes });
  });
  if (bodies.every((body) => body === undefined)) return undefined;
  const title = titleOf(layout.title);
  const axisTitle = (name: string): string =>
    titleOf((layout[name] as { title?: unknown } | undefined)?.title);
  const names = legend(series, height);
  return svgPage(
    { width: WIDTH, height: height + names.height, label: title || 'figure', standalone },
    [
      svgText(WIDTH / 2, 18, title, 'middle', 'font-size="14"'),
      svgText(WIDTH / 2, height - 24, axisTitle('xaxis'), 'middle'),
      turned
        ? ''
        : `<g transform="rotate(-90 14 ${height / 2})">${svgText(14, height / 2, axisTitle('yaxis'), 'middle')}</g>`,
      ...bodies,
      ...notes(layout, height),
      names.marks,
    ].join(''),
  );
}

/** Annotations that stand somewhere on the paper, such as the names of panels; those at data points are plotly's. */
function notes(layout: Record<string, unknown>, height: number): string[] {
  const all = Array.isArray(layout.annotations) ? (layout.annotations as Annotation[]) : [];
  return all
    .filter(({ xref, yref }) => xref === 'paper' && yref === 'paper')
    .map(({ x = 0, y = 0, text, xanchor }) => {
      const anchor = xanchor === 'right' ? 'end' : xanchor === 'left' ? 'start' : 'middle';
      const down = HEAD + (1 - y) * (height - HEAD - 40);
      return svgText(64 + x * (WIDTH - 80), down, titleOf(text), anchor);
    });
}

/** What stands for a figure that cannot be drawn without plotly: never an empty place. */
export function placeholderSvg(label: string, standalone = true): string {
  const lines = [
    label || 'figure',
    'This figure is drawn where scripts run: open the notebook in Jupyter, VS Code or a browser.',
    'Its numbers are in the files beside the notebook.',
  ];
  return svgPage(
    { width: WIDTH, height: 120, label: label || 'figure', standalone },
    lines
      .map((line, i) => svgText(WIDTH / 2, 42 + i * 22, line, 'middle', i === 0 ? 'font-weight="600"' : ''))
      .join(''),
  );
}

interface Plot {
  series: Series[];
  categories: string[];
  area: Area;
  overlay: boolean;
  vertical: Axis;
  horizontal: Axis;
  shapes: Shape[];
}

function plot({ series, categories, area, overlay, vertical, horizontal, shapes }: Plot): string | undefined {
  const isLog = horizontal.type === 'log';
  const xs = series.flatMap((s) => s.x).filter(Number.isFinite);
  const ys = series.flatMap((s) => s.y).filter(Number.isFinite);
  if (xs.length === 0 || ys.length === 0) return undefined;
  const bars = series.filter((s) => s.kind === 'bar');
  const step = bars.length > 0 ? smallestGap(xs) : 0;
  const [x0, x1] = extent(xs, step / 2 || undefined);
  const fromZero = bars.length > 0 || vertical.rangemode === 'tozero';
  const [y0, y1] = vertical.range ?? extent(fromZero ? [...ys, 0] : ys);
  const at = (x: number): number => scale(x, x0, x1, area.left, area.right);
  const up = (y: number): number => scale(y, y0, y1, area.bottom, area.top);
  const marks = series.map((s) => {
    if (s.kind !== 'bar') return lineMarks(s, at, up);
    const place = overlay ? { index: 0, count: 1 } : { index: bars.indexOf(s), count: bars.length };
    return barMarks(s, place, Math.abs(at(step) - at(0)) * 0.85, at, up);
  });
  const { tickvals, ticktext } = vertical;
  const levels = tickvals && ticktext ? tickvals : roundTicks(Math.min(y0, y1), Math.max(y0, y1));
  const grid = levels.map(
    (value, i) =>
      svgRule(area.left, up(value), area.right, up(value), 'grid') +
      svgText(area.left - 6, up(value) + 4, ticktext?.[i] ?? shortNumber(value), 'end'),
  );
  const places: [number, string][] =
    categories.length > 0
      ? categories.map((c, i) => [i, c])
      : isLog
        ? powers(x0, x1).map((v): [number, string] => [v, String(Number((10 ** v).toPrecision(3)))])
        : roundTicks(x0, x1).map((v): [number, string] => [v, shortNumber(v)]);
  const room = Math.max(3, Math.floor((area.right - area.left) / Math.max(1, places.length) / 6));
  const labels = places.map(([value, label]) =>
    svgText(at(value), area.bottom + 15, label.slice(0, Math.min(18, room)), 'middle'),
  );
  const lines = shapes.map((shape) => straight(shape, area, at, up));
  const base = svgRule(area.left, area.bottom, area.right, area.bottom, 'axis');
  return [...grid, ...labels, base, ...marks, ...lines].join('');
}

/** Categories as rows, the first below. */
function lyingBars(series: Series[], categories: string[], area: Area, shapes: Shape[]): string | undefined {
  const bars = series.filter((s) => s.kind === 'bar');
  const values = bars.flatMap((s) => s.y).filter(Number.isFinite);
  if (values.length === 0) return undefined;
  const longest = Math.max(...categories.map((c) => c.length));
  const left = Math.max(area.left, Math.min(250, 24 + longest * 6.2));
  const texts = bars.some((s) => s.texts) ? 44 : 0;
  const [low, high] = extent([...values, 0], 0);
  const along = (value: number): number => scale(value, low, high, left, area.right - texts);
  const rowHeight = (area.bottom - area.top) / Math.max(1, categories.length);
  const row = (category: number): number => area.bottom - (category + 0.5) * rowHeight;
  const count = bars.length;
  return [
    ...roundTicks(low, high).map(
      (tick) =>
        svgRule(along(tick), area.top, along(tick), area.bottom, 'grid') +
        svgText(along(tick), area.bottom + 15, shortNumber(tick), 'middle'),
    ),
    ...categories.map((name, i) => svgText(left - 6, row(i) + 4, name.slice(0, 38), 'end')),
    ...bars.map((s, index) => lyingBarMarks(s, { index, count }, rowHeight * 0.8, along, row)),
    svgRule(along(0), area.top, along(0), area.bottom, 'axis'),
    ...shapes.map((shape) => straight(shape, area, along, row)),
  ].join('');
}

/** A line shape; `paper` references run over the whole panel. */
function straight(shape: Shape, area: Area, at: (x: number) => number, up: (y: number) => number): string {
  if (shape.type !== 'line') return '';
  const across = (x: number): number =>
    shape.xref === 'paper' ? area.left + x * (area.right - area.left) : at(x);
  const high = (y: number): number =>
    shape.yref === 'paper' ? area.bottom - y * (area.bottom - area.top) : up(y);
  const [a, b] = [across(shape.x0 ?? 0), across(shape.x1 ?? 0)];
  const [c, d] = [high(shape.y0 ?? 0), high(shape.y1 ?? 0)];
  if (![a, b, c, d].every(Number.isFinite)) return '';
  return `<line x1="${px(a)}" y1="${px(c)}" x2="${px(b)}" y2="${px(d)}" ${svgColour('stroke', shape.line?.color ?? '#000')} stroke-width="1.5" stroke-dasharray="5 3"/>`;
}

/** Whole exponents between two; one in two or more where there are many. */
function powers(low: number, high: number): number[] {
  const step = Math.max(1, Math.ceil((high - low) / 8));
  const first = Math.ceil(low / step) * step;
  const count = Math.max(0, Math.floor((high - first) / step) + 1);
  return Array.from({ length: count }, (_, i) => first + i * step);
}

/** Names below the figure, in as many rows as they need; each with a piece of its line. */
function legend(series: Series[], top: number): { marks: string; height: number } {
  const shown = series.filter((s) => s.legend);
  if (shown.length < 2) return { marks: '', height: 0 };
  let [x, row] = [64, 0];
  const marks = shown.slice(0, 16).map((s) => {
    const name = s.name.slice(0, 34);
    const width = 34 + name.length * 6.3;
    if (x + width > WIDTH - 8 && x > 64) [x, row] = [64, row + 1];
    const y = top - 12 + row * 17;
    const sample =
      s.kind === 'line'
        ? `<line x1="${x}" x2="${x + 20}" y1="${y}" y2="${y}" ${svgColour('stroke', s.colour)} stroke-width="2"${s.dash && ` stroke-dasharray="${s.dash}"`}/>`
        : `<path d="M${x + 5} ${y - 5}h10v10h-10z" ${svgColour('fill', s.colour)}/>`;
    const text = svgText(x + 25, y + 4, name);
    x += width;
    return sample + text;
  });
  return { marks: marks.join(''), height: row * 17 + (row > 0 ? 4 : 0) };
}

function extent(values: number[], margin?: number): [number, number] {
  const low = values.reduce((a, b) => Math.min(a, b), Infinity);
  const high = values.reduce((a, b) => Math.max(a, b), -Infinity);
  const extra = margin ?? (high - low) * 0.04;
  return high > low || extra > 0 ? [low - extra, high + extra] : [low - 1, high + 1];
}

function smallestGap(xs: number[]): number {
  const sorted = [...new Set(xs)].sort((a, b) => a - b);
  const gaps = sorted.slice(1).map((x, i) => x - sorted[i]);
  return gaps.length > 0 ? gaps.reduce((a, b) => Math.min(a, b)) : 1;
}

function scale(value: number, from0: number, from1: number, to0: number, to1: number): number {
  return to0 + ((value - from0) / (from1 - from0 || 1)) * (to1 - to0);
}

/** Plotly titles are a string or `{text}`, with a little HTML that plain SVG does not have. */
export function titleOf(title: unknown): string {
  const value = typeof title === 'object' && title ? (title as { text?: unknown }).text : title;
  return typeof value === 'string' ? value.replace(/<br\s*\/?>/g, ' ').replace(/<[^>]+>/g, '') : '';
}
