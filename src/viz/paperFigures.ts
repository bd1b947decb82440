/** The figures of the NetSSM paper, ours and the paper's in one picture, as SVG. Data comes from runs of experiments. */
import {
  CLASSIFIERS,
  MIXING_RATES,
  PANELS,
  PAPER_CURVES,
  type Classifier,
  type ResultFigure,
  type ResultSeries,
  type ResultTable,
} from '../experiments';
import { dotPanels, type DotMark } from './dotPanels';
import { panelGrid, type MarkShape, type Panel, type PanelCurve, type SeriesLook } from './panelGrid';
import { DASHES } from './svgTheme';
import { COLORS, SERIES_COLORS, sourceStyle } from './theme';

/** How the judged model is called in tables, and in pictures. */
const OURS = 'netssm';
const OUR_TITLE = 'ours';

/** Lines with markers: ours solid and filled, the paper's dashed and open, trivial rivals dotted. */
const PAPER_LOOKS: Readonly<Record<string, SeriesLook>> = {
  'NetSSM (fine-tuned)': { color: COLORS.sky, dash: '6 3', marker: 'plus' },
  'NetSSM (base)': { color: COLORS.purple, dash: '6 3', marker: 'openSquare' },
  NetDiffusion: { color: COLORS.orange, dash: '6 3', marker: 'ring' },
  NetShare: { color: COLORS.vermilion, dash: '6 3', marker: 'triangle' },
};
const OUR_LOOK: SeriesLook = { color: COLORS.blue, marker: 'circle', width: 2.4 };

function lookOf(name: string, from: 'ours' | 'paper'): SeriesLook {
  if (from === 'paper') return PAPER_LOOKS[name] ?? { color: COLORS.grey, dash: '6 3' };
  if (name === OURS) return OUR_LOOK;
  return { color: sourceStyle(name).color, dash: '1.5 3', marker: 'diamond' };
}

function titleOf(name: string, from: 'ours' | 'paper'): string {
  if (from === 'paper') return `paper: ${name}`;
  return name === OURS ? OUR_TITLE : sourceStyle(name).title;
}

/** Figure 2 without a run: the paper's curves alone. */
export function paperMixingSeries(all = false): ResultSeries[] {
  return PAPER_CURVES.filter(({ inFig2 }) => all || inFig2).map(
    ({ panel, classifier, generator, accuracy }) => ({
      name: all ? `${generator}, ${classifierTitle(classifier)}` : generator,
      from: 'paper',
      panel: PANELS.find((each) => each.panel === panel)?.title ?? panel,
      x: [...MIXING_RATES],
      y: [...accuracy],
    }),
  );
}

function classifierTitle(classifier: Classifier): string {
  return CLASSIFIERS.find((each) => each.classifier === classifier)?.title ?? classifier;
}

interface FigureOptions {
  title?: string;
  standalone?: boolean;
}

/** Figure 2: accuracy of a random forest by mixing rate. `figure`: `fig2-packet` or another of a run's; without, the paper's. */
export function mixingFigure(figure?: ResultFigure, options: FigureOptions = {}): string {
  const series = figure?.series ?? paperMixingSeries();
  const panels = PANELS.map(({ title }): Panel => ({
    title,
    xAxis: 'share of synthetic training items',
    yAxis: 'accuracy',
    xRange: [0, 1],
    yRange: [0, 1.02],
    curves: mixingCurves(series.filter(({ panel }) => panel === title)),
    empty: 'the data names no services',
  }));
  return panelGrid(panels, {
    title: options.title ?? figure?.title ?? 'Accuracy by mixing rate (the paper’s Figure 2)',
    panelHeight: 230,
    standalone: options.standalone,
  });
}

function mixingCurves(series: readonly ResultSeries[], suffix = ''): PanelCurve[] {
  // Ours last, so that it lies on top.
  const order = (each: ResultSeries): number =>
    each.from === 'paper' ? 0 : each.name.startsWith(OURS) ? 2 : 1;
  return [...series]
    .sort((a, b) => order(a) - order(b))
    .map(({ name, from, x, y, low, high }) => {
      const plain = name.endsWith(suffix) ? name.slice(0, name.length - suffix.length) : name;
      // Bands of rivals would cover everything; the tables have their intervals.
      const band = plain === OURS ? { low, high } : {};
      return { name: titleOf(plain, from), x, y, ...band, ...lookOf(plain, from) };
    });
}

