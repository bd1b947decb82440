import { PLOTLY_DASHES } from './svgTheme';
import { COLORS, layout, SERIES_COLORS, type FigureSpec } from './theme';
import { fieldShares } from './trainingChart';

/** The part of a training history that is drawn; `fit` returns it. */
export interface LossHistory {
  steps: readonly { step: number; lossNats: number }[];
  /** Evaluations on the validation split. */
  evals?: readonly { step: number; lossNats: number }[];
}

/** Something with a held-out loss: the model, or a baseline of `fitTokenBaselines`. */
export interface LossBar {
  name: string;
  lossNats: number;
  /** `oracle`: a reference that knows more than a model can; not a bar. */
  role?: string;
}

/** How far below the best baseline a model has to come. */
export const TARGET_SHARE = 0.15;

/** Training loss over updates, with a running mean, and the validation loss. */
export function lossCurve(history: LossHistory): FigureSpec {
  const { steps, evals = [] } = history;
  const x = steps.map((s) => s.step);
  const loss = steps.map((s) => s.lossNats);
  const data: FigureSpec['data'] = [
    {
      type: 'scatter',
      mode: 'lines',
      name: 'training, each update',
      x,
      y: loss,
      line: { color: COLORS.lightGrey, width: 1 },
    },
    {
      type: 'scatter',
      mode: 'lines',
      name: 'training, running mean',
      x,
      y: runningMean(loss, Math.max(1, Math.round(loss.length / 50))),
      line: { color: COLORS.blue, width: 2 },
    },
  ];
  if (evals.length > 0) {
    data.push({
      type: 'scatter',
      mode: 'lines+markers',
      name: 'validation',
      x: evals.map((e) => e.step),
      y: evals.map((e) => e.lossNats),
      line: { color: COLORS.vermilion, width: 2 },
      marker: { size: 7, symbol: 'diamond' },
    });
  }
  return {
    data,
    layout: layout('Loss while training', {
      xaxis: { title: { text: 'update' } },
      yaxis: { title: { text: 'loss, nats a token' }, rangemode: 'tozero' },
    }),
  };
}

/** Held-out losses of a model and the baselines, with the line 15 % below the best baseline. */
export function lossBars(model: LossBar | undefined, baselines: readonly LossBar[]): FigureSpec {
  const bars = [...baselines].sort((a, b) => b.lossNats - a.lossNats);
  if (model) bars.push(model);
  const best = Math.min(...baselines.filter(({ role }) => role !== 'oracle').map((b) => b.lossNats));
  const target = best * (1 - TARGET_SHARE);
  const shapes = Number.isFinite(target)
    ? [
        {
          type: 'line',
          xref: 'x',
          yref: 'paper',
          x0: target,
          x1: target,
          y0: 0,
          y1: 1,
          line: { color: COLORS.vermilion, width: 2, dash: 'dash' },
        },
      ]
    : [];
  return {
    data: [
      {
        type: 'bar',
        orientation: 'h',
        y: bars.map((b) => (b.role === 'oracle' ? `${b.name} (oracle)` : b.name)),
        x: bars.map((b) => b.lossNats),
        text: bars.map((b) => b.lossNats.toFixed(3)),
        textposition: 'outside',
        cliponaxis: false,
        marker: { color: bars.map((b) => (b === model ? COLORS.blue : COLORS.lightGrey)) },
        hovertemplate: '%{y}: %{x:.4f} nats a token<extra></extra>',
      },
    ],
    layout: layout('Loss on held-out captures', {
      height: 140 + 40 * bars.length,
      margin: { l: 64, r: 72, t: 76, b: 56 },
      xaxis: { title: { text: 'nats a token (lower is better)' }, rangemode: 'tozero' },
      yaxis: { showgrid: false },
      shapes,
      annotations: Number.isFinite(target)
        ? [
            {
              x: target,
              y: 1,
              yref: 'paper',
              yanchor: 'bottom',
              xanchor: 'left',
              text: `15 % below the best baseline: ${target.toFixed(3)}`,
              showarrow: false,
              font: { color: COLORS.vermilion },
            },
          ]
        : [],
    }),
  };
}

/** Mean over the last `width` values. */
export function runningMean(values: readonly number[], width: number): number[] {
  const out: number[] = [];
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    sum += values[i];
    if (i >= width) sum -= values[i - width];
    out.push(sum / Math.min(width, i + 1));
  }
  return out;
}

/** Loss of the validation split by label, over the updates. */
export function lossByLabel(history: {
  evals: readonly { step: number; perLabel: Readonly<Record<string, { lossNats: number }>> }[];
}): FigureSpec {
  const labels = [...new Set(history.evals.flatMap(({ perLabel }) => Object.keys(perLabel)))].sort();
  return {
    data: labels.map((label, i) => ({
      type: 'scatter',
      mode: 'lines+markers',
      name: label,
      x: history.evals.map(({ step }) => step),
      y: history.evals.map(({ perLabel }) => perLabel[label]?.lossNats ?? null),
      line: {
        color: SERIES_COLORS[i % SERIES_COLORS.length],
        width: 2,
        dash: PLOTLY_DASHES[i % PLOTLY_DASHES.length],
      },
      marker: { size: 6 },
    })),
    layout: layout('Validation loss by label', {
      xaxis: { title: { text: 'update' }, rangemode: 'tozero' },
      yaxis: { title: { text: 'loss, nats a token' } },
    }),
  };
}

/** What the loss is made of: each field's loss times its share of the tokens, at chosen evaluations. */
export function lossByField(
  evals: readonly {
    step: number;
    perField?: Readonly<Record<string, { lossNats: number; tokens: number }>>;
  }[],
  most = 14,
): FigureSpec {
  const shares = evals.map(
    ({ perField = {} }) => new Map(fieldShares(perField).map((r) => [r.field, r.share])),
  );
  // The order of the last one, which is what a model still has to learn.
  const fields = [...(shares.at(-1)?.keys() ?? [])].slice(0, most).reverse();
  return {
    data: evals.map(({ step }, i) => ({
      type: 'bar',
      orientation: 'h',
      name: `after ${step.toLocaleString('en')} updates`,
      y: fields,
      x: fields.map((field) => shares[i].get(field) ?? 0),
      marker: {
        color: evals.length === 1 ? COLORS.blue : [COLORS.lightGrey, COLORS.blue, COLORS.vermilion][i % 3],
      },
      hovertemplate: '%{y}: %{x:.3f} nats<extra></extra>',
    })),
    layout: layout('What the loss is made of', {
      height: 150 + fields.length * (14 + 10 * evals.length),
      barmode: 'group',
      xaxis: { title: { text: 'part of the loss, nats a token' } },
      yaxis: { showgrid: false },
    }),
  };
}
