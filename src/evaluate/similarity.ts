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

/**
 * Packets of the reference that a header or field needs before it counts for `macro`: the distance between few packets
 * is mostly that of sample size. Where no label has as many, all count.
 */
export const MACRO_MINIMUM = 100;

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
  /**
   * Base-2 Jensen-Shannon distance, 0 to 1. 1 where only the source has no such packet and the reference at least
   * {@link MACRO_MINIMUM}: leaving a protocol out must not pay. Null where there is nothing else to compare.
   */
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
 * Distances of a source from the reference, label by label, then `macro` and, unless told otherwise, `pooled`. Labels
 * that either side lacks are left out.
 */
export function similarityRows(
  source: string,
  reference: ReadonlyMap<string, PacketStats>,
  labels: ReadonlyMap<string, PacketStats>,
  pooled = true,
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
  if (!pooled) return rows;
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
  const row = (level: SimilarityRow['level'], what: SimilarityRow['what'], d: Distances): SimilarityRow => {
    const n = { nReference: Math.round(countOf(reference, what)), nSource: nSource(what) };
    const missing = n.nSource === 0 && n.nReference >= MACRO_MINIMUM ? 1 : null;
    return {
      source,
      label,
      level,
      what,
      ...n,
      ...mapDistances(d, (x) => (Number.isFinite(x) ? x : missing)),
    };
  };
  const rows = HEADER_LEVELS.map(({ name, columns }) =>
    row('header', name, bitDistances(reference.bits, other.bits, columns)),
  );
  const fields = FIELDS.map(({ name }) =>
    row('field', name, countDistances(reference.field(name), other.field(name))),
  );
  rows.push(...fields);
  const mean = {
    jsDistance: meanOf(fields, 'jsDistance') ?? NaN,
    totalVariation: meanOf(fields, 'totalVariation') ?? NaN,
    hellinger: meanOf(fields, 'hellinger') ?? NaN,
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
  return [...kinds.values()].map((all) => {
    const large = all.filter((row) => row.nReference >= MACRO_MINIMUM);
    const group = large.length > 0 ? large : all;
    return {
      ...group[0],
      source,
      label: 'macro',
      nReference: group.reduce((sum, row) => sum + row.nReference, 0),
      nSource: group.reduce((sum, row) => sum + row.nSource, 0),
      jsDistance: meanOf(group, 'jsDistance'),
      totalVariation: meanOf(group, 'totalVariation'),
      hellinger: meanOf(group, 'hellinger'),
    };
  });
}

function meanOf(rows: readonly SimilarityRow[], measure: keyof Distances): number | null {
  const value = finiteMean(rows.map((row) => row[measure]).filter((x) => x !== null));
  return Number.isFinite(value) ? value : null;
}

function mapDistances<T>(d: Distances, f: (x: number) => T): Record<keyof Distances, T> {
  return { jsDistance: f(d.jsDistance), totalVariation: f(d.totalVariation), hellinger: f(d.hellinger) };
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}
