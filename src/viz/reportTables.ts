import {
  CHECKS,
  FIELDS,
  HEADER_LEVELS,
  type Evaluation,
  type SimilarityRow,
  type ValidityRow,
} from '../evaluate';
import type { TableSpec } from './html';
import { sourceStyle } from './theme';

const distance = (value: number | null | undefined): string =>
  value === null || value === undefined ? '–' : value.toFixed(3);

/** Share in percent with the numbers behind it: `98.4 % (120 of 122)`. */
export function share(ok: number, of: number): string {
  return of === 0 ? '–' : `${percent(ok / of)} (${ok.toLocaleString('en')} of ${of.toLocaleString('en')})`;
}

/** Never rounds to 100 or 0 what is not exactly that. */
export function percent(value: number): string {
  if (value === 1 || value === 0) return `${value * 100}\u00a0%`;
  const digits = value > 0.999 || value < 0.001 ? 2 : 1;
  const text = (value * 100).toFixed(digits);
  if (text === '100.00') return '> 99.99\u00a0%';
  return text === '0.00' ? '< 0.01\u00a0%' : `${text}\u00a0%`;
}

function find(
  evaluation: Evaluation,
  source: string,
  label: string,
  what: string,
): SimilarityRow | undefined {
  return evaluation.similarity.find((r) => r.source === source && r.label === label && r.what === what);
}

/** The three distances of the header levels and of the fields' mean, source by source, mean over labels. */
export function similarityTable(evaluation: Evaluation): TableSpec {
  const measured = evaluation.sources.filter(({ name }) =>
    evaluation.similarity.some((r) => r.source === name),
  );
  const row = (name: string): (string | number | undefined)[] => {
    const tcp = find(evaluation, name, 'macro', 'tcp');
    const of = (what: string): string => distance(find(evaluation, name, 'macro', what)?.jsDistance);
    return [
      sourceStyle(name).title,
      tcp?.nSource,
      distance(tcp?.jsDistance),
      distance(tcp?.totalVariation),
      distance(tcp?.hellinger),
      of('tcp-no-checksum'),
      of('ipv4'),
      of('udp'),
      find(evaluation, name, 'macro', 'mean')?.nSource,
      of('mean'),
    ];
  };
  return {
    caption:
      'Distance from held-out real captures, mean over the labels. JS: base-2 Jensen-Shannon distance; TVD: total ' +
      'variation; HD: Hellinger; all from 0 (same) to 1. Header columns are means over the bits of the header.',
    columns: [
      'source',
      'TCP packets',
      'TCP bits, JS',
      'TVD',
      'HD',
      'TCP without checksum, JS',
      'IPv4 bits, JS',
      'UDP bits, JS',
      'packets',
      'fields, mean JS',
    ],
    rows: measured.map(({ name }) => row(name)),
    highlight: measured.flatMap(({ role }, i) => (role === 'synthetic' ? [i] : [])),
  };
}

/** One line a header field: JS distance of every source. */
export function fieldTable(evaluation: Evaluation, label = 'macro'): TableSpec {
  const sources = evaluation.sources.filter(({ name }) =>
    evaluation.similarity.some((r) => r.source === name),
  );
  return {
    caption:
      'Base-2 Jensen-Shannon distance of single header fields from held-out real captures, mean over the labels.',
    columns: ['field', 'compared by', ...sources.map(({ name }) => sourceStyle(name).title)],
    rows: FIELDS.filter(({ name }) =>
      sources.some((s) => find(evaluation, s.name, label, name)?.jsDistance != null),
    ).map(({ name, title, unit }) => [
      title,
      unit,
      ...sources.map((s) => distance(find(evaluation, s.name, label, name)?.jsDistance)),
    ]),
  };
}

/** One line a label: sizes and the two headline distances of the sources with traffic. */
export function labelTable(evaluation: Evaluation): TableSpec {
  const sources = evaluation.sources.filter(({ role }) => role === 'synthetic' || role === 'floor');
  const levels = HEADER_LEVELS.slice(0, 1).map(({ name }) => name);
  return {
    caption:
      'By label: sizes and base-2 JS distances. Few packets alone cause distance (about 0.036 with 100, 0.013 with 1,000).',
    columns: [
      'label',
      'reference captures',
      'reference packets (TCP)',
      ...sources.flatMap(({ name }) => {
        const { title } = sourceStyle(name);
        return [`${title}: packets (TCP)`, 'TCP bits', 'fields'];
      }),
    ],
    rows: Object.entries(evaluation.reference.perLabel).map(([label, size]) => [
      label,
      size.captures,
      `${size.packets.toLocaleString('en')} (${size.tcp.toLocaleString('en')})`,
      ...sources.flatMap(({ name, perLabel }) => [
        perLabel[label]
          ? `${perLabel[label].packets.toLocaleString('en')} (${perLabel[label].tcp.toLocaleString('en')})`
          : null,
        ...[...levels, 'mean'].map((what) => distance(find(evaluation, name, label, what)?.jsDistance)),
      ]),
    ]),
  };
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
