import { addCounts, noFlows, noSegments, type TcpFlowCounts, type TcpSegmentCounts } from './counts';
import { noChecksums, type ChecksumCounts } from './checksums';
import type { Severity } from './rule';
import { RULES } from './rules';

/** One place where a rule was broken. */
export interface Finding {
  /** Number of the packet in the capture, from 1. */
  packet: number;
  /** `10.0.0.2:40000 > 10.0.0.1:80`, from client to server; null for packets without a flow. */
  flow: string | null;
  message: string;
}

/** What came of one rule. */
export interface RuleResult {
  rule: string;
  severity: Severity;
  /** Packets that broke it. */
  packets: number;
  /** Flows with such a packet. */
  flows: number;
  /** The first of them. */
  examples: Finding[];
}

/** What a capture's packets keep and break. docs/compliance.md describes it. */
export interface ComplianceReport {
  /** Path or name of the capture; of several: how many. */
  file: string;
  /** Packets judged, and those before them that were a prompt. */
  packets: number;
  promptPackets: number;
  /** Flows with a judged packet; with a violation; with an oddity and no violation. TCP flows among them. */
  flows: { all: number; tcp: number; violating: number; odd: number; tcpViolating: number };
  /** Packets with a violation, with an oddity and none. */
  violatingPackets: number;
  oddPackets: number;
  /** Flows given out early because too many were open; such a flow may be counted twice. */
  evictedFlows: number;
  /** The rules that were broken, violations first, most packets first. */
  rules: RuleResult[];
  /** IPv4 header checksums; 'offloaded' where the field is 0. */
  checksums: { ipv4: ChecksumCounts; tcp: ChecksumCounts; udp: ChecksumCounts };
  /** Packets whose IPv4 and transport checksums are wrong by the same amount: addresses changed after the capture. */
  readdressed: number;
  tcp: TcpFlowCounts & TcpSegmentCounts & { malformedOptions: number };
}

export function emptyReport(file: string): ComplianceReport {
  return {
    file,
    packets: 0,
    promptPackets: 0,
    flows: { all: 0, tcp: 0, violating: 0, odd: 0, tcpViolating: 0 },
    violatingPackets: 0,
    oddPackets: 0,
    evictedFlows: 0,
    rules: [],
    checksums: { ipv4: noChecksums(), tcp: noChecksums(), udp: noChecksums() },
    readdressed: 0,
    tcp: { ...noFlows(), ...noSegments(), malformedOptions: 0 },
  };
}

const ORDER = new Map(RULES.map(({ id }, i) => [id, i]));

/** Violations before oddities, then by number of packets, then as the rules stand in the table. */
export function sortRules(results: RuleResult[]): RuleResult[] {
  return results.sort(
    (a, b) =>
      Number(a.severity === 'oddity') - Number(b.severity === 'oddity') ||
      b.packets - a.packets ||
      ORDER.get(a.rule)! - ORDER.get(b.rule)!,
  );
}

/** The sum of several captures' reports, without examples. */
export function sumReports(reports: readonly ComplianceReport[], name?: string): ComplianceReport {
  const sum = emptyReport(name ?? `${reports.length} captures`);
  const rules = new Map<string, RuleResult>();
  for (const report of reports) {
    const { file: _file, rules: results, ...numbers } = structuredClone(report);
    addCounts(sum as Omit<ComplianceReport, 'file' | 'rules'>, numbers);
    for (const { rule, severity, packets, flows } of results) {
      const total = rules.get(rule) ?? { rule, severity, packets: 0, flows: 0, examples: [] };
      total.packets += packets;
      total.flows += flows;
      rules.set(rule, total);
    }
  }
  sum.rules = sortRules([...rules.values()]);
  return sum;
}
