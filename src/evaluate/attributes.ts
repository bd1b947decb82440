import { alignCounts, countDistances, jensenShannonDivergence, mean, type Counts } from '../stats';
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
  const pairs = pairTraces(traces, reference, training).map((pair) => ({ pair, sides: sidesOf(pair) }));
  const rows: AttributeRow[] = [];
  const twins = (group: typeof pairs): number => group.filter(({ pair }) => pair.twins).length;
  const add = (
    label: string,
    definition: AttributeDefinition,
    group: readonly (readonly [Values, Values])[],
    known: number,
  ): void => {
    const all = ATTRIBUTES.map(({ name, paper }) => ({ name, paper, value: meanMeasure(group, name) }));
    const five = all.filter(({ paper }) => paper).map(({ value }) => value);
    const shared = { source, label, definition, n: group.length, twins: known };
    for (const { name, value } of all) rows.push({ ...shared, attribute: name, ...value });
    rows.push({ ...shared, attribute: 'avg', ...averageMeasures(five) });
  };
  const counted = (definition: AttributeDefinition, group: typeof pairs): (readonly [Values, Values])[] =>
    group.map(
      ({ sides: [real, other] }) => [valuesOf(real, definition), valuesOf(other, definition)] as const,
    );
  const labels = labelsIn(traces, reference);
  for (const label of labels) {
    const group = pairs.filter(({ pair }) => pair.other.label === label);
    if (group.length > 0) add(label, 'twins', counted('twins', group), twins(group));
  }
  if (pairs.length === 0) return rows;
  for (const { name } of ATTRIBUTE_DEFINITIONS) {
    if (!name.startsWith('pooled')) {
      add('all', name, counted(name, pairs), twins(pairs));
      continue;
    }
    const pooled = labels.flatMap((label) => {
      const group = pairs.filter(({ pair }) => pair.other.label === label);
      if (group.length === 0) return [];
      const side = (k: 0 | 1): Values =>
        valuesOf(
          group.flatMap(({ sides }) => [...sides[k]]),
          name,
        );
      return [[side(0), side(1)] as const];
    });
    add('all', name, pooled, 0);
  }
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

function valuesOf(packets: readonly TracePacket[], definition: AttributeDefinition): Values {
  const values = Object.fromEntries(ATTRIBUTES.map(({ name }) => [name, new Map()])) as Values;
  const flows = new Set<string>();
  for (const { data, linkType } of packets) {
    const at = locateHeaders(data, linkType);
    if (!at.ok || data.length < at.ipEnd + 4) continue;
    const [from, size] = at.ipVersion === 4 ? [at.linkEnd + 12, 4] : [at.linkEnd + 8, 16];
    const ends = Buffer.from(data.buffer, data.byteOffset, data.length).toString(
      'latin1',
      from,
      from + 2 * size,
    );
    const sourcePort = (data[at.ipEnd] << 8) | data[at.ipEnd + 1];
    const destinationPort = (data[at.ipEnd + 2] << 8) | data[at.ipEnd + 3];
    if (definition === 'twins-flows') {
      const flow = `${at.transport}${ends}${sourcePort}:${destinationPort}`;
      if (flows.has(flow)) continue;
      flows.add(flow);
    }
    count(values.SA, ends.slice(0, size));
    count(values.DA, ends.slice(size));
    count(values.SP, sourcePort);
    count(values.DP, destinationPort);
    count(values.PR, at.transport);
    count(values.LEN, at.ipTotalLength);
    count(values.TTL, data[at.linkEnd + (at.ipVersion === 4 ? 8 : 7)]);
    if (at.transport === 'tcp' && data.length >= at.ipEnd + 16) {
      count(values.FLAGS, flagNames(data[at.ipEnd + 13]));
      count(values.WIN, (data[at.ipEnd + 14] << 8) | data[at.ipEnd + 15]);
    }
  }
  if (!definition.endsWith('ranked')) return values;
  for (const { name } of ATTRIBUTES) {
    const sorted = [...values[name].values()].sort((a, b) => b - a);
    values[name] = new Map(sorted.map((n, rank) => [rank, n]));
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

function meanMeasure(group: readonly (readonly [Values, Values])[], name: AttributeName): Measure {
  return averageMeasures(group.flatMap(([a, b]) => measure(a[name], b[name]) ?? []));
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
