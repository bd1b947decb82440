/** What sequences cost: time and memory over length, generation over position, loss over compute. */
import type { ComputeCurve, CostColumn, CostRow, Crossing, ExponentFit, GenerationRow } from '../lecture';
import { PLOTLY_DASHES } from './svgTheme';
import { layout, SERIES_COLORS, type FigureSpec } from './theme';

/** One line of {@link costCurves}. */
export interface CostSeries {
  name: string;
  rows: readonly CostRow[];
  /** Drawn as a thin line through all lengths, and named with its exponent. */
  fit?: ExponentFit;
}

const SYMBOLS = ['circle', 'square', 'diamond', 'triangle-up', 'cross', 'x'];

/** Seconds (by default those of the fastest repetition) or megabytes over the length, both axes logarithmic: a power law is a line, its slope the exponent. */
export function costCurves(
  series: readonly CostSeries[],
  options: { what?: CostColumn; title?: string; crossing?: Crossing } = {},
): FigureSpec {
  const { what = 'fastest', title = 'A sequence, by its length', crossing } = options;
  const unit = what === 'bytes' ? 1e-6 : 1;
  const data: FigureSpec['data'] = series.map(({ name, rows, fit }, i) => ({
    type: 'scatter',
    mode: 'lines+markers',
    name: legend(fit ? `${name}: L^${fit.exponent.toFixed(2)}` : name),
    x: rows.map((row) => row.length),
    y: rows.map((row) => row[what] * unit),
    line: line(i),
    marker: { size: 7, symbol: SYMBOLS[i % SYMBOLS.length] },
    hovertemplate: `${name}, %{x} tokens: %{y:.4g} ${what === 'bytes' ? 'MB' : 's'}<extra></extra>`,
  }));
  return {
    data,
    layout: layout(title, {
      height: 420,
      xaxis: { title: { text: 'tokens in the sequence' }, type: 'log' },
      yaxis: { title: { text: what === 'bytes' ? 'MB at a time' : 'seconds' }, type: 'log' },
      ...(crossing && markAt(crossing)),
    }),
  };
}

function markAt({ length, where }: Crossing): Record<string, unknown> {
  if (where === 'below') return {};
  const x = Math.log10(length);
  return {
    shapes: [
      {
        type: 'line',
        xref: 'x',
        yref: 'paper',
        x0: length,
        x1: length,
        y0: 0,
        y1: 1,
        line: { color: '#777777', width: 1.5, dash: 'dot' },
      },
    ],
    annotations: [
      {
        x,
        y: 0.02,
        yref: 'paper',
        yanchor: 'bottom',
        xanchor: 'right',
        text: `crossing${where === 'beyond' ? ', by the fits' : ''}: ${Math.round(length).toLocaleString('en')} tokens `,
        showarrow: false,
      },
    ],
  };
}

/** Cost of the next token over the number of those before: milliseconds, or kilobytes remembered. */
export function generationCurves(
  series: readonly { name: string; rows: readonly GenerationRow[] }[],
  what: 'time' | 'memory' = 'time',
): FigureSpec {
  return {
    data: series.map(({ name, rows }, i) => ({
      type: 'scatter',
      mode: 'lines+markers',
      name: legend(name),
      x: rows.map((row) => row.position),
      y: rows.map((row) => (what === 'time' ? 1000 * row.secondsPerToken : row.stateBytes / 1000)),
      line: line(i),
      marker: { size: 7, symbol: SYMBOLS[i % SYMBOLS.length] },
    })),
    layout: layout(what === 'time' ? 'The next token, by those before it' : 'What is remembered of them', {
      xaxis: { title: { text: 'tokens before' }, type: 'log' },
      yaxis: { title: { text: what === 'time' ? 'milliseconds a token' : 'kB' }, type: 'log' },
    }),
  };
}

/** Held-out loss over operations spent on training: the same sum for each net. */
export function lossOverCompute(
  curves: readonly ComputeCurve[],
  over: 'operations' | 'seconds' = 'operations',
): FigureSpec {
  return {
    data: curves.map(({ name, points }, i) => ({
      type: 'scatter',
      mode: 'lines+markers',
      name: legend(name),
      x: points.slice(1).map((point) => (over === 'operations' ? point.operations / 1e9 : point.seconds)),
      y: points.slice(1).map((point) => point.lossNats),
      line: line(i),
      marker: { size: 6, symbol: SYMBOLS[i % SYMBOLS.length] },
    })),
    layout: layout('Held-out loss at equal compute', {
      xaxis: {
        title: { text: over === 'operations' ? 'billion operations of training' : 'seconds of training' },
        rangemode: 'tozero',
      },
      yaxis: { title: { text: 'nats a token' } },
    }),
  };
}

const line = (i: number) => ({
  color: SERIES_COLORS[i % SERIES_COLORS.length],
  width: 2,
  dash: PLOTLY_DASHES[i % PLOTLY_DASHES.length],
});

/** With room before the next entry where a legend is drawn without plotly. */
const legend = (name: string): string => `${name}\u00a0\u00a0`;
