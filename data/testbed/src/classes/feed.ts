import type { FeedPage, FeedScript } from '../programs/feedReader';
import { startNginx } from '../servers/nginx';
import { requestHeaders } from './common';
import type { TrafficClass } from './types';

/** A picture feed with endless scroll over HTTP/2. */
export const feed: TrafficClass = {
  name: 'feed',
  service: 'social',
  adaptive: false,
  programs: ['nginx'],
  tuning: { clientWindow: 2 ** 24, serverWindow: 2 ** 27, serverMtu: 1424 },
  description: 'nginx, HTTP/2 over TLS; a feed reader with an API and a picture connection',

  plan({ rng, names }): FeedScript & { files: Record<string, number> } {
    const [apiHost, imageHost] = rng.sample(names, 2);
    const files: Record<string, number> = {};
    const add = (path: string, bytes: number): string => {
      files[path] = bytes;
      return path;
    };
    const avatars = Array.from({ length: rng.integer(2, 6) }, (_, i) => add(`/avatar/${i}.jpg`, rng.size(1500, 5000)));
    const pages = Array.from({ length: rng.integer(3, 5) }, (_, p): FeedPage => ({
      posts: add(`/api/posts-${p}.json`, rng.size(3000, 14000)),
      pictures: Array.from({ length: rng.integer(3, 6) }, (_, i) => add(`/img/${p}-${i}.jpg`, rng.size(5000, 38000))),
      ...(rng.chance(0.15) && { clip: add(`/clip/${p}.mp4`, rng.size(60_000, 150_000)) }),
      lookSeconds: rng.exponential(1.6, 0.4, 5),
      flickSeconds: rng.chance(0.2) ? rng.uniform(0.15, 0.6) : 0,
      beacon: rng.integer(200, 1400),
    }));
    return { apiHost, imageHost, avatars, pages, files, headers: requestHeaders(rng, 'image/webp,*/*;q=0.8', 300, 900) };
  },

  async serve(session) {
    const { files } = session.script as { files: Record<string, number> };
    const more = '    location = /seen { return 204; }';
    await startNginx(session, { http2: true, files, more, sslBuffer: '8k' });
  },

  use: (session) => session.program('feedReader'),
};
