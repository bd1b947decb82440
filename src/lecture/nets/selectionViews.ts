import type { LayerSelection } from './selection';

/** How a channel's step size depends on the token. */
export interface ChannelContrast {
  channel: number;
  /** Mean step size at marked tokens, and at the others. */
  marked: number;
  others: number;
}

/** The channels whose step size differs most, as a ratio, between marked tokens and the others before `until`. */
export function contrastingChannels(
  { L, E, delta }: LayerSelection,
  marked: ArrayLike<boolean>,
  { count = 12, until = L }: { count?: number; until?: number } = {},
): ChannelContrast[] {
  const all = Array.from({ length: E }, (_, channel): ChannelContrast => {
    const sums = [0, 0];
    const tokens = [0, 0];
    for (let t = 0; t < until; t++) {
      const group = marked[t] ? 0 : 1;
      sums[group] += delta[t * E + channel];
      tokens[group]++;
    }
    return { channel, marked: sums[0] / tokens[0], others: sums[1] / tokens[1] };
  });
  const ratio = ({ marked, others }: ChannelContrast) => Math.abs(Math.log(marked / others));
  return all.sort((a, b) => ratio(b) - ratio(a)).slice(0, count);
}

/** What a channel's step size, or the share of its state that is kept, is at tokens from .. to. */
export function channelOverTime(
  layer: LayerSelection,
  what: 'delta' | 'kept',
  channel: number,
  from = 0,
  to = layer.L,
): number[] {
  return Array.from({ length: to - from }, (_, i) => layer[what][(from + i) * layer.E + channel]);
}

/** Mean step size of all channels at every token: [L]. */
export function meanStep({ L, E, delta }: LayerSelection): number[] {
  return Array.from({ length: L }, (_, t) => {
    let sum = 0;
    for (let e = 0; e < E; e++) sum += delta[t * E + e];
    return sum / E;
  });
}

/** How far the write directions B (or read directions C) of tokens point the same way: cosines, [tokens, tokens]. */
export function directionCosines(
  { N, B, C, selective }: LayerSelection,
  what: 'B' | 'C',
  tokens: readonly number[],
): number[][] {
  const source = what === 'B' ? B : C;
  const vector = (t: number) => source.subarray((selective ? t : 0) * N, ((selective ? t : 0) + 1) * N);
  const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, v, n) => sum + v * b[n], 0);
  return tokens.map((i) =>
    tokens.map((j) => {
      const [a, b] = [vector(i), vector(j)];
      return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
    }),
  );
}
