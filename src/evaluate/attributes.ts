import { addCounts, alignCounts, countDistances, jensenShannonDivergence, mean, type Counts } from '../stats';
import { locateHeaders } from '../packets/locate';
import { Rng } from '../util';
import { flagNames } from './fields';
import type { SourceTraces, TracePair } from './sources';
import { labelsIn, pairTraces } from './sources';
import type { Trace, TracePacket } from './traces';

/**
 * What is compared: the five attributes of NetSSM's Table 2, and four of our own that are not identifiers. Values are taken
 * as they are, without bins.
 */
export const ATTRIBUTES = [
  { name: 'SA', title: 'source address', paper: true },
  { name: 'DA', title: 'destination address', paper: true },
  { name: 'SP', title: 'source port', paper: true },
  { name: 'DP', title: 'destination port', paper: true },
  { name: 'PR', title: 'IP protocol', paper: true },
  { name: 'LEN', title: 'IP length', paper: false },
  { name: 'TTL', title: 'TTL or hop limit', paper: false },
  { name: 'FLAGS', title: 'TCP flags', paper: false },
  { name: 'WIN', title: 'TCP window', paper: false },
] as const;
export type AttributeName = (typeof ATTRIBUTES)[number]['name'];

/**
 * The paper says neither over what the distributions are taken nor how traces are put together. These are the readings
 * that are computed; the first is the one that the tables show.
 */
export const ATTRIBUTE_DEFINITIONS = [
  { name: 'twins', title: 'each trace against its twin, every packet counts; mean over the pairs' },
  { name: 'twins-flows', title: 'each trace against its twin, every five-tuple (by direction) counts once' },
  {
    name: 'twins-ranked',
    title:
      "each trace against its twin, values replaced by their rank in frequency (NetShare's for addresses)",
  },
  { name: 'pooled', title: 'all traces of a label as one; mean over the labels' },
  {
    name: 'pooled-ranked',
    title: 'all traces of a label as one, values replaced by their rank in frequency',
  },
] as const;
export type AttributeDefinition = (typeof ATTRIBUTE_DEFINITIONS)[number]['name'];

/** One attribute of one source beside the reference. */
export interface AttributeRow {
  source: string;
  /** A label, or `all`: mean over all pairs, or over the labels for the pooled definitions. */
  label: string;
  definition: AttributeDefinition;
  /** `avg`: mean of the paper's five. */
  attribute: AttributeName | 'avg';
  /** Pairs of traces, or labels, that the mean is over; those whose trace says whose twin it is. */
  n: number;
  twins: number;
  /** Base-2 Jensen-Shannon distance; with natural logarithms it is this times 0.8326. */
  jsDistance: number | null;
  /** Base-2 Jensen-Shannon divergence (mean of the squares of the distances); in nats this times 0.6931. */
  jsDivergence: number | null;
  totalVariation: number | null;
  hellinger: number | null;
}

type Values = Record<AttributeName, Map<string | number, number>>;
type Measure = Pick<AttributeRow, 'jsDistance' | 'jsDivergence' | 'totalVariation' | 'hellinger'>;

/** All attributes of a source by all definitions; by label only for the definition `twins`. */
export function attributeRows(
  source: string,
  traces: readonly Trace[],
  reference: readonly Trace[],
  training: readonly Trace[],
): AttributeRow[] {
  const pairs = pairTraces(traces, reference, training).map((pair): CountedPair => {
    const [real, other] = sidesOf(pair).map(countSide);
    return { label: pair.other.label, twins: pair.twins, real, other };
  });
  if (pairs.length === 0) return [];
  const labels = labelsIn(traces, reference);
  const ofLabel = (label: string): CountedPair[] => pairs.filter((pair) => pair.label === label);
  const rows: AttributeRow[] = [];
  const add = (label: string, definition: AttributeDefinition, group: CountedPair[]): void => {
    const pooled = definition.startsWith('pooled');
    const units = pooled
      ? labels.map(ofLabel).filter((unit) => unit.length > 0)
      : group.map((pair) => [pair]);
    const compared = units.map((unit) => [
      valuesOf(
        unit.map(({ real }) => real),
        definition,
      ),
      valuesOf(
        unit.map(({ other }) => other),
        definition,
      ),
    ]);
    const twins = pooled ? 0 : group.filter((pair) => pair.twins).length;
    const shared = { source, label, definition, n: compared.length, twins };
    const all = ATTRIBUTES.map(({ name, paper }) => ({
      name,
      paper,
      value: averageMeasures(compared.flatMap(([a, b]) => measure(a[name], b[name]) ?? [])),
    }));
    for (const { name, value } of all) rows.push({ ...shared, attribute: name, ...value });
    const five = all.filter(({ paper }) => paper).map(({ value }) => value);
    rows.push({ ...shared, attribute: 'avg', ...averageMeasures(five) });
  };
  for (const label of labels) {
    const group = ofLabel(label);
    if (group.length > 0) add(label, 'twins', group);
  }
  for (const { name } of ATTRIBUTE_DEFINITIONS) add('all', name, pairs);
  return rows;
}

