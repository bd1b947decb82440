import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { LinkType } from '../capture/frame';
import { NetssmError, Rng } from '../util';
import type { OnProgress } from '../util';
import { DATASET_FILES, saveMeta } from './dataset';
import { getLayout } from './layouts';
import type { DatasetInput } from './inputs';
import type {
  ChecksumOption,
  DatasetMeta,
  DatasetSource,
  DatasetTotals,
  SequenceMeta,
  SequenceUnit,
  Split,
} from './meta';
import { inputSource } from './packedInputs';
import { assignSplits, VALIDATION_SHARE } from './split';
import { TIME_EDGES_MICROS } from './times';
import { tokeniseCapture } from './tokeniseCapture';
import { GapSample, saveTiming } from './timing';
import { TokenFile } from './tokenFile';
import { saveVocabulary } from './tokenizerJson';
import { Vocabulary } from './vocabulary';

export interface BuildOptions {
  inputs: readonly DatasetInput[];
  /** Dataset folder; a dataset that is there is replaced. */
  out: string;
  /** Default `compact-rel`. */
  layout?: string;
  /** Default: `drop` for `compact-rel`, `keep` for the others. */
  checksums?: ChecksumOption;
  /** Default `session`. */
  unit?: SequenceUnit;
  /** A time token before every packet but a sequence's first: see times.ts. Default false. */
  timeTokens?: boolean;
  /** Shares of captures; default 0.15 and 0. */
  validationShare?: number;
  testShare?: number;
  /** Of the split; default 0. */
  seed?: number;
  /** In bytes of capture files. */
  onProgress?: OnProgress;
}

/**
 * Captures to a dataset folder, one capture at a time in bounded memory: of a session only the tokens not yet written
 * are held, of flows those of the flows under way.
 *
 * A capture that turns out damaged gives what was read up to the damage; its source entry names the problem. meta.json
 * is written last, so a folder with a meta.json is complete. A session of a packed set whose hash is not the manifest's
 * ends the run.
 *
 * @throws NetssmError `input_empty`, `input_missing`, `share_invalid`, `no_packets`, `layout_unknown`, `label_invalid`,
 *   `testbed_damaged`.
 */
export async function buildDataset(options: BuildOptions): Promise<DatasetMeta> {
  const { inputs, out, unit = 'session', seed = 0, onProgress } = options;
  const { validationShare = VALIDATION_SHARE, testShare = 0 } = options;
  checkArguments(inputs, validationShare, testShare, unit);
  const layout = getLayout(options.layout, { checksums: options.checksums });
  const labels = [...new Set(inputs.map((i) => i.label))].sort();
  const vocabulary = new Vocabulary(
    labels,
    options.timeTokens ? { edgesMicros: TIME_EDGES_MICROS } : undefined,
  );
  const splits = assignSplits(inputs, { validationShare, testShare, seed });
  const names = sharedNames(inputs);
  const rng = new Rng(`timing/${seed}`);
  const gaps = new Map(labels.map((label) => [label, new GapSample(rng.split(label))]));

  mkdirSync(out, { recursive: true });
  rmSync(join(out, DATASET_FILES.meta), { force: true });
  const writer = new TokenFile(join(out, DATASET_FILES.tokens));
  const sources: DatasetSource[] = [];
  const sequences: SequenceMeta[] = [];
  try {
    const totalBytes = inputs.reduce((sum, i) => sum + sizeOf(i), 0);
    let doneBytes = 0;
    for (const [index, input] of inputs.entries()) {
      const split = splits[index];
      const bytes = sizeOf(input);
      const source: DatasetSource = {
        path: names[index],
        label: input.label,
        split,
        sha256: await hashInput(input),
        bytes,
        frames: 0,
        packets: 0,
        tokens: 0,
        sequences: 0,
        refusals: {},
        problems: {},
      };
      const report = (share: number) =>
        onProgress?.({
          done: Math.round(doneBytes + bytes * share),
          total: totalBytes,
          unit: 'bytes',
          detail: `${writer.tokens.toLocaleString('en')} tokens · ${names[index]}`,
        });
      await tokeniseCapture({
        input,
        source,
        layout,
        unit,
        labelId: vocabulary.labelId(input.label),
        times: vocabulary.times,
        writer,
        gaps: split === 'train' ? gaps.get(input.label) : undefined,
        addSequence: (start, length, packets, linkType) =>
          sequences.push({
            source: index,
            label: input.label,
            split,
            start,
            length,
            packets,
            ...(linkType === LinkType.ETHERNET ? {} : { linkType }),
          }),
        report,
      });
      sources.push(source);
      doneBytes += bytes;
      report(0);
    }
    writer.finish();
  } catch (error) {
    writer.discard();
    throw error;
  }
  const refusals = countAll(sources.map((s) => s.refusals));
  if (sequences.length === 0) {
    throw new NetssmError(
      'no_packets',
      `none of the ${inputs.length} captures has a packet that the layout can hold`,
      {
        hint: `Refused: ${
          Object.entries(refusals)
            .map(([code, n]) => `${code} ${n}`)
            .join(', ') || 'nothing; the captures are empty'
        }.`,
      },
    );
  }
  const meta: DatasetMeta = {
    format: 'netssm-dataset',
    version: 1,
    layout: layout.name,
    checksums: layout.checksums,
    unit,
    seed,
    validationShare,
    testShare,
    labels,
    ...(vocabulary.times && { timeTokens: true as const }),
    vocabSize: vocabulary.size,
    totals: totals(sources, labels),
    refusals,
    contentHash: writer.hash,
    sources,
    sequences,
  };
  saveVocabulary(join(out, DATASET_FILES.tokenizer), vocabulary);
  saveTiming(join(out, DATASET_FILES.timing), {
    format: 'netssm-timing',
    version: 1,
    unit: 'microseconds',
    labels: Object.fromEntries([...gaps].map(([label, sample]) => [label, sample.summary(vocabulary.times)])),
  });
  saveMeta(join(out, DATASET_FILES.meta), meta);
  return meta;
}

