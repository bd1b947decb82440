import type { Trace } from '../evaluate';
import { autocorrelation, earthMoversDistance, finiteMean, kolmogorovSmirnov } from '../stats';

/** The times between packets of some traces: how long they are, and how they follow each other. */
export interface GapSamples {
  /** Base-10 logarithms of the seconds, at least 1 microsecond; of all gaps, and of those before a packet of either side. */
  all: number[];
  client: number[];
  server: number[];
  /** Packets of each burst, and what all of them together last: packets that follow one another within the limit. */
  burstPackets: number[];
  burstLogSeconds: number[];
  /** Autocorrelation of the logarithms at {@link LAGS}, of each trace that is long enough. */
  autocorrelation: number[][];
}

export const LAGS = [1, 2, 5, 10] as const;

/** Gaps that a trace needs for an autocorrelation. */
const LEAST_GAPS = 30;

const logSeconds = (micros: number): number => Math.log10(Math.max(1, micros) / 1e6);

/**
 * Gaps of traces, the one between the prompt and the first packet behind it included. Times that go back count as no time.
 *
 * @param burstMicros a longer gap ends a burst.
 */
export function gapSamples(traces: readonly Trace[], burstMicros: number): GapSamples {
  const out: GapSamples = {
    all: [],
    client: [],
    server: [],
    burstPackets: [],
    burstLogSeconds: [],
    autocorrelation: [],
  };
  for (const { packets, prompt } of traces) {
    let before = prompt?.at(-1)?.tsMicros;
    const own: number[] = [];
    let burst = 0;
    let begin = 0;
    const endBurst = (): void => {
      if (burst === 0) return;
      out.burstPackets.push(burst);
      if (burst > 1) out.burstLogSeconds.push(logSeconds((before as number) - begin));
    };
    for (const { tsMicros, role } of packets) {
      const gap = before === undefined ? undefined : Math.max(0, tsMicros - before);
      if (gap !== undefined) {
        own.push(logSeconds(gap));
        if (role) (role.up ? out.client : out.server).push(logSeconds(gap));
      }
      if (burst === 0 || (gap as number) > burstMicros) {
        endBurst();
        burst = 0;
        begin = tsMicros;
      }
      burst++;
      before = tsMicros;
    }
    endBurst();
    out.all.push(...own);
    if (own.length >= LEAST_GAPS) {
      const at = autocorrelation(own, Math.max(...LAGS));
      out.autocorrelation.push(LAGS.map((lag) => at[lag]));
    }
  }
  return out;
}

/** How far one source's gaps are from the reference's. */
export interface GapDistance {
  gaps: number;
  /** Kolmogorov-Smirnov. */
  ks: number;
  /** Mean difference of the quantiles in decades (earth mover's distance of the logarithms). */
  decades: number;
}

/** Null where a side is empty. */
export function gapDistance(real: readonly number[], other: readonly number[]): GapDistance | null {
  if (real.length === 0 || other.length === 0) return null;
  return {
    gaps: other.length,
    ks: kolmogorovSmirnov(real, other, { method: 'asymptotic' }).statistic,
    decades: earthMoversDistance(real, other),
  };
}

/** Mean autocorrelation over traces at each of {@link LAGS}; null where no trace is long enough. */
export function meanAutocorrelation({ autocorrelation: rows }: GapSamples): (number | null)[] {
  return LAGS.map((_, i) => {
    const value = finiteMean(rows.map((row) => row[i]));
    return Number.isFinite(value) ? value : null;
  });
}
