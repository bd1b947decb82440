/** Flows and connections over time, and distributions of what they consist of. */
import type { Session } from '../flows';
import type { ConnectionPacket } from './connection';
import { COLORS, layout, SERIES_COLORS, type FigureSpec } from './theme';

/** A plotted gap: plotly and the static picture break the line here. */
const GAP = null;

/**
 * Flows as horizontal lanes, the first at the top: a line from the first to the last packet, and a mark for each
 * packet, up for the client's, down for the server's.
 */
export function flowLanes(session: Session, limit = 40): FigureSpec {
  const flows = session.flows.slice(0, limit);
  const first = session.frames.reduce((a, f) => Math.min(a, f.tsMicros), Infinity);
  const at = (micros: number): number => Number(((micros - first) / 1e6).toFixed(6));
  const spans = { x: [] as (number | null)[], y: [] as (number | null)[] };
  const marks = new Map<string, { x: (number | null)[]; y: (number | null)[]; text: (string | null)[] }>();
  flows.forEach((flow, lane) => {
    spans.x.push(at(flow.startMicros), at(flow.endMicros), GAP);
    spans.y.push(lane, lane, GAP);
    flow.frames.forEach((index, i) => {
      const phase = flow.tcp?.phases[i] ?? 'UDP';
      let mark = marks.get(phase);
      if (!mark) marks.set(phase, (mark = { x: [], y: [], text: [] }));
      const x = at(session.frames[index].tsMicros);
      // The y axis counts downwards.
      const tip = lane + (flow.fromClient[i] ? -0.38 : 0.38);
      const name = `packet ${index}: ${phase}, ${session.frames[index].wireLen} bytes from the ${flow.fromClient[i] ? 'client' : 'server'}`;
      mark.x.push(x, x, GAP);
      mark.y.push(lane, tip, GAP);
      mark.text.push(name, name, GAP);
    });
  });
  const colours: Record<string, string> = {
    handshake: COLORS.blue,
    data: COLORS.green,
    teardown: COLORS.vermilion,
    UDP: COLORS.orange,
  };
  const order = ['UDP', 'handshake', 'data', 'teardown'].filter((phase) => marks.has(phase));
  const names = flows.map(({ protocol, server, client }) => `${protocol} ${client.port} → ${server.port}`);
  return {
    data: [
      {
        type: 'scatter',
        mode: 'lines',
        name: 'from first to last packet',
        ...spans,
        line: { color: COLORS.lightGrey, width: 2 },
        hoverinfo: 'skip',
      },
      ...order.map((phase) => ({
        type: 'scatter',
        mode: 'lines',
        name: phase,
        ...marks.get(phase)!,
        line: { color: colours[phase], width: 1.6 },
        hovertemplate: '%{x:.4f} s, %{text}<extra></extra>',
      })),
    ],
    layout: layout(`${session.flows.length} flows over time`, {
      height: 150 + 24 * flows.length,
      margin: { l: 120, r: 24, t: 76, b: 56 },
      xaxis: { title: { text: 'seconds' } },
      yaxis: {
        tickmode: 'array',
        tickvals: names.map((_, i) => i),
        ticktext: names,
        range: [flows.length - 0.4, -0.6],
        zeroline: false,
        showgrid: false,
      },
    }),
  };
}

/**
 * The time-sequence graph (as in Wireshark, or tcptrace by Shawn Ostermann) of one side's data: a vertical stroke for each segment, from
 * its first to its last byte; those sent again in another colour; and the line up to which the other side has acknowledged.
 *
 * @param options `from`: whose data, default the server's; `seconds`: only packets between these times.
 */
