import { NPRINT_SECTIONS, type Evaluation, type FieldName, type PacketLane } from '../evaluate';
import { COLORS, layout, SERIES_COLORS, sourceStyle, type FigureSpec } from './theme';

/** Packets of traces as bars: up is client to server, the height is the wire length, the colour is the flow. */
export function packetLanes(lanes: readonly PacketLane[]): FigureSpec {
  const data: FigureSpec['data'] = [];
  const most = Math.max(1, ...lanes.flatMap((l) => l.packets.map((p) => Math.abs(p.size))));
  const shares = 1 / Math.max(1, lanes.length);
  const axes: Record<string, unknown> = {};
  const annotations: object[] = [];
  const longest = Math.max(1, ...lanes.map((l) => l.packets.length));
  lanes.forEach((lane, i) => {
    const suffix = i === 0 ? '' : String(i + 1);
    const top = 1 - i * shares;
    axes[`yaxis${suffix}`] = {
      domain: [top - shares * 0.84, top - shares * 0.06],
      range: [-most * 1.1, most * 1.1],
      title: { text: 'bytes' },
      zeroline: true,
    };
    axes[`xaxis${suffix}`] = {
      anchor: `y${suffix}`,
      range: [-1, longest],
      title: i === lanes.length - 1 ? { text: 'packet' } : undefined,
    };
    annotations.push({
      text: `<b>${sourceStyle(lane.source).title}</b>: ${lane.label}, ${lane.file}`,
      xref: 'paper',
      yref: 'paper',
      x: 0,
      y: top - shares * 0.05,
      xanchor: 'left',
      yanchor: 'bottom',
      showarrow: false,
    });
    for (const [flow, color] of flowColors(lane)) {
      const own = lane.packets.map((p, x) => ({ ...p, x })).filter((p) => p.flow === flow);
      data.push({
        type: 'bar',
        name: `flow ${flow + 1}`,
        showlegend: false,
        x: own.map((p) => p.x),
        y: own.map((p) => p.size),
        width: 0.8,
        marker: { color },
        xaxis: `x${suffix}`,
        yaxis: `y${suffix}`,
        hovertemplate: `packet %{x}, flow ${flow + 1}: %{y} bytes<extra></extra>`,
      });
    }
  });
  return {
    data,
    layout: layout('Packets of one real and one generated trace', {
      ...axes,
      annotations,
      height: 110 + 240 * Math.max(1, lanes.length),
      barmode: 'overlay',
      bargap: 0,
    }),
  };
}

/** The flows with most packets get colours, the others grey. */
function flowColors(lane: PacketLane): [number, string][] {
  const counts = new Map<number, number>();
  for (const { flow } of lane.packets) counts.set(flow, (counts.get(flow) ?? 0) + 1);
  const order = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  return order.map(([flow], i) => [flow, SERIES_COLORS[i] ?? COLORS.grey]);
}

/** Where the fields of a TCP header lie, in bits. */
const TCP_PARTS: readonly [name: string, from: number, to: number][] = [
  ['source port', 0, 16],
  ['dest. port', 16, 32],
  ['sequence number', 32, 64],
  ['ack number', 64, 96],
  ['off+flags', 96, 112],
  ['window', 112, 128],
  ['checksum', 128, 144],
  ['urgent', 144, 160],
  ['options (up to 320 bits)', 160, 480],
];

/** Share of ones in each of the 480 TCP header bits, real above generated, and the difference. */
export function bitStrip(bitsOne: Evaluation['figures']['bitsOne']): FigureSpec {
  const [from, to] = NPRINT_SECTIONS.tcp;
  const names = ['reference', 'real', 'synthetic'].filter((name) => bitsOne[name]);
  const rows = names.map((name) => bitsOne[name].slice(from, to));
  const judged = rows[rows.length - 1];
  const difference = judged.map((v, i) => Math.abs(v - rows[0][i]));
  const x = judged.map((_, i) => i);
  const titles = names.map((name) => sourceStyle(name).title);
  const heat = (
    z: number[][],
    y: string[],
    axis: string,
    color: string,
    max: number,
    bar: object,
  ): object => ({
    type: 'heatmap',
    x,
    y,
    z,
    zmin: 0,
    zmax: max,
    yaxis: axis,
    xgap: 0,
    ygap: 2,
    colorscale: [
      [0, '#ffffff'],
      [1, color],
    ],
    colorbar: { thickness: 12, ...bar },
    hovertemplate: '%{y}, bit %{x}: %{z:.3f}<extra></extra>',
  });
  const data = [
    heat([...rows].reverse(), [...titles].reverse(), 'y', COLORS.blue, 1, {
      title: { text: 'share of 1' },
      len: 0.55,
      y: 0.68,
    }),
    heat([difference], ['difference'], 'y2', COLORS.vermilion, 0.5, {
      title: { text: '|diff|' },
      len: 0.4,
      y: 0.16,
    }),
  ] as FigureSpec['data'];
  return {
    data,
    layout: layout('Bits of the TCP header (nPrint), all labels together', {
      height: 370,
      margin: { l: 64, r: 24, t: 130, b: 50 },
      xaxis: {
        title: { text: 'bit of the TCP header' },
        anchor: 'y2',
        range: [-0.5, 479.5],
        showgrid: false,
      },
      yaxis: { domain: [0.34, 1], showgrid: false },
      yaxis2: { domain: [0, 0.24], showgrid: false, anchor: 'x' },
      shapes: TCP_PARTS.slice(1).map(([, start]) => ({
        type: 'line',
        xref: 'x',
        yref: 'paper',
        x0: start - 0.5,
        x1: start - 0.5,
        y0: 0,
        y1: 1.02,
        line: { color: '#777777', width: 1, dash: 'dot' },
      })),
      annotations: TCP_PARTS.map(([name, start, end]) => ({
        text: name,
        x: start,
        y: 1.03,
        yref: 'paper',
        xanchor: 'left',
        yanchor: 'bottom',
        textangle: end - start > 40 ? 0 : -35,
        showarrow: false,
        font: { size: 11 },
      })),
    }),
  };
}

/** Shares by value of one header field, beside each other. Undefined where the evaluation has none. */
export function fieldHistogram(
  figures: Evaluation['figures'],
  field: FieldName,
  title: string,
  axis: string,
): FigureSpec | undefined {
  const bySource = figures.histograms[field];
  if (!bySource) return undefined;
  const data = Object.entries(bySource).map(([source, values]) => ({
    type: 'bar',
    name: sourceStyle(source).title,
    x: values.map(([value]) => String(value)),
    y: values.map(([, share]) => share * 100),
    marker: { color: sourceStyle(source).color },
    hovertemplate: '%{x}: %{y:.2f} %<extra></extra>',
  }));
  return {
    data,
    layout: layout(title, {
      height: 340,
      barmode: 'group',
      bargap: 0.25,
      xaxis: { type: 'category', title: { text: axis } },
      yaxis: { title: { text: '% of packets' }, rangemode: 'tozero' },
    }),
  };
}