/**
 * Traces of the sizes of the reference's with attributes drawn uniformly from their ranges: the paper's "random (flow)",
 * as far as it says. Addresses of 32 bits, ports of 16, TCP or UDP.
 */
export function randomAttributes(reference: readonly Trace[], seed: number): SourceTraces {
  const rng = new Rng(seed).split('random attributes');
  const traces = reference.map((trace): Trace => {
    const packets = trace.packets
      .filter(({ role }) => role)
      .map((packet): TracePacket => {
        const data = new Uint8Array(14 + 20 + 20);
        data.set([8, 0, 0x45], 12);
        for (let i = 16; i < 54; i++) data[i] = rng.int(256);
        // Version, lengths, protocol and offset make it a packet; the rest stays random.
        data.set([0, 0], 20);
        data[23] = rng.int(2) === 0 ? 6 : 17;
        data[46] = 0x50;
        return { ...packet, data, linkType: 1, capLen: 54, wireLen: 54 };
      });
    return { ...trace, packets };
  });
  return { name: 'uniform random', role: 'yardstick', traces };
}

/** As many packets of each side, behind prompt and twin's prompt. */
function sidesOf({ real, other, skip }: TracePair): [readonly TracePacket[], readonly TracePacket[]] {
  const n = Math.min(real.packets.length - skip, other.packets.length);
  return [real.packets.slice(skip, skip + n), other.packets.slice(0, n)];
}

/** Values of one side of a pair: every packet counted, and every five-tuple once. */
interface Side {
  packets: Values;
  flows: Values;
}

interface CountedPair {
  label: string;
  twins: boolean;
  real: Side;
  other: Side;
}

function noValues(): Values {
  return Object.fromEntries(ATTRIBUTES.map(({ name }) => [name, new Map()])) as Values;
}

function countSide(packets: readonly TracePacket[]): Side {
  const side: Side = { packets: noValues(), flows: noValues() };
  const flows = new Set<string>();
  for (const { data, linkType } of packets) {
    const at = locateHeaders(data, linkType);
    if (!at.ok || data.length < at.ipEnd + 4) continue;
    const [from, size] = at.ipVersion === 4 ? [at.linkEnd + 12, 4] : [at.linkEnd + 8, 16];
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.length);
    const ends = bytes.toString('latin1', from, from + 2 * size);
    const ports = [bytes.readUInt16BE(at.ipEnd), bytes.readUInt16BE(at.ipEnd + 2)];
    const flow = `${at.transport}${ends}${ports.join(':')}`;
    const sides = flows.has(flow) ? [side.packets] : [side.packets, side.flows];
    flows.add(flow);
    for (const values of sides) {
      count(values.SA, ends.slice(0, size));
      count(values.DA, ends.slice(size));
      count(values.SP, ports[0]);
      count(values.DP, ports[1]);
      count(values.PR, at.transport);
      count(values.LEN, at.ipTotalLength);
      count(values.TTL, data[at.linkEnd + (at.ipVersion === 4 ? 8 : 7)]);
      if (at.transport === 'tcp' && data.length >= at.ipEnd + 16) {
        count(values.FLAGS, flagNames(data[at.ipEnd + 13]));
        count(values.WIN, bytes.readUInt16BE(at.ipEnd + 14));
      }
    }
  }
  return side;
}

/** What a definition compares, of one trace or of several as one. */
function valuesOf(sides: readonly Side[], definition: AttributeDefinition): Values {
  const parts = sides.map(({ packets, flows }) => (definition === 'twins-flows' ? flows : packets));
  if (parts.length === 1 && !definition.endsWith('ranked')) return parts[0];
  const values = noValues();
  for (const { name } of ATTRIBUTES) {
    const sum = addCounts(parts.map((part) => part[name]));
    if (definition.endsWith('ranked')) {
      const sorted = [...sum.values()].sort((a, b) => b - a);
      values[name] = new Map(sorted.map((n, rank) => [rank, n]));
    } else values[name] = sum;
  }
  return values;
}

function count<K>(counts: Map<K, number>, value: K): void {
  counts.set(value, (counts.get(value) ?? 0) + 1);
}

function measure(a: Counts, b: Counts): Measure | null {
  if (a.size === 0 && b.size === 0) return null;
  // What only one side has at all is as far away as can be.
  if (a.size === 0 || b.size === 0)
    return { jsDistance: 1, jsDivergence: 1, totalVariation: 1, hellinger: 1 };
  return {
    ...countDistances(a, b),
    jsDivergence: jensenShannonDivergence(...alignCounts(a, b), 2),
  };
}

function averageMeasures(all: readonly Measure[]): Measure {
  const over = (key: keyof Measure): number | null => {
    const values = all.map((each) => each[key]).filter((value) => value !== null);
    return values.length === 0 ? null : mean(values);
  };
  return {
    jsDistance: over('jsDistance'),
    jsDivergence: over('jsDivergence'),
    totalVariation: over('totalVariation'),
    hellinger: over('hellinger'),
  };
}
