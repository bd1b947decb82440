import { FrameSlice, type SliceOptions } from '../capture';
import { parseFilter } from '../packets/filter';

/** Which packets of a capture are meant, in words and numbers only; all of them by default. */
export interface SelectOptions {
  /** In the words of tcpdump: `tcp port 443 and net 10.0.0.0/8`. */
  filter?: string;
  /**
   * Packets of this time on, and before this time: seconds after the first packet of the capture (`12.5`), or an
   * absolute time as ISO 8601, UTC without a zone (`2026-11-21T09:30:00`).
   */
  from?: number | string;
  to?: number | string;
  /** Of the packets that the filter and the times leave: passes over so many, then takes at most so many. */
  skip?: number;
  count?: number;
}

/**
 * The slice that is meant.
 *
 * @throws NetssmError `slice_option`, or the filter's error with the place in it.
 */
export function selectFrames(options: SelectOptions): FrameSlice {
  const { filter, from, to, skip, count } = options;
  const slice: SliceOptions = { skip, count };
  if (filter !== undefined && filter.trim() !== '') slice.filter = parseFilter(filter);
  const fromSeconds = secondsOf(from);
  const toSeconds = secondsOf(to);
  if (fromSeconds !== undefined) slice.afterSeconds = fromSeconds;
  else if (from !== undefined) slice.from = String(from);
  if (toSeconds !== undefined) slice.beforeSeconds = toSeconds;
  else if (to !== undefined) slice.to = String(to);
  return new FrameSlice(slice);
}

function secondsOf(value: number | string | undefined): number | undefined {
  if (typeof value === 'number') return value;
  return value !== undefined && /^\s*-?\d+(\.\d+)?\s*$/.test(value) ? Number(value) : undefined;
}
