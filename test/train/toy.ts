import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  END_OF_TEXT,
  FIRST_LABEL,
  PKT,
  saveMeta,
  saveVocabulary,
  Vocabulary,
  type DatasetMeta,
  type DatasetTotals,
  type SequenceMeta,
  type Split,
} from '../../src/tokens';
import { Rng, writeJson } from '../../src/util';
import type { TrainConfig } from '../../src/train';

/** Bytes in use by the toy language. */
export const SYMBOLS = 16;
/** How often a byte is followed by its label's favourite. */
export const FAVOURITE = 0.9;

/**
 * A data set of "packets" of eight bytes in which each byte is followed, nine times of ten, by a favourite that
 * depends on the label, and otherwise by any of 16: a bigram model of each label is the best there is.
 */
export function writeToyDataset(dir: string, options: ToyOptions = {}): string {
  const { labels = ['a', 'b'], sequences: perSplit = 12, packets = 8, seed = 5 } = options;
  const vocabulary = new Vocabulary(labels);
  const sequences: SequenceMeta[] = [];
  const tokens: number[] = [];
  for (const split of ['train', 'validation'] as const) {
    if (split === 'validation' && options.validation === false) continue;
    for (const label of labels) {
      const rng = new Rng(`${seed}/${split}/${label}`);
      const favourite = new Rng(label).shuffle(Array.from({ length: SYMBOLS }, (_, i) => i));
      for (let s = 0; s < (split === 'train' ? perSplit : 3); s++) {
        const start = tokens.length;
        tokens.push(FIRST_LABEL + labels.indexOf(label));
        let byte = rng.int(SYMBOLS);
        for (let p = 0; p < packets + s; p++) {
          if (p > 0) tokens.push(PKT);
          for (let i = 0; i < 8; i++) {
            tokens.push(byte);
            byte = rng.uniform() < FAVOURITE ? favourite[byte] : rng.int(SYMBOLS);
          }
        }
        tokens.push(END_OF_TEXT);
        const length = tokens.length - start;
        sequences.push({ source: 0, label, split, start, length, packets: packets + s });
      }
    }
  }
  mkdirSync(dir, { recursive: true });
  const bytes = Buffer.from(Uint16Array.from(tokens).buffer);
  writeFileSync(join(dir, 'tokens.bin'), bytes);
  saveVocabulary(join(dir, 'tokenizer.json'), vocabulary);
  writeJson(join(dir, 'timing.json'), {
    format: 'netssm-timing',
    version: 1,
    unit: 'microseconds',
    labels: Object.fromEntries(
      labels.map((label, i) => [label, { count: 1, meanMicros: i, quantiles: [i] }]),
    ),
  });
  const totals = (split?: Split): DatasetTotals => {
    const list = sequences.filter((s) => split === undefined || s.split === split);
    const sum = (key: 'length' | 'packets') => list.reduce((n, s) => n + s[key], 0);
    return {
      sources: 1,
      sequences: list.length,
      frames: sum('packets'),
      packets: sum('packets'),
      tokens: sum('length'),
    };
  };
  const meta: DatasetMeta = {
    format: 'netssm-dataset',
    version: 1,
    layout: 'compact',
    checksums: 'keep',
    unit: 'session',
    seed,
    validationShare: 0,
    testShare: 0,
    labels: [...labels],
    vocabSize: vocabulary.size,
    totals: {
      ...totals(),
      perSplit: { train: totals('train'), validation: totals('validation'), test: totals('test') },
      perLabel: {},
    },
    refusals: {},
    sources: [],
    sequences,
    contentHash: `sha256:${createHash('sha256').update(bytes).digest('hex')}`,
  };
  saveMeta(join(dir, 'meta.json'), meta);
  return dir;
}

export interface ToyOptions {
  labels?: string[];
  /** Training sequences a label. */
  sequences?: number;
  /** Packets of the shortest sequence. */
  packets?: number;
  seed?: number;
  validation?: boolean;
}

/** Entropy of the byte after a byte, in nats. */
export function toyEntropy(): number {
  const other = (1 - FAVOURITE) / SYMBOLS;
  const first = FAVOURITE + other;
  return -(first * Math.log(first) + (SYMBOLS - 1) * other * Math.log(other));
}

/** A model small enough for a step to take milliseconds. */
export const TOY_CONFIG: Partial<TrainConfig> = {
  model: { d_model: 16, n_layer: 1, ssm_cfg: { d_state: 8, headdim: 16, chunk_size: 16 } },
  batchSize: 4,
  contextLen: 32,
  chunkLen: 16,
  steps: 12,
  lr: 1e-2,
  schedule: 'cosine',
  warmupSteps: 2,
  weightDecay: 0.01,
  evalEvery: 5,
  checkpointEvery: 4,
};

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'netssm-train-'));
}

/**
 * The least loss of a model that sees the label and one token back: a byte is followed by <|pkt|> one time of eight,
 * and what follows <|pkt|> looks uniform. A model with memory does better.
 */
export function toyBigramLoss(): number {
  const end = 1 / 8;
  const afterByte = -end * Math.log(end) - (1 - end) * Math.log(1 - end) + (1 - end) * toyEntropy();
  return (8 * afterByte + Math.log(SYMBOLS)) / 9;
}
