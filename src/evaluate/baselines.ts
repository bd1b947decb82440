import type { Frame } from '../capture';

/** A capture that a baseline is fitted on. */
export interface BaselineTrace {
  label: string;
  frames: Frame[];
}

/**
 * What stands beside the judged traces in every table: something trivial that is fitted on the same real captures.
 * Every generator of `netssm/generators` fits this description.
 */
export interface BaselineGenerator {
  readonly card: { name: string; description: string };
  fit(traces: readonly BaselineTrace[], options: { seed: number }): void | Promise<void>;
  /** `packets` packets of a label, as one trace; fewer where runs of bytes are no packets (`refused`, by code). */
  generate(request: {
    label: string;
    packets: number;
    seed: number;
  }): BaselineOutput | Promise<BaselineOutput>;
}

export interface BaselineOutput {
  frames: Frame[];
  refused: Record<string, number>;
}
