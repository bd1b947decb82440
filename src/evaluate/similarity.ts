import { countDistances, distances, finiteMean, totalCount, type Distances } from '../stats';
import { FIELDS, type FieldName } from './fields';
import { NPRINT_SECTIONS, type NprintCounts } from './nprint';
import { pool, type PacketStats } from './packetStats';

/** What of an nPrint row is compared; `tcp` is the paper's header level. */
export const HEADER_LEVELS = [
  { name: 'tcp', title: 'TCP header, all 480 bits', columns: range(...NPRINT_SECTIONS.tcp), section: 'tcp' },
  {
    name: 'tcp-no-checksum',
    title: 'TCP header without the checksum, 464 bits',
    // Bytes 16 and 17 of the header.
    columns: range(...NPRINT_SECTIONS.tcp).filter((c) => c < 480 + 128 || c >= 480 + 144),
    section: 'tcp',
  },
  { name: 'ipv4', title: 'IPv4 header, 480 bits', columns: range(...NPRINT_SECTIONS.ipv4), section: 'ipv4' },
  { name: 'udp', title: 'UDP header, 64 bits', columns: range(...NPRINT_SECTIONS.udp), section: 'udp' },
] as const;
export type HeaderLevel = (typeof HEADER_LEVELS)[number]['name'];

/** One number of the similarity tables: the distance of one source from the reference, for one label. */
export interface SimilarityRow {
  /** Name of the source. */
  source: string;
  /** A label; `macro`: mean over the labels; `pooled`: all labels as one, in the reference's proportions. */
  label: string;
  /** `header`: mean over the bits of a header. `field`: the values of one header field. */
  level: 'header' | 'field';
  /** A {@link HeaderLevel}, a {@link FieldName}, or `mean` over the fields that both sides have. */
  what: HeaderLevel | FieldName | 'mean';
  /** Packets that have it, on either side: small numbers alone cause distance. */
  nReference: number;
  nSource: number;
  /** Base-2 Jensen-Shannon distance, 0 to 1; null where one side has no such packet. */
  jsDistance: number | null;
  totalVariation: number | null;
  hellinger: number | null;
}

/** Mean over the columns of the distance between the two marginals over {1, 0, absent}. */
export function bitDistances(a: NprintCounts, b: NprintCounts, columns: readonly number[]): Distances {
  const sum = { jsDistance: 0, totalVariation: 0, hellinger: 0 };
  for (const column of columns) {
    const d = distances(a.marginal(column), b.marginal(column));
    sum.jsDistance += d.jsDistance;
    sum.totalVariation += d.totalVariation;
    sum.hellinger += d.hellinger;
  }
  return mapDistances(sum, (x) => x / columns.length);
}

/**
 * Distances of a source from the reference, label by label, then `macro` and `pooled`. Labels that either side lacks
 * are left out.
 */
export function similarityRows(
  source: string,
  reference: ReadonlyMap<string, PacketStats>,
  labels: ReadonlyMap<string, PacketStats>,
): SimilarityRow[] {
  const rows: SimilarityRow[] = [];
  const common = [...reference.keys()].filter((label) => (labels.get(label)?.packets ?? 0) > 0);
  for (const label of common) {
    rows.push(
      ...compare(source, label, reference.get(label) as PacketStats, labels.get(label) as PacketStats),
    );
  }
  if (common.length === 0) return rows;
  rows.push(...macroRows(source, rows));
  const shared = new Map(common.map((label) => [label, reference.get(label) as PacketStats]));
  rows.push(
    ...compare(source, 'pooled', pool(shared, shared), pool(labels, shared), countsOf(labels, shared)),
  );
  return rows;
}

/** Packets with each header level and field, summed over labels; pooled counts are weighted and not counts of packets. */
function countsOf(
  labels: ReadonlyMap<string, PacketStats>,
  shared: ReadonlyMap<string, PacketStats>,
): (what: string) => number {
  const stats = [...shared.keys()].map((label) => labels.get(label) as PacketStats);
  return (what) => stats.reduce((sum, s) => sum + countOf(s, what), 0);
}

function countOf(stats: PacketStats, what: string): number {
  if (what === 'mean') return stats.packets;
  const level = HEADER_LEVELS.find(({ name }) => name === what);
  return level ? stats.bits.packets[level.section] : totalCount(stats.field(what as FieldName));
}

function compare(
  source: string,
  label: string,
  reference: PacketStats,
  other: PacketStats,
  nSource: (what: string) => number = (what) => countOf(other, what),
): SimilarityRow[] {
  const row = (level: SimilarityRow['level'], what: SimilarityRow['what'], d: Distances): SimilarityRow => ({
    source,
    label,
    level,
    what,
    nReference: Math.round(countOf(reference, what)),
    nSource: nSource(what),
    ...mapDistances(d, (x) => (Number.isFinite(x) ? x : null)),
  });
  const rows = HEADER_LEVELS.map(({ name, columns }) =>
    row('header', name, bitDistances(reference.bits, other.bits, columns)),
  );
  const fields = FIELDS.map(({ name }) => countDistances(reference.field(name), other.field(name)));
  FIELDS.forEach(({ name }, i) => rows.push(row('field', name, fields[i])));
  const mean = {
    jsDistance: finiteMean(fields.map((d) => d.jsDistance)),
    totalVariation: finiteMean(fields.map((d) => d.totalVariation)),
    hellinger: finiteMean(fields.map((d) => d.hellinger)),
  };
  return [...rows, row('field', 'mean', mean)];
}

function macroRows(source: string, rows: readonly SimilarityRow[]): SimilarityRow[] {
  const kinds = new Map<string, SimilarityRow[]>();
  for (const row of rows) {
    const kind = kinds.get(row.what);
    if (kind) kind.push(row);
    else kinds.set(row.what, [row]);
  }
  return [...kinds.values()].map((group) => {
    const mean = (get: (row: SimilarityRow) => number | null): number | null => {
      const value = finiteMean(group.map(get).filter((x) => x !== null));
      return Number.isFinite(value) ? value : null;
    };
    return {
      ...group[0],
      source,
      label: 'macro',
      nReference: group.reduce((sum, row) => sum + row.nReference, 0),
      nSource: group.reduce((sum, row) => sum + row.nSource, 0),
      jsDistance: mean((row) => row.jsDistance),
      totalVariation: mean((row) => row.totalVariation),
      hellinger: mean((row) => row.hellinger),
    };
  });
}

function mapDistances<T>(d: Distances, f: (x: number) => T): Record<keyof Distances, T> {
  return { jsDistance: f(d.jsDistance), totalVariation: f(d.totalVariation), hellinger: f(d.hellinger) };
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}
