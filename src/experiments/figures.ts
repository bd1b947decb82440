import {
  extractSegments,
  flowTrace,
  framesOfTrace,
  REQUEST_SEGMENTS,
  segmentSamples,
  sliceKilobits,
  type JudgedSource,
  type SegmentSamples,
  type SliceSeries,
  type Trace,
} from '../evaluate';
import { ecdf, gaussianKde, kolmogorovSmirnov } from '../stats';
import type { ExperimentData } from './data';
import type { ResultFigure, ResultSeries } from './experiment';
import { PAPER_SEGMENT_PAIR } from './paper';
import { conversations, sessionTrace, type TraceUnit } from './realTraces';

/** One side of a pair: what the figures need of a trace. */
export interface PairSide {
  slices: SliceSeries;
  samples: Pick<SegmentSamples, 'sizes' | 'meanSizes' | 'counts'>;
}

/** A generated trace and its twin. */
export interface FigurePair {
  label: string;
  twin: string;
  /** Of the twin's objects where they are known: mean bitrate chosen, kbit/s. */
  kbit: number | null;
  real: PairSide;
  generated: PairSide;
}

export interface PairFigures {
  /** The longest pair first; six at most, of different sessions. */
  pairs: FigurePair[];
}

/** Rows of appendix Figures 3 and 4. */
const PAIRS = 6;
const SLICE_PACKETS = 100;
/** Flows of a pattern that are shown one by one. */
const SHOWN_FLOWS = 6;
const POINTS = 100;

/** The pairs that the figures show: streaming classes first, then the longest. */
export async function figureJob(
  data: ExperimentData,
  judged: JudgedSource,
  labels: readonly string[],
  unit: TraceUnit,
): Promise<PairFigures> {
  const streaming = (label: string): boolean =>
    /dash|hls|stream|video|netflix|youtube/i.test(label) ||
    data.sessions.some((s) => s.label === label && s.service === 'streaming');
  const chosen = judged.traces
    .filter((trace) => labels.includes(trace.label) && trace.twin !== undefined && trace.packets.length > 0)
    .sort(
      (a, b) =>
        Number(streaming(b.label)) - Number(streaming(a.label)) ||
        b.packets.length - a.packets.length ||
        (a.path < b.path ? -1 : 1),
    )
    .slice(0, PAIRS);
  const pairs: FigurePair[] = [];
  for (const trace of chosen) {
    const twin = trace.twin as string;
    const id = unit === 'flow' ? twin.slice(0, twin.lastIndexOf('#')) : twin;
    const session = data.sessions.find((s) => s.id === id);
    if (!session) continue;
    const frames = await session.frames();
    const length = trace.packets.length + trace.promptPackets;
    const own =
      unit === 'flow'
        ? (conversations(frames).find(({ index }) => twin.endsWith(`#${index}`))?.flow ?? [])
        : frames;
    const rates = (session.truth?.objects ?? []).flatMap(({ kbit }) => (kbit === undefined ? [] : [kbit]));
    pairs.push({
      label: trace.label,
      twin,
      kbit: rates.length === 0 ? null : rates.reduce((a, b) => a + b, 0) / rates.length,
      real: sideOf(sessionTrace(session, own, length)),
      generated: sideOf(trace),
    });
  }
  return { pairs };
}

function sideOf(trace: Trace): PairSide {
  const promptPackets = trace.prompt?.length ?? 0;
  const flows = flowTrace(framesOfTrace(trace, { withPrompt: true }), { promptPackets });
  const { sizes, meanSizes, counts } = segmentSamples(extractSegments(flows, REQUEST_SEGMENTS));
  const slices = sliceKilobits(flows, SLICE_PACKETS);
  const shown = {
    ...slices,
    flows: slices.flows.slice(0, SHOWN_FLOWS),
    kilobits: slices.kilobits.slice(0, SHOWN_FLOWS),
  };
  return { slices: shown, samples: { sizes, meanSizes, counts } };
}

const SIDES = ['real', 'generated'] as const;

/** Figure 3 and appendix Figures 2 to 4, as data. */
export function segmentFigures({ pairs }: PairFigures, prefix: string): ResultFigure[] {
  if (pairs.length === 0) return [];
  return [
    patternFigure(`${prefix}fig3`, ['fig3'], pairs.slice(0, 1), 'Kilobits by slice and flow: one pair'),
    pairFigure(pairs[0], prefix),
    densityFigure(pairs, prefix),
    patternFigure(`${prefix}appFig4`, ['appFig4'], pairs, 'Kilobits by slice and flow: the longest pairs'),
  ];
}