/** Appendix Figure 1: the same for three classifiers, a row each; `panels`: the tests, two by default. */
export function classifierFigure(
  figure?: ResultFigure,
  options: FigureOptions & { tests?: 'real' | 'synthetic' } = {},
): string {
  const series = figure?.series ?? paperMixingSeries(true);
  const { tests = 'real' } = options;
  const shown = PANELS.filter(({ panel }) => panel.endsWith(tests === 'real' ? 'real' : 'syn'));
  const panels = CLASSIFIERS.flatMap(({ title: classifier }) =>
    shown.map(({ title }): Panel => ({
      title: `${classifier}: ${title}`,
      xAxis: 'share of synthetic training items',
      yAxis: 'accuracy',
      xRange: [0, 1],
      yRange: [0, 1.02],
      curves: mixingCurves(
        series.filter(({ panel, name }) => panel === title && name.endsWith(`, ${classifier}`)),
        `, ${classifier}`,
      ),
      empty: 'the data names no services',
    })),
  );
  return panelGrid(panels, {
    title: options.title ?? `Accuracy by mixing rate, tested on ${tests} items (appendix Figure 1)`,
    panelHeight: 205,
    standalone: options.standalone,
  });
}

const FLOW_MARKERS: readonly MarkShape[] = [
  'circle',
  'square',
  'triangle',
  'diamond',
  'plus',
  'ring',
  'openSquare',
];

/** Figure 3 and appendix Figure 4: kilobits by slice and flow, a pair of a real and a generated trace in each row. */
export function patternFigure(
  figure: ResultFigure,
  options: FigureOptions & { pairs?: number } = {},
): string {
  const names = [...new Set(figure.series.map(({ panel }) => panel))].slice(0, 2 * (options.pairs ?? 6));
  const panels = names.map((name): Panel => {
    const twin = name.replace(/, (real|generated)$/, '');
    const both = figure.series.filter(({ panel }) => panel.startsWith(`${twin}, `));
    const most = Math.max(1, ...both.flatMap(({ y }) => y.map((value) => value ?? 0)));
    const slices = Math.max(2, ...both.map(({ x }) => x.length));
    return {
      title: name,
      xAxis: figure.x,
      yAxis: 'kilobits',
      xRange: [0, slices - 1],
      yRange: [0, 1.05 * most],
      curves: figure.series
        .filter(({ panel }) => panel === name)
        .map(({ x, y }, i) => ({
          name: `flow ${i + 1}`,
          x,
          y,
          color: SERIES_COLORS[i % SERIES_COLORS.length],
          marker: FLOW_MARKERS[i % FLOW_MARKERS.length],
          dash: DASHES[i % DASHES.length],
        })),
    };
  });
  return panelGrid(panels, {
    title: options.title ?? figure.title,
    panelHeight: 185,
    standalone: options.standalone,
  });
}

const SIDE_LOOKS: Readonly<Record<string, SeriesLook>> = {
  real: { color: '#4d4d4d', width: 2 },
  generated: { color: COLORS.blue, width: 2, dash: '7 3' },
};

/** Appendix Figure 2: densities and distributions of one pair's segments, real and generated. */
export function segmentsFigure(figure: ResultFigure, options: FigureOptions = {}): string {
  const names = [...new Set(figure.series.map(({ panel }) => panel))];
  const panels = names.map((name): Panel => {
    const own = figure.series.filter(({ panel }) => panel === name);
    const steps = own.some(
      ({ y }) => y[y.length - 1] === 1 && y.every((value, i) => i === 0 || value! >= y[i - 1]!),
    );
    const [title, unit] = splitUnit(name);
    return {
      title,
      xAxis: unit,
      yAxis: steps ? 'share' : 'density',
      logX: steps,
      ...(steps && { yRange: [0, 1.02] as const }),
      curves: own.map(({ name: side, x, y }) => ({
        name: side,
        ...(steps ? stairs(x, y) : { x, y }),
        ...(SIDE_LOOKS[side] ?? { color: COLORS.grey }),
      })),
    };
  });
  return panelGrid(panels, {
    title: options.title ?? figure.title,
    panelHeight: 195,
    standalone: options.standalone,
  });
}

/** `a: size, kB` as title and unit. */
function splitUnit(name: string): [string, string] {
  const at = name.lastIndexOf(', ');
  const unit = at < 0 ? '' : name.slice(at + 2);
  if (unit !== 'kB' && unit !== 'bytes') return [name, ''];
  const title = name.slice(0, at);
  return [title, title.includes('log of') ? `natural logarithm, ${unit}` : unit];
}

/** Columns of appendix Figure 3: as they are called in runs, and above the panels. */
const DENSITY_COLUMNS = [
  ['mean segment size per flow, kB', 'mean size per flow', 'kB'],
  ['log of mean segment size per flow', 'its logarithm', 'ln bytes'],
  ['segment size, kB', 'segment size', 'kB'],
  ['log of segment size', 'its logarithm', 'ln bytes'],
] as const;

