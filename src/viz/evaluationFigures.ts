import {
  PAPER_METRICS,
  UTILITY_TASKS,
  type BetweenLabels,
  type ComplianceResult,
  type Evaluation,
  type MemorisationResult,
  type SlicePattern,
  type UtilityResult,
} from '../evaluate';
import { COLORS, layout, SERIES_COLORS, sourceStyle, type FigureSpec } from './theme';

/** Sources that a crowded figure shows: real, judged, and the strongest of the trivial ones. */
function isShown(evaluation: Evaluation, name: string): boolean {
  if (name === 'reference' || name === 'training' || name === 'shuffled fields') return true;
  const role = evaluation.sources.find((source) => source.name === name)?.role;
  return role === 'synthetic' || role === 'floor';
}

/** Curves from 101 quantiles by source. Undefined without any. */
export function quantileFigure(
  curves: Readonly<Record<string, readonly number[]>>,
  evaluation: Evaluation,
  title: string,
  unit: string,
  logarithmic = false,
): FigureSpec | undefined {
  const shown = Object.entries(curves).filter(([name]) => isShown(evaluation, name));
  if (shown.length === 0) return undefined;
  // A logarithmic axis has no 0: what is less than a microsecond apart stands at one.
  const place = (value: number): number => (logarithmic ? Math.max(1e-6, value) : value);
  const most = Math.max(...shown.map(([, values]) => values[values.length - 2]));
  return {
    data: shown.map(([name, values]) => {
      const { title: text, color } = sourceStyle(name);
      return {
        type: 'scatter',
        mode: 'lines',
        name: text,
        x: values.map(place),
        y: values.map((_, i) => (100 * i) / (values.length - 1)),
        line: { color, width: name === 'reference' ? 3 : 2, shape: 'hv', dash: dashOf(evaluation, name) },
        hovertemplate: `${text}: %{y:.0f} % up to %{x:.4g} ${unit}<extra></extra>`,
      };
    }),
    layout: layout(title, {
      height: 380,
      xaxis: {
        title: { text: unit },
        // Without the largest hundredth of the values, which may be far out.
        ...(logarithmic ? { type: 'log', dtick: 1 } : { range: [0, 1.05 * Math.max(1, most)] }),
      },
      yaxis: { title: { text: '% of packets' }, range: [0, 101] },
    }),
  };
}

function dashOf(evaluation: Evaluation, name: string): string {
  const role = evaluation.sources.find((source) => source.name === name)?.role;
  return role === 'floor' || name === 'training' ? 'dash' : role === 'baseline' ? 'dot' : 'solid';
}

/** Real labels against real labels: header bits and fields, side by side. */
export function betweenLabelsFigure({ labels, tcp, fields }: BetweenLabels): FigureSpec {
  const heat = (z: (number | null)[][], axis: string, title: string): FigureSpec['data'][number] => ({
    type: 'heatmap',
    x: labels,
    y: labels,
    z,
    zmin: 0,
    xaxis: `x${axis}`,
    yaxis: `y${axis}`,
    colorscale: [
      [0, '#ffffff'],
      [1, COLORS.blue],
    ],
    showscale: false,
    texttemplate: labels.length <= 8 ? '%{z:.2f}' : '',
    textfont: { size: 11 },
    hovertemplate: `${title}<br>held-out %{y}, other %{x}: %{z:.3f}<extra></extra>`,
  });
  const text = (title: string, x: number, y = 1.01): object => ({
    text: title,
    xref: 'paper',
    yref: 'paper',
    x,
    y,
    xanchor: 'left',
    yanchor: 'bottom',
    showarrow: false,
  });
  const height = 150 + 26 * labels.length;
  const axes = (domain: [number, number], anchor: string): object => ({
    domain,
    anchor,
    tickangle: -35,
    showgrid: false,
  });
  return {
    data: [heat(tcp, '', 'TCP header bits'), heat(fields, '2', 'header fields')],
    layout: layout('Distance between real captures of every two labels (JS, base 2)', {
      height: Math.max(320, height),
      margin: { l: 90, r: 24, t: 84, b: 80 },
      xaxis: axes([0, 0.46], 'y'),
      yaxis: { autorange: 'reversed', showgrid: false },
      xaxis2: axes([0.54, 1], 'y2'),
      yaxis2: { autorange: 'reversed', showgrid: false, anchor: 'x2', showticklabels: false },
      annotations: [text('TCP header bits', 0), text('header fields', 0.54)],
    }),
  };
}

