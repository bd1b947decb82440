/**
 * A plain SVG of a plotly figure, for everywhere that plotly itself does not run: saved notebooks on the web, e-mail,
 * files. Simplified: scatter, bar, histogram and heatmap traces, subplots stacked; no hover. Horizontal axes may be
 * logarithmic, vertical ones may have a range and texts of their own; null breaks a line.
 */
import { escapeHtml } from './display';

/** A figure as plotly takes it: `Plotly.newPlot(element, data, layout)`. */
export interface FigureSpec {
  data: readonly object[];
  layout?: object;
}

/** Okabe and Ito's colours, told apart by colour-blind readers too. */
export const PALETTE = [
  '#0072b2',
  '#d55e00',
  '#009e73',
  '#cc79a7',
  '#e69f00',
  '#56b4e9',
  '#000000',
  '#f0e442',
];

type Values = ArrayLike<number | string | null>;
interface Trace {
  type?: string;
  mode?: string;
  name?: string;
  orientation?: string;
  x?: Values;
  y?: Values;
  z?: ArrayLike<ArrayLike<number>>;
  yaxis?: string;
  showlegend?: boolean;
  marker?: { color?: unknown };
  line?: { color?: unknown };
}
interface Series {
  kind: 'line' | 'markers' | 'bar';
  name: string;
  x: number[];
  y: number[];
  colour: string;
  legend: boolean;
}
/** The part of plotly's axes that is drawn. */
interface Axis {
  title?: unknown;
  type?: string;
  range?: [number, number];
  tickvals?: number[];
  ticktext?: string[];
}
/** A rectangle of the picture. */
interface Area {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

const WIDTH = 640;
const HEIGHT = 360;

/** The SVG text, or undefined for a figure without a trace that it can draw. */
export function staticSvg(figure: FigureSpec): string | undefined {
  const traces = figure.data as Trace[];
  const layout = (figure.layout ?? {}) as Record<string, unknown>;
  const overlay = layout.barmode === 'overlay';
  const axes = [...new Set(traces.map((trace) => trace.yaxis ?? 'y'))];
  const wanted = typeof layout.height === 'number' ? layout.height : HEIGHT;
  // Tall figures have many lanes; ordinary ones need no more room than the text beside them.
  const height = axes.length > 1 ? 60 + 210 * axes.length : wanted > 450 ? wanted : HEIGHT;
  const panelHeight = (height - 34 - 40) / axes.length;
  const series: Series[] = [];
  const bodies = axes.map((axis, i) => {
    const own = traces.filter((trace) => (trace.yaxis ?? 'y') === axis);
    const top = 34 + i * panelHeight;
    const vertical = (layout[axis.replace('y', 'yaxis')] ?? {}) as Axis;
    const isLog = (layout.xaxis as Axis | undefined)?.type === 'log';
    const area = {
      left: vertical.ticktext ? 124 : 64,
      top,
      right: WIDTH - 16,
      bottom: top + panelHeight - 24,
    };
    const heat = own.find((trace) => trace.type === 'heatmap' && trace.z);
    if (heat) return heatmap(heat, area);
    const categories: string[] = [];
    const drawn = own.flatMap((trace, i) => toSeries(trace, series.length + i, categories, overlay));
    if (isLog) for (const s of drawn) s.x = s.x.map((x) => (x > 0 ? Math.log10(x) : NaN));
    series.push(...drawn);
    return plot(drawn, categories, area, overlay, vertical, isLog);
  });
  if (bodies.every((body) => body === undefined)) return undefined;
  const turned = traces.some((trace) => trace.orientation === 'h');
  const title = titleOf(layout.title);
  const axisTitle = (name: string): string =>
    titleOf((layout[name] as { title?: unknown } | undefined)?.title);
  const vertical = axisTitle(turned ? 'xaxis' : 'yaxis');
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escapeHtml(title || 'figure')}" font-family="sans-serif" font-size="11">`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    text(WIDTH / 2, 18, title, 'middle', 'font-size="14"'),
    text(WIDTH / 2, height - 24, axisTitle(turned ? 'yaxis' : 'xaxis'), 'middle'),
    `<g transform="rotate(-90 14 ${height / 2})">${text(14, height / 2, vertical, 'middle')}</g>`,
    ...bodies,
    legend(series, height),
    '</svg>',
  ].join('');
}

