/**
 * A plain SVG of a plotly figure, for everywhere that plotly itself does not run: saved notebooks on the web, e-mail,
 * files. Simplified: scatter, bar, histogram and heatmap traces on linear axes; no hover, no subplots.
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

interface Trace {
  type?: string;
  mode?: string;
  name?: string;
  x?: ArrayLike<number | string>;
  y?: ArrayLike<number | string>;
  z?: ArrayLike<ArrayLike<number>>;
}
interface Series {
  kind: 'line' | 'markers' | 'bar';
  name: string;
  x: number[];
  y: number[];
}

const WIDTH = 640;
const HEIGHT = 360;
const AREA = { left: 64, top: 34, right: 16, bottom: 62 };

/** The SVG text, or undefined for a figure without a trace that it can draw. */
export function staticSvg(figure: FigureSpec): string | undefined {
  const traces = figure.data as Trace[];
  const layout = (figure.layout ?? {}) as Record<string, unknown>;
  const heat = traces.find((trace) => trace.type === 'heatmap' && trace.z);
  const categories: string[] = [];
  const series = heat ? [] : traces.flatMap((trace, i) => toSeries(trace, `series ${i + 1}`, categories));
  const body = heat ? heatmap(heat) : plot(series, categories);
  if (!body) return undefined;
  const title = titleOf(layout.title);
  const axis = (name: string): string => titleOf((layout[name] as { title?: unknown } | undefined)?.title);
  const middle = (AREA.left + WIDTH - AREA.right) / 2;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-label="${escapeHtml(title || 'figure')}" font-family="sans-serif" font-size="11">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    text(middle, 18, title, 'middle', 'font-size="14"'),
    text(middle, HEIGHT - 26, axis('xaxis'), 'middle'),
    `<g transform="rotate(-90 14 ${HEIGHT / 2})">${text(14, HEIGHT / 2, axis('yaxis'), 'middle')}</g>`,
    body,
    heat ? '' : legend(series),
    '</svg>',
  ].join('');
}

function toSeries(trace: Trace, fallback: string, categories: string[]): Series[] {
  const name = trace.name ?? fallback;
  const type = trace.type ?? 'scatter';
  if (type === 'histogram' && trace.x) return [histogram(Array.from(trace.x, Number), name)];
  if (!['scatter', 'scattergl', 'bar'].includes(type) || !trace.y) return [];
  const y = Array.from(trace.y, Number);
  const x = Array.from(trace.x ?? y.map((_, i) => i), (value) => {
    if (typeof value === 'number') return value;
    if (!categories.includes(value)) categories.push(value);
    return categories.indexOf(value);
  });
  const markers = trace.mode !== undefined && !trace.mode.includes('lines');
  return [{ kind: type === 'bar' ? 'bar' : markers ? 'markers' : 'line', name, x, y }];
}

function histogram(values: number[], name: string, bins = 30): Series {
  const finite = values.filter(Number.isFinite);
  const low = finite.reduce((a, b) => Math.min(a, b), Infinity);
  const high = finite.reduce((a, b) => Math.max(a, b), -Infinity);
  const width = (high - low) / bins || 1;
  const y = new Array<number>(bins).fill(0);
  for (const value of finite) y[Math.min(bins - 1, Math.floor((value - low) / width))]++;
  return { kind: 'bar', name, x: y.map((_, i) => low + (i + 0.5) * width), y };
}

