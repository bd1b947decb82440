import type { Cell, Json, ResultFigure, ResultSeries, ResultTable } from './experiment';
import { MIXING_FEATURES } from './mixingItems';
import type { MixingPoint, MixingResult, MixingTask, Score } from './mixingJob';
import { CLASSIFIERS, PANELS, type Classifier, type Panel } from './paper';
import { MIXING_RATES, PAPER_CURVES } from './paperCurves';
import { column, meanInterval } from './tables';

/** How the features are called in tables and figures. */
export const FEATURE_TITLES: Readonly<Record<string, string>> = {
  packet: 'one packet, header bits',
  flow: 'first 10 packets of a flow, header bits',
  sequence: 'sizes and times of the first 30 packets of a flow',
};

/** Points that synthetic training data may cost, and by which it must beat every trivial set where order matters. */
const LOSS_BAR = 0.03;
const MARGIN_BAR = 0.05;

/** Features of which a packet alone is not enough. */
const ORDERED = ['flow', 'sequence'];

interface Selection {
  source: string;
  features: string;
  task: MixingTask;
  classifier: Classifier;
  rate: number;
}

/** Scores of one place in all seeds. Rate 0 is the real items', whatever the source. */
function scores(
  results: readonly MixingResult[],
  { source, features, task, classifier, rate }: Selection,
  of: (point: MixingPoint) => Score | undefined,
): Score[] {
  const from = rate === 0 ? 'real' : source;
  return results
    .filter((result) => result.source === from && result.features === features)
    .flatMap(({ points }) => points)
    .filter((p) => p.task === task && p.classifier === classifier && p.rate === rate)
    .flatMap((point) => of(point) ?? []);
}

/**
 * Class-balanced accuracy on real items, mean over the seeds: by default of the forest that learnt from real items alone.
 * Null where there is none.
 */
export function meanScore(
  results: readonly MixingResult[],
  where: { features: string; source?: string; rate?: number; classifier?: Classifier; task?: MixingTask },
): number | null {
  const { features, source = 'real', rate = 0, classifier = 'forest', task = 'app' } = where;
  const found = scores(results, { source, features, task, classifier, rate }, (point) => point.real);
  return meanInterval(balanced(found)).mean;
}

const balanced = (list: readonly Score[]): number[] => list.map((score) => score.balanced);
const kinds = (results: readonly MixingResult[]): string[] =>
  MIXING_FEATURES.filter((name) => results.some(({ features }) => features === name));
const tasksOf = (results: readonly MixingResult[]): MixingTask[] =>
  (['app', 'service'] as const).filter((task) =>
    results.some(({ points }) => points.some((point) => point.task === task)),
  );

/** Figure 2's main numbers with their bars, all curves as a table, and the features that count. */
export function mixingTables(results: readonly MixingResult[], judged: string): ResultTable[] {
  return [summaryTable(results, judged), curveTable(results), importanceTable(results, judged)];
}

