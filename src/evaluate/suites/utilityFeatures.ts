import { locateHeaders } from '../../packets';
import { Rng } from '../../util';
import { NPRINT_BITS, nprintRow } from '../nprint';
import type { Trace, TracePacket } from '../traces';

/** What a classifier is given. */
export const UTILITY_TASKS = [
  { name: 'packet', title: 'one packet: header bits without addresses' },
  { name: 'flow', title: 'first 10 packets of a flow: header bits without addresses' },
  { name: 'sequence', title: 'sizes and times of the first 30 packets of a flow' },
] as const;
export type UtilityTask = (typeof UTILITY_TASKS)[number]['name'];

/** Which header bits a classifier may see. `noaddr`: no addresses. `noident`: nor other identifiers. */
export const UTILITY_COLUMNS = ['all', 'noaddr', 'noident'] as const;
export type UtilityColumns = (typeof UTILITY_COLUMNS)[number];

const FLOW_PACKETS = 10;
const SEQUENCE_PACKETS = 30;

/** One thing to be classified. */
export interface UtilityItem {
  label: string;
  /** Number of its trace, in the order given: items of one trace are not independent. */
  trace: number;
  /** The packet, or the flow's first ones. */
  packets: readonly TracePacket[];
}

/** All items of a task. Only packets with a TCP or UDP header count. */
export function utilityItems(traces: readonly Trace[], task: UtilityTask): UtilityItem[] {
  const items: UtilityItem[] = [];
  traces.forEach((trace, number) => {
    const { label } = trace;
    if (task === 'packet') {
      for (const packet of trace.packets)
        if (packet.role) items.push({ label, trace: number, packets: [packet] });
      return;
    }
    const most = task === 'flow' ? FLOW_PACKETS : SEQUENCE_PACKETS;
    const flows = new Map<number, TracePacket[]>();
    for (const packet of trace.packets) {
      if (!packet.role) continue;
      const flow = flows.get(packet.role.flow);
      if (!flow) flows.set(packet.role.flow, [packet]);
      else if (flow.length < most) flow.push(packet);
    }
    for (const packets of flows.values()) items.push({ label, trace: number, packets });
  });
  return items;
}

/** So many items of each label, drawn without replacement; all where there are fewer. */
export function drawItems(
  items: readonly UtilityItem[],
  count: (label: string) => number,
  rng: Rng,
): UtilityItem[] {
  const labels = new Map<string, UtilityItem[]>();
  for (const item of items) {
    const group = labels.get(item.label);
    if (group) group.push(item);
    else labels.set(item.label, [item]);
  }
  return [...labels]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([label, group]) => {
      const n = Math.min(count(label), group.length);
      const own = rng.split(label);
      // The start of a Fisher-Yates shuffle.
      for (let i = 0; i < n; i++) {
        const j = i + own.int(group.length - i);
        [group[i], group[j]] = [group[j], group[i]];
      }
      return group.slice(0, n);
    });
}

/** Features of items, all of one length. */
export interface FeatureMatrix {
  data: Int8Array | Float64Array;
  rows: number;
  columns: number;
}

export function utilityFeatures(
  items: readonly UtilityItem[],
  task: UtilityTask,
  columns: UtilityColumns,
): FeatureMatrix {
  return task === 'sequence' ? sequenceFeatures(items) : bitFeatures(items, task, columns);
}

/** Header bits {1, 0, -1: absent} of each packet; packets that a flow has not are -1. */
function bitFeatures(
  items: readonly UtilityItem[],
  task: 'packet' | 'flow',
  columns: UtilityColumns,
): FeatureMatrix {
  const taken = COLUMN_LISTS[columns];
  const packets = task === 'packet' ? 1 : FLOW_PACKETS;
  const width = packets * taken.length;
  const data = new Int8Array(items.length * width).fill(-1);
  const row = new Int8Array(NPRINT_BITS);
  items.forEach((item, i) => {
    item.packets.slice(0, packets).forEach(({ data: bytes, linkType }, k) => {
      nprintRow(bytes, linkType, row);
      if (columns === 'noident') hideTimestamps(bytes, linkType, row);
      const at = i * width + k * taken.length;
      for (let c = 0; c < taken.length; c++) data[at + c] = row[taken[c]];
    });
  });
  return { data, rows: items.length, columns: width };
}

/** For each packet its payload length (negative: from the server) and the microseconds since the one before; -1: none. */
function sequenceFeatures(items: readonly UtilityItem[]): FeatureMatrix {
  const width = 2 * SEQUENCE_PACKETS;
  const data = new Float64Array(items.length * width);
  items.forEach(({ packets }, i) => {
    const at = i * width;
    for (let k = 0; k < SEQUENCE_PACKETS; k++) {
      const packet = packets[k];
      // No packet is told from one without payload by its time.
      data[at + 2 * k] = packet ? signedPayload(packet) : 0;
      data[at + 2 * k + 1] = !packet
        ? -1
        : k === 0
          ? 0
          : Math.max(0, packet.tsMicros - packets[k - 1].tsMicros);
    }
  });
  return { data, rows: items.length, columns: width };
}

function signedPayload({ data, linkType, role }: TracePacket): number {
  const at = locateHeaders(data, linkType);
  if (!at.ok || !role) return 0;
  const payload = Math.max(0, at.ipTotalLength - (at.headerEnd - at.linkEnd));
  return role.up || payload === 0 ? payload : -payload;
}

/** Bits of the 1,024 columns: [from, to). IPv4 at 0, TCP at 480, its options at 640, UDP at 960. */
const ADDRESSES = [[96, 160]] as const;
const OPTIONS_FROM = 640;
const IDENTIFIERS = [
  [32, 48], // IPv4 identification
  [80, 96], // and header checksum
  [480, 512], // TCP ports
  [512, 576], // sequence and acknowledgment number
  [608, 624], // TCP checksum
  [960, 992], // UDP ports
  [1008, 1024], // UDP checksum
] as const;

/** TCP timestamp values (RFC 7323) are absent then; that there are some stays to be seen. */
function hideTimestamps(bytes: Uint8Array, linkType: number, row: Int8Array): void {
  const at = locateHeaders(bytes, linkType);
  if (!at.ok || at.transport !== 'tcp') return;
  const first = at.ipEnd + 20;
  for (let i = first; i < Math.min(at.headerEnd, bytes.length);) {
    const kind = bytes[i];
    if (kind === 0) return;
    const length = kind === 1 ? 1 : bytes[i + 1];
    if (!(length >= 1)) return;
    const from = OPTIONS_FROM + 8 * (i - first + 2);
    if (kind === 8 && length === 10) row.fill(-1, from, from + 64);
    i += length;
  }
}

function columnsWithout(ranges: readonly (readonly [number, number])[]): Uint16Array {
  const all = Array.from({ length: NPRINT_BITS }, (_, i) => i);
  return Uint16Array.from(all.filter((i) => !ranges.some(([from, to]) => i >= from && i < to)));
}

const COLUMN_LISTS: Record<UtilityColumns, Uint16Array> = {
  all: columnsWithout([]),
  noaddr: columnsWithout(ADDRESSES),
  noident: columnsWithout([...ADDRESSES, ...IDENTIFIERS]),
};
