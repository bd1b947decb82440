/**
 * A picture feed with endless scroll over HTTP/2: an API connection that returns the next posts, a
 * CDN connection that fetches their pictures many at a time, previews of short clips, beacons, and
 * pictures that are given up because the user has scrolled past them.
 */
import { readFileSync } from 'node:fs';
import { fail, readTask, sleep, stay } from './client';
import { Http2Connection, type Fetch } from './http2Client';

export interface FeedPage {
  /** The API's answer. */
  posts: string;
  pictures: string[];
  /** A short clip in this batch, if there is one. */
  clip?: string;
  /** Seconds the user looks before scrolling on. */
  lookSeconds: number;
  /** The user scrolls on after this while; what is not there then is given up. 0: waits for all. */
  flickSeconds: number;
  /** Bytes of the beacon that reports what was seen. */
  beacon: number;
}

export interface FeedScript {
  apiHost: string;
  imageHost: string;
  avatars: string[];
  pages: FeedPage[];
  headers: Record<string, string>;
}

const task = readTask<FeedScript>();
const { script } = task;

async function scroll(): Promise<void> {
  const options = { ca: readFileSync(task.ca), settings: { initialWindowSize: 262144, enablePush: false } };
  const [api, images] = await Promise.all([
    Http2Connection.open(script.apiHost, task, script.headers, options, 1 << 20),
    Http2Connection.open(script.imageHost, task, script.headers, options, 1 << 20),
  ]);
  const avatars = script.avatars.map((path) => images.get(path, 'image'));
  for (const [i, page] of script.pages.entries()) {
    await api.get(`${page.posts}?cursor=${i}`, 'api');
    const fetches: Fetch[] = page.pictures.map((path) => images.get(path, 'image'));
    if (page.clip) fetches.push(images.get(page.clip, 'clip'));
    const all = Promise.all(fetches);
    if (page.flickSeconds > 0) {
      await Promise.race([all, sleep(page.flickSeconds)]);
      fetches.forEach((fetch) => fetch.abort());
      await Promise.allSettled(fetches);
    } else await all;
    await sleep(page.lookSeconds);
    await api.post('/seen', 'beacon', Buffer.alloc(page.beacon, 0x7b));
  }
  await Promise.all([...avatars, stay()]);
  await Promise.all([api.close(), images.close()]);
}

scroll().then(() => process.exit(0), fail);
