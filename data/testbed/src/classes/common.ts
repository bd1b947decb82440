/** What the scripts of several classes share: request headers and how much a session moves. */
import type { Random } from '../lib/random';
import { USER_AGENTS } from '../net/pools';
import { LADDER } from '../servers/media';

/** Request headers as browsers and apps send them, cookies of the session's own length included. */
export function requestHeaders(rng: Random, accept: string, cookieLow: number, cookieHigh: number) {
  const headers: Record<string, string> = {
    'user-agent': rng.pick(USER_AGENTS),
    accept,
    'accept-language': rng.pick(['en-US,en;q=0.5', 'de-DE,de;q=0.9,en;q=0.5', 'fr-FR,fr;q=0.8']),
    'accept-encoding': 'identity',
  };
  const cookie = rng.integer(cookieLow, cookieHigh);
  if (cookie > 0) headers.cookie = `session=${'x'.repeat(cookie)}`;
  return headers;
}

export interface Budget {
  /** Highest rung of the ladder the device asks for. */
  topRung: number;
  /** What the user watches: segments, or payload bytes, whichever comes first. */
  watchSegments: number;
  watchBytes: number;
  /** How far the player downloads ahead. */
  bufferSeconds: number;
}

/**
 * How much video a session watches. Long sessions move about 10 MB, which is 10,000 packets and more;
 * the others some hundred kB in 5 to 15 seconds, at the bitrates of phones that save data.
 */
export function drawBudget(rng: Random, long: boolean, segmentSeconds: number): Budget {
  if (long)
    return {
      topRung: rng.integer(6, 7),
      watchSegments: 999,
      watchBytes: rng.integer(9_800_000, 10_300_000),
      bufferSeconds: rng.uniform(30, 45),
    };
  const bufferSeconds = rng.uniform(2, 3.5) * segmentSeconds;
  const watchSegments = Math.ceil(bufferSeconds / segmentSeconds) + rng.integer(2, 6);
  const wanted = rng.size(130_000, 560_000) / (watchSegments * segmentSeconds);
  const topRung = Math.max(0, LADDER.findLastIndex((kbit) => (kbit * 1000) / 8 <= wanted * 1.2));
  return { topRung, watchSegments, watchBytes: 3_000_000, bufferSeconds };
}
