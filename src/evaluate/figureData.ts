import { normalise, quantiles } from '../stats';
import type { EvaluationFigures, PacketLane } from './evaluation';
import { FIELDS } from './fields';
import { NPRINT_BITS, sectionOf } from './nprint';
import { pool, type PacketStats } from './packetStats';
import type { Trace } from './traces';

/** Values of a histogram that are kept; the others are summed under `other`. */
const KEPT_VALUES = 24;
/** Packets of a lane. */
const LANE_PACKETS = 300;

/** Share of ones in every nPrint column, all labels together in the reference's proportions. */
export function bitShares(
  stats: ReadonlyMap<string, PacketStats>,
  reference: ReadonlyMap<string, PacketStats>,
): number[] {
  const { bits } = pool(stats, reference);
  return Array.from({ length: NPRINT_BITS }, (_, i) => {
    const n = bits.packets[sectionOf(i)];
    return n === 0 ? 0 : Number((bits.ones[i] / n).toFixed(4));
  });
}

/** Shares by value of every field for each source, in the order of the first source's frequencies. */
export function histograms(
  sources: ReadonlyMap<string, Map<string, PacketStats>>,
): EvaluationFigures['histograms'] {
  const [reference] = sources.values();
  const pooled = new Map([...sources].map(([name, stats]) => [name, pool(stats, reference)]));
  const out: EvaluationFigures['histograms'] = {};
  for (const { name } of FIELDS) {
    const shares = new Map([...pooled].map(([source, stats]) => [source, normalise(stats.field(name))]));
    // Every source's most frequent values are shown, so that what only one of them has is seen.
    const weight = new Map<string | number, number>();
    for (const counts of shares.values()) {
      for (const [value, share] of counts) weight.set(value, Math.max(weight.get(value) ?? 0, share));
    }
    const kept = [...weight]
      .sort((a, b) => b[1] - a[1])
      .slice(0, KEPT_VALUES)
      .map(([value]) => value);
    const numeric = kept.every((value) => typeof value === 'number');
    if (numeric) kept.sort((a, b) => (a as number) - (b as number));
    const bySource: Record<string, [string | number, number][]> = {};
    for (const [source, counts] of shares) {
      if (counts.size === 0) continue;
      const shown = kept.map((value): [string | number, number] => [value, round(counts.get(value) ?? 0)]);
      const rest = 1 - shown.reduce((sum, [, share]) => sum + share, 0);
      bySource[source] = rest > 0.0005 ? [...shown, ['other', round(rest)]] : shown;
    }
    if (Object.keys(bySource).length > 0) out[name] = bySource;
  }
  return out;
}

/** The first packets of a trace as signed sizes. */
export function lane(source: string, trace: Trace): PacketLane {
  const packets = trace.packets
    .slice(0, LANE_PACKETS)
    .flatMap(({ role, wireLen }) => (role ? [{ size: role.up ? wireLen : -wireLen, flow: role.flow }] : []));
  return { source, label: trace.label, file: trace.path, packets };
}

const HUNDREDTHS = Array.from({ length: 101 }, (_, i) => i / 100);

/** Quantiles of packet lengths, and of the seconds between packets of one trace, by source. */
export function quantileCurves(
  sources: ReadonlyMap<string, readonly Trace[]>,
): EvaluationFigures['quantiles'] {
  const curves: EvaluationFigures['quantiles'] = { wireLen: {}, gapSeconds: {} };
  for (const [name, traces] of sources) {
    const lengths = traces.flatMap(({ packets }) => packets.map(({ wireLen }) => wireLen));
    const gaps = traces.flatMap(({ packets }) =>
      packets.slice(1).map(({ tsMicros }, i) => Math.max(0, tsMicros - packets[i].tsMicros) / 1e6),
    );
    if (lengths.length > 0) curves.wireLen[name] = quantiles(lengths, HUNDREDTHS).map(Math.round);
    if (gaps.length > 0)
      curves.gapSeconds[name] = quantiles(gaps, HUNDREDTHS).map((gap) => Number(gap.toPrecision(4)));
  }
  return curves;
}

function round(share: number): number {
  return Number(share.toFixed(5));
}
