import type { Frame } from '../capture/frame';
import { getLayout } from '../tokens';
import type { ChecksumOption, LabelTiming } from '../tokens';
import type { DecodeJob } from './decode';
import { buildProcessors } from './sampling';
import type { Sampling } from './sampling';

/** What all traces of a request have in common, as plain data: it goes to worker threads. */
export interface TraceSpec {
  label: string;
  seed: number;
  prompt: { tokens: Uint16Array; frames: Frame[]; refused: Record<string, number> };
  layout: string;
  checksums: ChecksumOption;
  sampling: Required<Sampling>;
  logitsLength: number;
  packets: number;
  tokens: number;
  continueAfterEnd: boolean;
  repair: boolean;
  timing: LabelTiming | undefined;
  startMicros: number;
}

/** The job of trace `index`. */
export function toJob(spec: TraceSpec, index: number): DecodeJob {
  const { layout, checksums, sampling, ...rest } = spec;
  return {
    ...rest,
    index,
    layout: getLayout(layout, { checksums }),
    processors: buildProcessors(sampling),
    greedy: sampling.greedy,
  };
}
