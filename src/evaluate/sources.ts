import type { OnProgress } from '../util';
import type { SourceRole } from './evaluation';
import type { Trace } from './traces';

/** Traces under the name that their rows have in the tables. */
export interface SourceTraces {
  name: string;
  role: SourceRole;
  traces: readonly Trace[];
}

/** What a suite works on. */
export interface SuiteInput {
  /** Real traces that nothing was fitted on. */
  reference: readonly Trace[];
  /** Real traces that generators learnt from: the source of role `floor`. */
  training: readonly Trace[];
  /** What is compared with them: judged traces, the floor, baselines. */
  sources: readonly SourceTraces[];
  seed: number;
  /** Takes a sentence about what limits the numbers. */
  note: (sentence: string) => void;
  onProgress?: OnProgress;
}

/** Says what is being worked on; suites call it source by source. */
export function reportSource(input: SuiteInput, suite: string, done: number, name: string): void {
  const total = input.sources.length + 1;
  input.onProgress?.({ done, total, unit: 'sources', detail: `${suite}, ${name}` });
}

/** Labels of the reference, in alphabetical order. */
export function labelsIn(...sides: readonly (readonly Trace[])[]): string[] {
  const [first, ...others] = sides.map((traces) => new Set(traces.map(({ label }) => label)));
  return [...first].filter((label) => others.every((labels) => labels.has(label))).sort();
}

export function tracesOf(traces: readonly Trace[], label: string): Trace[] {
  return traces.filter((trace) => trace.label === label);
}

/** A trace and the real one that it is held against. */
export interface TracePair {
  real: Trace;
  other: Trace;
  /** Whether the trace says whose twin it is; else they are paired in their order, and only kinds can be compared. */
  twins: boolean;
  /** Packets of the real trace that stand against the other's prompt, and are left out. */
  skip: number;
}

/** Most pairs of a label: the paper has 100. */
const MOST_PAIRS = 100;

/**
 * Pairs each trace with its twin in `reference` or `training`, or, without one, with the reference traces of its label in
 * their order, starting over where there are fewer. Traces without packets are left out.
 */
export function pairTraces(
  traces: readonly Trace[],
  reference: readonly Trace[],
  training: readonly Trace[] = [],
): TracePair[] {
  // Of a capture that was cut in two the training half is the one with the beginning.
  const byPath = new Map([...reference, ...training].map((trace) => [trace.path, trace]));
  const pairs: TracePair[] = [];
  for (const label of labelsIn(traces)) {
    const group = tracesOf(reference, label).filter(({ packets }) => packets.length > 0);
    const own = tracesOf(traces, label).filter(({ packets }) => packets.length > 0);
    own.slice(0, MOST_PAIRS).forEach((other, i) => {
      const twin = other.twin === undefined ? undefined : byPath.get(other.twin);
      const real = twin ?? group[i % Math.max(1, group.length)];
      if (real) pairs.push({ real, other, twins: twin !== undefined, skip: twin ? other.promptPackets : 0 });
    });
  }
  return pairs;
}
