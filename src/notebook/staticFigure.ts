/**
 * A plain SVG of a plotly figure, for everywhere that plotly itself does not run: saved notebooks on the web, e-mail,
 * files. Simplified: scatter, bar, histogram and heatmap traces, subplots stacked; no hover. Axes may be logarithmic,
 * have a range, or run the other way; markers have their shapes; bars stand beside, over or on each other; null breaks a
 * line. Straight lines and texts of the layout are drawn.
 */
import { svgColour, svgPage, svgText } from '../viz';
import type { Axis } from './staticAxis';
import { heatmapMarks } from './staticMarks';
import { lyingBars, plot, type Annotation, type Shape } from './staticPlot';
import { toSeries, type Series, type Trace } from './staticSeries';
import { markerMark } from './staticSymbols';

/** A figure as plotly takes it: `Plotly.newPlot(element, data, layout)`. */
export interface FigureSpec {
  data: readonly object[];
  layout?: object;
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
  const barmode = typeof layout.barmode === 'string' ? layout.barmode : 'group';
  const axes = [...new Set(traces.map((trace) => trace.yaxis ?? 'y'))];
  const wanted = typeof layout.height === 'number' ? layout.height : HEIGHT;
  const axisOf = (name: string): Axis => (layout[name.replace(/^[xy]/, '$&axis')] ?? {}) as Axis;
  const acrossOf = (axis: string): Axis =>
    axisOf(traces.find(({ yaxis = 'y' }) => yaxis === axis)?.xaxis ?? 'x');
  const beside =
    axes.length > 1 && axes.every((axis) => !axisOf(axis).domain && acrossOf(axis).domain !== undefined);
  const rows = beside ? 1 : axes.length;
  // Tall figures have many lanes; ordinary ones need no more room than the text beside them.
  const height = rows > 1 ? 60 + 210 * rows : wanted > 450 ? wanted : HEIGHT;
  const panelHeight = (height - HEAD - 40) / Math.max(1, rows);
  const series: Series[] = [];
  const turned = traces.some((trace) => trace.orientation === 'h');
  const notes = arrayOf<Annotation>(layout.annotations);
  const bodies = axes.map((axis, i) => {
    const own = traces.filter((trace) => (trace.yaxis ?? 'y') === axis);
    const top = HEAD + (beside ? 0 : i * panelHeight);
    const vertical = axisOf(axis);
    const horizontal = acrossOf(axis);
    const last = beside || i === axes.length - 1;
    // A horizontal axis that panels share is named below the last of them.
    const below = last || !sharesAxis(own[0], axes.slice(i + 1), traces) ? titleOf(horizontal.title) : '';
    const noted = i === 0 && notes.some((note) => !onPaper(note) && note.yref === 'paper' && note.y === 1);
    const heat = own.find((trace) => trace.type === 'heatmap' && trace.z);
    const left = vertical.ticktext || heat?.y ? 124 : 64;
    const place = (share: number): number => left + share * (WIDTH - 16 - left);
    const [from, to] = (beside && horizontal.domain) || [0, 1];
    const area = {
      left: place(from),
      // A text above the panel stands below the title.
      top: noted ? top + 12 : top,
      right: place(to),
      bottom: top + panelHeight - (below && !last ? 40 : 24),
    };
    const middle = (area.top + area.bottom) / 2;
    const edge = area.left - left + 14;
    const names = [
      svgText((area.left + area.right) / 2, last ? height - 24 : area.bottom + 30, below, 'middle'),
      svgText(
        edge,
        middle,
        turned ? '' : titleOf(vertical.title),
        'middle',
        `transform="rotate(-90 ${edge} ${middle})"`,
      ),
    ].join('');
    const fromTop = vertical.autorange === 'reversed';
    if (heat) {
      const named = vertical.showticklabels === false ? { ...heat, y: [] } : heat;
      // The key stands above the cells.
      const cells = heatmapMarks(named, { ...area, top: area.top + 16 }, fromTop);
      return cells === undefined ? undefined : cells + names;
    }
    const categories: string[] = [];
    const drawn = own.flatMap((trace, k) =>
      toSeries(trace, series.length + k, categories, barmode === 'overlay'),
    );
    series.push(...drawn);
    const body = (turned ? lyingBars : plot)({
      series: drawn,
      categories,
      area,
      barmode,
      bargap: typeof layout.bargap === 'number' ? layout.bargap : 0.15,
      vertical,
      horizontal,
      shapes: i === 0 ? arrayOf<Shape>(layout.shapes) : [],
      annotations: i === 0 ? notes.filter((note) => !onPaper(note)) : [],
      textOf: titleOf,
    });
    return body === undefined ? undefined : body + names;
  });
  if (bodies.every((body) => body === undefined)) return undefined;
  const title = titleOf(layout.title);
  const names = legend(series, height);
  return svgPage(
    { width: WIDTH, height: height + names.height, label: title || 'figure', standalone },
    [
      svgText(WIDTH / 2, 18, title, 'middle', 'font-size="14"'),
      ...bodies,
      ...notes.filter(onPaper).map((note) => paperNote(note, height, beside ? 124 : 64)),
      names.marks,
    ].join(''),
  );
}

