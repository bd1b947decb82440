import {
  checkFrames,
  comparePaperMetrics,
  sumReports,
  type ComplianceReport,
  type PaperRow,
} from '../compliance';
import { labelsIn, reportSource, tracesOf, type SuiteInput } from '../sources';
import { framesOfTrace, type Trace } from '../traces';

/** What one label's traces from one source keep and break. */
export interface ComplianceRow extends Omit<ComplianceReport, 'file'> {
  /** Name of the source, or `reference`. */
  source: string;
  /** A label, or `pooled`: all of them. */
  label: string;
  captures: number;
}

/** One metric of the paper's Table 4, a source beside the reference. */
export interface PaperComplianceRow extends PaperRow {
  source: string;
  /** A label, or `pooled`. */
  label: string;
}

/** Suite `compliance`. docs/compliance.md has the rules and the definitions of the eleven metrics. */
export interface ComplianceResult {
  rows: ComplianceRow[];
  paper: PaperComplianceRow[];
}

/**
 * Checks every packet and connection of the reference and of all sources. Prompt packets are followed, neither judged
 * nor counted. Traces hold the start of each packet only, so transport checksums of longer ones count as not checkable.
 */
export function complianceSuite(input: SuiteInput): ComplianceResult {
  const result: ComplianceResult = { rows: [], paper: [] };
  const check = (name: string, traces: readonly Trace[]): Map<string, ComplianceReport[]> => {
    const labels = new Map<string, ComplianceReport[]>();
    for (const label of labelsIn(traces)) {
      const group = tracesOf(traces, label);
      const reports = group.map((trace) =>
        checkFrames(framesOfTrace(trace, { withPrompt: true }), {
          name: trace.path,
          promptPackets: trace.prompt?.length ?? 0,
          examples: 1,
        }),
      );
      labels.set(label, reports);
      result.rows.push(complianceRow(name, label, reports));
    }
    if (labels.size > 0) result.rows.push(complianceRow(name, 'pooled', [...labels.values()].flat()));
    return labels;
  };
  reportSource(input, 'compliance', 0, 'reference');
  const real = check('reference', input.reference);
  input.sources.forEach(({ name, traces }, i) => {
    reportSource(input, 'compliance', i + 1, name);
    const own = check(name, traces);
    const common = [...own.keys()].filter((label) => real.has(label));
    const compare = (label: string, labels: readonly string[]): void => {
      const sides = [real, own].map((side) => labels.flatMap((each) => side.get(each) ?? []));
      for (const row of comparePaperMetrics(sides[0], sides[1]))
        result.paper.push({ source: name, label, ...row });
    };
    for (const label of common) compare(label, [label]);
    if (common.length > 0) compare('pooled', common);
  });
  return result;
}

function complianceRow(source: string, label: string, reports: readonly ComplianceReport[]): ComplianceRow {
  const { file: _, ...sum } = sumReports(reports);
  for (const result of sum.rules) {
    const example = reports
      .flatMap(({ file, rules }) => rules.map((each) => ({ file, each })))
      .find(({ each }) => each.rule === result.rule && each.examples.length > 0);
    if (example) {
      const { message, ...place } = example.each.examples[0];
      result.examples = [{ ...place, message: `${example.file.split('/').pop()}: ${message}` }];
    }
  }
  return { source, label, captures: reports.length, ...sum };
}
