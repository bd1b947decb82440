import { PAPER_METRICS, ruleOf, type ComplianceRow, type Evaluation } from '../evaluate';
import { complianceBars } from './evaluationFigures';
import type { TableSpec } from './html';
import type { ReportPage } from './reportPage';
import { percent } from './reportTables';
import { sourceStyle } from './theme';

/** The percentage-point changes of NetSSM's Table 4: multi-flow, single-flow, and NetDiffusion's. */
const PUBLISHED: Readonly<Record<string, readonly [number, number, number]>> = {
  finSeen: [50, 9.4, 45.7],
  handshakes: [0, -5.8, -70.2],
  ackProgress: [-1, -6.5, -69.6],
  seqProgress: [-1, -8.3, -68.9],
  finAck: [-4, 2.6, -0.5],
  conflictingFlags: [57, 0.5, 34.4],
  sackWithoutOk: [44, -1.8, 15.8],
  synEstablished: [6, 0, 0],
  mssOutside: [5, 1.4, -2],
  scaleOutside: [5, 1.4, -2],
  rstEstablished: [-16, 0, -35.7],
};

/** Suite `compliance`. */
export function complianceSection(page: ReportPage, evaluation: Evaluation): void {
  const { compliance } = evaluation;
  if (!compliance) return;
  page.heading('Protocol compliance', 'Compliance');
  page.text(
    'Every packet is held against the rules of its protocols, and every TCP segment against what its connection has shown before ' +
      '(RFC 9293). A violation is something that a standard forbids; an oddity is allowed and rare. netssm check shows the packets.',
  );
  page.table(overviewTable(evaluation));
  page.figure(
    complianceBars(compliance, evaluation),
    'All labels together, each capture counted once. The upper five are frequent in real traffic, the lower six do not occur in most of it.',
  );
  page.table(paperTable(evaluation));
  page.table(ruleTable(evaluation));
  page.folded('Rules that only the trivial baselines break', ruleTable(evaluation, true));
}

function pooled(evaluation: Evaluation): ComplianceRow[] {
  return (evaluation.compliance?.rows ?? []).filter(
    ({ label, packets }) => label === 'pooled' && packets > 0,
  );
}

/** Packets, flows and segments that keep the rules, source by source. */
export function overviewTable(evaluation: Evaluation): TableSpec {
  const rows = pooled(evaluation);
  const share = (n: number, of: number): string => (of === 0 ? '–' : percent(n / of));
  const line = (title: string, of: (row: ComplianceRow) => string | number): (string | number)[] => [
    title,
    ...rows.map(of),
  ];
  return {
    caption: 'All labels together.',
    columns: ['', ...rows.map(({ source }) => sourceStyle(source).title)],
    rows: [
      line('packets', (row) => row.packets),
      line('packets with a violation', (row) => share(row.violatingPackets, row.packets)),
      line('packets with an oddity and no violation', (row) => share(row.oddPackets, row.packets)),
      line('flows', (row) => row.flows.all),
      line('flows with a violation', (row) => share(row.flows.violating, row.flows.all)),
      line('TCP flows', (row) => row.flows.tcp),
      line('TCP flows with handshake', (row) => share(row.tcp.handshakes, row.tcp.flows)),
      line('TCP flows with handshake and close', (row) => share(row.tcp.handshakesClosed, row.tcp.flows)),
      line('segments exactly where the last one ended', (row) =>
        share(row.tcp.seqContinuous, row.tcp.seqChecked),
      ),
      line('acknowledgments of exactly what was sent', (row) =>
        share(row.tcp.ackContinuous, row.tcp.ackChecked),
      ),
      line('retransmissions', (row) =>
        share(
          row.tcp.kinds.retransmission +
            row.tcp.kinds.fastRetransmission +
            row.tcp.kinds.spuriousRetransmission,
          row.tcp.segments,
        ),
      ),
      line('segments out of order', (row) => share(row.tcp.kinds.outOfOrder, row.tcp.segments)),
      line('IPv4 header checksums right', (row) =>
        share(row.checksums.ipv4.right, sumOf(row.checksums.ipv4)),
      ),
    ],
    highlight: [4],
  };
}

function sumOf(counts: object): number {
  return Object.values(counts as Record<string, number>).reduce((sum, n) => sum + n, 0);
}

/** Table 4, ours beside what was published. */
export function paperTable(evaluation: Evaluation): TableSpec {
  const rows = (evaluation.compliance?.paper ?? []).filter(
    ({ label, synthetic }) => label === 'pooled' && synthetic > 0,
  );
  const sources = [...new Set(rows.map(({ source }) => source))];
  const points = (value: number | null | undefined): string =>
    value === null || value === undefined
      ? '–'
      : `${value > 0 ? '+' : value < 0 ? '−' : ''}${Math.abs(value).toFixed(1)}`;
  return {
    caption:
      'Table 4 of the paper: captures that show the thing, change from real in percentage points (our reading of "average change"); behind it what was published, on other captures.',
    columns: [
      'metric',
      'real captures that show it',
      ...sources.map((source) => sourceStyle(source).title),
      'NetSSM, multi-flow',
      'NetSSM, single-flow',
      'NetDiffusion',
    ],
    rows: PAPER_METRICS.map(({ name, title }) => {
      const real = rows.find((row) => row.metric === name)?.realSeen;
      return [
        title,
        real === null || real === undefined ? '–' : percent(real / 100),
        ...sources.map((source) =>
          points(rows.find((row) => row.source === source && row.metric === name)?.seenChange),
        ),
        ...PUBLISHED[name].map(points),
      ];
    }),
  };
}

/**
 * Rules that are broken, in packets of a thousand: those that judged or real captures break, most broken first; or those
 * that only baselines do.
 */
export function ruleTable(evaluation: Evaluation, baselinesOnly = false): TableSpec {
  const rows = pooled(evaluation);
  const isBaseline = (source: string): boolean =>
    evaluation.sources.some(({ name, role }) => name === source && role === 'baseline');
  const others = new Map<string, number>();
  const baselines = new Map<string, number>();
  for (const { source, packets, rules } of rows) {
    const worst = isBaseline(source) ? baselines : others;
    for (const rule of rules)
      worst.set(rule.rule, Math.max(worst.get(rule.rule) ?? 0, rule.packets / packets));
  }
  const taken = baselinesOnly ? [...baselines].filter(([rule]) => !others.has(rule)) : [...others];
  const names = taken.sort((a, b) => b[1] - a[1]);
  return {
    caption: baselinesOnly
      ? 'Packets of a thousand.'
      : 'Rules that judged or real captures break, in packets of a thousand. docs/compliance.md has every rule with its section of the standard.',
    columns: ['rule', 'what it asks', 'severity', ...rows.map(({ source }) => sourceStyle(source).title)],
    rows: names.map(([name]) => {
      const rule = ruleOf(name);
      return [
        name,
        rule?.title ?? '',
        rule?.severity ?? '',
        ...rows.map(({ packets, rules }) => {
          const n = rules.find((each) => each.rule === name)?.packets ?? 0;
          return n === 0 ? '0' : Number(((1000 * n) / packets).toPrecision(3)).toString();
        }),
      ];
    }),
  };
}
