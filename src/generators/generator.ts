import type { Frame } from '../capture';

/** Captures that a generator learns from: one entry a session. */
export interface TrainingTrace {
  label: string;
  frames: Frame[];
}

/** What a generator is, in words that go beside its numbers. */
export interface GeneratorCard {
  /** Unique and short: the name in tables. */
  name: string;
  /** Where it was published; `none` for yardsticks of this project. */
  paper: string;
  /** `same algorithm`, or `reduced: ...` with what is missing. */
  fidelity: string;
  /** What it can make. */
  emits: readonly ('packets' | 'flow records' | 'series')[];
  /** One sentence: what it knows and what it does not. */
  description: string;
}

export interface GenerateRequest {
  label: string;
  /** Packets that are wanted. */
  packets: number;
  /** Same request, same packets. */
  seed: number;
}

/** One generated trace. */
export interface GeneratedPackets {
  frames: Frame[];
  /** Attempts that were no packet, by code; they are not made up for by trying again. */
  refused: Record<string, number>;
}

/** Everything that makes traffic, trivial or not, has this form. */
export interface TrafficGenerator {
  readonly card: GeneratorCard;
  /** Learns from real traces; a second call starts over. */
  fit(traces: readonly TrainingTrace[], options?: { seed?: number }): void | Promise<void>;
  /** @throws NetssmError `not_fitted`, `label_unknown` */
  generate(request: GenerateRequest): GeneratedPackets | Promise<GeneratedPackets>;
}
