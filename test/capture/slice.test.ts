import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FrameSlice, openCapture, sliceFrames, type Frame, type SliceOptions } from '../../src/capture';
import { parseFilter } from '../../src/packets';
import { NetssmError, projectRoot } from '../../src/util';

/** One frame each tenth of a second from 2026-11-21T09:30:00Z on; its byte is its number. */
const START = Date.UTC(2026, 10, 21, 9, 30) * 1000;
const frames: Frame[] = Array.from({ length: 50 }, (_, i) => ({
  data: Uint8Array.of(i),
  wireLen: 1,
  tsMicros: START + i * 100_000,
  tsNanos: 0,
  linkType: 1,
  interfaceId: 0,
}));

async function numbers(options: SliceOptions, from: Iterable<Frame> | AsyncIterable<Frame> = frames) {
  const found: number[] = [];
  for await (const frame of sliceFrames(from, options)) found.push(frame.data[0]);
  return found;
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

describe('sliceFrames', () => {
  it.each<[string, SliceOptions, number[]]>([
    ['nothing asked', {}, range(0, 50)],
    ['count', { count: 3 }, [0, 1, 2]],
    ['no frames', { count: 0 }, []],
    ['skip and count', { skip: 10, count: 2 }, [10, 11]],
    ['more skipped than there are', { skip: 60 }, []],
    ['seconds', { afterSeconds: 1, beforeSeconds: 1.5 }, range(10, 15)],
    ['times', { from: '2026-11-21T09:30:02Z', to: '2026-11-21T09:30:02.3Z' }, [20, 21, 22]],
    ['microseconds', { from: '2026-11-21 09:30:00.099999', to: '2026-11-21 09:30:00.100001' }, [1]],
    ['another zone', { from: '2026-11-21T10:30:04.8+01:00' }, [48, 49]],
    ['a Date', { from: new Date(START / 1000 + 4800) }, [48, 49]],
    ['a day', { from: '2026-11-21', to: '2026-11-22' }, range(0, 50)],
    ['a filter', { filter: (f) => f.data[0] % 10 === 0, afterSeconds: 1, skip: 1, count: 2 }, [20, 30]],
  ])('%s', async (_title, options, wanted) => {
    expect(await numbers(options)).toEqual(wanted);
  });

  it('measures seconds from the first frame of the capture, in whatever order the frames are', async () => {
    const shuffled = [frames[5], frames[30], frames[0], frames[12]];
    expect(await numbers({ afterSeconds: 0.5 }, shuffled)).toEqual([30, 12]);
    expect(await numbers({ beforeSeconds: 0.5 }, shuffled)).toEqual([5, 0]);
  });

  it('stops reading once it has what was asked for, and closes the capture', async () => {
    let [read, closed] = [0, false];
    async function* source() {
      try {
        for (const frame of frames) {
          read++;
          yield frame;
        }
      } finally {
        closed = true;
      }
    }
    expect(await numbers({ skip: 2, count: 2 }, source())).toEqual([2, 3]);
    expect([read, closed]).toEqual([4, true]);
  });

  it('goes with a filter over a capture', async () => {
    const reader = await openCapture(join(projectRoot, 'data', 'captures', 'web', 'web-01.pcap'));
    let count = 0;
    for await (const frame of sliceFrames(reader, { filter: parseFilter('tcp'), skip: 9, count: 100 })) {
      expect(frame.data[23]).toBe(6);
      count++;
    }
    expect(count).toBe(100);
    const slice = new FrameSlice({ filter: parseFilter('udp') });
    for await (const batch of (await openCapture(reader.name)).batches())
      batch.forEach((frame) => slice.take(frame));
    expect(slice.taken).toBe(4);
  });

  it.each([
    [{ from: 'yesterday' }, 'from is yesterday'],
    [{ to: '2026-02-30' }, 'a time that exists'],
    [{ to: '2026-11-21T25:00Z' }, 'a time that exists'],
    [{ from: new Date(NaN) }, 'a valid Date'],
    [{ count: -1 }, 'count is -1'],
    [{ skip: 1.5 }, 'a whole number'],
    [{ afterSeconds: NaN }, 'a number of seconds'],
  ])('refuses %o', async (options, words) => {
    const error = await numbers(options as SliceOptions).catch((e: unknown) => e as NetssmError);
    expect((error as NetssmError).code).toBe('slice_option');
    expect((error as NetssmError).message).toContain(words);
    expect((error as NetssmError).exitCode).toBe(2);
  });
});
