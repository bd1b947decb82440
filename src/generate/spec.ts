import { getLayout } from '../tokens';
import type { ChecksumOption, LabelTiming, Layout, TimeTokens } from '../tokens';
import type { DecodeJob } from './decode';
import type { Prompt } from './prompt';
import { buildProcessors } from './sampling';
import type { Sampling } from './sampling';

/** What all traces of a request have in common, as plain data: it goes to worker threads. */
export interface TraceSpec {
  label: string;
  seed: number;
  prompt: Prompt;
  layout: string;
  checksums: ChecksumOption;
  sampling: Required<Sampling>;
  logitsLength: number;
  packets: number;
  tokens: number;
  tries: number;
  continueAfterEnd: boolean;
  repair: boolean;
  timing: LabelTiming | undefined;
  times: TimeTokens | undefined;
  resampleTimes: boolean;
  startMicros: number;
}

/** The job of trace `index`; the layout is made from its name where it is not given. */
export function toJob(spec: TraceSpec, index: number, given?: Layout): DecodeJob {
  const { layout, checksums, sampling, ...rest } = spec;
  return {
    ...rest,
    index,
    layout: given ?? getLayout(layout, { checksums }),
    processors: buildProcessors(sampling),
    greedy: sampling.greedy,
  };
}
