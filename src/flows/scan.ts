import { openCapture, type CaptureInfo, type CaptureReader, type FrameSlice } from '../capture';
import { HEADER_BATCH_ROWS, HeaderBatch } from '../packets';
import type { Problem } from '../util';
import { FlowIndex, type FlowLimits, type OnFlowClosed } from './flowIndex';
import { selectFrames, type SelectOptions } from './select';

/** Flows held at once where nothing else is said: about 60 MB. */
export const DEFAULT_MAX_FLOWS = 262_144;

export interface ScanOptions extends SelectOptions {
  /** Bounds of the flow table; {@link DEFAULT_MAX_FLOWS} flows by default. */
  flows?: FlowLimits;
  /** Called with the slot of each flow when it is over; the last ones when all packets have been read. */
  onFlow?: OnFlowClosed;
}

/** A capture read as rows of header fields with their flows: the fast way through a file of any size. */
export class CaptureScan {
  /** The flows under way, and how many there were. */
  readonly flows: FlowIndex;
  /** Packets selected so far. */
  packets = 0;
  /** Number in the file, from 1, of each row of the current batch. */
  readonly numbers: Float64Array = new Float64Array(HEADER_BATCH_ROWS);

  /** Use {@link scanCapture}. */
  constructor(
    private readonly reader: CaptureReader,
    private readonly slice: FrameSlice,
    options: ScanOptions,
  ) {
    this.flows = new FlowIndex({ maxFlows: DEFAULT_MAX_FLOWS, ...options.flows }, options.onFlow);
  }

  get name(): string {
    return this.reader.name;
  }

  get info(): CaptureInfo {
    return this.reader.info;
  }

  /** What was odd or damaged in the file so far. */
  get problems(): Problem[] {
    return this.reader.problems;
  }

  /** Batches of rows, each valid until the next is asked for. When all have been given, all flows are closed. */
  async *batches(): AsyncGenerator<HeaderBatch> {
    const batch = new HeaderBatch();
    let number = 0;
    for await (const frames of this.reader.batches()) {
      for (const frame of frames) {
        number++;
        if (!this.slice.take(frame)) continue;
        this.numbers[batch.length] = number;
        this.flows.addFrame(batch, frame);
        if (batch.length === batch.capacity) {
          this.packets += batch.length;
          yield batch;
          batch.clear();
        }
      }
      if (this.slice.done) break;
    }
    this.packets += batch.length;
    if (batch.length > 0) yield batch;
    this.flows.finish();
  }

  /** Reads to the end for the sake of the counts. */
  async run(): Promise<this> {
    for await (const batch of this.batches()) void batch;
    return this;
  }
}

/**
 * Opens a capture (a path, or bytes in memory) for a scan of its headers and flows, in bounded memory.
 *
 * @throws NetssmError as `openCapture`, and for a filter or time that cannot be read.
 */
export async function scanCapture(
  source: string | Uint8Array,
  options: ScanOptions = {},
): Promise<CaptureScan> {
  // Options are judged before the file is touched.
  const slice = selectFrames(options);
  return new CaptureScan(await openCapture(source), slice, options);
}
