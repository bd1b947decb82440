/** Several training runs in one picture. */
import { PLOTLY_DASHES } from './svgTheme';
import { COLORS, layout, SERIES_COLORS, type FigureSpec } from './theme';
import { runningMean } from './lossFigures';

/** A run to be drawn: its name, and a history as `fit` or `readRun` gives it. */
export interface NamedRun {
  name: string;
  history: {
    steps: readonly { step: number; lossNats: number; tokens: number; ms: number }[];
    evals?: readonly { step: number; lossNats: number }[];
  };
}

/** What runs are drawn against: equal numbers of updates, of tokens, or of seconds of training. */
export type RunAxis = 'step' | 'tokens' | 'seconds';

const AXIS_TITLES: Readonly<Record<RunAxis, string>> = {
  step: 'updates',
  tokens: 'tokens seen',
  seconds: 'seconds of training',
};

/**
 * Validation losses of runs over each other, or the running mean of the training loss where nothing was validated. The
 * best evaluation of each is marked.
 */
export function runOverlay(runs: readonly NamedRun[], axis: RunAxis = 'tokens'): FigureSpec {
  const validated = runs.every(({ history }) => (history.evals?.length ?? 0) > 0);
  const data = runs.flatMap(({ name, history }, i): FigureSpec['data'] => {
    const at = positions(history.steps, axis);
    const points = validated ? (history.evals ?? []) : history.steps;
    const loss = points.map(({ lossNats }) => lossNats);
    const x = points.map(({ step }) => at.get(step) ?? null);
    const y = validated ? loss : runningMean(loss, Math.max(1, Math.round(loss.length / 50)));
    const color = SERIES_COLORS[i % SERIES_COLORS.length] ?? COLORS.grey;
    const best = y.indexOf(Math.min(...y));
    const line = {
      type: 'scatter',
      mode: validated ? 'lines+markers' : 'lines',
      name,
      x,
      y,
      line: { color, width: 2, dash: PLOTLY_DASHES[i % PLOTLY_DASHES.length] },
      marker: { size: 5 },
    };
    if (!validated) return [line];
    const star = {
      type: 'scatter',
      mode: 'markers',
      name: `${name}, best`,
      showlegend: false,
      x: [x[best]],
      y: [y[best]],
      marker: { color, size: 11, symbol: 'star' },
    };
    return [line, star];
  });
  return {
    data,
    layout: layout(validated ? 'Validation loss' : 'Training loss, running mean', {
      xaxis: { title: { text: AXIS_TITLES[axis] }, rangemode: 'tozero' },
      yaxis: { title: { text: 'loss, nats a token' } },
    }),
  };
}

/** Where each update stands on the axis. */
function positions(steps: NamedRun['history']['steps'], axis: RunAxis): Map<number, number> {
  let sum = 0;
  return new Map(
    steps.map(({ step, tokens, ms }) => {
      sum += axis === 'tokens' ? tokens : ms / 1000;
      return [step, axis === 'step' ? step : sum];
    }),
  );
}
