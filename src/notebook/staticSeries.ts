/** Plotly's traces as series of numbers, which static figures draw. */
import { DASHES, SERIES_COLORS } from '../viz';

export type Values = ArrayLike<number | string | null>;

/** The part of plotly's traces that is drawn. */
export interface Trace {
  type?: string;
  mode?: string;
  name?: string;
  orientation?: string;
  x?: Values;
  y?: Values;
  z?: ArrayLike<ArrayLike<number>>;
  text?: unknown;
  textposition?: unknown;
  xaxis?: string;
  yaxis?: string;
  showlegend?: boolean;
  marker?: { color?: unknown; size?: unknown; symbol?: unknown };
  line?: { color?: unknown; dash?: unknown; width?: unknown; shape?: unknown };
  error_y?: { array?: ArrayLike<number>; arrayminus?: ArrayLike<number>; symmetric?: boolean };
}

/** A trace in numbers; categories are their indices. */
export interface Series {
  kind: 'line' | 'markers' | 'bar';
  name: string;
  x: number[];
  y: number[];
  colour: string;
  /** Colour of each bar or marker, where they differ. */
  colours?: string[];
  dash: string;
  width: number;
  /** How a line goes from point to point; `hv`: first across, then up. */
  shape: string;
  /** A marker at each point of a line. */
  dots: boolean;
  /** Shape and size of the marker at point k. */
  symbol(k: number): string | number;
  size(k: number): number;
  /** Where stacked bars begin. */
  base?: number[];
  /** How far the values may be off. */
  errors?: { low: number[]; high: number[] };
  /** Beside each bar. */
  texts?: string[];
  legend: boolean;
}

/** Plotly's names of dash patterns, as SVG writes them. */
const DASH_PATTERNS: Readonly<Record<string, string>> = {
  solid: DASHES[0],
  dash: DASHES[1],
  dot: DASHES[2],
  dashdot: DASHES[3],
  longdash: DASHES[5],
  longdashdot: DASHES[3],
};

/** The traces that can be drawn, as series. New categories are appended to `categories`. */
export function toSeries(trace: Trace, index: number, categories: string[], overlay: boolean): Series[] {
  const { marker = {}, line = {} } = trace;
  const own = [line.color, marker.color].find((c): c is string => typeof c === 'string');
  const type = trace.type ?? 'scatter';
  const mode = trace.mode ?? 'lines';
  const colours = Array.isArray(marker.color) ? (marker.color as unknown[]).map(String) : undefined;
  const { dash, shape } = line;
  const base = {
    name: trace.name ?? `series ${index + 1}`,
    colour: own ?? SERIES_COLORS[index % SERIES_COLORS.length],
    colours: colours?.every((c) => c.startsWith('#')) ? colours : undefined,
    dash: (typeof dash === 'string' ? DASH_PATTERNS[dash] : undefined) ?? '',
    width: typeof line.width === 'number' ? Math.min(3, line.width) : 1.8,
    shape: typeof shape === 'string' ? shape : 'linear',
    dots: mode.includes('markers'),
    symbol: each(marker.symbol, 'circle' as string | number),
    size: each(marker.size, 6),
    texts:
      Array.isArray(trace.text) && trace.textposition !== 'none' && type === 'bar'
        ? trace.text.map(String)
        : undefined,
    legend: trace.showlegend !== false && !overlay,
  };
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
  const kind = type === 'bar' ? 'bar' : mode.includes('lines') ? 'line' : 'markers';
  return [{ ...base, kind, x, y, ...errorsOf(trace, y) }];
}

/** One value for all points, or one for each. */
function each<T extends string | number>(value: unknown, otherwise: T): (k: number) => T {
  const usable = (v: unknown): T =>
    typeof v === typeof otherwise || (typeof otherwise === 'string' && typeof v === 'number')
      ? (v as T)
      : otherwise;
  return (k) => usable(Array.isArray(value) ? (value as unknown[])[k] : value);
}

function errorsOf({ error_y }: Trace, y: readonly number[]): Pick<Series, 'errors'> {
  const { array, arrayminus, symmetric } = error_y ?? {};
  if (!array) return {};
  const below = symmetric === false && arrayminus ? arrayminus : array;
  return {
    errors: { low: y.map((v, k) => v - (below[k] ?? 0)), high: y.map((v, k) => v + (array[k] ?? 0)) },
  };
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

/** Gives each bar the place above those before it at the same x; negative ones grow down. */
export function stackBars(series: readonly Series[]): void {
  const tops = new Map<string, number>();
  for (const s of series.filter(({ kind }) => kind === 'bar')) {
    s.base = s.x.map((x, k) => {
      const key = `${x}${s.y[k] < 0 ? '-' : '+'}`;
      const below = tops.get(key) ?? 0;
      tops.set(key, below + (Number.isFinite(s.y[k]) ? s.y[k] : 0));
      return below;
    });
  }
}
