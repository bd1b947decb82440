import type { HlsScript } from '../programs/hlsPlayer';
import { LADDER, SEGMENT_SECONDS } from '../servers/media';
import { startNginx } from '../servers/nginx';
import { drawBudget, requestHeaders } from './common';
import type { TrafficClass } from './types';

/** HLS over one HTTP/2 connection: playlists, multiplexed segments with sound inside, thumbnails. */
export const hls: TrafficClass = {
  name: 'hls',
  service: 'streaming',
  adaptive: true,
  programs: ['nginx', 'ffmpeg'],
  tuning: { clientWindow: 2 ** 21, serverWindow: 2 ** 22, serverMtu: 1468 },
  description: 'nginx, HTTP/2 over TLS; an adaptive player with one connection',

  plan({ rng, names, media, long }): HlsScript & { files: Record<string, number> } {
    const budget = drawBudget(rng, long, SEGMENT_SECONDS);
    const title = rng.pick(media.titles);
    const thumbnails: Record<number, string> = {};
    const files: Record<string, number> = {};
    for (let i = rng.integer(1, 4); i < Math.min(40, budget.watchSegments); i += rng.integer(3, 8)) {
      thumbnails[i] = `/thumbs/${i}.jpg`;
      files[thumbnails[i]] = rng.size(4000, 30000);
    }
    return {
      host: rng.pick(names),
      base: `/media/${title.name}/hls`,
      kbits: LADDER.slice(0, budget.topRung + 1),
      firstRung: Math.min(budget.topRung, rng.integer(0, 2)),
      segmentSeconds: SEGMENT_SECONDS,
      start: rng.chance(0.5) ? 0 : rng.integer(0, title.hls[0].length - 1),
      watchSegments: budget.watchSegments,
      watchBytes: budget.watchBytes,
      bufferSeconds: budget.bufferSeconds,
      ahead: rng.pick([1, 1, 2]),
      thumbnails,
      ...(rng.chance(0.2) && { seek: { after: rng.integer(2, 4), by: rng.integer(5, 15) } }),
      streamWindow: rng.pick([1 << 20, 2 << 20, 6 << 20]),
      headers: requestHeaders(rng, 'application/vnd.apple.mpegurl, video/mp2t, */*', 100, 500),
      files,
    };
  },

  async serve(session) {
    const { files } = session.script as { files: Record<string, number> };
    await startNginx(session, { http2: true, media: session.shared.media.root, files, sslBuffer: '4k' });
  },

  use: (session) => session.program('hlsPlayer'),
};
