import { NetssmError } from '../util';
import type { Frame } from './frame';

/** Which frames of a capture are wanted. Everything given must hold; nothing given: all frames. */
export interface SliceOptions {
  /** Not before this time: ISO 8601 (`2026-11-21T09:30:00.25Z`; without a zone it is UTC) or a Date. */
  from?: string | Date;
  /** Before this time: written as `from`. */
  to?: string | Date;
  /** Not earlier than so many seconds after the capture's first frame. */
  afterSeconds?: number;
  /** Earlier than so many seconds after the capture's first frame. */
  beforeSeconds?: number;
  /** Of the frames in that time, those for which this is true: `parseFilter` of `netssm/packets` makes one. */
  filter?: (frame: Frame) => boolean;
  /** Of those that remain, so many first ones are left out ... */
  skip?: number;
  /** ... and at most so many are given. */
  count?: number;
}

/**
 * The decision about one frame after the other, for loops that read frames themselves: see {@link sliceFrames}.
 * Conditions apply in the order of {@link SliceOptions}: times, filter, skip, count.
 */
export class FrameSlice {
  /** Has the count been reached? Then no further frame is wanted and reading can stop. */
  done: boolean;

  private readonly fromMicros: number;
  private readonly toMicros: number;
  private readonly skip: number;
  private readonly count: number;
  private firstMicros?: number;
  private matched = 0;

  /** @throws NetssmError `slice_option`. */
  constructor(private readonly options: SliceOptions) {
    this.fromMicros = options.from === undefined ? -Infinity : parseTime('from', options.from);
    this.toMicros = options.to === undefined ? Infinity : parseTime('to', options.to);
    this.skip = wholeNumber('skip', options.skip ?? 0);
    this.count = options.count === undefined ? Infinity : wholeNumber('count', options.count);
    for (const name of ['afterSeconds', 'beforeSeconds'] as const) {
      const value = options[name];
      if (value !== undefined && !Number.isFinite(value))
        throw optionError(name, value, 'a number of seconds');
    }
    this.done = this.count === 0;
  }

  /** Frames given so far. */
  get taken(): number {
    return Math.max(0, this.matched - this.skip);
  }

  /** Is this frame wanted? Call it once for every frame of the capture, in order. */
  take(frame: Frame): boolean {
    if (this.done) return false;
    const { tsMicros } = frame;
    const { afterSeconds, beforeSeconds, filter } = this.options;
    this.firstMicros ??= tsMicros;
    if (tsMicros < this.fromMicros || tsMicros >= this.toMicros) return false;
    const seconds = (tsMicros - this.firstMicros) / 1e6;
    if (afterSeconds !== undefined && seconds < afterSeconds) return false;
    if (beforeSeconds !== undefined && seconds >= beforeSeconds) return false;
    if (filter && !filter(frame)) return false;
    if (++this.matched <= this.skip) return false;
    this.done = this.matched - this.skip >= this.count;
    return true;
  }
}

/**
 * The wanted frames of a capture (a {@link CaptureReader}, or frames in memory), one by one in bounded memory. Ends
 * reading, and closes the file, once `count` frames are found. Times are no reason to end early: captures need not
 * be in order of time.
 *
 * @throws NetssmError `slice_option`, at the first frame asked for.
 *
 * @example
 * const web = parseFilter('tcp port 443');
 * for await (const frame of sliceFrames(await openCapture('x.pcap.gz'), { filter: web, afterSeconds: 10, count: 100 })) ...
 */
export async function* sliceFrames(
  frames: AsyncIterable<Frame> | Iterable<Frame>,
  options: SliceOptions,
): AsyncGenerator<Frame> {
  const slice = new FrameSlice(options);
  if (slice.done) return;
  for await (const frame of frames) {
    if (slice.take(frame)) yield frame;
    if (slice.done) return;
  }
}

const ISO =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?\s*(Z|[+-]\d\d:?\d\d)?$/i;

/** Microseconds since 1970; Date knows no smaller part than a millisecond. */
function parseTime(name: string, time: string | Date): number {
  if (typeof time !== 'string') {
    const ms = time.getTime();
    if (Number.isNaN(ms)) throw optionError(name, time, 'a valid Date');
    return ms * 1000;
  }
  const found = ISO.exec(time.trim());
  if (!found) throw optionError(name, time, 'a time such as 2026-11-21T09:30:00Z');
  const [, year, month, day, hour = '00', minute = '00', second = '00', fraction = '', zone = 'Z'] = found;
  const offset = zone.toUpperCase() === 'Z' ? 'Z' : `${zone.slice(0, 3)}:${zone.slice(-2)}`;
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}${offset}`);
  // Date.parse takes the 31st of June for the 1st of July.
  const isDay = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day))).getUTCDate() === Number(day);
  if (Number.isNaN(ms) || !isDay) throw optionError(name, time, 'a time that exists');
  return ms * 1000 + Math.floor(Number(fraction.padEnd(9, '0')) / 1000);
}

function wholeNumber(name: string, value: number): number {
  if (Number.isInteger(value) && value >= 0) return value;
  throw optionError(name, value, 'a whole number, 0 or more');
}

function optionError(name: string, value: unknown, wanted: string): NetssmError {
  return new NetssmError('slice_option', `${name} is ${String(value)}; it must be ${wanted}`, {
    exitCode: 2,
    context: { option: name, value },
    hint: 'Times: from, to, afterSeconds, beforeSeconds. Numbers of packets: skip, count.',
  });
}
