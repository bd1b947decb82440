import { PLOTLY_DASHES } from './svgTheme';
import { COLORS, layout, SERIES_COLORS, type FigureSpec } from './theme';

/** An evaluation of a task's training, as `trainTask` of `netssm/lecture` makes it. */
export interface AccuracyPoint {
  update: number;
  accuracy: number;
}

/** Accuracy over updates, one curve a model, with the share that guessing gets. */
export function accuracyCurves(
  runs: Readonly<Record<string, readonly AccuracyPoint[]>>,
  options: { title: string; chance?: number; steps?: number },
): FigureSpec {
  const { title, chance, steps } = options;
  const curves = Object.entries(runs);
  const last = steps ?? Math.max(1, ...curves.flatMap(([, points]) => points.map(({ update }) => update)));
  const data: FigureSpec['data'] = curves.map(([name, points], i) => ({
    type: 'scatter',
    mode: 'lines+markers',
    name,
    x: [0, ...points.map(({ update }) => update)],
    y: [chance === undefined ? null : 100 * chance, ...points.map(({ accuracy }) => 100 * accuracy)],
    line: {
      color: SERIES_COLORS[i % SERIES_COLORS.length],
      width: 2,
      dash: PLOTLY_DASHES[i % PLOTLY_DASHES.length],
    },
    marker: { size: 6 },
    hovertemplate: `${name}: %{y:.1f} % after %{x} updates<extra></extra>`,
  }));
  if (chance !== undefined)
    data.push({
      type: 'scatter',
      mode: 'lines',
      name: `guessing (${(100 * chance).toFixed(1)} %)`,
      x: [0, last],
      y: [100 * chance, 100 * chance],
      line: { color: COLORS.grey, width: 1, dash: 'dot' },
    });
  return {
    data,
    layout: layout(title, {
      xaxis: { title: { text: 'update' }, range: [0, last] },
      yaxis: { title: { text: 'right answers, %' }, range: [0, 102] },
    }),
  };
}

/** A row of a {@link tokenMap}: something that has a value at every token. */
export interface TokenMapRow {
  name: string;
  values: ArrayLike<number>;
}

/**
 * Values at every token as a heat map, one row a channel, tokens from left to right. Tokens that are `marked` (data among
 * noise, say) have a dark cell in a row of their own on top.
 */
export function tokenMap(
  rows: readonly TokenMapRow[],
  options: {
    title: string;
    /** Of the values, with their unit. */
    unit: string;
    /** Number of the first token. Default 0. */
    first?: number;
    marked?: ArrayLike<boolean>;
    /** Name of the top row. Default `data token`. */
    markName?: string;
  },
): FigureSpec {
  const { title, unit, first = 0, marked, markName = 'data token' } = options;
  const all = rows.flatMap(({ values }) => Array.from(values));
  const high = all.reduce((a, b) => Math.max(a, b), -Infinity);
  const low = all.reduce((a, b) => Math.min(a, b), Infinity);
  const drawn = rows.map(({ name, values }) => ({ name, values: Array.from(values) }));
  if (marked) drawn.unshift({ name: markName, values: Array.from(marked, (mark) => (mark ? high : low)) });
  drawn.reverse(); // the first row of a heat map lies at the bottom
  return {
    data: [
      {
        type: 'heatmap',
        z: drawn.map(({ values }) => values),
        x: Array.from({ length: drawn[0]?.values.length ?? 0 }, (_, i) => first + i),
        y: drawn.map(({ name }) => name),
        colorscale: [
          [0, '#ffffff'],
          [0.5, COLORS.sky],
          [1, '#002b45'],
        ],
        colorbar: { title: { text: unit, side: 'right' }, thickness: 14 },
        hovertemplate: `%{y}, token %{x}: %{z:.3g}<extra></extra>`,
      },
    ],
    layout: layout(title, {
      height: 170 + 16 * drawn.length,
      xaxis: { title: { text: 'token' }, showgrid: false },
      yaxis: { showgrid: false },
    }),
  };
}

/**
 * One value at every token as a line (a step size, the norm of the state), for one model or several, with dots where a
 * token is `marked`.
 */
export function tokenLines(
  series: Readonly<Record<string, ArrayLike<number>>>,
  options: {
    title: string;
    yAxis: string;
    first?: number;
    marked?: ArrayLike<boolean>;
    markName?: string;
    logY?: boolean;
  },
): FigureSpec {
  const { title, yAxis, first = 0, marked, markName = 'data token', logY } = options;
  const names = Object.keys(series);
  const lines: FigureSpec['data'] = names.map((name, i) => ({
    type: 'scatter',
    mode: 'lines',
    name,
    x: Array.from(series[name], (_, t) => first + t),
    y: Array.from(series[name]),
    line: { color: SERIES_COLORS[i], width: 2, dash: PLOTLY_DASHES[i] },
    hovertemplate: `${name}, token %{x}: %{y:.3g}<extra></extra>`,
  }));
  const dots: FigureSpec['data'] = marked
    ? names.map((name, i) => {
        const at = Array.from(marked, (mark, t) => (mark ? t : -1)).filter((t) => t >= 0);
        return {
          type: 'scatter',
          mode: 'markers',
          name: `${markName} (${name})`,
          x: at.map((t) => first + t),
          y: at.map((t) => series[name][t]),
          marker: { color: SERIES_COLORS[i], size: 8, symbol: i === 0 ? 'circle' : 'diamond' },
          hovertemplate: `${markName} %{x}: %{y:.3g}<extra></extra>`,
        };
      })
    : [];
  return {
    data: [...lines, ...dots],
    layout: layout(title, {
      height: 340,
      xaxis: { title: { text: 'token' } },
      yaxis: { title: { text: yAxis }, ...(logY ? { type: 'log' } : { rangemode: 'tozero' }) },
    }),
  };
}

/**
 * The matrix of a state space: outputs from top to bottom, inputs from left to right; white where an output does not see
 * an input. Values as their size: the largest is dark.
 */
export function operatorMatrix(
  rows: readonly ArrayLike<number>[],
  options: {
    title: string;
    /** Of the axes; default `output, token` and `input, token`. */
    rowAxis?: string;
    columnAxis?: string;
    firstRow?: number;
    firstColumn?: number;
    height?: number;
  },
): FigureSpec {
  const { title, rowAxis = 'output, token', columnAxis = 'input, token' } = options;
  const { firstRow = 0, firstColumn = 0, height = 430 } = options;
  const z = rows.map((row) => Array.from(row, Math.abs)).reverse();
  return {
    data: [
      {
        type: 'heatmap',
        z,
        x: Array.from({ length: rows[0]?.length ?? 0 }, (_, j) => firstColumn + j),
        y: rows.map((_, i) => firstRow + i).reverse(),
        colorscale: [
          [0, '#ffffff'],
          [0.3, COLORS.sky],
          [1, '#002b45'],
        ],
        colorbar: { title: { text: '|M|, no unit', side: 'right' }, thickness: 14 },
        hovertemplate: 'output %{y} reads input %{x}: %{z:.3g}<extra></extra>',
      },
    ],
    layout: layout(title, {
      height,
      xaxis: { title: { text: columnAxis }, showgrid: false },
      yaxis: { title: { text: rowAxis }, showgrid: false },
    }),
  };
}
