import { COLORS, layout, type FigureSpec } from './theme';

/** Counts of one confusion matrix: rows are what items are, columns what they are taken for. */
export interface ConfusionCounts {
  classes: readonly string[];
  counts: readonly (readonly number[])[];
}

/** Confusion matrices side by side, each row in percent of its items. */
export function confusionFigure(
  matrices: Readonly<Record<string, ConfusionCounts>>,
  title = 'What is taken for what, % of the items of each class',
): FigureSpec {
  const entries = Object.entries(matrices);
  const part = 1 / entries.length;
  const data = entries.map(([name, { classes, counts }], i) => ({
    type: 'heatmap',
    name,
    x: classes,
    y: classes,
    z: counts.map((row) => {
      const all = row.reduce((a, b) => a + b, 0);
      return row.map((n) => (all === 0 ? 0 : Math.round((1000 * n) / all) / 10));
    }),
    zmin: 0,
    zmax: 100,
    xaxis: i === 0 ? 'x' : `x${i + 1}`,
    yaxis: i === 0 ? 'y' : `y${i + 1}`,
    colorscale: [
      [0, '#ffffff'],
      [1, COLORS.blue],
    ],
    showscale: false,
    texttemplate: '%{z:.0f}',
    textfont: { size: 11 },
    hovertemplate: `${name}<br>%{y} taken for %{x}: %{z:.1f} %<extra></extra>`,
  }));
  const axes = Object.fromEntries(
    entries.flatMap(([, { classes }], i) => {
      const suffix = i === 0 ? '' : String(i + 1);
      const domain = [i * part + (i > 0 ? 0.03 : 0), (i + 1) * part - (i < entries.length - 1 ? 0.03 : 0)];
      return [
        [`xaxis${suffix}`, { domain, anchor: `y${suffix}`, showgrid: false, tickangle: -35, side: 'bottom' }],
        [
          `yaxis${suffix}`,
          {
            anchor: `x${suffix}`,
            autorange: 'reversed',
            showgrid: false,
            showticklabels: i === 0,
            tickvals: [...classes],
          },
        ],
      ];
    }),
  );
  return {
    data,
    layout: layout(title, {
      height: 150 + 30 * Math.max(...entries.map(([, { classes }]) => classes.length)),
      margin: { l: 90, r: 20, t: 84, b: 76 },
      showlegend: false,
      ...axes,
      annotations: entries.map(([name], i) => ({
        text: name,
        xref: 'paper',
        yref: 'paper',
        x: i * part + (i > 0 ? 0.03 : 0),
        y: 1.02,
        xanchor: 'left',
        yanchor: 'bottom',
        showarrow: false,
      })),
    }),
  };
}
