import type { Session } from './session';

/** What a session looks like from outside, in a dozen numbers. */
export interface SessionNumbers {
  packets: number;
  /** From the first packet to the last. */
  seconds: number;
  /** Bidirectional five-tuples, each opening of a TCP connection counted. */
  flows: number;
  /** Shares of the packets: of the flow with most of them, of TCP, and of those that servers sent. */
  largestFlow: number;
  tcp: number;
  fromServer: number;
  /** Bytes on the wire of packets from clients and from servers: their 10 %, 50 % and 90 % quantiles. */
  up10: number;
  up50: number;
  up90: number;
  down10: number;
  down50: number;
  down90: number;
  /** Milliseconds from a packet to the next, of whatever flow: their 50 %, 90 % and 99 % quantiles. */
  gapMs50: number;
  gapMs90: number;
  gapMs99: number;
}

/** Measures a session. Packets without a flow count for `packets` and gaps only. NaN where there is nothing to measure. */
export function sessionNumbers({ frames, flows, durationSeconds }: Session): SessionNumbers {
  const up: number[] = [];
  const down: number[] = [];
  let tcp = 0;
  for (const flow of flows) {
    if (flow.protocol === 'tcp') tcp += flow.frames.length;
    flow.frames.forEach((index, i) => (flow.fromClient[i] ? up : down).push(frames[index].wireLen));
  }
  const times = frames.map((frame) => frame.tsMicros).sort((a, b) => a - b);
  const gaps = times.slice(1).map((time, i) => (time - times[i]) / 1000);
  const sorted = [up, down, gaps].map((values) => values.sort((a, b) => a - b));
  const inFlows = up.length + down.length;
  return {
    packets: frames.length,
    seconds: durationSeconds,
    flows: flows.length,
    largestFlow: flows.reduce((most, flow) => Math.max(most, flow.frames.length), 0) / inFlows,
    tcp: tcp / inFlows,
    fromServer: down.length / inFlows,
    up10: quantile(sorted[0], 0.1),
    up50: quantile(sorted[0], 0.5),
    up90: quantile(sorted[0], 0.9),
    down10: quantile(sorted[1], 0.1),
    down50: quantile(sorted[1], 0.5),
    down90: quantile(sorted[1], 0.9),
    gapMs50: quantile(sorted[2], 0.5),
    gapMs90: quantile(sorted[2], 0.9),
    gapMs99: quantile(sorted[2], 0.99),
  };
}

/** The median session: of each number the median over the sessions, so that a few long ones do not decide. */
export function medianNumbers(sessions: readonly SessionNumbers[]): SessionNumbers & { sessions: number } {
  const median = (name: keyof SessionNumbers): number =>
    quantile(
      sessions
        .map((session) => session[name])
        .filter((value) => !Number.isNaN(value))
        .sort((a, b) => a - b),
      0.5,
    );
  const names = Object.keys(sessions[0] ?? {}) as (keyof SessionNumbers)[];
  const medians = Object.fromEntries(names.map((name) => [name, median(name)])) as unknown as SessionNumbers;
  return { sessions: sessions.length, ...medians };
}

/** Of sorted values; between two of them in proportion. */
function quantile(sorted: readonly number[], q: number): number {
  if (sorted.length === 0) return NaN;
  const at = q * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return low + (high - low) * (at - Math.floor(at));
}
