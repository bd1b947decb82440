import { Rng } from '../util';
import { FIELDS } from './fields';
import { NPRINT_BITS, sectionOf } from './nprint';
import { PacketStats, statsOf } from './packetStats';
import type { Trace, TracePacket } from './traces';

/** Packets drawn from the reference with replacement, label by label. */
export function resampled(
  reference: readonly Trace[],
  size: (label: string) => number,
  seed: number,
): Map<string, PacketStats> {
  const drawn = new Map<string, PacketStats>();
  for (const label of new Set(reference.map((t) => t.label))) {
    const n = size(label);
    const packets = reference.filter((t) => t.label === label).flatMap((t) => t.packets);
    if (n === 0 || packets.length === 0) continue;
    const rng = new Rng(seed).split(`sampling/${label}`);
    const sample: TracePacket[] = Array.from({ length: n }, () => packets[rng.int(packets.length)]);
    drawn.set(label, statsOf(sample));
  }
  return drawn;
}

/** For each label, the packets of all others. Empty with a single label. */
export function otherLabels(stats: ReadonlyMap<string, PacketStats>): Map<string, PacketStats> {
  const mixed = new Map<string, PacketStats>();
  if (stats.size < 2) return mixed;
  for (const label of stats.keys()) {
    const sum = new PacketStats();
    for (const [other, s] of stats) {
      if (other === label) continue;
      sum.bits.merge(s.bits, { ipv4: 1, tcp: 1, udp: 1 });
      sum.packets += s.packets;
      sum.others += s.others;
      for (const { name } of FIELDS) {
        const counts = sum.fields.get(name) as Map<string | number, number>;
        for (const [value, n] of s.field(name)) counts.set(value, (counts.get(value) ?? 0) + n);
      }
    }
    mixed.set(label, sum);
  }
  return mixed;
}

/** Every bit and field at its most frequent value. */
export function constantStats(stats: ReadonlyMap<string, PacketStats>): Map<string, PacketStats> {
  const constant = new Map<string, PacketStats>();
  for (const [label, s] of stats) {
    const c = new PacketStats();
    c.packets = s.packets;
    Object.assign(c.bits.packets, s.bits.packets);
    for (let column = 0; column < NPRINT_BITS; column++) {
      const [one, zero, absent] = s.bits.marginal(column);
      const n = s.bits.packets[sectionOf(column)];
      if (one >= zero && one >= absent) c.bits.ones[column] = n;
      else if (zero >= absent) c.bits.zeros[column] = n;
    }
    for (const { name } of FIELDS) {
      let best: string | number | undefined;
      let most = 0;
      let total = 0;
      for (const [value, n] of s.field(name)) {
        total += n;
        if (n > most) [best, most] = [value, n];
      }
      if (best !== undefined) c.fields.set(name, new Map([[best, total]]));
    }
    constant.set(label, c);
  }
  return constant;
}
