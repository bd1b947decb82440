import { addCounts, normalise, type Counts } from '../stats';
import { FIELDS, fieldValues, type FieldName } from './fields';
import { NprintCounts, type NprintSection } from './nprint';
import type { TracePacket } from './traces';

/** What the similarity measures need of a set of packets: bit marginals and field counts. */
export class PacketStats {
  readonly bits = new NprintCounts();
  readonly fields = new Map<FieldName, Map<string | number, number>>(
    FIELDS.map(({ name }) => [name, new Map()]),
  );
  /** Packets with a TCP or UDP header; others have no bits or fields to compare. */
  packets = 0;
  /** Packets without. */
  others = 0;

  add(packet: TracePacket): void {
    const values = fieldValues(packet);
    if (!values) {
      this.others++;
      return;
    }
    this.packets++;
    this.bits.add(packet.data, packet.linkType);
    for (const [name, value] of Object.entries(values) as [FieldName, string | number][]) {
      const counts = this.fields.get(name) as Map<string | number, number>;
      counts.set(value, (counts.get(value) ?? 0) + 1);
    }
  }

  field(name: FieldName): Counts {
    return this.fields.get(name) as Counts;
  }
}

export function statsOf(packets: Iterable<TracePacket>): PacketStats {
  const stats = new PacketStats();
  for (const packet of packets) stats.add(packet);
  return stats;
}

/**
 * Several labels as one. Each label counts as much as it does in `reference`, so that another mix of labels is not
 * taken for another behaviour. Labels that one of the two lacks are left out.
 */
export function pool(
  labels: ReadonlyMap<string, PacketStats>,
  reference: ReadonlyMap<string, PacketStats>,
): PacketStats {
  const pooled = new PacketStats();
  const common = [...labels].filter(([label, stats]) => stats.packets > 0 && reference.has(label));
  for (const [label, stats] of common) {
    const target = reference.get(label) as PacketStats;
    pooled.bits.merge(stats.bits, {
      ipv4: scale(stats, target, 'ipv4'),
      tcp: scale(stats, target, 'tcp'),
      udp: scale(stats, target, 'udp'),
    });
    pooled.packets += stats.packets;
    pooled.others += stats.others;
  }
  for (const { name } of FIELDS) {
    const parts = common.map(([label, stats]) => {
      let n = 0;
      for (const count of (reference.get(label) as PacketStats).field(name).values()) n += count;
      return normalise(stats.field(name), n);
    });
    pooled.fields.set(name, addCounts(parts));
  }
  return pooled;
}

function scale(stats: PacketStats, target: PacketStats, section: NprintSection): number {
  const n = stats.bits.packets[section];
  return n === 0 ? 0 : target.bits.packets[section] / n;
}
