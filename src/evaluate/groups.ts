import { locateHeaders } from '../packets';
import type { LabelSize } from './evaluation';
import { statsOf, type PacketStats } from './packetStats';
import type { Trace } from './traces';

/** Traces by label, labels in alphabetical order. */
export function byLabel(traces: readonly Trace[]): Map<string, Trace[]> {
  const groups = new Map<string, Trace[]>();
  for (const label of labelsOf(traces))
    groups.set(
      label,
      traces.filter((t) => t.label === label),
    );
  return groups;
}

export function statsByLabel(traces: readonly Trace[]): Map<string, PacketStats> {
  return new Map(
    [...byLabel(traces)].map(([label, group]) => [label, statsOf(group.flatMap((t) => t.packets))]),
  );
}

export function labelsOf(traces: readonly Trace[]): string[] {
  return [...new Set(traces.map((t) => t.label))].sort();
}

/** Captures and packets of each label. */
export function sizes(traces: readonly Trace[]): Record<string, LabelSize> {
  const perLabel: Record<string, LabelSize> = {};
  for (const label of labelsOf(traces)) perLabel[label] = { captures: 0, packets: 0, tcp: 0, udp: 0 };
  for (const { label, packets } of traces) {
    const size = perLabel[label];
    size.captures++;
    size.packets += packets.length;
    for (const { data, linkType } of packets) {
      const at = locateHeaders(data, linkType);
      if (at.ok) size[at.transport]++;
    }
  }
  return perLabel;
}

export function sizeOf(stats: PacketStats, captures: number): LabelSize {
  const { tcp, udp } = stats.bits.packets;
  return { captures, packets: stats.packets + stats.others, tcp, udp };
}
