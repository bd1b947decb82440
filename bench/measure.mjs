import { performance } from 'node:perf_hooks';

/** Best seconds of one call within a time budget; the least disturbed run is what the machine can do. */
export function bestSeconds(run, budgetMs = 200, least = 3) {
  run();
  let best = Infinity;
  let count = 0;
  const end = performance.now() + budgetMs;
  do {
    const started = performance.now();
    run();
    best = Math.min(best, performance.now() - started);
    count++;
  } while (performance.now() < end || count < least);
  return best / 1000;
}

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

export const round = (x, digits = 3) => (Number.isFinite(x) ? Number(x.toPrecision(digits)) : null);

/** Float32Array of n seeded numbers in [-1, 1). */
export function floats(n, seed = 1) {
  const out = new Float32Array(n);
  let s = seed >>> 0 || 1;
  for (let i = 0; i < n; i++) {
    s ^= s << 13;
    s ^= s >>> 17;
    s ^= s << 5;
    out[i] = (s | 0) / 2 ** 31;
  }
  return out;
}
