import type { Frame } from '../capture';
import { formatDuration, inspectable } from '../util';
import { FlowTable, type Flow, type FlowTableOptions } from './flowTable';

/**
 * All packets of one capture as one unit: the traffic of one use of an application, with its flows interleaved as
 * they were seen.
 */
export interface Session {
  /** Where it comes from: the capture's path, or any name. */
  readonly source: string;
  readonly frames: readonly Frame[];
  /** In order of their first frame; {@link Flow.frames} are indices into `frames`. */
  readonly flows: readonly Flow[];
  /** Frames that belong to no flow. */
  readonly withoutTuple: number;
  /** From the first to the last frame. */
  readonly durationSeconds: number;
}

/** Makes a session of a capture's frames. */
export function toSession(
  source: string,
  frames: readonly Frame[],
  options: Omit<FlowTableOptions, 'onFlow'> = {},
): Session {
  const table = new FlowTable(options);
  let first = Infinity;
  let last = -Infinity;
  frames.forEach((frame, i) => {
    table.add(frame, i);
    first = Math.min(first, frame.tsMicros);
    last = Math.max(last, frame.tsMicros);
  });
  const flows = table.finish();
  const durationSeconds = frames.length > 0 ? (last - first) / 1e6 : 0;
  const session: Session = { source, frames, flows, withoutTuple: table.withoutTuple, durationSeconds };
  return inspectable(
    session,
    () =>
      `Session ${source}: ${frames.length} packets, ${flows.length} flows, ${formatDuration(durationSeconds)}`,
  );
}

/** The frames of one flow, in order. */
export function flowFrames(frames: readonly Frame[], flow: Flow): Frame[] {
  return flow.frames.map((i) => frames[i]);
}
