import { openCapture, type Frame } from '../../capture';
import { selectFrames, type SelectOptions } from '../../flows';
import { ComplianceChecker, type CheckerOptions } from './checker';
import type { ComplianceReport } from './report';

/** Checks frames in memory, in their order. */
export function checkFrames(
  frames: Iterable<Frame>,
  options: CheckerOptions & { name?: string } = {},
): ComplianceReport {
  const checker = new ComplianceChecker(options.name ?? 'frames', options);
  for (const frame of frames) checker.add(frame);
  return checker.finish();
}

export interface CheckCaptureOptions extends CheckerOptions, SelectOptions {
  /** Called now and then with the packets read so far. */
  onPackets?: (packets: number) => void;
}

/**
 * Reads a capture from end to end and checks every packet, in bounded memory. Packets that are not selected are as if the
 * capture lacked them.
 *
 * @param source a path, `-` for standard input, or bytes in memory.
 * @throws NetssmError as `openCapture`, and for options that cannot be read.
 */
export async function checkCapture(
  source: string | Uint8Array,
  options: CheckCaptureOptions = {},
): Promise<ComplianceReport> {
  const slice = selectFrames(options);
  const reader = await openCapture(source);
  const checker = new ComplianceChecker(typeof source === 'string' ? source : reader.name, options);
  let number = 0;
  try {
    for await (const frames of reader.batches()) {
      for (const frame of frames) {
        number++;
        if (slice.take(frame)) checker.add(frame, number);
      }
      options.onPackets?.(number);
      if (slice.done) break;
    }
  } finally {
    await reader.close();
  }
  return checker.finish();
}
