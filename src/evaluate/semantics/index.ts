export {
  compareSamples,
  compareSegments,
  histogramKl,
  SEGMENT_EVALUATIONS,
  type KlOptions,
  type SampleComparison,
  type SegmentRow,
} from './compareSegments';
export { flowNovelty, type FlowNovelty } from './flowCounts';
export {
  flowTrace,
  readFlowTrace,
  type FlowEnds,
  type FlowPacket,
  type FlowTrace,
  type FlowTraceOptions,
} from './flowPackets';
export {
  extractSegments,
  NETFLIX_SEGMENTS,
  selectFlows,
  serversOf,
  YOUTUBE_SEGMENTS,
  type Segment,
  type SegmentRule,
} from './segments';
export {
  segmentSamples,
  segmentSummary,
  summarise,
  type SegmentSamples,
  type SegmentSummary,
  type Summary,
} from './segmentStats';
export {
  compareSlices,
  sliceKilobits,
  type PatternComparison,
  type SliceSeries,
  type SliceTotals,
} from './slices';
export { matchSegments, type MatchOptions, type SegmentMatch, type TrueObject } from './truth';
