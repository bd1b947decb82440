/**
 * A player of one file, as a browser's video element does it: a range request from the wanted place
 * to the end, read only as fast as the buffer needs it (so TCP's window closes), given up and asked
 * for anew at a seek. Some players ask for ranges of a fixed size instead.
 */
import type { IncomingMessage } from 'node:http';
import { Connection, fail, readTask, secondsLeft, sleep, stay } from './client';

export interface ProgressiveScript {
  host: string;
  path: string;
  fileBytes: number;
  /** Bytes a second the video needs. */
  bytesPerSecond: number;
  /** Bytes that may be read ahead of the playhead before reading pauses, and where it goes on. */
  highBytes: number;
  lowBytes: number;
  /** Fixed size of ranges; 0: one request to the end of the file. */
  rangeBytes: number;
  /** Where watching begins, and again after each seek, and how many bytes are watched there. */
  visits: { from: number; bytes: number }[];
  headers: Record<string, string>;
}

const task = readTask<ProgressiveScript>();
const { script } = task;

async function play(): Promise<void> {
  let connection = new Connection(script.host, task, script.headers);
  // The head of the file says where the samples are; players ask for it first.
  await connection.get(script.path, 'probe', { headers: { Range: 'bytes=0-1023' } });
  let left = 0;
  for (const visit of script.visits) {
    const began = performance.now();
    let read = 0;
    left = 0;
    /** Bytes read ahead of what has been played. */
    const ahead = (): number => read - ((performance.now() - began) / 1000) * script.bytesPerSecond;
    const end = Math.min(script.fileBytes - 1, visit.from + visit.bytes - 1);
    if (script.rangeBytes > 0) {
      for (let at = visit.from; at <= end && secondsLeft() > 0; at += script.rangeBytes) {
        while (ahead() > script.lowBytes) await sleep(0.05);
        const last = Math.min(end, at + script.rangeBytes - 1);
        const onData = (chunk: Buffer): void => void (read += chunk.length);
        await connection.get(script.path, 'video', { headers: { Range: `bytes=${at}-${last}` }, onData });
      }
      left = Math.max(0, ahead());
      continue;
    }
    // The user watches these bytes and then jumps or leaves; what was read ahead is lost.
    const watchSeconds = Math.min(visit.bytes / script.bytesPerSecond, secondsLeft());
    const stop = AbortSignal.timeout(Math.round(Math.max(0, watchSeconds) * 1000));
    const onData = (chunk: Buffer, response: IncomingMessage): void => {
      read += chunk.length;
      if (ahead() <= script.highBytes) return;
      response.pause();
      const wait = (ahead() - script.lowBytes) / script.bytesPerSecond;
      setTimeout(() => response.resume(), wait * 1000);
    };
    try {
      await connection.get(script.path, 'video', { headers: { Range: `bytes=${visit.from}-` }, onData, signal: stop });
      await sleep(watchSeconds - (performance.now() - began) / 1000);
    } catch (error) {
      if (!stop.aborted) throw error;
      connection.close();
      connection = new Connection(script.host, task, script.headers);
    }
  }
  // What is left in the buffer is watched to the end, or nearly.
  await Promise.all([stay(), sleep(Math.min(4, left / script.bytesPerSecond))]);
  connection.close();
}

play().then(() => process.exit(0), fail);
