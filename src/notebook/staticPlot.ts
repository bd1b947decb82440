/** One panel of a static figure: axes with their names, marks, straight lines and notes. */
import { px, svgColour, svgRule, svgText } from '../viz';
import { makeScale, type Axis, type Scale } from './staticAxis';
import { barMarks, lineMarks, type Area } from './staticMarks';
import { stackBars, type Series } from './staticSeries';

/** A straight line, as plotly's layouts have it. */
export interface Shape {
  type?: string;
  xref?: string;
  yref?: string;
  x0?: number;
  x1?: number;
  y0?: number;
  y1?: number;
  line?: { color?: string };
}

/** A text at a place of the paper or of the axes. */
export interface Annotation {
  xref?: string;
  yref?: string;
  x?: number;
  y?: number;
  text?: unknown;
  xanchor?: string;
  yanchor?: string;
}

/** What a panel is made of. */
export interface Panel {
  series: readonly Series[];
  categories: readonly string[];
  area: Area;
  /** `group`, `overlay` or `stack`. */
  barmode: string;
  /** Part of a bar's room that stays empty. */
  bargap: number;
  vertical: Axis;
  horizontal: Axis;
  shapes: readonly Shape[];
  annotations: readonly Annotation[];
  /** Plain text of a title or annotation. */
  textOf(title: unknown): string;
}

/** Undefined where there is nothing that has a place. */
export function plot(panel: Panel): string | undefined {
  const { series, categories, area, barmode, bargap, vertical, horizontal } = panel;
  const bars = series.filter((s) => s.kind === 'bar');
  const stacked = barmode === 'stack' || barmode === 'relative';
  if (stacked) stackBars(series);
  const across = makeScale(horizontal, {
    values: series.flatMap((s) => s.x),
    from: area.left,
    to: area.right,
    slots: bars.length > 0,
    categories,
  });
  const along = makeScale(vertical, {
    values: series.flatMap(heights),
    from: area.bottom,
    to: area.top,
    bars: bars.length > 0,
  });
  if (!across || !along) return undefined;
  const beside = barmode === 'group' && !stacked;
  const group = across.gap * (1 - bargap);
  const marks = series.map((s) => {
    if (s.kind !== 'bar') return lineMarks(s, across, along);
    const place = beside ? { index: bars.indexOf(s), count: bars.length } : { index: 0, count: 1 };
    return barMarks(s, { ...place, group }, across, along);
  });
  const grid = along.ticks.map(
    ([y, text]) => svgRule(area.left, y, area.right, y, 'grid') + svgText(area.left - 6, y + 4, text, 'end'),
  );
  const room = Math.max(3, Math.floor((area.right - area.left) / Math.max(1, across.ticks.length) / 6));
  const names = across.ticks.map(([x, text]) => svgText(x, area.bottom + 15, text.slice(0, room), 'middle'));
  return [
    ...grid,
    ...names,
    svgRule(area.left, area.bottom, area.right, area.bottom, 'axis'),
    clipped(marks.join(''), area, across.cut || along.cut),
    extras(panel, area, across.at, along.at),
  ].join('');
}

/** All values of a series that must be in the picture. */
function heights({ y, base, errors }: Series): number[] {
  const tops = base ? [...base, ...y.map((value, k) => base[k] + value)] : y;
  return errors ? [...tops, ...errors.low, ...errors.high] : [...tops];
}

/** Categories as rows: the first below, unless the axis is turned around. */
export function lyingBars(panel: Panel): string | undefined {
  const { categories, area, bargap, vertical, horizontal } = panel;
  const bars = panel.series.filter((s) => s.kind === 'bar');
  const longest = Math.max(0, ...categories.map((c) => c.length));
  const left = Math.max(area.left, Math.min(250, 24 + longest * 6.2));
  const texts = bars.some((s) => s.texts) ? 44 : 0;
  const along = makeScale(horizontal, {
    values: bars.flatMap((s) => s.y),
    from: left,
    to: area.right - texts,
    bars: true,
  });
  if (!along) return undefined;
  const fromTop = vertical.autorange === 'reversed';
  const rowHeight = (area.bottom - area.top) / Math.max(1, categories.length);
  const row = (category: number): number =>
    fromTop ? area.top + (category + 0.5) * rowHeight : area.bottom - (category + 0.5) * rowHeight;
  const rows: Scale = { at: row, base: area.bottom, gap: rowHeight, ticks: [], cut: false };
  const count = bars.length;
  const marks = bars.map((s, i) => {
    const index = fromTop ? i : count - 1 - i;
    return barMarks(s, { index, count, group: rowHeight * (1 - bargap), lying: true }, rows, along);
  });
  return [
    ...along.ticks.map(
      ([x, text]) =>
        svgRule(x, area.top, x, area.bottom, 'grid') + svgText(x, area.bottom + 15, text, 'middle'),
    ),
    ...categories.map((name, i) => svgText(left - 6, row(i) + 4, name.slice(0, 38), 'end')),
    clipped(marks.join(''), { ...area, left }, along.cut),
    svgRule(along.base, area.top, along.base, area.bottom, 'axis'),
    extras(panel, { ...area, left }, along.at, row),
  ].join('');
}

/** Marks cut at the edges of their panel: an SVG inside hides what is outside it, and needs no names for that. */
function clipped(marks: string, { left, top, right, bottom }: Area, cut: boolean): string {
  if (!cut) return marks;
  const box = [left, top - 3, right - left, bottom - top + 3].map(px);
  return `<svg x="${box[0]}" y="${box[1]}" width="${box[2]}" height="${box[3]}" viewBox="${box.join(' ')}" overflow="hidden">${marks}</svg>`;
}

type Place = (value: number) => number;

/** Lines and texts of the layout; `paper` references run over the whole panel. */
function extras({ shapes, annotations, textOf }: Panel, area: Area, at: Place, up: Place): string {
  const across = (x: number, ref?: string): number =>
    ref === 'paper' ? area.left + x * (area.right - area.left) : at(x);
  const high = (y: number, ref?: string): number =>
    ref === 'paper' ? area.bottom - y * (area.bottom - area.top) : up(y);
  const lines = shapes.map(({ type, xref, yref, x0 = 0, x1 = 0, y0 = 0, y1 = 0, line }) => {
    if (type !== 'line') return '';
    const ends = [across(x0, xref), high(y0, yref), across(x1, xref), high(y1, yref)];
    if (!ends.every(Number.isFinite)) return '';
    const [a, b, c, d] = ends.map(px);
    return `<line x1="${a}" y1="${b}" x2="${c}" y2="${d}" ${svgColour('stroke', line?.color ?? '#000')} stroke-width="1.5" stroke-dasharray="5 3"/>`;
  });
  const texts = annotations.map(({ x = 0, y = 0, xref, yref, text, xanchor, yanchor }) => {
    const [left, foot] = [across(x, xref), high(y, yref)];
    if (!Number.isFinite(left) || !Number.isFinite(foot)) return '';
    const words = textOf(text);
    // What would reach over the right edge ends there, above its line.
    const beyond = xanchor === 'left' && left + 6 * words.length > area.right + 12;
    const anchor = beyond || xanchor === 'right' ? 'end' : xanchor === 'left' ? 'start' : 'middle';
    const down = beyond || yanchor === 'bottom' ? -4 : yanchor === 'top' ? 12 : 4;
    return svgText(beyond ? area.right : left, foot + down, words, anchor);
  });
  return lines.join('') + texts.join('');
}