/** The metrics of Table 4: mean rate by source; what ought to be seen, and what ought not. */
export function complianceBars(compliance: ComplianceResult, evaluation: Evaluation): FigureSpec | undefined {
  const rows = compliance.paper.filter(({ label }) => label === 'pooled');
  const sources = [...new Set(rows.map(({ source }) => source))].filter((name) => isShown(evaluation, name));
  if (sources.length === 0) return undefined;
  const expected = PAPER_METRICS.slice(0, 5);
  const unwanted = PAPER_METRICS.slice(5);
  const bars = (
    name: string,
    metrics: readonly { name: string; title: string }[],
    axis: string,
    of: (metric: string) => number | null | undefined,
  ): FigureSpec['data'][number] => ({
    type: 'bar',
    orientation: 'h',
    name: sourceStyle(name).title,
    legendgroup: name,
    showlegend: axis === '',
    y: metrics.map(({ title }) => title),
    x: metrics.map((metric) => of(metric.name) ?? null),
    xaxis: `x${axis}`,
    yaxis: `y${axis}`,
    marker: { color: sourceStyle(name).color },
    hovertemplate: `${sourceStyle(name).title}: %{x:.2f} %<extra></extra>`,
  });
  const data = ['reference', ...sources].flatMap((name) => {
    const of = (metric: string): number | null | undefined =>
      name === 'reference'
        ? rows.find((row) => row.metric === metric)?.realRate
        : rows.find((row) => row.metric === metric && row.source === name)?.syntheticRate;
    return [bars(name, expected, '', of), bars(name, unwanted, '2', of)];
  });
  return {
    data,
    layout: layout('TCP metrics of Table 4: mean over the captures of how often', {
      height: 640,
      margin: { l: 230, r: 24, t: 90, b: 60 },
      barmode: 'group',
      bargap: 0.25,
      legend: { orientation: 'h', x: 0, y: 1.02, xanchor: 'left', yanchor: 'bottom', traceorder: 'normal' },
      xaxis: { anchor: 'y', range: [0, 102], title: { text: '%, in real traffic near 100', standoff: 4 } },
      yaxis: { domain: [0.6, 1], autorange: 'reversed' },
      xaxis2: {
        anchor: 'y2',
        rangemode: 'tozero',
        title: { text: '%, in real traffic near 0', standoff: 4 },
      },
      yaxis2: { domain: [0, 0.44], autorange: 'reversed', anchor: 'x2' },
      meta: { narrow: { margin: { l: 130, r: 10, t: 60, b: 50 } } },
    }),
  };
}

/** Figure 3: kilobits by slice, stacked by flow, a real trace above the one that stands against it. */
export function sliceFigure(slices: readonly SlicePattern[], slicePackets: number): FigureSpec | undefined {
  // Of fewer slices nothing is to be seen.
  if (slices.every(({ series }) => series.slices < 3)) return undefined;
  const data: FigureSpec['data'] = [];
  const axes: Record<string, unknown> = {};
  const annotations: object[] = [];
  const part = 1 / slices.length;
  const most = Math.max(...slices.flatMap(({ series }) => series.total));
  slices.forEach(({ source, label, file, series }, i) => {
    const suffix = i === 0 ? '' : String(i + 1);
    const top = 1 - i * part;
    axes[`yaxis${suffix}`] = {
      domain: [top - part * 0.82, top - part * 0.1],
      range: [0, most * 1.05],
      title: { text: 'kilobits' },
    };
    axes[`xaxis${suffix}`] = {
      anchor: `y${suffix}`,
      title: i === slices.length - 1 ? { text: `slice of ${slicePackets} packets` } : undefined,
    };
    annotations.push({
      text: `<b>${sourceStyle(source).title}</b>: ${label}, ${file}`,
      xref: 'paper',
      yref: 'paper',
      x: 0,
      y: top - part * 0.09,
      xanchor: 'left',
      yanchor: 'bottom',
      showarrow: false,
    });
    series.flows.forEach((flow, k) => {
      data.push({
        type: 'bar',
        name: flow,
        showlegend: false,
        x: series.kilobits[k].map((_, slice) => slice + 1),
        y: series.kilobits[k],
        xaxis: `x${suffix}`,
        yaxis: `y${suffix}`,
        marker: { color: / others$/.test(flow) ? COLORS.grey : SERIES_COLORS[k % SERIES_COLORS.length] },
        hovertemplate: `${flow}<br>slice %{x}: %{y:.0f} kilobits<extra></extra>`,
      });
    });
  });
  return {
    data,
    layout: layout('Sending pattern of one real trace and its counterpart', {
      ...axes,
      annotations,
      barmode: 'stack',
      bargap: 0.05,
      height: 90 + 230 * slices.length,
    }),
  };
}

