import { CHECKS, type ComplianceRow, type ValidityRow } from '../evaluate';
import type { Cell, ResultTable } from './experiment';
import type { Measured } from './measure';
import { PAPER_COMPLIANCE } from './paper';
import { column } from './tables';
import type { TableOptions } from './tablesSimilarity';

/** Table 4, connections by class, what real traffic never shows, and what decodes. */
export function complianceTables(
  compliance: Measured,
  validity: Measured,
  options: TableOptions,
): ResultTable[] {
  return [
    table4(compliance, options),
    connections(compliance, options),
    forbidden(compliance, options),
    decoding(validity, options),
  ];
}

function rowsOf(measured: Measured): ComplianceRow[] {
  return measured.compliance?.rows ?? [];
}

function table4(measured: Measured, { judged, prefix }: TableOptions): ResultTable {
  const source = judged ?? 'real';
  const rows = (measured.compliance?.paper ?? [])
    .filter((row) => row.source === source && row.label === 'pooled')
    .map((row): Cell[] => {
      const paper = PAPER_COMPLIANCE[row.metric];
      return [
        row.title,
        row.realSeen,
        row.syntheticSeen,
        row.seenChange,
        row.realRate,
        row.syntheticRate,
        row.rateChange,
        paper?.multiFlow ?? null,
        paper?.singleFlow ?? null,
        paper?.netDiffusion ?? null,
      ];
    });
  return {
    id: `${prefix}tab4`,
    title: `TCP compliance: ${source === 'real' ? 'training sessions' : source} against held-out real sessions`,
    reproduces: ['tab4'],
    columns: [
      column.name('metric'),
      column.ours('real, % of traces'),
      column.ours(`${source}, % of traces`),
      column.ours('change, points'),
      column.ours('real, mean rate %'),
      column.ours(`${source}, mean rate %`),
      column.ours('change, %'),
      column.paper('paper multi-flow, %'),
      column.paper('paper single-flow, %'),
      column.paper('NetDiffusion, %'),
    ],
    rows,
    notes: [
      'The paper does not say whether its percentages count traces or events: both are shown. docs/compliance.md ' +
        'has our definitions.',
    ],
  };
}

export const percent = (part: number, of: number): number | null => (of === 0 ? null : (100 * part) / of);

/** Shares of connections and segments, in percent. */
export const SHARES: readonly { title: string; of: (row: ComplianceRow) => number | null }[] = [
  { title: 'handshakes', of: ({ tcp }) => percent(tcp.handshakes, tcp.withSyn) },
  { title: 'closes', of: ({ tcp }) => percent(tcp.closedByFin + tcp.closedByRst, tcp.flows) },
  { title: 'SEQ progress', of: ({ tcp }) => percent(tcp.seqProgress, tcp.seqChecked) },
  { title: 'ACK progress', of: ({ tcp }) => percent(tcp.ackProgress, tcp.ackRepeatable) },
  {
    title: 'retransmissions',
    of: ({ tcp: { kinds, segments } }) =>
      percent(kinds.retransmission + kinds.spuriousRetransmission + kinds.fastRetransmission, segments),
  },
];

/** Points from real that a class may be off: sessions with several flows, and single flows. */
export function pointsBar(prefix: string): number {
  return prefix === '' ? 5 : 2;
}

function connections(measured: Measured, { judged, prefix }: TableOptions): ResultTable {
  const bar = pointsBar(prefix);
  const rows = rowsOf(measured);
  const labels = rows.filter((row) => row.source === 'reference').map(({ label }) => label);
  const find = (source: string, label: string): ComplianceRow | undefined =>
    rows.find((row) => row.source === source && row.label === label);
  return {
    id: `${prefix}connections`,
    title: 'Connections by class, in percent, and differences from held-out real in points',
    reproduces: ['tab4'],
    columns: [
      column.name('class'),
      column.name('what'),
      column.ours('held-out real'),
      column.ours('real - held-out'),
      ...(judged === null
        ? []
        : [column.ours(judged), column.ours('difference'), column.bar(`within ${bar} points`)]),
    ],
    rows: labels.flatMap((label) =>
      SHARES.map(({ title, of }): Cell[] => {
        const value = (source: string): number | null => {
          const row = find(source, label);
          return row ? of(row) : null;
        };
        const [real, floor] = [value('reference'), value('real')];
        const own = judged === null ? null : value(judged);
        const minus = (x: number | null): number | null => (x === null || real === null ? null : x - real);
        const gap = minus(own);
        return [
          label,
          title,
          real,
          minus(floor),
          ...(judged === null
            ? []
            : [own, gap, gap === null ? null : Math.abs(gap) <= bar ? 'met' : 'missed']),
        ];
      }),
    ),
    notes: [
      'Handshakes: of connections with a SYN; closes: FIN from both sides or RST, of all connections; retransmissions: of ' +
        'all segments.',
    ],
  };
}