function patternFigure(
  id: string,
  reproduces: ResultFigure['reproduces'],
  pairs: readonly FigurePair[],
  title: string,
): ResultFigure {
  const series = pairs.flatMap((pair) =>
    SIDES.flatMap((side) => {
      const { slices } = pair[side];
      return slices.flows.map((name, i): ResultSeries => ({
        name,
        from: 'ours',
        panel: `${pair.twin}, ${side}`,
        x: slices.kilobits[i].map((_, k) => k),
        y: slices.kilobits[i].map((value) => Number(value.toFixed(1))),
      }));
    }),
  );
  return {
    id,
    title,
    reproduces,
    x: `slice of ${SLICE_PACKETS} packets`,
    y: 'kilobits',
    series,
    notes: [
      `The ${SHOWN_FLOWS} flows with most traffic of each trace. The generated one has a prompt of one packet.`,
    ],
  };
}

/** Densities and distributions of one pair's segments. */
function pairFigure(pair: FigurePair, prefix: string): ResultFigure {
  const log = (values: readonly number[]): number[] => values.filter((v) => v > 0).map((v) => Math.log(v));
  const kilobytes = (values: readonly number[]): number[] => values.map((v) => v / 1000);
  const panels: [string, (samples: PairSide['samples']) => number[]][] = [
    ['a: mean segment size per flow, kB', ({ meanSizes }) => kilobytes(meanSizes)],
    ['b: log of segment size, bytes', ({ sizes }) => log(sizes)],
    ['c: log of segments per flow', ({ counts }) => log(counts)],
  ];
  const densities = panels.flatMap(([panel, of]) =>
    densitySeries(
      panel,
      SIDES.map((side) => of(pair[side].samples)),
    ),
  );
  const steps = (
    [
      ['d: segment size, bytes', 'sizes'],
      ['e: segments per flow', 'counts'],
    ] as const
  ).flatMap(([panel, key]) =>
    SIDES.flatMap((side): ResultSeries[] => {
      const values = pair[side].samples[key];
      if (values.length === 0) return [];
      const { values: x, shares } = ecdf(values);
      return [{ name: side, from: 'ours', panel, x: [...x], y: [...shares] }];
    }),
  );
  const [a, b] = SIDES.map((side) => pair[side].samples.sizes);
  const ks = a.length > 0 && b.length > 0 ? kolmogorovSmirnov(a, b).statistic : null;
  const { meanSizes, logSizes } = PAPER_SEGMENT_PAIR.bandwidths;
  return {
    id: `${prefix}appFig2`,
    title: `Segments of one pair (${pair.label}, ${pair.twin})`,
    reproduces: ['appFig2'],
    x: 'by panel',
    y: 'density, or share',
    series: [...densities, ...steps],
    notes: [
      `K-S distance of the sizes: ${ks === null ? 'none' : ks.toFixed(2)}.`,
      `Gaussian kernels, Scott's rule. The paper's pair: bandwidths ${meanSizes.real} and ${meanSizes.generated} kB (a), ${logSizes.real} and ${logSizes.generated} (b).`,
    ],
  };
}

/** Rows of appendix Figure 3: pairs in order of their bitrate; columns: two sizes and their logarithms. */
function densityFigure(pairs: readonly FigurePair[], prefix: string): ResultFigure {
  const ordered = [...pairs].sort((a, b) => (a.kbit ?? 0) - (b.kbit ?? 0));
  const series = ordered.flatMap((pair) => {
    const row = pair.kbit === null ? pair.twin : `${pair.twin}, ${Math.round(pair.kbit)} kbit/s`;
    return (['meanSizes', 'sizes'] as const).flatMap((key) => {
      const both = SIDES.map((side) => pair[side].samples[key].filter((value) => value > 0));
      const name = key === 'sizes' ? 'segment size' : 'mean segment size per flow';
      return [
        ...densitySeries(
          `${row}: ${name}, kB`,
          both.map((values) => values.map((v) => v / 1000)),
        ),
        ...densitySeries(
          `${row}: log of ${name}`,
          both.map((values) => values.map((v) => Math.log(v))),
        ),
      ];
    });
  });
  return {
    id: `${prefix}appFig3`,
    title: 'Segment sizes of the longest pairs, by bitrate',
    reproduces: ['appFig3'],
    x: 'by panel',
    y: 'density',
    series,
    notes: ['Panels without curves: too few segments, or all of one size.'],
  };
}

/** Density curves of the two sides over one range. A side without a width has none. */
function densitySeries(panel: string, sides: readonly (readonly number[])[]): ResultSeries[] {
  const all = sides.flat();
  if (all.length === 0) return [];
  const low = all.reduce((a, b) => Math.min(a, b));
  const high = all.reduce((a, b) => Math.max(a, b));
  const margin = 0.1 * (high - low || 1);
  const x = Array.from(
    { length: POINTS },
    (_, i) => low - margin + (i * (high - low + 2 * margin)) / (POINTS - 1),
  );
  return sides.flatMap((values, i): ResultSeries[] => {
    if (values.length < 2 || values.every((value) => value === values[0])) return [];
    return [{ name: SIDES[i], from: 'ours', panel, x, y: [...gaussianKde(values).evaluate(x)] }];
  });
}
