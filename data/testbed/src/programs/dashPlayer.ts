/**
 * A DASH player over TLS in the shape of Netflix's: a manifest, two to four video connections to
 * different servers that take turns (and run in parallel while the buffer fills), a separate
 * connection for the sound, adaptive bitrate.
 */
import { Connection, epoch, fail, readTask, secondsLeft, sleep, stay, type GetOptions } from './client';
import { PlaybackBuffer, RateChooser } from './abr';

export interface DashScript {
  manifestHost: string;
  /** A host for each video connection. */
  videoHosts: string[];
  audioHost: string;
  /** Folder of the title on every host. */
  base: string;
  kbits: number[];
  firstRung: number;
  segmentSeconds: number;
  /** Video segments of the title, numbered from 1; playing begins at `start` and wraps around. */
  titleSegments: number;
  start: number;
  /** How many segments the user watches, or payload bytes, whichever comes first. */
  watchSegments: number;
  watchBytes: number;
  bufferSeconds: number;
  /** After so many segments the user jumps by so many; what is being fetched is given up. */
  seek?: { after: number; by: number };
  /** The user leaves in the middle of the next segment. */
  leaveEarly: boolean;
  headers: Record<string, string>;
}

const task = readTask<DashScript>();
const { script } = task;
const open = (host: string): Connection => new Connection(host, task, script.headers);

async function play(): Promise<void> {
  const manifest = open(script.manifestHost);
  const { body } = await manifest.get(`${script.base}/manifest.mpd`, 'manifest');
  const ids = [...body.toString().matchAll(/<Representation id="(\d+)" mimeType="video/g)].map((m) => m[1]);
  if (ids.length < script.kbits.length) throw new Error(`the manifest has ${ids.length} video representations`);
  const buffer = new PlaybackBuffer(script.segmentSeconds * 1.5);
  const sound = new PlaybackBuffer(script.segmentSeconds * 1.5);
  const rates = new RateChooser(script.kbits, script.firstRung);
  const share = (): number => buffer.seconds / script.bufferSeconds;
  let [next, fetched, underWay, bytes, left] = [0, 0, 0, 0, false];
  let offset = script.start;
  let seeking = new AbortController();
  const leaving = new AbortController();
  const name = (i: number): number => ((offset + i) % script.titleSegments) + 1;
  const options = (): GetOptions => ({ signal: AbortSignal.any([leaving.signal, seeking.signal]) });
  const enough = (): boolean => fetched >= script.watchSegments || bytes >= script.watchBytes || secondsLeft() < 0;
  const audioRung = ids.length;

  /** Fetches with a connection of its own until the user leaves. */
  const videoLoop = async (host: string, first: boolean): Promise<void> => {
    const connection = open(host);
    if (first) await connection.get(`${script.base}/init-${ids[script.firstRung]}.mp4`, 'init');
    while (!left) {
      // The first connection fetches alone when the buffer is full; the others help it to fill.
      const room = script.bufferSeconds - buffer.seconds - underWay * script.segmentSeconds;
      if (room < (first ? 0 : script.segmentSeconds)) {
        await sleep(Math.min(0.2, Math.max(0.02, -room)));
        continue;
      }
      const rung = rates.next(share());
      const mine = next++;
      const wanted = offset;
      underWay++;
      try {
        const got = await connection.get(
          `${script.base}/seg-${ids[rung]}-${name(mine)}.m4s`, 'video', options(), script.kbits[rung],
        ); // prettier-ignore
        bytes += got.bytes;
        rates.add(got);
        if (wanted !== offset) continue;
        fetched++;
        buffer.add(script.segmentSeconds);
        if (script.seek && fetched === script.seek.after) {
          offset += script.seek.by;
          seeking.abort();
          seeking = new AbortController();
          buffer.flush();
          sound.flush();
        }
        if (enough()) await leave();
      } catch (error) {
        if (!left && wanted === offset) throw error;
      } finally {
        underWay--;
      }
    }
    connection.close();
  };

  const audioLoop = async (): Promise<void> => {
    const connection = open(script.audioHost);
    await connection.get(`${script.base}/init-${audioRung}.mp4`, 'init');
    for (let i = 0; !left;) {
      if (sound.seconds >= script.bufferSeconds || i > next) {
        await sleep(0.1);
        continue;
      }
      const wanted = offset;
      try {
        const got = await connection.get(`${script.base}/seg-${audioRung}-${name(i)}.m4s`, 'audio', options());
        bytes += got.bytes;
        if (wanted !== offset) continue;
        sound.add(script.segmentSeconds);
        i++;
      } catch (error) {
        if (!left && wanted === offset) throw error;
      }
    }
    connection.close();
  };

  const leave = async (): Promise<void> => {
    if (left) return;
    left = true;
    await (script.leaveEarly ? stay() : Promise.all([stay(), sleep(Math.min(0.3, buffer.seconds))]));
    leaving.abort();
    manifest.close();
  };

  await Promise.all([...script.videoHosts.map((host, i) => videoLoop(host, i === 0)), audioLoop()]);
  console.log(JSON.stringify({ endedAt: epoch(), stalledSeconds: Number(buffer.stalled.toFixed(2)), fetched }));
}

play().then(() => process.exit(0), fail);