function arrayOf<T>(value: unknown): T[] {
  return Array.isArray(value) ? (value as T[]) : [];
}

/** Whether a panel further below has the horizontal axis of this trace. */
function sharesAxis(trace: Trace, below: readonly string[], traces: readonly Trace[]): boolean {
  return traces.some(
    ({ xaxis = 'x', yaxis = 'y' }) => below.includes(yaxis) && xaxis === (trace.xaxis ?? 'x'),
  );
}

/** Texts that stand somewhere on the paper, such as the names of panels. */
function onPaper({ xref, yref }: Annotation): boolean {
  return xref === 'paper' && yref === 'paper';
}

function paperNote({ x = 0, y = 0, text, xanchor }: Annotation, height: number, left: number): string {
  const anchor = xanchor === 'right' ? 'end' : xanchor === 'left' ? 'start' : 'middle';
  const down = HEAD + (1 - y) * (height - HEAD - 40);
  return svgText(left + x * (WIDTH - 16 - left), down, titleOf(text), anchor);
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

/** Names below the figure, in as many rows as they need; each with a piece of its line. */
function legend(series: Series[], top: number): { marks: string; height: number } {
  const shown = series.filter((s) => s.legend);
  if (shown.length < 2) return { marks: '', height: 0 };
  let [x, row] = [64, 0];
  const marks = shown.slice(0, 16).map((s) => {
    const name = s.name.slice(0, 48);
    const width = 34 + name.length * 6.3;
    if (x + width > WIDTH - 8 && x > 64) [x, row] = [64, row + 1];
    const y = top - 12 + row * 17;
    const sample = legendSample(s, x, y);
    const text = svgText(x + 25, y + 4, name);
    x += width;
    return sample + text;
  });
  return { marks: marks.join(''), height: row * 17 + (row > 0 ? 4 : 0) };
}

/** A piece of its line, its marker, or a box of a bar's colour. */
function legendSample(s: Series, x: number, y: number): string {
  if (s.kind === 'bar') return `<path d="M${x + 5} ${y - 5}h10v10h-10z" ${svgColour('fill', s.colour)}/>`;
  const marker =
    s.dots || s.kind === 'markers'
      ? markerMark(s.symbol(0), x + 10, y, Math.min(10, s.size(0)), s.colour)
      : '';
  if (s.kind === 'markers') return marker;
  return `<line x1="${x}" x2="${x + 20}" y1="${y}" y2="${y}" ${svgColour('stroke', s.colour)} stroke-width="2"${s.dash && ` stroke-dasharray="${s.dash}"`}/>${marker}`;
}

/** Plotly titles are a string or `{text}`, with a little HTML that plain SVG does not have. */
export function titleOf(title: unknown): string {
  const value = typeof title === 'object' && title ? (title as { text?: unknown }).text : title;
  return typeof value === 'string' ? value.replace(/<br\s*\/?>/g, ' ').replace(/<[^>]+>/g, '') : '';
}