function checkArguments(
  inputs: readonly DatasetInput[],
  validationShare: number,
  testShare: number,
  unit: SequenceUnit,
): void {
  if (inputs.length === 0) throw new NetssmError('input_empty', 'no captures given', { exitCode: 2 });
  const missing = inputs.find((i) => !statSync(i.path, { throwIfNoEntry: false })?.isFile());
  if (missing) throw new NetssmError('input_missing', `${missing.path} is not a file`, { exitCode: 2 });
  if (!(validationShare >= 0 && testShare >= 0 && validationShare + testShare < 1))
    throw new NetssmError(
      'share_invalid',
      `validationShare ${validationShare} and testShare ${testShare} must be at least 0 and below 1 together`,
      { exitCode: 2 },
    );
  if (unit !== 'session' && unit !== 'flow')
    throw new NetssmError('unit_invalid', `unit "${String(unit)}" is neither session nor flow`, {
      exitCode: 2,
    });
}

/** Paths below the deepest folder that holds all inputs, so that a dataset is the same wherever it was made. */
function sharedNames(inputs: readonly DatasetInput[]): string[] {
  const full = inputs.map(({ path }) => resolve(path));
  let root = dirname(full[0]);
  while (!full.every((p) => p.startsWith(root.endsWith(sep) ? root : root + sep)) && dirname(root) !== root) {
    root = dirname(root);
  }
  return full.map((p, i) => {
    const path = relative(root, p).split(sep).join('/');
    const { part, name } = inputs[i];
    return part ? `${path}#${name ?? part.offset}` : path;
  });
}

function totals(sources: readonly DatasetSource[], labels: readonly string[]): DatasetMeta['totals'] {
  const sum = (list: readonly DatasetSource[]): DatasetTotals => ({
    sources: list.length,
    sequences: list.reduce((n, s) => n + s.sequences, 0),
    frames: list.reduce((n, s) => n + s.frames, 0),
    packets: list.reduce((n, s) => n + s.packets, 0),
    tokens: list.reduce((n, s) => n + s.tokens, 0),
  });
  const of = (split: Split) => sum(sources.filter((s) => s.split === split));
  return {
    ...sum(sources),
    perSplit: { train: of('train'), validation: of('validation'), test: of('test') },
    perLabel: Object.fromEntries(labels.map((l) => [l, sum(sources.filter((s) => s.label === l))])),
  };
}

function countAll(counts: readonly Record<string, number>[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const count of counts) for (const [code, n] of Object.entries(count)) sum[code] = (sum[code] ?? 0) + n;
  return Object.fromEntries(Object.entries(sum).sort((a, b) => b[1] - a[1]));
}

const sizeOf = ({ path, part }: DatasetInput): number => part?.bytes ?? statSync(path).size;

async function hashInput(input: DatasetInput): Promise<string> {
  const hash = createHash('sha256');
  const source = inputSource(input);
  if (source instanceof Uint8Array) hash.update(source);
  else for await (const chunk of createReadStream(input.path)) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}
