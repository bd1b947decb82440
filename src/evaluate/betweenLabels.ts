import { countDistances, finiteMean } from '../stats';
import { FIELDS } from './fields';
import type { PacketStats } from './packetStats';
import { bitDistances, HEADER_LEVELS } from './similarity';

/** Distances of real traffic of each label from real traffic of every label: what the measures can tell apart. */
export interface BetweenLabels {
  /** Labels that both sides have. */
  labels: string[];
  /** JS distance, base 2: [label of the reference][label of the floor]; the diagonal is the floor. Null: no packets. */
  tcp: (number | null)[][];
  fields: (number | null)[][];
  /** Means of the diagonal and of all others. */
  same: { tcp: number | null; fields: number | null };
  other: { tcp: number | null; fields: number | null };
}

/** Null with fewer than two labels. */
export function betweenLabels(
  reference: ReadonlyMap<string, PacketStats>,
  floor: ReadonlyMap<string, PacketStats>,
): BetweenLabels | null {
  const labels = [...reference.keys()].filter(
    (label) => (floor.get(label)?.packets ?? 0) > 0 && (reference.get(label)?.packets ?? 0) > 0,
  );
  if (labels.length < 2) return null;
  const columns = HEADER_LEVELS.find(({ name }) => name === 'tcp')!.columns;
  const known = (value: number): number | null => (Number.isFinite(value) ? Number(value.toFixed(5)) : null);
  const table = (distance: (a: PacketStats, b: PacketStats) => number): (number | null)[][] =>
    labels.map((a) =>
      labels.map((b) => known(distance(reference.get(a) as PacketStats, floor.get(b) as PacketStats))),
    );
  const tcp = table((a, b) => bitDistances(a.bits, b.bits, columns).jsDistance);
  const fields = table((a, b) =>
    finiteMean(FIELDS.map(({ name }) => countDistances(a.field(name), b.field(name)).jsDistance)),
  );
  const over = (values: (number | null)[][], same: boolean): number | null => {
    const taken = values.flatMap((row, i) => row.filter((value, j) => value !== null && (i === j) === same));
    return known(finiteMean(taken as number[]));
  };
  return {
    labels,
    tcp,
    fields,
    same: { tcp: over(tcp, true), fields: over(fields, true) },
    other: { tcp: over(tcp, false), fields: over(fields, false) },
  };
}
