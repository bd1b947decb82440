import type { DashScript } from '../programs/dashPlayer';
import { LADDER, SEGMENT_SECONDS } from '../servers/media';
import { startNginx } from '../servers/nginx';
import { drawBudget, requestHeaders } from './common';
import type { TrafficClass } from './types';

/** DASH over TLS: parallel video connections to several servers, sound on one of its own. */
export const dash: TrafficClass = {
  name: 'dash',
  service: 'streaming',
  adaptive: true,
  programs: ['nginx', 'ffmpeg'],
  tuning: { clientWindow: 2 ** 19, serverWindow: 2 ** 24, serverMtu: 1500 },
  description: 'nginx, HTTP/1.1 over TLS; an adaptive player with 2 to 4 video connections and one for sound',

  plan({ rng, names, media, long }): DashScript {
    const budget = drawBudget(rng, long, SEGMENT_SECONDS);
    const title = rng.pick(media.titles);
    const hosts = rng.sample(names, 6);
    const connections = rng.integer(2, 4);
    const titleSegments = title.dash.video[0].length;
    return {
      manifestHost: hosts[0],
      videoHosts: hosts.slice(1, 1 + connections),
      audioHost: hosts[5],
      base: `/media/${title.name}/dash`,
      kbits: LADDER.slice(0, budget.topRung + 1),
      firstRung: Math.min(budget.topRung, rng.integer(0, 2)),
      segmentSeconds: SEGMENT_SECONDS,
      titleSegments,
      start: rng.chance(0.5) ? 0 : rng.integer(0, titleSegments - 1),
      watchSegments: budget.watchSegments,
      watchBytes: budget.watchBytes,
      bufferSeconds: budget.bufferSeconds,
      ...(rng.chance(0.2) && { seek: { after: rng.integer(2, 4), by: rng.integer(5, 15) } }),
      leaveEarly: rng.chance(0.3),
      headers: requestHeaders(rng, '*/*', 150, 400),
    };
  },

  async serve(session) {
    await startNginx(session, { http2: false, media: session.shared.media.root, sslBuffer: '16k' });
  },

  use: (session) => session.program('dashPlayer'),
};
