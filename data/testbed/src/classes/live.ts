import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LiveScript } from '../programs/livePlayer';
import { LADDER, LIVE_SECONDS, PART_SECONDS, type Title } from '../servers/media';
import { drawBudget, requestHeaders } from './common';
import type { TrafficClass } from './types';

/** Low-latency live: segments that are sent part by part while they are made. */
export const live: TrafficClass = {
  name: 'live',
  service: 'streaming',
  adaptive: true,
  programs: ['ffmpeg'],
  tuning: { clientWindow: 2 ** 20, serverWindow: 2 ** 23, serverMtu: 1436 },
  description: "an origin and an adaptive player on Node's HTTPS; chunked transfer of CMAF parts as they are made",

  plan({ rng, names, media, long }): LiveScript & { title: string; headStart: number } {
    const budget = drawBudget(rng, long, LIVE_SECONDS);
    const title = rng.pick(media.titles);
    const [host, audioHost] = rng.sample(names, 2);
    const segments = rng.integer(3, 8);
    const wanted = rng.size(100_000, 560_000) / (segments * LIVE_SECONDS);
    const topRung = long ? 7 : Math.max(0, LADDER.findLastIndex((kbit) => (kbit * 1000) / 8 <= wanted * 1.2));
    return {
      title: title.name,
      headStart: rng.integer(3, 25),
      host,
      audioHost,
      kbits: LADDER.slice(0, topRung + 1),
      firstRung: long ? 6 : Math.min(topRung, rng.integer(0, 2)),
      segmentSeconds: LIVE_SECONDS,
      joinDelaySeconds: rng.uniform(0, 0.5),
      watchSegments: long ? 27 : segments,
      watchBytes: budget.watchBytes,
      manifestEvery: rng.integer(3, 6),
      leaveEarly: rng.chance(0.4),
      headers: requestHeaders(rng, '*/*', 50, 300),
    };
  },

  async serve(session) {
    const { title: name, headStart } = session.script as { title: string; headStart: number };
    const { media } = session.shared;
    const title = media.titles.find((t) => t.name === name) as Title;
    const file = (track: string): string => join(media.root, name, 'live', `${track}.mp4`);
    const tracks = Object.fromEntries([
      ...title.live.video.map((segments, i) => [`v${i}`, { file: file(`v${i}`), segments }]),
      ['a', { file: file('a'), segments: title.live.audio }],
    ]);
    const task = join(session.folder, 'origin.json');
    const { chain: cert, key } = session.certificate;
    writeFileSync(task, JSON.stringify({
      cert, key, port: 443, tracks, headStart, partSeconds: PART_SECONDS, segmentSeconds: LIVE_SECONDS,
    })); // prettier-ignore
    session.serve([process.execPath, session.path('liveOrigin.js'), task]);
    await session.listening(443);
  },

  use: (session) => session.program('livePlayer'),
};
