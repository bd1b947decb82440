import type { ProgressiveScript } from '../programs/progressivePlayer';
import { startNginx } from '../servers/nginx';
import { drawBudget, requestHeaders } from './common';
import type { TrafficClass } from './types';

/** One file, downloaded in ranges no faster than it is watched; seeks give up what is on its way. */
export const progressive: TrafficClass = {
  name: 'progressive',
  service: 'streaming',
  adaptive: false,
  programs: ['nginx', 'ffmpeg'],
  tuning: { clientWindow: 2 ** 18, serverWindow: 2 ** 19, serverMtu: 1488 },
  description: 'nginx, HTTP/1.1 range requests over TLS; a player that reads as fast as it plays',

  plan({ rng, names, media, long }): ProgressiveScript {
    const { topRung, watchBytes, watchSegments } = drawBudget(rng, long, 2);
    const title = rng.pick(media.titles);
    const { path, bytes } = title.progressive[topRung];
    const bytesPerSecond = bytes / 64;
    const visits: ProgressiveScript['visits'] = [];
    const target = long ? watchBytes : Math.round(bytesPerSecond * watchSegments);
    const count = rng.pick([1, 1, 1, 2]);
    for (let i = 0, left = target; i < count && left > 50_000; i++) {
      const share = i === count - 1 ? left : Math.round(left * rng.uniform(0.3, 0.7));
      const room = Math.max(0, bytes - share);
      visits.push({ from: i === 0 && rng.chance(0.6) ? 0 : rng.integer(0, room), bytes: Math.min(share, bytes) });
      left -= share;
    }
    const readAhead = long ? rng.uniform(5, 8) : rng.uniform(1, 2.5);
    return {
      host: rng.pick(names),
      path: `/media/${title.name}/${path}`,
      fileBytes: bytes,
      bytesPerSecond: Math.round(bytesPerSecond),
      highBytes: Math.round(readAhead * bytesPerSecond),
      lowBytes: Math.round(readAhead * bytesPerSecond * rng.uniform(0.3, 0.7)),
      rangeBytes: rng.chance(0.35) ? Math.round(bytesPerSecond * rng.uniform(1.5, 5)) : 0,
      visits,
      headers: requestHeaders(rng, 'video/mp4,video/*;q=0.9,*/*;q=0.5', 0, 200),
    };
  },

  async serve(session) {
    await startNginx(session, { http2: false, media: session.shared.media.root, sslBuffer: '8k' });
  },

  use: (session) => session.program('progressivePlayer'),
};
