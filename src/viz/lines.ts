import { COLORS, isKnownSource, layout, SERIES_COLORS, sourceStyle, type FigureSpec } from './theme';

/** One curve: points, and how it is drawn. */
export interface Curve {
  x: readonly number[];
  y: readonly (number | null)[];
  /** Default: solid. */
  dash?: 'solid' | 'dash' | 'dot';
  /** Dots at the points. */
  markers?: boolean;
  /** Default: that of the source of the name, or else the next of the palette. */
  color?: string;
}

export interface LinesOptions {
  title: string;
  xAxis: string;
  yAxis: string;
  logX?: boolean;
  logY?: boolean;
  xRange?: readonly [number, number];
  yRange?: readonly [number, number];
  height?: number;
}

/** Curves over a common axis, named as sources are where the names are those of sources. */
export function lines(curves: Readonly<Record<string, Curve>>, options: LinesOptions): FigureSpec {
  const { title, xAxis, yAxis, logX, logY, xRange, yRange, height = 380 } = options;
  const axis = (text: string, log?: boolean, range?: readonly [number, number]): object => ({
    title: { text },
    ...(log && { type: 'log', dtick: 1 }),
    ...(range && { range: [...range] }),
  });
  return {
    data: Object.entries(curves).map(([name, curve], i) => {
      const style = sourceStyle(name);
      // Sources that the theme knows have a colour of their own everywhere.
      const color = curve.color ?? (isKnownSource(name) ? style.color : SERIES_COLORS[i]) ?? COLORS.grey;
      return {
        type: 'scatter',
        mode: curve.markers ? 'lines+markers' : 'lines',
        name: style.title,
        x: [...curve.x],
        y: [...curve.y],
        line: { color, width: 2, dash: curve.dash ?? 'solid' },
        ...(curve.markers && { marker: { color, size: 7 } }),
        hovertemplate: `${style.title}: %{y:.3g} at %{x:.4g}<extra></extra>`,
      };
    }),
    layout: layout(title, {
      height,
      xaxis: axis(xAxis, logX, xRange),
      yaxis: axis(yAxis, logY, yRange),
    }),
  };
}