function toSeries(trace: Trace, index: number, categories: string[], overlay: boolean): Series[] {
  const own = [trace.line?.color, trace.marker?.color].find((c): c is string => typeof c === 'string');
  const base = {
    name: trace.name ?? `series ${index + 1}`,
    colour: own ?? PALETTE[index % PALETTE.length],
    legend: trace.showlegend !== false && !overlay,
  };
  const type = trace.type ?? 'scatter';
  if (type === 'histogram' && trace.x) return [{ ...base, ...histogram(Array.from(trace.x, Number)) }];
  const [keys, values] = trace.orientation === 'h' ? [trace.y, trace.x] : [trace.x, trace.y];
  if (!['scatter', 'scattergl', 'bar'].includes(type) || !values) return [];
  const y = Array.from(values, (value) => (value === null ? NaN : Number(value)));
  const x = Array.from(keys ?? y.map((_, i) => i), (value) => {
    if (value === null) return NaN;
    if (typeof value === 'number') return value;
    if (!categories.includes(value)) categories.push(value);
    return categories.indexOf(value);
  });
  const markers = trace.mode !== undefined && !trace.mode.includes('lines');
  return [{ ...base, kind: type === 'bar' ? 'bar' : markers ? 'markers' : 'line', x, y }];
}

function histogram(values: number[], bins = 30): Pick<Series, 'kind' | 'x' | 'y'> {
  const finite = values.filter(Number.isFinite);
  const low = finite.reduce((a, b) => Math.min(a, b), Infinity);
  const high = finite.reduce((a, b) => Math.max(a, b), -Infinity);
  const width = (high - low) / bins || 1;
  const y = new Array<number>(bins).fill(0);
  for (const value of finite) y[Math.min(bins - 1, Math.floor((value - low) / width))]++;
  return { kind: 'bar', x: y.map((_, i) => low + (i + 0.5) * width), y };
}

function plot(
  series: Series[],
  categories: string[],
  area: Area,
  overlay: boolean,
  vertical: Axis,
  isLog: boolean,
): string | undefined {
  const xs = series.flatMap((s) => s.x).filter(Number.isFinite);
  const ys = series.flatMap((s) => s.y).filter(Number.isFinite);
  if (xs.length === 0 || ys.length === 0) return undefined;
  const bars = series.filter((s) => s.kind === 'bar');
  const step = bars.length > 0 ? smallestGap(xs) : 0;
  const [x0, x1] = extent(xs, step / 2 || undefined);
  const [y0, y1] = vertical.range ?? extent(bars.length > 0 ? [...ys, 0] : ys);
  const px = (x: number): number => scale(x, x0, x1, area.left, area.right);
  const py = (y: number): number => scale(y, y0, y1, area.bottom, area.top);
  const marks = series.map((s) => {
    if (s.kind === 'bar') {
      const place = overlay ? { index: 0, count: 1 } : { index: bars.indexOf(s), count: bars.length };
      return barMarks(s, place, Math.abs(px(step) - px(0)) * 0.85, px, py);
    }
    const points = s.x.flatMap((x, k) => (Number.isFinite(s.y[k]) ? [[px(x), py(s.y[k])]] : []));
    if (s.kind === 'markers')
      return points
        .map(([a, b]) => `<circle cx="${r(a)}" cy="${r(b)}" r="2.5" fill="${s.colour}"/>`)
        .join('');
    return runs(s)
      .map((run) => run.map((k) => `${r(px(s.x[k]))},${r(py(s.y[k]))}`).join(' '))
      .map((path) => `<polyline points="${path}" fill="none" stroke="${s.colour}" stroke-width="1.8"/>`)
      .join('');
  });
  const { tickvals, ticktext } = vertical;
  const levels = tickvals && ticktext ? tickvals : ticks(Math.min(y0, y1), Math.max(y0, y1));
  const horizontal = levels.map(
    (value, i) =>
      `<line x1="${area.left}" x2="${area.right}" y1="${r(py(value))}" y2="${r(py(value))}" stroke="#e3e3e3"/>` +
      text(area.left - 6, py(value) + 4, ticktext?.[i] ?? String(value), 'end'),
  );
  const places: [number, string][] =
    categories.length > 0
      ? categories.map((c, i) => [i, c])
      : isLog
        ? powers(x0, x1).map((v): [number, string] => [v, String(Number((10 ** v).toPrecision(3)))])
        : ticks(x0, x1).map((v): [number, string] => [v, String(v)]);
  const labels = places.map(([value, label]) =>
    text(px(value), area.bottom + 15, label.slice(0, 18), 'middle'),
  );
  const base = `<line x1="${area.left}" x2="${area.right}" y1="${r(area.bottom)}" y2="${r(area.bottom)}" stroke="#444444"/>`;
  return [...horizontal, ...labels, base, ...marks].join('');
}

