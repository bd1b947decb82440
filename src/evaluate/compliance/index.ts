export { SEGMENT_KINDS, type SegmentKind } from './analysis';
export { checkCapture, checkFrames, type CheckCaptureOptions } from './checkCapture';
export { ComplianceChecker, type CheckerOptions } from './checker';
export type { ChecksumCounts, ChecksumVerdict } from './checksums';
export type { TcpFlowCounts, TcpSegmentCounts } from './counts';
export {
  comparePaperMetrics,
  PAPER_METRICS,
  paperMetrics,
  type PaperMetric,
  type PaperRow,
  type PaperValue,
} from './paperMetrics';
export { emptyReport, sumReports, type ComplianceReport, type Finding, type RuleResult } from './report';
export type { Rule, RuleLayer, Severity } from './rule';
export { ruleOf, RULES, rulesMarkdown } from './rules';