/** How far the nearest training packet is: histogram by source. */
export function nearestFigure(
  memorisation: MemorisationResult,
  evaluation: Evaluation,
): FigureSpec | undefined {
  const rows = memorisation.rows.filter(
    ({ source, label, nearest }) => label === 'pooled' && nearest && isShown(evaluation, source),
  );
  if (rows.length === 0) return undefined;
  return {
    data: rows.map(({ source, nearest }) => {
      const { title, color } = sourceStyle(source);
      const shares = nearest!.histogram;
      return {
        type: 'scatter',
        mode: 'lines',
        name: title,
        x: shares.map((_, i) => (i + 0.5) / shares.length),
        y: shares.map((share) => 100 * share),
        line: {
          color,
          width: source === 'reference' ? 3 : 2,
          shape: 'hvh',
          dash: dashOf(evaluation, source),
        },
        hovertemplate: `${title}: %{y:.1f} % around %{x:.2f}<extra></extra>`,
      };
    }),
    layout: layout('Distance of each packet from the nearest training packet', {
      height: 380,
      xaxis: { title: { text: 'share of nibbles that differ (IPv4 and TCP headers)' }, range: [0, 0.6] },
      yaxis: { title: { text: '% of packets' }, rangemode: 'tozero' },
    }),
  };
}

/** Accuracy on real captures of forests trained on each source, with intervals. */
export function utilityFigure(utility: UtilityResult): FigureSpec | undefined {
  const sources = [...new Set(utility.rows.map(({ source }) => source))];
  const tasks = UTILITY_TASKS.filter(({ name }) => utility.rows.some((row) => row.task === name));
  const data = sources.flatMap((source) => {
    const { title, color } = sourceStyle(source);
    const rows = tasks.map(({ name }) =>
      utility.rows.find((row) => row.source === source && row.task === name),
    );
    if (rows.every((row) => !row?.accuracy)) return [];
    const values = rows.map((row) => row?.accuracy ?? null);
    return [
      {
        type: 'bar',
        name: title,
        x: tasks.map(({ name }) => TASK_NAMES[name]),
        y: values.map((value) => (value ? 100 * value.mean : null)),
        error_y: {
          type: 'data',
          symmetric: false,
          array: values.map((value) => (value ? 100 * (value.high - value.mean) : 0)),
          arrayminus: values.map((value) => (value ? 100 * (value.mean - value.low) : 0)),
          color: '#4d4d4d',
          thickness: 1.5,
          width: 3,
        },
        marker: { color },
        hovertemplate: `${title}: %{y:.1f} %<extra></extra>`,
      },
    ];
  });
  if (data.length === 0) return undefined;
  const chance = 100 * utility.chance;
  return {
    data,
    layout: layout('Random forests trained on each source, tested on held-out real captures', {
      height: 420,
      margin: { l: 64, r: 70, t: 76, b: 56 },
      barmode: 'group',
      bargap: 0.2,
      yaxis: { title: { text: 'mean recall of the labels, %' }, range: [0, 102] },
      shapes: [
        {
          type: 'line',
          xref: 'paper',
          x0: 0,
          x1: 1,
          y0: chance,
          y1: chance,
          line: { color: '#777777', width: 1.5, dash: 'dash' },
        },
      ],
      annotations: [
        {
          text: 'guessing',
          xref: 'paper',
          x: 1,
          y: chance,
          xanchor: 'left',
          yanchor: 'middle',
          showarrow: false,
          font: { size: 11 },
        },
      ],
    }),
  };
}

/** Short names of the tasks, for axes. */
export const TASK_NAMES: Readonly<Record<string, string>> = {
  packet: 'one packet',
  flow: "flow's first 10 packets",
  sequence: 'sizes and times of 30 packets',
};