function plot(series: Series[], categories: string[]): string | undefined {
  const xs = series.flatMap((s) => s.x).filter(Number.isFinite);
  const ys = series.flatMap((s) => s.y).filter(Number.isFinite);
  if (xs.length === 0 || ys.length === 0) return undefined;
  const bars = series.filter((s) => s.kind === 'bar');
  const step = bars.length > 0 ? smallestGap(xs) : 0;
  const [x0, x1] = extent(xs, step / 2 || undefined);
  const [y0, y1] = extent(bars.length > 0 ? [...ys, 0] : ys);
  const px = (x: number): number => scale(x, x0, x1, AREA.left, WIDTH - AREA.right);
  const py = (y: number): number => scale(y, y0, y1, HEIGHT - AREA.bottom, AREA.top);
  const marks = series.map((s, i) => {
    const colour = PALETTE[i % PALETTE.length];
    if (s.kind === 'bar') return barMarks(s, colour, bars.indexOf(s), bars.length, step, px, py);
    const points = s.x.flatMap((x, k) => (Number.isFinite(s.y[k]) ? [[px(x), py(s.y[k])]] : []));
    if (s.kind === 'markers')
      return points.map(([a, b]) => `<circle cx="${r(a)}" cy="${r(b)}" r="2.5" fill="${colour}"/>`).join('');
    const path = points.map(([a, b]) => `${r(a)},${r(b)}`).join(' ');
    return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="1.8"/>`;
  });
  return gridAndTicks([x0, x1], [y0, y1], px, py, categories) + marks.join('');
}

function barMarks(
  s: Series,
  colour: string,
  index: number,
  count: number,
  step: number,
  px: (x: number) => number,
  py: (y: number) => number,
): string {
  const group = Math.abs(px(step) - px(0)) * 0.85;
  const width = Math.max(1, group / count);
  return s.x
    .map((x, k) => {
      if (!Number.isFinite(s.y[k])) return '';
      const left = px(x) - group / 2 + index * width;
      const top = Math.min(py(s.y[k]), py(0));
      return `<rect x="${r(left)}" y="${r(top)}" width="${r(width)}" height="${r(Math.abs(py(s.y[k]) - py(0)))}" fill="${colour}"/>`;
    })
    .join('');
}

function heatmap(trace: Trace): string | undefined {
  const rows = Array.from(trace.z ?? [], (row) => Array.from(row, Number));
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const all = rows.flat().filter(Number.isFinite);
  if (columns === 0 || all.length === 0) return undefined;
  const [low, high] = extent(all, 0);
  const w = (WIDTH - AREA.left - AREA.right) / columns;
  const h = (HEIGHT - AREA.top - AREA.bottom) / rows.length;
  const cells = rows.flatMap((row, j) =>
    row.map((value, i) => {
      const light = Math.round(96 - 70 * scale(value, low, high, 0, 1));
      const y = HEIGHT - AREA.bottom - (j + 1) * h; // plotly's first row is at the bottom
      return `<rect x="${r(AREA.left + i * w)}" y="${r(y)}" width="${r(w + 0.3)}" height="${r(h + 0.3)}" fill="hsl(205 80% ${light}%)"/>`;
    }),
  );
  return cells.join('');
}

function gridAndTicks(
  x: [number, number],
  y: [number, number],
  px: (x: number) => number,
  py: (y: number) => number,
  categories: string[],
): string {
  const bottom = HEIGHT - AREA.bottom;
  const horizontal = ticks(...y).map(
    (value) =>
      `<line x1="${AREA.left}" x2="${WIDTH - AREA.right}" y1="${r(py(value))}" y2="${r(py(value))}" stroke="#e3e3e3"/>` +
      text(AREA.left - 6, py(value) + 4, String(value), 'end'),
  );
  const places: [number, string][] =
    categories.length > 0 ? categories.map((c, i) => [i, c]) : ticks(...x).map((v) => [v, String(v)]);
  const vertical = places.map(([value, label]) => text(px(value), bottom + 16, label.slice(0, 18), 'middle'));
  return `${horizontal.join('')}${vertical.join('')}<line x1="${AREA.left}" x2="${WIDTH - AREA.right}" y1="${bottom}" y2="${bottom}" stroke="#444444"/>`;
}

function legend(series: Series[]): string {
  if (series.length < 2) return '';
  return series
    .slice(0, 6)
    .map((s, i) => {
      const x = AREA.left + i * 95;
      const swatch = `<rect x="${x}" y="${HEIGHT - 16}" width="10" height="10" fill="${PALETTE[i % PALETTE.length]}"/>`;
      return swatch + text(x + 14, HEIGHT - 7, s.name.slice(0, 13), 'start');
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
