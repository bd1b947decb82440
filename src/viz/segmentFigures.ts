import type { Segment, TrueObject } from '../evaluate';
import { gaussianKde } from '../stats';
import { COLORS, layout, type FigureSpec } from './theme';
import { lines } from './lines';

/**
 * Segments as dots (seconds of the request, kilobytes), objects that were really served as rings around them.
 *
 * @param pairs for each segment the index of its object, -1 without one (`matchSegments(...).pairs`).
 */
export function segmentsOverTime(
  segments: readonly Segment[],
  objects: readonly TrueObject[],
  pairs: readonly number[],
  title: string,
): FigureSpec {
  const dots = (name: string, found: boolean, color: string): FigureSpec['data'][number] => {
    const own = segments.filter((_, i) => pairs[i] >= 0 === found);
    return {
      type: 'scatter',
      mode: 'markers',
      name: `${name} (${own.length})`,
      x: own.map(({ start }) => start),
      y: own.map(({ bytes }) => bytes / 1000),
      marker: { color, size: 6, symbol: found ? 'circle' : 'x' },
      hovertemplate: `${name}: %{y:.1f} kB at %{x:.2f} s<extra></extra>`,
    };
  };
  return {
    data: [
      {
        type: 'scatter',
        mode: 'markers',
        name: `served, the truth (${objects.length})`,
        x: objects.map(({ start }) => start),
        y: objects.map(({ bytes }) => bytes / 1000),
        marker: { symbol: 'circle-open', size: 12, color: COLORS.black },
        hovertemplate: 'served: %{y:.1f} kB at %{x:.2f} s<extra></extra>',
      },
      dots('segment found', true, COLORS.blue),
      dots('segment without an object', false, COLORS.vermilion),
    ],
    layout: layout(title, {
      height: 400,
      xaxis: { title: { text: 'seconds since the first packet' }, rangemode: 'tozero' },
      yaxis: { title: { text: 'kB' }, type: 'log' },
    }),
  };
}

const POINTS = 120;

/** Densities (Gaussian kernels, Scott's rule) of the logarithms of positive values: the paper's appendix figures. */
export function logDensities(
  groups: Readonly<Record<string, readonly number[]>>,
  options: { title: string; axis: string },
): FigureSpec {
  const logs = Object.entries(groups)
    .map(([name, values]) => [name, values.filter((v) => v > 0).map((v) => Math.log10(v))] as const)
    .filter(([, values]) => new Set(values).size > 1);
  const all = logs.flatMap(([, values]) => values);
  const [low, high] = [all.reduce((a, b) => Math.min(a, b), Infinity) - 0.3, all.reduce((a, b) => Math.max(a, b), -Infinity) + 0.3]; // prettier-ignore
  const grid = Array.from({ length: POINTS }, (_, i) => low + ((high - low) * i) / (POINTS - 1));
  const curves = logs.map(([name, values]) => {
    const kde = gaussianKde(values);
    return [name, { x: grid.map((v) => 10 ** v), y: Array.from(kde.evaluate(grid)) }] as const;
  });
  return lines(Object.fromEntries(curves), {
    title: options.title,
    xAxis: options.axis,
    yAxis: 'density over decades',
    logX: true,
  });
}