function summaryTable(results: readonly MixingResult[], judged: string): ResultTable {
  const rivals = [...new Set(results.map(({ source }) => source))].filter(
    (name) => name !== 'real' && name !== judged,
  );
  const rows = kinds(results).flatMap((features) =>
    tasksOf(results).map((task): Cell[] => {
      const at = (source: string, rate: number): Score[] =>
        scores(results, { source, features, task, classifier: 'forest', rate }, (point) => point.real);
      const real = meanInterval(balanced(at('real', 0)));
      const own = meanInterval(balanced(at(judged, 1)));
      const trivial = rivals.map((name) => ({ name, mean: meanInterval(balanced(at(name, 1))).mean }));
      const best = trivial.reduce<{ name: string; mean: number } | null>(
        (top, { name, mean }) => (mean !== null && (top === null || mean > top.mean) ? { name, mean } : top),
        null,
      );
      // The same test items and as many training items, seed by seed.
      const [reals, owns] = [balanced(at('real', 0)), balanced(at(judged, 1))];
      const lost = meanInterval(
        owns.map((value, i) => reals[i] - value),
        [-1, 1],
      );
      const loss = lost.mean;
      const margin = best === null || own.mean === null ? null : own.mean - best.mean;
      const ordered = ORDERED.includes(features);
      const panel: Panel = task === 'app' ? 'app_real' : 'service_real';
      const curve = PAPER_CURVES.find(
        (each) => each.inFig2 && each.panel === panel && each.generator === 'NetSSM (fine-tuned)',
      );
      return [
        FEATURE_TITLES[features],
        task === 'app' ? 'application' : 'service',
        real.mean,
        own.mean,
        own.low,
        own.high,
        loss,
        lost.low,
        lost.high,
        loss === null ? null : loss <= LOSS_BAR ? 'met' : 'missed',
        best?.mean ?? null,
        best?.name ?? null,
        margin,
        margin === null || !ordered ? null : margin >= MARGIN_BAR ? 'met' : 'missed',
        curve?.accuracy[0] ?? null,
        curve?.accuracy[10] ?? null,
      ];
    }),
  );
  return {
    id: 'fig2',
    title: 'Random forest on held-out real items: trained on real ones, and on synthetic ones alone',
    reproduces: ['fig2'],
    columns: [
      column.name('features'),
      column.name('task'),
      column.ours('real'),
      column.ours(judged),
      column.ours('low'),
      column.ours('high'),
      column.ours('lost'),
      column.ours('lost, low'),
      column.ours('lost, high'),
      column.bar(`at most ${LOSS_BAR}`),
      column.ours('best trivial'),
      column.ours('which'),
      column.ours('margin'),
      column.bar(`at least ${MARGIN_BAR}`),
      column.paper('paper, real'),
      column.paper('paper, NetSSM'),
    ],
    rows,
    notes: [
      'Class-balanced accuracy, mean over the seeds with 95 % intervals; the same number of training items and the same ' +
        'test items throughout. The paper gives plain accuracy, of flows dealt at random.',
    ],
  };
}

function curveTable(results: readonly MixingResult[]): ResultTable {
  const keys = new Map<string, Selection>();
  for (const { source, features, points } of results)
    for (const { task, classifier, rate } of points)
      keys.set([features, task, classifier, source, rate].join('/'), {
        source,
        features,
        task,
        classifier,
        rate,
      });
  const rows = [...keys.values()].map((key): Cell[] => {
    const real = scores(results, key, (point) => point.real);
    const own = scores(results, key, (point) => point.synthetic[key.source]);
    const { mean, low, high } = meanInterval(balanced(real));
    return [
      FEATURE_TITLES[key.features],
      key.task,
      key.classifier,
      key.source,
      key.rate,
      real.length,
      mean,
      low,
      high,
      meanInterval(real.map((score) => score.accuracy)).mean,
      meanInterval(balanced(own)).mean,
    ];
  });
  return {
    id: 'mixing-rates',
    title: 'Accuracy by mixing rate',
    reproduces: [],
    columns: [
      ...['features', 'task', 'classifier', 'source', 'rate'].map((title) => column.name(title)),
      column.ours('seeds'),
      column.ours('balanced, real'),
      column.ours('low'),
      column.ours('high'),
      column.ours('plain, real'),
      column.ours('balanced, synthetic'),
    ],
    rows,
    notes: [],
  };
}

function importanceTable(results: readonly MixingResult[], judged: string): ResultTable {
  const rows = kinds(results).flatMap((features) => {
    const of = (source: string, rate: number): Record<string, number> =>
      results
        .filter((result) => result.source === source && result.features === features)
        .flatMap(({ points }) => points)
        .find((p) => p.task === 'app' && p.rate === rate && p.importances)?.importances ?? {};
    const [real, own] = [of('real', 0), of(judged, 1)];
    return Object.entries(real)
      .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
      .slice(0, 10)
      .map(([name, value]): Cell[] => [FEATURE_TITLES[features], name, value, own[name] ?? null]);
  });
  return {
    id: 'importances',
    title: 'What the forests look at: shares of the impurity decrease, applications, first seed',
    reproduces: [],
    columns: [
      column.name('features'),
      column.name('field'),
      column.ours('trained on real'),
      column.ours(`trained on ${judged}`),
    ],
    rows,
    notes: [],
  };
}