/** Appendix Figure 3: a row for each pair, from the lowest bitrate to the highest; two sizes and their logarithms. */
export function densityGrid(figure: ResultFigure, options: FigureOptions = {}): string {
  const rows = [...new Set(figure.series.map(({ panel }) => panel.slice(0, panel.lastIndexOf(': '))))];
  const panels = rows.flatMap((row, i) =>
    DENSITY_COLUMNS.map(([column, title, unit], k): Panel => ({
      title: i === 0 ? title : '',
      xAxis: unit,
      yAxis: k === 0 ? row.replace(' kbit/s', ' kb/s') : '',
      curves: figure.series
        .filter(({ panel }) => panel === `${row}: ${column}`)
        .map(({ name, x, y }) => ({ name, x, y, ...(SIDE_LOOKS[name] ?? { color: COLORS.grey }) })),
      empty: 'too few',
    })),
  );
  return panelGrid(panels, {
    title: options.title ?? figure.title,
    columns: DENSITY_COLUMNS.length,
    panelHeight: 172,
    standalone: options.standalone,
  });
}

/** A distribution function rises at its values and is level between them. */
function stairs(x: readonly number[], y: readonly (number | null)[]): { x: number[]; y: (number | null)[] } {
  return {
    x: x.flatMap((value, i) => (i === 0 ? [value] : [value, value])),
    y: y.flatMap((value, i) => (i === 0 ? [value] : [y[i - 1], value])),
  };
}

/** What a table's column has in the row of a name. */
function cellOf(
  table: ResultTable,
  row: (cells: readonly unknown[]) => boolean,
  title: string,
): number | null {
  const at = table.columns.findIndex((column) => column.title === title);
  const value = table.rows.find(row)?.[at];
  return typeof value === 'number' ? value : null;
}

const RANKED: Readonly<Record<string, SeriesLook>> = {
  'ours: model': { color: COLORS.blue, marker: 'circle' },
  'ours: real traffic (floor)': { color: COLORS.green, marker: 'square' },
  'ours: trivial, yardsticks': { color: COLORS.grey, marker: 'diamond' },
  'the paper’s': { color: COLORS.vermilion, marker: 'openDiamond' },
};

/** Table 2 as dots: attributes against the twin, and the header level; ours above, the paper's below. */
export function similarityDots(table: ResultTable, options: FigureOptions = {}): string {
  const from = table.columns.findIndex(({ title }) => title === 'from');
  const of = (title: string, cells: ResultTable['rows'][number]): DotMark[] => {
    const at = table.columns.findIndex((column) => column.title === title);
    const value = cells[at];
    const series =
      cells[from] === 'paper'
        ? 'the paper’s'
        : cells[0] === OURS
          ? 'ours: model'
          : cells[0] === 'real'
            ? 'ours: real traffic (floor)'
            : 'ours: trivial, yardsticks';
    return typeof value === 'number' ? [{ series, value }] : [];
  };
  const nameOf = (cells: ResultTable['rows'][number]): string =>
    titleOf(String(cells[0]), cells[from] === 'paper' ? 'paper' : 'ours');
  const panel = (title: string, column: string) => ({
    title,
    xAxis: 'Jensen-Shannon distance',
    rows: table.rows.map((cells) => of(column, cells)),
  });
  return dotPanels({
    title: options.title ?? 'Distances from real traffic: ours from ours, the paper’s from its own',
    rows: table.rows.map(nameOf),
    panels: [panel('five attributes, against the twin', 'mean'), panel('TCP header bits', 'header JSD')],
    series: RANKED,
    rules: [table.rows.findIndex((cells) => cells[from] === 'paper')],
    standalone: options.standalone,
  });
}

/** Table 4 as dots: change from real by metric, ours and the paper's. */
export function complianceDots(table: ResultTable, options: FigureOptions = {}): string {
  const series: Record<string, SeriesLook> = {
    'ours: captures, change in points': { color: COLORS.blue, marker: 'circle' },
    'ours: mean rate, change in points': { color: COLORS.sky, marker: 'square' },
    'paper: NetSSM, multi-flow': { color: COLORS.vermilion, marker: 'openDiamond' },
    'paper: NetSSM, single flow': { color: COLORS.orange, marker: 'plus' },
    'paper: NetDiffusion': { color: COLORS.grey, marker: 'triangle' },
  };
  const source = table.columns.some(({ title }) => title.startsWith(`${OURS}, `)) ? OURS : 'real';
  const rows = table.rows.map(([metric]) => {
    const cell = (title: string): number | null => cellOf(table, ([name]) => name === metric, title);
    const [real, own] = [cell('real, mean rate %'), cell(`${source}, mean rate %`)];
    const values = [
      cell('change, points'),
      real === null || own === null ? null : own - real,
      cell('paper multi-flow, %'),
      cell('paper single-flow, %'),
      cell('NetDiffusion, %'),
    ];
    return Object.keys(series).map((name, i): DotMark => ({ series: name, value: values[i] }));
  });
  return dotPanels({
    title: options.title ?? 'TCP compliance: change from real',
    rows: table.rows.map(([metric]) => String(metric)),
    panels: [{ title: 'how much more, or less, than in real traffic', xAxis: 'points; the paper: %', rows }],
    series,
    rowHeight: 26,
    nameWidth: 220,
    standalone: options.standalone,
  });
}
