/** Seeded random numbers: the same seed text gives the same session script. */

export interface Random {
  /** Uniform in [low, high). */
  uniform(low: number, high: number): number;
  /** Log-uniform in [low, high): every factor of two is as likely. */
  logUniform(low: number, high: number): number;
  /** Exponential with this mean, cut to [low, high]. */
  exponential(mean: number, low: number, high: number): number;
  /** Whole number from low to high, both included. */
  integer(low: number, high: number): number;
  /** Whole number, log-uniform, from low to high. */
  size(low: number, high: number): number;
  pick<T>(list: readonly T[]): T;
  /** `count` different elements, in random order. */
  sample<T>(list: readonly T[], count: number): T[];
  /** True with probability p. */
  chance(p: number): boolean;
  /** An independent stream with a name. */
  child(name: string): Random;
}

/** A generator seeded by a text (mulberry32 on an FNV-1a hash). */
export function random(seed: string): Random {
  let state = hash(seed);
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  for (let i = 0; i < 4; i++) next();
  const rng: Random = {
    uniform: (low, high) => low + (high - low) * next(),
    logUniform: (low, high) => low * Math.exp(Math.log(high / low) * next()),
    exponential: (mean, low, high) => Math.min(high, Math.max(low, -mean * Math.log(1 - next()))),
    integer: (low, high) => low + Math.floor(next() * (high - low + 1)),
    size: (low, high) => Math.round(rng.logUniform(low, high)),
    pick: (list) => list[Math.floor(next() * list.length)],
    sample(list, count) {
      const rest = [...list];
      const taken: typeof rest = [];
      while (taken.length < count && rest.length > 0)
        taken.push(rest.splice(Math.floor(next() * rest.length), 1)[0]);
      return taken;
    },
    chance: (p) => next() < p,
    child: (name) => random(`${seed}/${name}`),
  };
  return rng;
}

/** 32-bit FNV-1a of a text. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (const byte of Buffer.from(text)) h = Math.imul(h ^ byte, 0x01000193);
  return h | 0;
}
