import { countDistances, distances, finiteMean, type Distances } from '../stats';
import { Rng } from '../util';
import { NPRINT_FIELDS } from '../packets/nprint';
import { labelsIn, tracesOf } from './sources';
import { NPRINT_BITS, NPRINT_SECTIONS, nprintRow } from './nprint';
import type { Trace } from './traces';

/**
 * Ways to make one number of the 480 ternary columns of the TCP header. The paper says only that it is over every bit
 * position; what it prints for random bits (JS .82, TVD .99, HD .95) cannot come from single bits.
 */
export const HEADER_DEFINITIONS = [
  { name: 'bits', title: 'each bit by itself, mean over 480' },
  { name: 'bytes', title: 'each byte as a pattern of 8 values of {1, 0, absent}, mean over 60' },
  { name: 'fields', title: 'each header field as one pattern, the options as one, mean over 19' },
  { name: 'row', title: 'the whole header as one pattern' },
] as const;
export type HeaderDefinition = (typeof HEADER_DEFINITIONS)[number]['name'];

/** The TCP header of one source beside the reference by one definition, mean over the labels. */
export interface HeaderDefinitionRow {
  source: string;
  definition: HeaderDefinition;
  /** Labels with TCP on both sides. */
  labels: number;
  /** Base-2 Jensen-Shannon distance; with natural logarithms it is this times 0.8326. */
  jsDistance: number | null;
  totalVariation: number | null;
  hellinger: number | null;
}

const [FROM, TO] = NPRINT_SECTIONS.tcp;
const BITS = TO - FROM;
/** Parts of the header [from, to) that are patterns, by definition. */
const PARTS: Record<Exclude<HeaderDefinition, 'bits'>, [number, number][]> = {
  bytes: Array.from({ length: BITS / 8 }, (_, i) => [8 * i, 8 * i + 8]),
  fields: headerFields(),
  row: [[0, BITS]],
};
/** Packets of a label that are counted at most, drawn at equal distances. */
const MOST_PACKETS = 1000;

/** The TCP headers of a label's packets: how often each bit is 1, 0 and absent, and each part each pattern. */
export class HeaderPatterns {
  readonly bits: Float64Array[] = Array.from({ length: BITS }, () => new Float64Array(3));
  readonly parts = {
    bytes: PARTS.bytes.map(() => new Map<string, number>()),
    fields: PARTS.fields.map(() => new Map<string, number>()),
    row: PARTS.row.map(() => new Map<string, number>()),
  };
  packets = 0;

  /** @param row 480 values of {-1, 0, 1}. */
  add(row: Int8Array): void {
    this.packets++;
    for (let i = 0; i < BITS; i++) this.bits[i][row[i] + 1]++;
    // `,`, `-` or `.` for -1, 0 and 1: one character a column.
    const text = String.fromCharCode(...row.map((value) => value + 45));
    for (const name of ['bytes', 'fields', 'row'] as const) {
      PARTS[name].forEach(([from, to], i) => {
        const counts = this.parts[name][i];
        const key = text.slice(from, to);
        counts.set(key, (counts.get(key) ?? 0) + 1);
      });
    }
  }

  /** Mean over the parts. */
  distances(other: HeaderPatterns, definition: HeaderDefinition): Distances {
    return meanDistances(
      definition === 'bits'
        ? this.bits.map((counts, i) => distances(counts, other.bits[i]))
        : this.parts[definition].map((counts, i) => countDistances(counts, other.parts[definition][i])),
    );
  }
}

/** By label. */
export function headerPatterns(traces: readonly Trace[]): Map<string, HeaderPatterns> {
  return new Map(
    labelsIn(traces).map((label) => {
      const packets = tracesOf(traces, label).flatMap((trace) => trace.packets);
      const step = Math.max(1, packets.length / MOST_PACKETS);
      const patterns = new HeaderPatterns();
      const row = new Int8Array(NPRINT_BITS);
      for (let at = 0; at < packets.length; at += step) {
        const { data, linkType } = packets[Math.floor(at)];
        if (nprintRow(data, linkType, row).includes('tcp')) patterns.add(row.subarray(FROM, TO));
      }
      return [label, patterns];
    }),
  );
}

/** Every value of {1, 0, absent} as likely as every other, for as many packets as the reference has. */
export function randomPatterns(
  reference: ReadonlyMap<string, HeaderPatterns>,
  seed: number,
): Map<string, HeaderPatterns> {
  return new Map(
    [...reference].map(([label, { packets }]) => {
      const rng = new Rng(seed).split(`random bits/${label}`);
      const patterns = new HeaderPatterns();
      for (let i = 0; i < packets; i++) patterns.add(Int8Array.from({ length: BITS }, () => rng.int(3) - 1));
      return [label, patterns];
    }),
  );
}

/** One row a definition: mean over the labels with TCP on both sides. */
export function headerDefinitionRows(
  source: string,
  reference: ReadonlyMap<string, HeaderPatterns>,
  labels: ReadonlyMap<string, HeaderPatterns>,
): HeaderDefinitionRow[] {
  const pairs = [...reference].flatMap(([label, real]) => {
    const own = labels.get(label);
    return own && own.packets > 0 && real.packets > 0 ? [[real, own] as const] : [];
  });
  const known = (value: number): number | null => (Number.isFinite(value) ? value : null);
  return HEADER_DEFINITIONS.map(({ name }) => {
    const mean = meanDistances(pairs.map(([real, own]) => real.distances(own, name)));
    return {
      source,
      definition: name,
      labels: pairs.length,
      jsDistance: known(mean.jsDistance),
      totalVariation: known(mean.totalVariation),
      hellinger: known(mean.hellinger),
    };
  });
}

function meanDistances(all: readonly Distances[]): Distances {
  return {
    jsDistance: finiteMean(all.map((d) => d.jsDistance)),
    totalVariation: finiteMean(all.map((d) => d.totalVariation)),
    hellinger: finiteMean(all.map((d) => d.hellinger)),
  };
}

function headerFields(): [number, number][] {
  const fields = NPRINT_FIELDS.filter(({ section }) => section === 'tcp');
  const start = fields[0].from;
  return fields.map(({ from, bits }) => [from - start, from - start + bits]);
}
