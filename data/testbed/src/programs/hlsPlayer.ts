/** An HLS player over one HTTP/2 connection: master and media playlists, segments, adaptive bitrate. */
import { readFileSync } from 'node:fs';
import { fail, readTask, secondsLeft, sleep, stay } from './client';
import { Http2Connection } from './http2Client';
import { PlaybackBuffer, RateChooser } from './abr';

export interface HlsScript {
  host: string;
  base: string;
  kbits: number[];
  firstRung: number;
  segmentSeconds: number;
  start: number;
  watchSegments: number;
  watchBytes: number;
  bufferSeconds: number;
  /** Segments asked for at a time. */
  ahead: number;
  /** A thumbnail strip is fetched beside the segment with these numbers. */
  thumbnails: Record<number, string>;
  seek?: { after: number; by: number };
  /** What the player announces as its window for a stream, bytes. */
  streamWindow: number;
  headers: Record<string, string>;
}

const task = readTask<HlsScript>();
const { script } = task;

async function play(): Promise<void> {
  const client = await Http2Connection.open(script.host, task, script.headers, {
    ca: readFileSync(task.ca),
    settings: { initialWindowSize: script.streamWindow },
  }, script.streamWindow);
  await client.get(`${script.base}/master.m3u8`, 'manifest');
  const playlists = new Map<number, string[]>();
  const playlist = async (rung: number): Promise<string[]> => {
    if (!playlists.has(rung)) {
      const { body } = await client.get(`${script.base}/${rung}.m3u8`, 'manifest');
      playlists.set(rung, body.toString().split('\n').filter((line) => line.endsWith('.ts'))); // prettier-ignore
    }
    return playlists.get(rung)!;
  };
  const buffer = new PlaybackBuffer(script.segmentSeconds * 1.5);
  const rates = new RateChooser(script.kbits, script.firstRung);
  let offset = script.start;
  let [bytes, fetched] = [0, 0];
  const small: Promise<unknown>[] = [];
  for (let i = 0; fetched < script.watchSegments && bytes < script.watchBytes && secondsLeft() > 0;) {
    while (buffer.seconds > script.bufferSeconds - script.segmentSeconds) await sleep(0.05);
    const rung = rates.next(buffer.seconds / script.bufferSeconds);
    const segments = await playlist(rung);
    const count = Math.min(script.ahead, script.watchSegments - fetched);
    const jobs = Array.from({ length: count }, (_, k) => {
      const name = segments[(offset + i + k) % segments.length];
      return client.get(`${script.base}/${name}`, 'video', undefined, script.kbits[rung]);
    });
    const thumbnail = script.thumbnails[fetched];
    if (thumbnail) small.push(client.get(thumbnail, 'image'));
    if (script.seek && fetched === script.seek.after) {
      // The user jumps while these are on their way: their streams are reset.
      await sleep(0.15);
      jobs.forEach((job) => job.abort());
      await Promise.allSettled(jobs);
      offset += script.seek.by;
      buffer.flush();
      fetched++;
      continue;
    }
    const got = await Promise.all(jobs);
    const total = got.reduce((sum, g) => sum + g.bytes, 0);
    rates.add({ bytes: total, seconds: Math.max(...got.map((g) => g.seconds)) });
    for (const g of got) {
      bytes += g.bytes;
      fetched++;
      i++;
      if (g.bytes > 0) buffer.add(script.segmentSeconds);
    }
  }
  await Promise.allSettled(small);
  await Promise.all([stay(), sleep(Math.min(0.3, buffer.seconds))]);
  await client.close();
}

play().then(() => process.exit(0), fail);
