/**
 * A low-latency live player: asks for the segment that is being made and gets it part by part; video
 * on one connection and sound on another; steps down when parts come late, up when they come in time
 * with room to spare.
 */
import { Connection, fail, readTask, sleep, stay } from './client';
import { RateChooser } from './abr';

export interface LiveScript {
  host: string;
  audioHost: string;
  kbits: number[];
  firstRung: number;
  segmentSeconds: number;
  /** Parts behind the live edge at which playing begins. */
  joinDelaySeconds: number;
  watchSegments: number;
  watchBytes: number;
  /** The manifest is asked for again every so many segments. */
  manifestEvery: number;
  leaveEarly: boolean;
  headers: Record<string, string>;
}

const task = readTask<LiveScript>();
const { script } = task;

async function play(): Promise<void> {
  const video = new Connection(script.host, task, script.headers);
  const audio = new Connection(script.audioHost, task, script.headers);
  const manifest = async (): Promise<{ newest: number }> =>
    JSON.parse((await video.get('/manifest', 'manifest')).body.toString().split('\n')[0]) as { newest: number };
  const rates = new RateChooser(script.kbits, script.firstRung);
  const { newest } = await manifest();
  await Promise.all([video.get(`/init/v${script.firstRung}`, 'init'), audio.get('/init/a', 'init')]);
  let done = false;
  const leaving = new AbortController();

  const sound = async (): Promise<void> => {
    for (let segment = newest; !done; segment++)
      try {
        await audio.get(`/segment/a/${segment}`, 'audio', { signal: leaving.signal });
      } catch (error) {
        if (!done) throw error;
      }
    audio.close();
  };

  const picture = async (): Promise<void> => {
    let bytes = 0;
    let behind = 0;
    for (let i = 0; i < script.watchSegments && bytes < script.watchBytes; i++) {
      const rung = rates.next(behind > 0.6 ? 0.05 : behind > 0.25 ? 0.3 : 1);
      // Throughput shows while bytes come faster than they are made: the time from a part's first
      // piece to its last, not the wait for the next part.
      let [busy, last, burst] = [0, 0, 0];
      const onData = (chunk: Buffer): void => {
        const now = performance.now();
        if (now - last < 60 && last > 0) {
          busy += now - last;
          burst += chunk.length;
        }
        last = now;
        bytes += chunk.length;
      };
      const segment = newest + i;
      const path = `/segment/v${rung}/${segment}`;
      const last1 = i === script.watchSegments - 1 && script.leaveEarly;
      const stop = last1 ? AbortSignal.timeout(Math.round(script.segmentSeconds * 500)) : undefined;
      try {
        const got = await video.get(path, 'video', { onData, signal: stop }, script.kbits[rung]);
        behind = Math.max(0, got.seconds - script.segmentSeconds - (i === 0 ? script.segmentSeconds : 0));
        if (burst > 4000) rates.add({ bytes: Math.max(8000, burst), seconds: busy / 1000 });
      } catch (error) {
        if (!stop?.aborted) throw error;
      }
      if ((i + 1) % script.manifestEvery === 0) await manifest();
    }
    await stay();
    done = true;
    leaving.abort();
    video.close();
  };

  await sleep(script.joinDelaySeconds);
  await Promise.all([picture(), sound()]);
}

play().then(() => process.exit(0), fail);
