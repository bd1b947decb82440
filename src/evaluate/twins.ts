import type { Trace } from './traces';

/**
 * Generated traces with the `path` of the real trace whose beginning their prompt is, for those whose generation.json
 * names it and that are found: the real capture of the same label whose path ends as the given one does, or the other way
 * round, so that it does not matter from where a folder was named. Where several could be meant, or none, there is no twin.
 */
export function resolveTwins(traces: readonly Trace[], real: readonly Trace[]): Trace[] {
  const byName = new Map<string, Set<string>>();
  for (const { path, label } of real) {
    const key = `${label}/${partsOf(path).at(-1)}`;
    byName.set(key, (byName.get(key) ?? new Set()).add(path));
  }
  return traces.map(({ twin, ...trace }) => {
    if (twin === undefined) return trace;
    const parts = partsOf(twin);
    const candidates = [...(byName.get(`${trace.label}/${parts.at(-1)}`) ?? [])];
    const found = candidates.filter((path) => endsAlike(partsOf(path), parts));
    return found.length === 1 ? { ...trace, twin: found[0] } : trace;
  });
}

/** Names in a path, without those that only say where one stands. */
function partsOf(path: string): string[] {
  return path.split(/[\\/]/).filter((part) => part !== '' && part !== '.' && part !== '..');
}

function endsAlike(a: readonly string[], b: readonly string[]): boolean {
  const n = Math.min(a.length, b.length);
  return a.slice(-n).join('/') === b.slice(-n).join('/');
}
