/** Lines, points, bars and heat maps of a static figure. */
import { px, svgColour, svgPath, svgText } from '../viz';
import type { Scale } from './staticAxis';
import type { Series, Trace, Values } from './staticSeries';
import { markerMark } from './staticSymbols';

/** A rectangle of the picture. */
export interface Area {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

type Point = readonly [x: number, y: number, k: number];

/** A line, broken where a value is missing, with its markers; or markers alone. */
export function lineMarks(s: Series, across: Scale, along: Scale): string {
  const runs = connected(s.x.map((x, k) => [across.at(x), along.at(s.y[k]), k]));
  const marker = ([x, y, k]: Point): string =>
    markerMark(s.symbol(k), x, y, s.size(k), s.colours?.[k] ?? s.colour);
  const markers = s.dots || s.kind === 'markers' ? runs.flat().map(marker).join('') : '';
  const errors = errorMarks(s, (k) => across.at(s.x[k]), along);
  if (s.kind === 'markers') return errors + markers;
  const look = `stroke-width="${s.width}"${s.dash && ` stroke-dasharray="${s.dash}"`}`;
  const lines = runs.map((run) => svgPath(corners(run, s.shape), s.colour, look));
  return lines.join('') + errors + markers;
}

/** Points that a line connects: null, NaN and what has no place on an axis interrupt it. */
function connected(points: readonly Point[]): Point[][] {
  const found: Point[][] = [[]];
  for (const point of points) {
    if (Number.isFinite(point[0]) && Number.isFinite(point[1])) found[found.length - 1].push(point);
    else if (found[found.length - 1].length > 0) found.push([]);
  }
  return found.filter((run) => run.length > 0);
}

/** The points of a line, with the corners of its steps. */
function corners(run: readonly Point[], shape: string): [number, number][] {
  return run.flatMap(([x, y], i): [number, number][] => {
    const before = run[i - 1];
    if (!before) return [[x, y]];
    const [x0, y0] = before;
    const middle = (x0 + x) / 2;
    if (shape === 'hv') return [[x, y0], [x, y]]; // prettier-ignore
    if (shape === 'vh') return [[x0, y], [x, y]]; // prettier-ignore
    if (shape === 'hvh') return [[middle, y0], [middle, y], [x, y]]; // prettier-ignore
    return [[x, y]];
  });
}

/** Upright lines from the lowest to the highest that a value may be. */
function errorMarks({ errors, x }: Series, at: (k: number) => number, along: Scale): string {
  if (!errors) return '';
  return x
    .map((_, k) => {
      const [middle, low, high] = [at(k), along.at(errors.low[k]), along.at(errors.high[k])];
      if (![middle, low, high].every(Number.isFinite) || low === high) return '';
      const bars = [low, high].map((y) => `M${px(middle - 3)} ${px(y)}h6`).join('');
      return `<path d="M${px(middle)} ${px(low)}V${px(high)}${bars}" fill="none" ${svgColour('stroke', '#000')} stroke-width="1.2"/>`;
    })
    .join('');
}

/** How bars stand: this series' place among those that share a category, and the pixels of them all together. */
export interface BarPlace {
  index: number;
  count: number;
  group: number;
  /** Bars lie: `across` counts from above to below. */
  lying?: boolean;
}

/** Bars that grow along an axis, one at each place across it. */
export function barMarks(
  s: Series,
  { index, count, group, lying }: BarPlace,
  across: Scale,
  along: Scale,
): string {
  const thick = Math.max(1, group / count);
  const start = (k: number): number => across.at(s.x[k]) - group / 2 + index * thick;
  // Numbers that are wider than their bars would run into each other: they stand.
  const standing = !lying && (s.texts ?? []).some((text) => 6 * text.length > thick + 8);
  const bars = s.x.map((_, k) => {
    const below = s.base?.[k];
    const tip = along.at((below ?? 0) + s.y[k]);
    const foot = below === undefined || below === 0 ? along.base : along.at(below);
    if (!Number.isFinite(tip) || !Number.isFinite(start(k))) return '';
    const [low, high] = [Math.min(foot, tip), Math.max(foot, tip)];
    const [x, y, width, height] = lying
      ? [low, start(k), high - low, Math.max(1, thick - 1)]
      : [start(k), low, thick, high - low];
    const fill = svgColour('fill', s.colours?.[k] ?? s.colour);
    const text = s.texts?.[k] ?? '';
    const label = standing
      ? upright(x + thick / 2 + 4, low - 4, text)
      : lying
        ? svgText(high + 4, y + thick / 2 + 4, text)
        : svgText(x + thick / 2, low - 4, text, 'middle');
    return `<rect x="${px(x)}" y="${px(y)}" width="${px(width)}" height="${px(height)}" ${fill}/>${label}`;
  });
  return bars.join('') + (lying ? '' : errorMarks(s, (k) => start(k) + thick / 2, along));
}

/** Text that reads upwards from a place. */
function upright(x: number, y: number, text: string): string {
  return svgText(x, y, text, 'start', `transform="rotate(-90 ${px(x)} ${px(y)})"`);
}

/** Cells from pale (lowest) to dark (highest), or undefined without numbers. Plotly's first row is the lowest. */
export function heatmapMarks(trace: Trace, area: Area, fromTop = false): string | undefined {
  const rows = Array.from(trace.z ?? [], (row) => Array.from(row, Number));
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const all = rows.flat().filter(Number.isFinite);
  if (columns === 0 || all.length === 0) return undefined;
  const low = all.reduce((a, b) => Math.min(a, b));
  const high = all.reduce((a, b) => Math.max(a, b));
  const w = (area.right - area.left) / columns;
  const h = (area.bottom - area.top) / rows.length;
  const top = (j: number): number => (fromTop ? area.top + j * h : area.bottom - (j + 1) * h);
  const cells = rows.flatMap((row, j) =>
    row.map((value, i) => {
      if (!Number.isFinite(value)) return '';
      const light = Math.round(96 - (70 * (value - low)) / (high - low || 1));
      return `<rect x="${px(area.left + i * w)}" y="${px(top(j))}" width="${px(w + 0.3)}" height="${px(h + 0.3)}" fill="hsl(205 80% ${light}%)"/>`;
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
  const beside = (trace.y?.length === 0 ? [] : names(trace.y, rows.length, 16)).map(([j, name]) =>
    svgText(area.left - 6, top(j) + h / 2 + 4, name.slice(0, 18), 'end'),
  );
  const key = svgText(area.right, area.top - 5, `pale ${short(low)}, dark ${short(high)}`, 'end');
  return [...cells, ...below, ...beside, key].join('');
}

function short(value: number): string {
  return String(Number(value.toPrecision(3)));
}
