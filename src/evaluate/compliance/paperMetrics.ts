import { mean } from '../../stats';
import type { ComplianceReport } from './report';

/** The eleven metrics of NetSSM's Table 4, in its order. */
export const PAPER_METRICS = [
  { name: 'finSeen', title: 'FIN seen', of: 'flows' },
  { name: 'handshakes', title: 'correct handshakes found', of: 'flows' },
  { name: 'ackProgress', title: 'ACK progress', of: 'segments with ACK after one of the same side' },
  { name: 'seqProgress', title: 'SEQ progress', of: 'segments after one of the same side' },
  { name: 'finAck', title: 'FIN-ACK observed', of: 'flows with FIN' },
  { name: 'conflictingFlags', title: 'conflicting flags', of: 'segments' },
  { name: 'sackWithoutOk', title: 'SACK used without SACK-OK', of: 'segments' },
  { name: 'synEstablished', title: 'unexpected SYN after established', of: 'segments' },
  { name: 'mssOutside', title: 'MSS outside handshake', of: 'segments' },
  { name: 'scaleOutside', title: 'WScale outside handshake', of: 'segments' },
  { name: 'rstEstablished', title: 'RST in established state', of: 'flows' },
] as const;
export type PaperMetric = (typeof PAPER_METRICS)[number]['name'];

/** One metric of one capture. */
export interface PaperValue {
  /** Occurrences, and what they are a share of. */
  count: number;
  of: number;
  /** Whether the capture shows it at all; progress: whether a number ever advances. */
  seen: boolean;
}

/** The eleven metrics of a capture. docs/compliance.md says how each is counted. */
export function paperMetrics({ tcp }: ComplianceReport): Record<PaperMetric, PaperValue> {
  const value = (count: number, of: number, seen = count > 0): PaperValue => ({ count, of, seen });
  return {
    finSeen: value(tcp.withFin, tcp.flows),
    handshakes: value(tcp.handshakes, tcp.flows),
    ackProgress: value(tcp.ackProgress, tcp.ackRepeatable, tcp.ackAdvances > 0),
    seqProgress: value(tcp.seqProgress, tcp.seqChecked, tcp.seqAdvances > 0),
    finAck: value(tcp.finAcknowledged, tcp.withFin),
    conflictingFlags: value(tcp.conflictingFlags, tcp.segments),
    sackWithoutOk: value(tcp.sackNotPermitted, tcp.segments),
    synEstablished: value(tcp.synEstablished, tcp.segments),
    mssOutside: value(tcp.mssOutside, tcp.segments),
    scaleOutside: value(tcp.scaleOutside, tcp.segments),
    rstEstablished: value(tcp.resetsEstablished, tcp.flows),
  };
}

/** One metric of real captures beside synthetic ones. */
export interface PaperRow {
  metric: PaperMetric;
  title: string;
  /** Captures with TCP on either side. */
  real: number;
  synthetic: number;
  /** Percent of the captures that show it, and the difference, synthetic - real, in percentage points. */
  realSeen: number | null;
  syntheticSeen: number | null;
  seenChange: number | null;
  /** Mean over the captures of count / of, in percent, and its change relative to real, in percent. */
  realRate: number | null;
  syntheticRate: number | null;
  rateChange: number | null;
}

/**
 * Table 4: how synthetic captures differ from real ones. The paper's multi-flow column has whole numbers only, with 100
 * traces a side: what a difference of the traces that show a thing would give; that is `seenChange`. `rateChange` is the other
 * reading, relative change of per-trace means; null where real has none.
 */
export function comparePaperMetrics(
  real: readonly ComplianceReport[],
  synthetic: readonly ComplianceReport[],
): PaperRow[] {
  const sides = [real, synthetic].map((reports) =>
    reports.filter(({ tcp }) => tcp.segments > 0).map(paperMetrics),
  );
  return PAPER_METRICS.map(({ name, title }) => {
    const [a, b] = sides.map((values) => values.map((value) => value[name]));
    const [realSeen, syntheticSeen] = [a, b].map((values) =>
      percent(values.map(({ seen }) => (seen ? 1 : 0))),
    );
    const [realRate, syntheticRate] = [a, b].map((values) =>
      percent(values.filter(({ of }) => of > 0).map(({ count, of }) => count / of)),
    );
    return {
      metric: name,
      title,
      real: a.length,
      synthetic: b.length,
      realSeen,
      syntheticSeen,
      seenChange: realSeen === null || syntheticSeen === null ? null : syntheticSeen - realSeen,
      realRate,
      syntheticRate,
      rateChange: !realRate || syntheticRate === null ? null : (100 * (syntheticRate - realRate)) / realRate,
    };
  });
}

function percent(shares: readonly number[]): number | null {
  return shares.length === 0 ? null : 100 * mean(shares);
}
