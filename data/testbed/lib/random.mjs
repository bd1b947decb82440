/** Seeded random numbers: the same seed text gives the same session script. */

/** A generator seeded by a text; `child(name)` gives an independent stream. */
export function random(seed) {
  let state = hash(seed);
  const next = () => {
    // mulberry32
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  for (let i = 0; i < 4; i++) next();
  return {
    /** Uniform in [low, high). */
    uniform: (low, high) => low + (high - low) * next(),
    /** Whole number from low to high, both included. */
    integer: (low, high) => low + Math.floor(next() * (high - low + 1)),
    /** One element of a list. */
    pick: (list) => list[Math.floor(next() * list.length)],
    /** `count` different elements of a list, in random order. */
    sample(list, count) {
      const rest = [...list];
      const taken = [];
      while (taken.length < count && rest.length > 0)
        taken.push(rest.splice(Math.floor(next() * rest.length), 1)[0]);
      return taken;
    },
    /** True with probability p. */
    chance: (p) => next() < p,
    child: (name) => random(`${seed}/${name}`),
  };
}

/** 32-bit FNV-1a of a text. */
function hash(text) {
  let h = 0x811c9dc5;
  for (const byte of Buffer.from(text)) h = Math.imul(h ^ byte, 0x01000193);
  return h | 0;
}
