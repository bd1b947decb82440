/** A host's name lookups: bursts of A and AAAA, single queries, and answers that need TCP. */
import { sleep } from '../lib/process.mjs';

export const label = 'dns';

export function plan({ rng, names }) {
  const bursts = Array.from({ length: rng.integer(16, 22) }, () => ({
    thinkSeconds: rng.uniform(0.1, 0.4),
    lookups: rng.sample(names, rng.integer(1, 4)), // A and AAAA, by the C library's resolver
    query: rng.pick([
      ['example.com', 'MX'],
      ['example.net', 'MX'],
      ['example.org', 'TXT', '+noedns'], // longer than 512 bytes: truncated, asked again over TCP
      ['example.com', 'TXT', '+noedns'],
      ['example.net', 'TXT'],
      ['www.example.com', 'A', '+tcp'],
    ]),
  }));
  return { bursts };
}

export async function serve() {
  // the resolver that every session has
}

export async function use(session) {
  for (const { thinkSeconds, lookups, query } of session.plan.bursts) {
    const running = lookups.map((name) => session.client(['getent', 'ahosts', name]));
    await Promise.all(running.map((lookup) => session.ended(lookup)));
    await session.ended(session.client(['dig', ...query]));
    await sleep(thinkSeconds);
  }
}
