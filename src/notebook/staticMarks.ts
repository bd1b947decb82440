/** Lines, points, bars and heat maps of a static figure. */
import { COLORS, DASHES, px, svgColour, svgPath, svgText } from '../viz';

type Values = ArrayLike<number | string | null>;

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
  yaxis?: string;
  showlegend?: boolean;
  marker?: { color?: unknown; size?: unknown };
  line?: { color?: unknown; dash?: unknown; width?: unknown };
}

/** A trace in numbers; categories are their indices. */
export interface Series {
  kind: 'line' | 'markers' | 'bar';
  name: string;
  x: number[];
  y: number[];
  colour: string;
  /** Colour of each bar, where they differ. */
  colours?: string[];
  dash: string;
  width: number;
  /** A dot at each point of a line. */
  dots: boolean;
  /** Beside each bar. */
  texts?: string[];
  legend: boolean;
}

/** A rectangle of the picture. */
export interface Area {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** Okabe and Ito's colours, told apart by colour-blind readers too. */
export const PALETTE: readonly string[] = [
  COLORS.blue,
  COLORS.vermilion,
  COLORS.green,
  COLORS.purple,
  COLORS.orange,
  COLORS.sky,
  COLORS.black,
];

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
  const own = [trace.line?.color, trace.marker?.color].find((c): c is string => typeof c === 'string');
  const type = trace.type ?? 'scatter';
  const mode = trace.mode ?? 'lines';
  const colours = Array.isArray(trace.marker?.color)
    ? (trace.marker.color as unknown[]).map(String)
    : undefined;
  const dash = trace.line?.dash;
  const base = {
    name: trace.name ?? `series ${index + 1}`,
    colour: own ?? PALETTE[index % PALETTE.length],
    colours: colours?.every((c) => c.startsWith('#')) ? colours : undefined,
    dash: (typeof dash === 'string' ? DASH_PATTERNS[dash] : undefined) ?? '',
    width: typeof trace.line?.width === 'number' ? Math.min(3, trace.line.width) : 1.8,
    dots: mode.includes('markers'),
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
  return [{ ...base, kind: type === 'bar' ? 'bar' : mode.includes('lines') ? 'line' : 'markers', x, y }];
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

/** A line, broken where a value is missing, with its dots; or dots alone. */
export function lineMarks(s: Series, at: (x: number) => number, up: (y: number) => number): string {
  const dot = (k: number): string =>
    `<circle cx="${px(at(s.x[k]))}" cy="${px(up(s.y[k]))}" r="2.6" ${svgColour('fill', s.colour)}/>`;
  const runs = connected(s);
  const dots = s.dots || s.kind === 'markers' ? runs.flat().map(dot).join('') : '';
  if (s.kind === 'markers') return dots;
  const look = `stroke-width="${s.width}"${s.dash && ` stroke-dasharray="${s.dash}"`}`;
  const lines = runs.map((run) =>
    svgPath(
      run.map((k): [number, number] => [at(s.x[k]), up(s.y[k])]),
      s.colour,
      look,
    ),
  );
  return lines.join('') + dots;
}

/** Indices of points that a line connects: null and NaN interrupt it. */
function connected(s: Series): number[][] {
  const found: number[][] = [[]];
  s.x.forEach((x, k) => {
    if (Number.isFinite(x) && Number.isFinite(s.y[k])) found[found.length - 1].push(k);
    else if (found[found.length - 1].length > 0) found.push([]);
  });
  return found.filter((run) => run.length > 0);
}

/** Standing bars: `place` is this series' among those that share a category, `group` their width together. */
export function barMarks(
  s: Series,
  place: { index: number; count: number },
  group: number,
  at: (x: number) => number,
  up: (y: number) => number,
): string {
  const width = Math.max(1, group / place.count);
  return s.x
    .map((x, k) => {
      if (!Number.isFinite(s.y[k])) return '';
      const left = at(x) - group / 2 + place.index * width;
      const top = Math.min(up(s.y[k]), up(0));
      const fill = svgColour('fill', s.colours?.[k] ?? s.colour);
      return (
        `<rect x="${left.toFixed(1)}" y="${top.toFixed(1)}" width="${width.toFixed(1)}" height="${Math.abs(up(s.y[k]) - up(0)).toFixed(1)}" ${fill}/>` +
        svgText(left + width / 2, top - 4, s.texts?.[k] ?? '', 'middle')
      );
    })
    .join('');
}

/** Lying bars: categories from below upwards, as plotly has them. */
export function lyingBarMarks(
  s: Series,
  place: { index: number; count: number },
  group: number,
  along: (value: number) => number,
  row: (category: number) => number,
): string {
  const height = Math.max(1, group / place.count);
  return s.x
    .map((category, k) => {
      if (!Number.isFinite(s.y[k])) return '';
      const top = row(category) + group / 2 - (place.index + 1) * height;
      const [left, right] = [along(0), along(s.y[k])].sort((a, b) => a - b);
      const fill = svgColour('fill', s.colours?.[k] ?? s.colour);
      return (
        `<rect x="${px(left)}" y="${px(top)}" width="${px(right - left)}" height="${px(Math.max(1, height - 1))}" ${fill}/>` +
        svgText(right + 4, top + height / 2 + 4, s.texts?.[k] ?? '')
      );
    })
    .join('');
}

/** Cells from pale (lowest) to dark (highest), or undefined without numbers. */
export function heatmapMarks(trace: Trace, area: Area): string | undefined {
  const rows = Array.from(trace.z ?? [], (row) => Array.from(row, Number));
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const all = rows.flat().filter(Number.isFinite);
  if (columns === 0 || all.length === 0) return undefined;
  const low = all.reduce((a, b) => Math.min(a, b));
  const high = all.reduce((a, b) => Math.max(a, b));
  const w = (area.right - area.left) / columns;
  const h = (area.bottom - area.top) / rows.length;
  const cells = rows.flatMap((row, j) =>
    row.map((value, i) => {
      if (!Number.isFinite(value)) return '';
      const light = Math.round(96 - (70 * (value - low)) / (high - low || 1));
      const y = area.bottom - (j + 1) * h; // plotly's first row is at the bottom
      return `<rect x="${px(area.left + i * w)}" y="${px(y)}" width="${px(w + 0.3)}" height="${px(h + 0.3)}" fill="hsl(205 80% ${light}%)"/>`;
    }),
  );
  const names = (values: Values | undefined, count: number, most: number): [number, string][] => {
    const every = Math.ceil(count / most);
    return Array.from({ length: count }, (_, i): [number, string] => [i, String(values?.[i] ?? i)]).filter(
      ([i]) => i % every === 0,
    );
  };
  const below = names(trace.x, columns, 10).map(([i, name]) =>
    svgText(area.left + (i + 0.5) * w, area.bottom + 15, name.slice(0, 14), 'middle'),
  );
  const beside = names(trace.y, rows.length, 16).map(([j, name]) =>
    svgText(area.left - 6, area.bottom - (j + 0.5) * h + 4, name.slice(0, 18), 'end'),
  );
  const key = svgText(area.right, area.top - 5, `pale ${short(low)}, dark ${short(high)}`, 'end');
  return [...cells, ...below, ...beside, key].join('');
}

function short(value: number): string {
  return String(Number(value.toPrecision(3)));
}
