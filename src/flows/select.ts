import type { Frame } from '../capture';
import { parseFilter } from '../packets/filter';
import { NetssmError } from '../util';

/** Which packets of a capture are meant; all of them by default. */
export interface SelectOptions {
  /** In the words of tcpdump: `tcp port 443 and net 10.0.0.0/8`. */
  filter?: string;
  /**
   * Packets of this time on, and before this time: seconds after the first packet of the capture, or an absolute time
   * as ISO 8601 (`2024-05-01T12:00:00Z`).
   */
  from?: number | string;
  to?: number | string;
  /** Of the packets that the filter and the times leave: passes over so many, then takes at most so many. */
  skip?: number;
  count?: number;
}

type Moment = { seconds: number } | { micros: number };

/** Applies {@link SelectOptions} to the frames of one capture, in order. */
export class FrameSelection {
  private readonly test?: (frame: Frame) => boolean;
  private readonly from?: Moment;
  private readonly to?: Moment;
  private readonly skip: number;
  private readonly count: number;
  private firstMicros?: number;
  private passed = 0;

  /** @throws NetssmError `filter_...` for a filter that cannot be read, `time_invalid`. */
  constructor(options: SelectOptions = {}) {
    if (options.filter !== undefined && options.filter.trim() !== '') this.test = parseFilter(options.filter);
    this.from = momentOf(options.from);
    this.to = momentOf(options.to);
    this.skip = options.skip ?? 0;
    this.count = options.count ?? Infinity;
  }

  /** Is this frame, the next of the capture, among those meant? */
  takes(frame: Frame): boolean {
    this.firstMicros ??= frame.tsMicros;
    if (this.from && frame.tsMicros < this.micros(this.from)) return false;
    if (this.to && frame.tsMicros >= this.micros(this.to)) return false;
    if (this.test && !this.test(frame)) return false;
    const place = this.passed++;
    return place >= this.skip && place < this.skip + this.count;
  }

  /** No later frame can be taken any more. */
  get done(): boolean {
    return this.passed >= this.skip + this.count;
  }

  private micros(moment: Moment): number {
    return 'micros' in moment ? moment.micros : this.firstMicros! + moment.seconds * 1e6;
  }
}

function momentOf(value: number | string | undefined): Moment | undefined {
  if (value === undefined) return undefined;
  const seconds = typeof value === 'number' ? value : /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : NaN;
  if (Number.isFinite(seconds)) return { seconds };
  const text = String(value);
  // Without a zone the time would be read as this machine's.
  const millis = Date.parse(/T[\d:.]+$/.test(text) ? `${text}Z` : text);
  if (!/^\d{4}-/.test(text) || Number.isNaN(millis)) {
    throw new NetssmError('time_invalid', `"${text}" is not a time`, {
      exitCode: 2,
      hint: 'Give seconds after the first packet (12.5), or a time in UTC such as 2024-05-01T12:00:00.',
    });
  }
  // Date keeps milliseconds; the digits below them are taken from the text.
  const fraction = /\.(\d+)/.exec(text)?.[1].padEnd(6, '0').slice(3, 6) ?? '0';
  return { micros: millis * 1000 + Number(fraction) };
}
