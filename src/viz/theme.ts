/** A figure as plotly takes it: `Plotly.newPlot(element, data, layout)`. Plain JSON, so it can be stored as it is. */
export interface FigureSpec {
  data: Record<string, unknown>[];
  layout: Record<string, unknown>;
}

/** The colours of Okabe and Ito (2008), which colour-blind readers tell apart, too. */
export const COLORS = {
  blue: '#0072b2',
  vermilion: '#d55e00',
  green: '#009e73',
  purple: '#cc79a7',
  orange: '#e69f00',
  sky: '#56b4e9',
  black: '#000000',
  yellow: '#f0e442',
  grey: '#8a8a8a',
  lightGrey: '#c8c8c8',
} as const;

/** Colours of flows and other things without a meaning of their own, in order. */
export const SERIES_COLORS: readonly string[] = [
  COLORS.blue,
  COLORS.vermilion,
  COLORS.green,
  COLORS.purple,
  COLORS.orange,
  COLORS.sky,
  COLORS.black,
];

/** Colours of figures on dark pages in place of those on light ones. */
export const DARK_COLORS: Readonly<Record<string, string>> = {
  '#ffffff': '#15181c',
  '#1a1a1a': '#e4e6e8',
  '#e6e6e6': '#30363d',
  '#777777': '#8b949e',
  '#999999': '#6b737c',
  '#4d4d4d': '#c3c8cd',
  '#000000': '#f0f2f4',
  '#c8c8c8': '#5a6169',
  '#0072b2': '#3f93d6',
  '#56b4e9': '#b5e3ff',
  '#332288': '#8c7fe0',
  '#882255': '#d0639a',
  '#117733': '#4fb56f',
};

const SOURCE_STYLES: Record<string, { title: string; color: string }> = {
  reference: { title: 'held-out real', color: '#4d4d4d' },
  synthetic: { title: 'generated', color: COLORS.blue },
  real: { title: 'other real (floor)', color: COLORS.green },
  'byte marginals': { title: 'byte marginals', color: COLORS.orange },
  'byte bigram': { title: 'byte bigram', color: COLORS.purple },
  'shuffled fields': { title: 'shuffled fields', color: COLORS.vermilion },
  'flipped bits': { title: 'flipped bits', color: '#8c564b' },
  training: { title: 'training captures, each beside the others', color: COLORS.grey },
  'uniform random': { title: 'uniform random', color: COLORS.black },
  sampling: { title: 'sampling alone', color: COLORS.sky },
  'other labels': { title: 'other labels', color: COLORS.grey },
  constant: { title: 'constant', color: COLORS.lightGrey },
};

/** For sources that are not known here (Tol's muted colours). */
const OTHER_COLORS = ['#332288', '#44aa99', '#882255', '#999933', '#117733', '#aa4499', '#ddcc77'];

/** Whether a source has a name and colour of its own here. */
export function isKnownSource(name: string): boolean {
  return Object.hasOwn(SOURCE_STYLES, name);
}

/** How a source of an evaluation is named and coloured, the same in every figure and table. */
export function sourceStyle(name: string): { title: string; color: string } {
  let sum = 0;
  for (const letter of name) sum = (sum * 31 + (letter.codePointAt(0) as number)) >>> 0;
  return SOURCE_STYLES[name] ?? { title: name, color: OTHER_COLORS[sum % OTHER_COLORS.length] };
}

const AXIS = {
  gridcolor: '#e6e6e6',
  linecolor: '#777777',
  zerolinecolor: '#999999',
  ticks: 'outside',
  tickcolor: '#777777',
  automargin: true,
};

/** A light layout with dark text; `more` is merged over it, axes one by one. */
export function layout(title: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  const merged: Record<string, unknown> = {
    title: {
      text: title,
      x: 0,
      xref: 'paper',
      xanchor: 'left',
      y: 1,
      yref: 'container',
      yanchor: 'top',
      pad: { t: 14 },
      font: { size: 16 },
    },
    font: { family: 'system-ui, "Segoe UI", Helvetica, Arial, sans-serif', size: 13, color: '#1a1a1a' },
    paper_bgcolor: '#ffffff',
    plot_bgcolor: '#ffffff',
    margin: { l: 64, r: 24, t: 76, b: 56 },
    height: 380,
    legend: { orientation: 'h', x: 0, y: 1.02, xanchor: 'left', yanchor: 'bottom' },
    hovermode: 'closest',
    ...more,
  };
  for (const key of new Set([
    'xaxis',
    'yaxis',
    ...Object.keys(more).filter((k) => /^[xy]axis\d*$/.test(k)),
  ])) {
    merged[key] = { ...AXIS, ...(more[key] as object | undefined) };
  }
  return merged;
}

/** Pixels of a legend's line, of a letter in it, and of the line beside a name. */
const LEGEND = { line: 20, letter: 6.6, sample: 44 };
/** Pixels that the title and the room around it take of the margin above. */
const TITLE_ROOM = 48;

/**
 * A figure whose margin above holds title and legend: plotly puts a legend of several lines over the title. Names take
 * columns as wide as the longest of them. Figures with room enough are given back as they are.
 *
 * @param width pixels between the left and the right margin.
 */
export function roomForLegend<T extends { data: readonly object[]; layout?: object }>(
  spec: T,
  width = 660,
): T {
  const { margin, height, legend, showlegend } = (spec.layout ?? {}) as {
    margin?: { t?: number };
    height?: number;
    legend?: { orientation?: string; y?: number };
    showlegend?: boolean;
  };
  if (margin?.t === undefined || height === undefined || showlegend === false) return spec;
  if (legend?.orientation !== 'h' || (legend.y ?? 0) < 1) return spec;
  const names = spec.data.flatMap((trace): string[] => {
    const { name, showlegend: shown, type } = trace as { name?: string; showlegend?: boolean; type?: string };
    return name === undefined || shown === false || type === 'heatmap' ? [] : [name];
  });
  const widths = names.map((name) => LEGEND.sample + LEGEND.letter * name.length);
  const inOneLine = widths.reduce((a, b) => a + b, 0) <= width;
  const columns = Math.max(1, Math.floor(width / Math.max(1, ...widths)));
  const lines = inOneLine ? 1 : Math.ceil(names.length / columns);
  const more = TITLE_ROOM + LEGEND.line * lines - margin.t;
  if (names.length < 2 || more <= 0) return spec;
  return {
    ...spec,
    layout: { ...spec.layout, height: height + more, margin: { ...margin, t: margin.t + more } },
  };
}
