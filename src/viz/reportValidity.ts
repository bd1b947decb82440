import { CHECKS, type Evaluation, type ValidityRow } from '../evaluate';
import type { TableSpec } from './html';
import type { ReportPage } from './reportPage';
import { percent, share } from './reportTables';
import { sourceStyle } from './theme';

/** Suite `validity`. */
export function validitySection(page: ReportPage, evaluation: Evaluation): void {
  if (evaluation.validity.length === 0) return;
  page.heading('Validity');
  page.text(
    'Packet by packet: is what the headers say possible? Nothing is repaired before it is checked, and each check is made where it applies.',
  );
  page.table(validityTable(evaluation));
  page.table(tcpTable(evaluation));
  page.table(refusedTable(evaluation));
  page.folded('Problems that the packet decoder names', problemTable(evaluation));
}

function pooled(evaluation: Evaluation): ValidityRow[] {
  return evaluation.validity.filter((r) => r.label === 'pooled');
}

/** Per-packet checks, all labels together. */
export function validityTable(evaluation: Evaluation): TableSpec {
  const rows = pooled(evaluation);
  const attempts = (name: string): string => {
    const rate = evaluation.sources.find((s) => s.name === name)?.decodeRate;
    return rate === null || rate === undefined ? '–' : percent(rate);
  };
  return {
    caption: 'Packets that pass each check, of those that it can be made on.',
    columns: ['check', ...rows.map((r) => sourceStyle(r.source).title)],
    rows: [
      ['packets judged', ...rows.map((r) => r.packets)],
      ['attempts that became packets (decode rate)', ...rows.map((r) => attempts(r.source))],
      ...CHECKS.map(({ name, title }) => [
        title,
        ...rows.map((r) =>
          r.checks[name].checked === 0 ? '–' : percent(r.checks[name].ok / r.checks[name].checked),
        ),
      ]),
      [
        'every check',
        ...rows.map((r) => (r.allChecks.checked === 0 ? '–' : percent(r.allChecks.ok / r.allChecks.checked))),
      ],
    ],
    highlight: [CHECKS.length + 2],
  };
}

/** Connections: handshakes, sequence numbers, acknowledgements. */
export function tcpTable(evaluation: Evaluation): TableSpec {
  const rows = pooled(evaluation).filter((r) => r.tcp.flows > 0);
  const line = (title: string, of: (r: ValidityRow) => string | number): (string | number)[] => [
    title,
    ...rows.map(of),
  ];
  return {
    caption:
      'TCP connections, all labels together. Sequence numbers and acknowledgements are checked modulo 2^32.',
    columns: ['', ...rows.map((r) => sourceStyle(r.source).title)],
    rows: [
      line('connections', (r) => r.tcp.flows),
      line('with a SYN', (r) => r.tcp.withSyn),
      line('SYN answered by a SYN-ACK', (r) => share(r.tcp.withSynAck, r.tcp.withSyn)),
      line('complete handshake', (r) => share(r.tcp.handshakes, r.tcp.withSyn)),
      line('closed by FIN from both sides', (r) => share(r.tcp.closedByFin, r.tcp.flows)),
      line('closed by RST', (r) => share(r.tcp.closedByRst, r.tcp.flows)),
      line('sequence number exactly as expected', (r) => share(r.tcp.seqExpected, r.tcp.seqChecked)),
      line('... or a repeat', (r) => share(r.tcp.seqExpected + r.tcp.seqRepeated, r.tcp.seqChecked)),
      line('acknowledgement of something sent', (r) => share(r.tcp.ackValid, r.tcp.ackChecked)),
    ],
    highlight: [3],
  };
}

/** What could not be made into packets, and what the decoder found wrong in packets. */
export function refusedTable(evaluation: Evaluation): TableSpec {
  const counts = new Map<string, Map<string, number>>();
  const columns: string[] = [];
  for (const { name, refused, decodeRate } of evaluation.sources) {
    if (decodeRate === null) continue;
    columns.push(name);
    for (const codes of Object.values(refused)) {
      for (const [code, n] of Object.entries(codes)) {
        const byName = counts.get(code) ?? new Map<string, number>();
        byName.set(name, (byName.get(name) ?? 0) + n);
        counts.set(code, byName);
      }
    }
  }
  const total = (row: Map<string, number>): number => row.get('synthetic') ?? [...row.values()][0] ?? 0;
  return {
    caption:
      'Attempts that became no packet, by reason. "unfinished" is the last one, cut by the length asked for.',
    columns: ['reason', ...columns.map((name) => sourceStyle(name).title)],
    rows: [...counts]
      .sort((a, b) => total(b[1]) - total(a[1]))
      .map(([code, row]) => [code, ...columns.map((name) => row.get(name) ?? 0)]),
  };
}

/** Decoder problems by code. */
export function problemTable(evaluation: Evaluation): TableSpec {
  const rows = pooled(evaluation).filter((r) => r.packets > 0);
  const codes = [...new Set(rows.flatMap((r) => Object.keys(r.problems)))].sort();
  return {
    caption: 'Problems that the packet decoder names, in packets that are in the captures.',
    columns: ['problem', ...rows.map((r) => sourceStyle(r.source).title)],
    rows: codes.map((code) => [code, ...rows.map((r) => r.problems[code] ?? 0)]),
  };
}