const NEVER: readonly { title: string; count: (row: ComplianceRow) => number }[] = [
  { title: 'conflicting flags', count: ({ tcp }) => tcp.conflictingFlags },
  { title: 'MSS outside SYN', count: ({ tcp }) => tcp.mssOutside },
  { title: 'window scale outside SYN', count: ({ tcp }) => tcp.scaleOutside },
  { title: 'SACK without SACK-OK', count: ({ tcp }) => tcp.sackNotPermitted },
  { title: 'SYN into established', count: ({ tcp }) => tcp.synEstablished },
  { title: 'malformed options', count: ({ tcp }) => tcp.malformedOptions },
];

function forbidden(measured: Measured, { prefix }: TableOptions): ResultTable {
  const pooled = rowsOf(measured).filter(({ label }) => label === 'pooled');
  return {
    id: `${prefix}forbidden`,
    title: 'What real traffic never shows, in percent of the TCP segments',
    reproduces: ['tab4'],
    columns: [
      column.name('source'),
      column.ours('segments'),
      ...NEVER.map(({ title }) => column.ours(title)),
      column.ours('all'),
      column.bar('at most 0.5'),
    ],
    rows: pooled.map((row): Cell[] => {
      const shares = NEVER.map(({ count }) => percent(count(row), row.tcp.segments));
      const all = neverShown(row);
      return [
        row.source,
        row.tcp.segments,
        ...shares,
        all,
        all === null ? null : all <= MOST_NEVER_SHOWN ? 'met' : 'missed',
      ];
    }),
    notes: [],
  };
}

/** Percent of the segments that may show what real traffic never does; of the packets that must have a sound structure. */
export const MOST_NEVER_SHOWN = 0.5;
export const LEAST_SOUND = 98;

/** Percent of the segments with something that real traffic never shows; a segment with two such things counts twice. */
export function neverShown(row: ComplianceRow): number | null {
  const count = NEVER.reduce((sum, { count: of }) => sum + of(row), 0);
  return percent(count, row.tcp.segments);
}

function decoding(measured: Measured, { prefix }: TableOptions): ResultTable {
  const pooled = measured.validity.filter(({ label }) => label === 'pooled');
  const share = ({ checks }: ValidityRow, name: keyof ValidityRow['checks']): number | null =>
    percent(checks[name].ok, checks[name].checked);
  const structural = CHECKS.filter(({ name }) => name !== 'ipChecksum');
  return {
    id: `${prefix}decoding`,
    title: 'Packets that pass each check, in percent',
    reproduces: [],
    columns: [
      column.name('source'),
      column.ours('packets'),
      column.ours('of attempts'),
      column.ours('sound structure', 4),
      column.bar(`at least ${LEAST_SOUND}`),
      ...structural.map(({ name }) => column.ours(name, 4)),
      column.ours('IPv4 checksum', 4),
      column.ours('transport checksum wrong', 4),
    ],
    rows: pooled.map((row): Cell[] => {
      const rate = measured.sources.find(({ name }) => name === row.source)?.decodeRate ?? null;
      const sound = percent(row.structure.ok, row.structure.checked);
      const wrong = (row.problems.tcp_checksum_wrong ?? 0) + (row.problems.udp_checksum_wrong ?? 0);
      return [
        row.source,
        row.packets,
        rate === null ? null : 100 * rate,
        sound,
        sound === null ? null : sound >= LEAST_SOUND ? 'met' : 'missed',
        ...structural.map(({ name }) => share(row, name)),
        share(row, 'ipChecksum'),
        percent(wrong, row.packets),
      ];
    }),
    notes: [
      'Raw output, no repair. Of attempts: packets among all runs of tokens that were to be packets. Sound structure: ' +
        'every check of the IP and TCP or UDP header but checksums. Transport checksums are judged only where the whole ' +
        'packet is there.',
    ],
  };
}
