import type { Layout } from './layout';
import type { Vocabulary } from './vocabulary';

/** What a sequence is for. A capture belongs to one split, whole. */
export type Split = 'train' | 'validation' | 'test';

/** Whether a capture is one sequence (`session`) or each of its bidirectional five-tuples is (`flow`). */
export type SequenceUnit = 'session' | 'flow';

/**
 * - `keep`: checksum bytes as captured.
 * - `zero`: written as 0 and computed on decoding (layouts that write header bytes).
 * - `drop`: not written, and computed on decoding (`compact-rel`).
 */
export type ChecksumOption = 'keep' | 'zero' | 'drop';

/** One capture file of a dataset. */
export interface DatasetSource {
  /** Path below the folder that all inputs share, with `/`; of a session in a packed set, `FILE#ID`. */
  path: string;
  label: string;
  split: Split;
  sha256: string;
  /** File size; of a part of a file, the part's. */
  bytes: number;
  /** Records in the file, and those of them that became tokens. */
  frames: number;
  packets: number;
  tokens: number;
  sequences: number;
  /** Records that the layout cannot hold, by refusal code. */
  refusals: Record<string, number>;
  /** Oddities of the file itself, by problem code. */
  problems: Record<string, number>;
}

/** One token sequence: where it lies in tokens.bin. */
export interface SequenceMeta {
  /** Index into `sources`. */
  source: number;
  label: string;
  split: Split;
  /** First token, counted from the start of tokens.bin. */
  start: number;
  /** Tokens, label and `<|endoftext|>` included. */
  length: number;
  packets: number;
  /** LINKTYPE_ number of its packets; absent: 1, Ethernet. */
  linkType?: number;
}

export interface DatasetTotals {
  sources: number;
  sequences: number;
  frames: number;
  packets: number;
  tokens: number;
}

/** meta.json of a dataset folder. */
export interface DatasetMeta {
  format: 'netssm-dataset';
  version: 1;
  layout: string;
  checksums: ChecksumOption;
  unit: SequenceUnit;
  seed: number;
  validationShare: number;
  testShare: number;
  labels: string[];
  /** Only where packets are preceded by time tokens; the bins are in tokenizer.json. */
  timeTokens?: true;
  vocabSize: number;
  totals: DatasetTotals & { perSplit: Record<Split, DatasetTotals>; perLabel: Record<string, DatasetTotals> };
  refusals: Record<string, number>;
  sources: DatasetSource[];
  sequences: SequenceMeta[];
  /** `sha256:` and the hash of tokens.bin. */
  contentHash: string;
}

/** A dataset folder that is open for reading. */
export interface TokenDataset {
  readonly dir: string;
  readonly meta: DatasetMeta;
  readonly vocabulary: Vocabulary;
  readonly layout: Layout;
  readonly sequences: readonly SequenceMeta[];
  /** Tokens of sequence `i`, or the part [from, to) of them; read from disk by position. */
  tokens(i: number, from?: number, to?: number): Uint16Array;
  close(): void;
}