export function timeSequence(
  packets: readonly ConnectionPacket[],
  options: { from?: 'client' | 'server'; seconds?: readonly [number, number] } = {},
): FigureSpec {
  const { from = 'server', seconds = [-Infinity, Infinity] } = options;
  const isSender = (p: ConnectionPacket): boolean => p.fromClient === (from === 'client');
  const shown = packets.filter((p) => p.seconds >= seconds[0] && p.seconds <= seconds[1]);
  const data = shown.filter((p) => isSender(p) && p.length > 0);
  const strokes = (again: boolean): { x: (number | null)[]; y: (number | null)[] } => {
    const own = data.filter((p) => p.retransmission === again);
    return {
      x: own.flatMap((p) => [p.seconds, p.seconds, GAP]),
      y: own.flatMap((p) => [p.sequenceNumber, p.sequenceNumber + p.length, GAP]),
    };
  };
  const acks = shown.filter((p) => !isSender(p) && p.acknowledgmentNumber !== undefined);
  // Drawn as steps, because a plain line between two acknowledgements would claim what nobody said.
  const steps = acks.flatMap((p, i) =>
    i === 0
      ? [[p.seconds, p.acknowledgmentNumber!]]
      : [
          [p.seconds, acks[i - 1].acknowledgmentNumber!],
          [p.seconds, p.acknowledgmentNumber!],
        ],
  );
  const stroke = (
    again: boolean,
    name: string,
    color: string,
    width: number,
  ): FigureSpec['data'][number] => ({
    type: 'scatter',
    mode: 'lines',
    name,
    ...strokes(again),
    line: { color, width },
    hovertemplate: '%{x:.4f} s, byte %{y:,}<extra></extra>',
  });
  const again = data.filter((p) => p.retransmission);
  return {
    data: [
      {
        type: 'scatter',
        mode: 'lines',
        name: 'acknowledged so far',
        x: steps.map(([x]) => x),
        y: steps.map(([, y]) => y),
        line: { color: COLORS.green, width: 1.5 },
      },
      stroke(false, 'segments', COLORS.blue, 2.5),
      ...(again.length > 0
        ? [
            stroke(true, `sent again (${again.length})`, COLORS.vermilion, 4),
            {
              type: 'scatter',
              mode: 'markers',
              name: 'sent again',
              showlegend: false,
              x: again.map((p) => p.seconds),
              y: again.map((p) => p.sequenceNumber + p.length / 2),
              marker: { color: COLORS.vermilion, size: 9, symbol: 'x' },
              hovertemplate: 'sent again: byte %{y:,}<extra></extra>',
            },
          ]
        : []),
    ],
    layout: layout(`Bytes sent by the ${from} over time`, {
      height: 420,
      xaxis: { title: { text: 'seconds since the first packet' } },
      yaxis: { title: { text: 'sequence number, from 0' } },
    }),
  };
}

/** Shares of values up to x, one line a group: more honest than a histogram, for nothing has to be chosen. */
export function distributions(
  groups: Readonly<Record<string, readonly number[]>>,
  options: { title: string; axis: string; log?: boolean },
): FigureSpec {
  const data = Object.entries(groups).map(([name, values], i) => {
    const usable = values.filter((v) => Number.isFinite(v) && (!options.log || v > 0));
    const { x, y } = cumulative(usable);
    return {
      type: 'scatter',
      mode: 'lines',
      name: `${name} (${usable.length})`,
      x,
      y,
      line: { color: SERIES_COLORS[i] ?? COLORS.grey, width: 2 },
    };
  });
  return {
    data,
    layout: layout(options.title, {
      xaxis: {
        title: { text: options.axis },
        ...(options.log ? { type: 'log', exponentformat: 'none' } : {}),
      },
      yaxis: { title: { text: 'share at or below' }, range: [0, 1.02] },
    }),
  };
}

const MAX_POINTS = 400;

/** Corners of the empirical distribution function; more than 400 are thinned out evenly. */
export function cumulative(values: readonly number[]): { x: number[]; y: number[] } {
  const sorted = [...values].sort((a, b) => a - b);
  const corners: [number, number][] = [];
  sorted.forEach((value, i) => {
    if (i === sorted.length - 1 || sorted[i + 1] !== value) corners.push([value, (i + 1) / sorted.length]);
  });
  const keep = Math.max(1, Math.ceil(corners.length / MAX_POINTS));
  const kept = corners.filter((_, i) => i % keep === 0 || i === corners.length - 1);
  const points = kept.flatMap(([x, y], i) => [
    [x, i === 0 ? 0 : kept[i - 1][1]],
    [x, y],
  ]);
  return { x: points.map(([x]) => x), y: points.map(([, y]) => Number(y.toFixed(5))) };
}

/** More bars than this have no room for numbers that lie. */
const CROWD = 18;

/** Bars beside each other: one group for each category, one bar in it for each series. */
export function groupedBars(
  categories: readonly string[],
  series: Readonly<Record<string, readonly number[]>>,
  options: { title: string; axis: string; log?: boolean },
): FigureSpec {
  const crowded = categories.length * Object.keys(series).length > CROWD;
  return {
    data: Object.entries(series).map(([name, values], i) => ({
      type: 'bar',
      name,
      x: [...categories],
      y: [...values],
      marker: { color: SERIES_COLORS[i] ?? COLORS.grey },
      text: values.map((v) => (v === 0 ? '0' : v >= 100 ? v.toFixed(0) : v.toPrecision(2))),
      textposition: 'outside',
      // Left alone, plotly makes letters as small as thin bars ask for.
      ...(crowded && { textangle: -90, constraintext: 'none', textfont: { size: 11 } }),
      cliponaxis: false,
      hovertemplate: `${name}, %{x}: %{y:.2f}<extra></extra>`,
    })),
    layout: layout(options.title, {
      barmode: 'group',
      bargap: 0.2,
      xaxis: { type: 'category' },
      yaxis: { title: { text: options.axis }, rangemode: 'tozero', ...(options.log ? { type: 'log' } : {}) },
    }),
  };
}
