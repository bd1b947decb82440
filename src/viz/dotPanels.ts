/** A table as a picture: a row for each thing, a panel for each measure, a mark for each who has it. */
import { legendMarks, markAt, type Area, type SeriesLook } from './panelGrid';
import { roundTicks, shortNumber, svgPage, svgRule, svgText } from './svgTheme';

/** One value in a row. */
export interface DotMark {
  series: string;
  value: number | null;
}

export interface DotPanel {
  title: string;
  xAxis: string;
  /** Marks of each row, in the order of the rows. */
  rows: readonly (readonly DotMark[])[];
  /** Default: from 0 to the largest value. */
  range?: readonly [number, number];
}

export interface DotPanelsOptions {
  title: string;
  /** Names of the rows, from above. */
  rows: readonly string[];
  panels: readonly DotPanel[];
  /** How each series is drawn. */
  series: Readonly<Record<string, SeriesLook>>;
  width?: number;
  /** Pixels that the names of the rows take. Default 200. */
  nameWidth?: number;
  rowHeight?: number;
  /** Rows above which a line is drawn. */
  rules?: readonly number[];
  standalone?: boolean;
}

/** Panels side by side over common rows. */
export function dotPanels(options: DotPanelsOptions): string {
  const { title, rows, panels, series, width = 760, nameWidth = 200, rowHeight = 22, standalone } = options;
  const used = Object.entries(series).filter(([name]) =>
    panels.some((panel) => panel.rows.some((marks) => marks.some((mark) => mark.series === name))),
  );
  const legend = legendMarks(
    used.map(([name, look]) => ({ name, ...look, dash: null })),
    width,
    42,
  );
  const top = 34 + legend.height + 20;
  const bottom = top + rows.length * rowHeight;
  const height = bottom + 44;
  const cell = (width - nameWidth) / panels.length;
  const names = rows.map((name, i) => svgText(nameWidth - 8, top + (i + 0.5) * rowHeight + 4, name, 'end'));
  const rules = (options.rules ?? []).map((i) =>
    svgRule(12, top + i * rowHeight, width - 12, top + i * rowHeight, 'axis'),
  );
  const bodies = panels.map((panel, i) =>
    panelMarks(panel, rowHeight, series, {
      left: nameWidth + i * cell + 8,
      right: nameWidth + (i + 1) * cell - 14,
      top,
      bottom,
    }),
  );
  return svgPage(
    { width, height, label: title, standalone },
    svgText(12, 20, title, 'start', 'font-size="15" font-weight="600"') +
      legend.marks +
      names.join('') +
      bodies.join('') +
      rules.join(''),
  );
}

function panelMarks(
  panel: DotPanel,
  rowHeight: number,
  series: Readonly<Record<string, SeriesLook>>,
  area: Area,
): string {
  const values = panel.rows.flat().flatMap(({ value }) => value ?? []);
  const most = Math.max(...values, 1e-9);
  const least = Math.min(0, ...values);
  const [low, high] = panel.range ?? [least * 1.04, most * 1.04];
  const toX = (value: number): number =>
    area.left + ((value - low) / (high - low)) * (area.right - area.left);
  const ticks = roundTicks(low, high, 4);
  const middle = (area.left + area.right) / 2;
  const frame = [
    svgText(middle, area.top - 8, panel.title, 'middle', 'font-weight="600"'),
    ...ticks.map((v) => svgRule(toX(v), area.top, toX(v), area.bottom, 'grid')),
    ...ticks.map((v) => svgText(toX(v), area.bottom + 15, shortNumber(v), 'middle', 'font-size="10.5"')),
    svgRule(area.left, area.bottom, area.right, area.bottom, 'axis'),
    low < 0 ? svgRule(toX(0), area.top, toX(0), area.bottom, 'axis') : '',
    svgText(middle, area.bottom + 32, panel.xAxis, 'middle', 'opacity=".8"'),
  ];
  const marks = panel.rows.flatMap((row, i) => {
    const y = area.top + (i + 0.5) * rowHeight;
    const known = row.filter(({ value }) => value !== null);
    const places = known.map(({ value }) => toX(Math.min(high, Math.max(low, value as number))));
    const span = places.length > 1 ? svgRule(Math.min(...places), y, Math.max(...places), y, 'grid') : '';
    return [
      span,
      ...known.map(({ series: name }, k) =>
        markAt(series[name].marker ?? 'circle', places[k], y, 4.2, series[name].color),
      ),
    ];
  });
  return frame.join('') + marks.join('');
}
