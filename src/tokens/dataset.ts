import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { endianness } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { NetssmError, readJson, writeFileAtomic } from '../util';
import { getLayout } from './layouts';
import type { DatasetMeta, TokenDataset } from './meta';
import { loadVocabulary } from './tokenizerJson';

/** Names of the files in a dataset folder. */
export const DATASET_FILES = {
  tokens: 'tokens.bin',
  meta: 'meta.json',
  tokenizer: 'tokenizer.json',
  timing: 'timing.json',
} as const;

/** Writes meta.json with a line a sequence. */
export function saveMeta(path: string, meta: DatasetMeta): void {
  const { sequences, ...rest } = meta;
  const head = JSON.stringify(rest, null, 2).replace(/\n\}$/, '');
  const lines = sequences.map((s) => `    ${JSON.stringify(s)}`).join(',\n');
  writeFileAtomic(path, `${head},\n  "sequences": [\n${lines}\n  ]\n}\n`);
}

export interface OpenDatasetOptions {
  /** Read tokens.bin once and compare its hash with meta.json. */
  verify?: boolean;
}

/**
 * Opens a dataset folder. tokens.bin stays on disk and is read by position.
 *
 * @throws NetssmError `dataset_missing`, `dataset_invalid` (not ours, or files that do not belong together),
 *   `dataset_damaged` (length or hash), each with the file and the numbers.
 */
export function openDataset(dir: string, options: OpenDatasetOptions = {}): TokenDataset {
  const place = (name: keyof typeof DATASET_FILES) => join(dir, DATASET_FILES[name]);
  let fd: number;
  let meta: DatasetMeta;
  try {
    meta = readJson<DatasetMeta>(place('meta'));
    fd = openSync(place('tokens'), 'r');
  } catch (cause) {
    if (cause instanceof NetssmError && cause.code === 'json_invalid') throw cause;
    throw new NetssmError('dataset_missing', `${dir} is no dataset folder: ${(cause as Error).message}`, {
      hint: 'Make one with: netssm tokenize CAPTURES --out DIR',
      exitCode: 2,
      cause,
    });
  }
  try {
    if (meta.format !== 'netssm-dataset' || meta.version !== 1 || !Array.isArray(meta.sequences))
      throw new NetssmError(
        'dataset_invalid',
        `${place('meta')}: format ${String(meta.format)} version ${String(meta.version)}, expected netssm-dataset version 1`,
      );
    const vocabulary = loadVocabulary(place('tokenizer'));
    if (vocabulary.labels.join() !== meta.labels.join()) {
      throw new NetssmError(
        'dataset_invalid',
        `${dir}: tokenizer.json has the labels ${vocabulary.labels.join(', ')}, meta.json ${meta.labels.join(', ')}`,
      );
    }
    if ((meta.timeTokens ?? false) !== (vocabulary.times !== undefined))
      throw new NetssmError(
        'dataset_invalid',
        `${dir}: tokenizer.json has ${vocabulary.times ? '' : 'no '}time tokens, meta.json tells otherwise`,
      );
    const bytes = fstatSync(fd).size;
    if (bytes !== meta.totals.tokens * 2) {
      throw new NetssmError(
        'dataset_damaged',
        `${place('tokens')} has ${bytes} bytes, meta.json tells of ${meta.totals.tokens} tokens of 2 bytes`,
        { hint: 'Tokenise again.' },
      );
    }
    if (options.verify && hashFile(fd) !== meta.contentHash)
      throw new NetssmError(
        'dataset_damaged',
        `${place('tokens')} does not have the hash that meta.json tells`,
        {
          hint: 'Tokenise again.',
        },
      );
    const layout = getLayout(meta.layout, { checksums: meta.checksums });
    return new OpenDataset(dir, meta, vocabulary, layout, fd);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

class OpenDataset implements TokenDataset {
  private closed = false;

  constructor(
    readonly dir: string,
    readonly meta: DatasetMeta,
    readonly vocabulary: TokenDataset['vocabulary'],
    readonly layout: TokenDataset['layout'],
    private readonly fd: number,
  ) {}

  get sequences() {
    return this.meta.sequences;
  }

  /** A line for consoles, not all of meta.json. */
  [inspect.custom](): string {
    const { totals, labels, layout } = this.meta;
    return `TokenDataset ${this.dir}: ${totals.tokens.toLocaleString('en')} tokens in ${totals.sequences} sequences, layout ${layout}, labels ${labels.join(', ')}`;
  }

  tokens(i: number, from = 0, to = Infinity): Uint16Array {
    const sequence = this.meta.sequences[i];
    if (!sequence) throw new RangeError(`sequence ${i} of ${this.meta.sequences.length}`);
    if (this.closed) throw new NetssmError('dataset_closed', `${this.dir} has been closed`);
    const first = Math.min(Math.max(0, from), sequence.length);
    const last = Math.min(Math.max(first, to), sequence.length);
    const out = new Uint16Array(last - first);
    const bytes = new Uint8Array(out.buffer);
    for (let at = 0; at < bytes.length;) {
      const n = readSync(this.fd, bytes, at, bytes.length - at, (sequence.start + first) * 2 + at);
      if (n === 0)
        throw new NetssmError('dataset_damaged', `${this.dir}: tokens.bin ends inside sequence ${i}`, {
          hint: 'Tokenise again.',
        });
      at += n;
    }
    if (endianness() === 'BE') Buffer.from(out.buffer).swap16();
    return out;
  }

  close(): void {
    if (!this.closed) closeSync(this.fd);
    this.closed = true;
  }
}

function hashFile(fd: number): string {
  const hash = createHash('sha256');
  const chunk = new Uint8Array(1 << 20);
  for (let at = 0; ;) {
    const n = readSync(fd, chunk, 0, chunk.length, at);
    if (n === 0) return `sha256:${hash.digest('hex')}`;
    hash.update(chunk.subarray(0, n));
    at += n;
  }
}