/** Indices of points that a line connects: null and NaN interrupt it. */
function runs(s: Series): number[][] {
  const found: number[][] = [[]];
  s.x.forEach((x, k) => {
    if (Number.isFinite(x) && Number.isFinite(s.y[k])) found[found.length - 1].push(k);
    else if (found[found.length - 1].length > 0) found.push([]);
  });
  return found.filter((run) => run.length > 0);
}

/** Whole exponents between two; one in two or more where there are many. */
function powers(low: number, high: number): number[] {
  const step = Math.max(1, Math.ceil((high - low) / 8));
  const first = Math.ceil(low / step) * step;
  const count = Math.max(0, Math.floor((high - first) / step) + 1);
  return Array.from({ length: count }, (_, i) => first + i * step);
}

function barMarks(
  s: Series,
  place: { index: number; count: number },
  group: number,
  px: (x: number) => number,
  py: (y: number) => number,
): string {
  const width = Math.max(1, group / place.count);
  return s.x
    .map((x, k) => {
      if (!Number.isFinite(s.y[k])) return '';
      const left = px(x) - group / 2 + place.index * width;
      const top = Math.min(py(s.y[k]), py(0));
      return `<rect x="${r(left)}" y="${r(top)}" width="${r(width)}" height="${r(Math.abs(py(s.y[k]) - py(0)))}" fill="${s.colour}"/>`;
    })
    .join('');
}

function heatmap(trace: Trace, area: Area): string | undefined {
  const rows = Array.from(trace.z ?? [], (row) => Array.from(row, Number));
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const all = rows.flat().filter(Number.isFinite);
  if (columns === 0 || all.length === 0) return undefined;
  const [low, high] = extent(all, 0);
  const w = (area.right - area.left) / columns;
  const h = (area.bottom - area.top) / rows.length;
  const cells = rows.flatMap((row, j) =>
    row.map((value, i) => {
      const light = Math.round(96 - 70 * scale(value, low, high, 0, 1));
      const y = area.bottom - (j + 1) * h; // plotly's first row is at the bottom
      return `<rect x="${r(area.left + i * w)}" y="${r(y)}" width="${r(w + 0.3)}" height="${r(h + 0.3)}" fill="hsl(205 80% ${light}%)"/>`;
    }),
  );
  return cells.join('');
}

function legend(series: Series[], height: number): string {
  const shown = series.filter((s) => s.legend);
  if (shown.length < 2) return '';
  return shown
    .slice(0, 4)
    .map((s, i) => {
      const x = 64 + i * 145;
      const swatch = `<rect x="${x}" y="${height - 16}" width="10" height="10" fill="${s.colour}"/>`;
      return swatch + text(x + 14, height - 7, s.name.slice(0, 24), 'start');
    })
    .join('');
}

/** Round numbers (1, 2 or 5 times a power of ten), about five of them. */
function ticks(low: number, high: number): number[] {
  const raw = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5, 10].find((m) => m * power >= raw) ?? 10);
  const result: number[] = [];
  for (let v = Math.ceil(low / step) * step; v <= high + step * 1e-9; v += step)
    result.push(Number(v.toPrecision(6)));
  return result;
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
function titleOf(title: unknown): string {
  const value = typeof title === 'object' && title ? (title as { text?: unknown }).text : title;
  return typeof value === 'string' ? value.replace(/<br\s*\/?>/g, ' ').replace(/<[^>]+>/g, '') : '';
}

function text(x: number, y: number, content: string, anchor: string, extra = ''): string {
  return content
    ? `<text x="${r(x)}" y="${r(y)}" text-anchor="${anchor}" fill="#222222" ${extra}>${escapeHtml(content)}</text>`
    : '';
}

function r(value: number): string {
  return value.toFixed(1);
}
