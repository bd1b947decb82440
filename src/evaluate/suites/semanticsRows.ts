import type { SegmentRow, SegmentRule, SliceSeries, Summary } from '../semantics';

/** Any label without a rule of its own: every uplink packet with payload begins a segment, on all servers. */
export const REQUEST_SEGMENTS: SegmentRule = { minRequestBytes: 1, minSegmentBytes: 1 };

/** Table 3 for one label (or `all`) of one source; differences are real - source, medians over the pairs of traces. */
export interface SegmentComparisonRow extends Omit<SegmentRow, 'perPair'> {
  source: string;
  label: string;
  /** `netflix`, `youtube`, `request`, or `given`; `several` for the label `all` where labels differ. */
  rule: string;
  /** Pairs whose trace says whose twin it is. */
  twins: number;
}

/** Segments of one label's traces as they are; of the source `reference`, too. */
export interface SegmentStatsRow {
  source: string;
  label: string;
  traces: number;
  segments: number;
  sizes: Summary | null;
  meanSizes: Summary | null;
  counts: Summary | null;
}

/** Sending patterns: kilobits on the wire by slice of 100 packets. */
export interface PatternRow {
  source: string;
  label: string;
  pairs: number;
  /** Medians over the pairs; null where no pair has three slices. */
  pearson: number | null;
  pearsonP: number | null;
  dtwKilobits: number | null;
  /** Mean active flows of the real and of the other trace of each pair, cut to equal length. */
  realFlows: number | null;
  flows: number | null;
}

/** Flows of one label's traces beside those of the real training traces of the label. */
export interface FlowRow {
  source: string;
  label: string;
  traces: number;
  /** Sums over the traces. */
  flows: number;
  known: number;
  invented: number;
  newAddresses: number;
  /** Means over the traces. */
  flowsPerTrace: number | null;
  inventedPackets: number | null;
}

/** How well segments that are cut from the packets are the objects that were really served. */
export interface TruthRow {
  source: string;
  label: string;
  /** Traces with a ground truth. */
  traces: number;
  segments: number;
  objects: number;
  matched: number;
  /** Means over the traces. */
  precision: number;
  recall: number;
  f1: number;
}

/** One trace's sending pattern, for the figure. */
export interface SlicePattern {
  source: string;
  label: string;
  file: string;
  series: SliceSeries;
}

/** Suite `semantics`. */
export interface SemanticsResult {
  slicePackets: number;
  comparisons: SegmentComparisonRow[];
  segments: SegmentStatsRow[];
  patterns: PatternRow[];
  flows: FlowRow[];
  truth: TruthRow[];
  /** One real trace and what stands against it; the flows with most traffic, the others summed up. */
  slices: SlicePattern[];
}

export interface SemanticsOptions {
  /** Rules by label. Default: the paper's for labels with `netflix` and `youtube` in them, else every request. */
  segmentRules?: Readonly<Record<string, SegmentRule>>;
  /** Packets of a slice; default 100. */
  slicePackets?: number;
}