/** Figure 2 (forests) and appendix Figure 1 (all), a figure for each kind of features, with the paper's curves. */
export function mixingFigures(results: readonly MixingResult[], judged: string): ResultFigure[] {
  return kinds(results).flatMap((features) =>
    (['fig2', 'appFig1'] as const).map((id): ResultFigure => {
      const classifiers = CLASSIFIERS.filter(
        ({ classifier }) =>
          (id === 'appFig1' || classifier === 'forest') &&
          results.some(({ points }) => points.some((point) => point.classifier === classifier)),
      );
      const series = PANELS.flatMap(({ panel, title }) =>
        classifiers.flatMap(({ classifier, title: name }) => [
          ...ourSeries(results, judged, features, panel, title, classifier, id === 'fig2' ? '' : `, ${name}`),
          ...PAPER_CURVES.filter(
            (curve) =>
              curve.panel === panel && curve.classifier === classifier && (id === 'appFig1' || curve.inFig2),
          ).map(({ generator, accuracy }): ResultSeries => ({
            name: id === 'fig2' ? generator : `${generator}, ${name}`,
            from: 'paper',
            panel: title,
            x: [...MIXING_RATES],
            y: [...accuracy],
          })),
        ]),
      );
      return {
        id: `${id}-${features}`,
        title: `Accuracy by mixing rate: ${FEATURE_TITLES[features]}`,
        reproduces: [id],
        x: 'share of synthetic training items',
        y: 'accuracy (ours: class-balanced)',
        series,
        notes: ['Bands: 95 % over the seeds.'],
      };
    }),
  );
}

function ourSeries(
  results: readonly MixingResult[],
  judged: string,
  features: string,
  panel: Panel,
  title: string,
  classifier: Classifier,
  suffix: string,
): ResultSeries[] {
  const task: MixingTask = panel.startsWith('app') ? 'app' : 'service';
  const onReal = panel.endsWith('real');
  const sources = [...new Set(results.map(({ source }) => source))].filter((name) => name !== 'real');
  sources.sort((a, b) => Number(b === judged) - Number(a === judged));
  return sources.flatMap((source): ResultSeries[] => {
    const rates = new Set(
      results
        .filter((result) => result.source === source && result.features === features)
        .flatMap(({ points }) => points.map(({ rate }) => rate)),
    );
    if (rates.size === 0) return [];
    const x = [0, ...rates].sort((a, b) => a - b);
    const values = x.map((rate) =>
      meanInterval(
        balanced(
          scores(results, { source, features, task, classifier, rate }, (point) =>
            onReal ? point.real : point.synthetic[source],
          ),
        ),
      ),
    );
    if (values.every(({ mean }) => mean === null)) return [];
    return [
      {
        name: `${source}${suffix}`,
        from: 'ours',
        panel: title,
        x,
        y: values.map(({ mean }) => mean),
        low: values.map(({ low }) => low),
        high: values.map(({ high }) => high),
      },
    ];
  });
}

/** Confusion matrices of the first seed's forests at the ends of the scale. */
export function mixingDetails(results: readonly MixingResult[]): { [key: string]: Json } {
  const confusion: { [key: string]: Json } = {};
  for (const { source, features, points } of results)
    for (const { task, rate, confusion: matrix } of points)
      if (matrix)
        confusion[[features, task, source, `rate ${rate}`].join(', ')] = {
          classes: matrix.classes.map(String),
          counts: matrix.counts,
        };
  return { confusion };
}
