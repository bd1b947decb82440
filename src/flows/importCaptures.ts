import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { openCapture, pcapOptionsOf, PcapngWriter, PcapWriter, type Frame } from '../capture';
import { Anonymiser, type AnonymiseOptions } from '../packets';
import { formatBytes, NetssmError, writeJson, type OnProgress } from '../util';

/** A capture to import, with what is known of it. */
export interface ImportInput {
  path: string;
  label: string;
  /** `train` where nothing is said. */
  split?: 'train' | 'validation' | 'test';
}

export interface ImportOptions {
  inputs: readonly ImportInput[];
  /** Folder to write: `<label>/<name>.pcap`, and `manifest.json`. */
  out: string;
  /** Replace what names people and machines; without it, captures are only rewritten as pcap. */
  anonymise?: AnonymiseOptions;
  /** Begin anew where the folder holds an import already. Without it, the same import is continued. */
  overwrite?: boolean;
  onProgress?: OnProgress;
  /** Stops after the capture under way. */
  signal?: AbortSignal;
}

/** One imported capture, as manifest.json lists it. */
export interface ImportedFile {
  /** Relative to the manifest. */
  path: string;
  label: string;
  split: 'train' | 'validation' | 'test';
  packets: number;
  /** Size of the file. */
  bytes: number;
  sha256: string;
  /** Packets left out: link types whose addresses are not known. */
  dropped: number;
  /** Codes of what was odd in the file itself, counted. */
  problems: Record<string, number>;
}

export interface ImportFailure {
  /** The input. */
  path: string;
  code: string;
  message: string;
}

/** manifest.json: what `netssm tokenize` takes labels and splits from. */
export interface ImportManifest {
  version: 1;
  /** What was done, so that a later run can continue it. The key is not here, nor the names of the inputs. */
  import: {
    anonymised: boolean;
    options: Record<string, unknown>;
    /** Tells two keys apart; tells nothing about either. */
    keyFingerprint?: string;
    complete: boolean;
  };
  files: ImportedFile[];
}

export interface ImportResult {
  manifest: ImportManifest;
  /** Captures that were there from an earlier run. */
  kept: number;
  /** Captures that could not be read. */
  failures: ImportFailure[];
}

/**
 * Copies labelled captures into one folder that `netssm tokenize` understands, anonymised if wanted. Each capture appears
 * when it is whole, the manifest after each; what an interrupted run has done is not done again.
 *
 * @throws NetssmError `import_empty`, `import_other` (the folder holds another import, or something else).
 */
export async function importCaptures(options: ImportOptions): Promise<ImportResult> {
  const { inputs, out } = options;
  if (inputs.length === 0) {
    throw new NetssmError('import_empty', 'there are no captures to import', {
      exitCode: 2,
      hint: 'Give a folder of captures, and a CSV with the columns path and label.',
    });
  }
  const anonymiser = options.anonymise && new Anonymiser(options.anonymise);
  const manifest = startManifest(options, anonymiser);
  const earlier = new Map(manifest.files.map((file) => [file.path, file]));
  manifest.files = [];
  manifest.import.complete = false;
  const failures: ImportFailure[] = [];
  const names = new Map<string, number>();
  let kept = 0;
  let packets = 0;
  for (const [i, input] of inputs.entries()) {
    if (options.signal?.aborted) break;
    const stem = nameFor(input, names);
    const known = earlier.get(`${stem}.pcap`) ?? earlier.get(`${stem}.pcapng`);
    const detail = `capture ${i + 1} of ${inputs.length}`;
    if (known && (await sha256Of(join(out, known.path))) === known.sha256) {
      manifest.files.push({ ...known, label: input.label, split: input.split ?? 'train' });
      kept++;
      continue;
    }
    try {
      const report = (n: number): void =>
        options.onProgress?.({ done: packets + n, unit: 'packets', detail });
      const done = await importOne(input.path, join(out, stem), anonymiser, report);
      packets += done.packets + done.dropped;
      const { extension, ...counts } = done;
      const path = `${stem}${extension}`;
      const sha256 = await sha256Of(join(out, path));
      const split = input.split ?? 'train';
      manifest.files.push({ path, label: input.label, split, ...counts, sha256: sha256! });
    } catch (error) {
      if (!(error instanceof NetssmError)) throw error;
      failures.push({ path: input.path, code: error.code, message: error.message });
    }
    // Those of an earlier run that are still to come stay listed.
    const listed = new Set(manifest.files.map((file) => file.path));
    const rest = [...earlier.values()].filter((file) => !listed.has(file.path));
    writeJson(join(out, 'manifest.json'), { ...manifest, files: [...manifest.files, ...rest] });
  }
  manifest.import.complete = options.signal?.aborted !== true && failures.length === 0;
  if (options.signal?.aborted !== true) writeJson(join(out, 'manifest.json'), manifest);
  return { manifest, kept, failures };
}

/** The manifest to continue, or a new one. */
function startManifest(options: ImportOptions, anonymiser: Anonymiser | undefined): ImportManifest {
  const { out } = options;
  const { secret: _secret, ...described } = options.anonymise ?? {};
  const fresh: ImportManifest = {
    version: 1,
    import: {
      anonymised: anonymiser !== undefined,
      options: described,
      ...(anonymiser && { keyFingerprint: anonymiser.keyFingerprint }),
      complete: false,
    },
    files: [],
  };
  const path = join(out, 'manifest.json');
  if (!existsSync(out) || readdirSync(out).length === 0) return fresh;
  const found = existsSync(path) ? readManifest(path) : undefined;
  if (options.overwrite) {
    // Only what an import wrote is removed.
    for (const file of found?.files ?? []) rmSync(join(out, file.path), { force: true });
    return fresh;
  }
  if (!found) {
    throw new NetssmError('import_other', `${out} is not empty and holds no import`, {
      exitCode: 2,
      hint: 'Choose another folder with --out.',
    });
  }
  const same = ({ complete: _complete, ...rest }: ImportManifest['import']): string => JSON.stringify(rest);
  if (same(found.import) !== same(fresh.import)) {
    const key = anonymiser && found.import.keyFingerprint !== anonymiser.keyFingerprint;
    throw new NetssmError(
      'import_other',
      `${out} holds an import made with ${key ? 'another key' : 'other options'}`,
      {
        exitCode: 2,
        hint: key
          ? 'Give the same --key-file to continue it, another folder, or --overwrite to begin anew.'
          : 'Give the same options to continue it, another folder, or --overwrite to begin anew.',
      },
    );
  }
  return found;
}

function readManifest(path: string): ImportManifest | undefined {
  try {
    const value = JSON.parse(readFileSync(path, 'utf8')) as Partial<ImportManifest>;
    return value.import && Array.isArray(value.files) ? (value as ImportManifest) : undefined;
  } catch {
    return undefined;
  }
}

/** `label/name` without an ending; a name that occurs again in its label gets a number. */
function nameFor(input: ImportInput, used: Map<string, number>): string {
  const safe = (text: string): string => text.replace(/[^\w.-]+/g, '_').replace(/^\.+/, '_') || '_';
  const name = safe(basename(input.path).replace(/(\.(pcap|pcapng|cap))?(\.(gz|zst))?$/i, ''));
  const stem = `${safe(input.label)}/${name}`;
  const count = (used.get(stem) ?? 0) + 1;
  used.set(stem, count);
  return count === 1 ? stem : `${stem}-${count}`;
}

interface Written {
  extension: '.pcap' | '.pcapng';
  packets: number;
  bytes: number;
  dropped: number;
  problems: Record<string, number>;
}

/** As pcap; as pcapng where a capture has several link types, which pcap cannot hold. */
async function importOne(
  source: string,
  stem: string,
  anonymiser: Anonymiser | undefined,
  report: (packets: number) => void,
): Promise<Written> {
  try {
    return await rewrite(source, stem, '.pcap', anonymiser, report);
  } catch (error) {
    if (!(error instanceof NetssmError) || error.code !== 'pcap_mixed_link_types') throw error;
    return rewrite(source, stem, '.pcapng', anonymiser, report);
  }
}

async function rewrite(
  source: string,
  stem: string,
  extension: '.pcap' | '.pcapng',
  anonymiser: Anonymiser | undefined,
  report: (packets: number) => void,
): Promise<Written> {
  const reader = await openCapture(source);
  const path = `${stem}${extension}`;
  // The link type is that of the packets: an interface without any is no reason for a mixed file.
  const { linkType: _linkType, ...format } = pcapOptionsOf(reader.info);
  const writer = extension === '.pcap' ? new PcapWriter(path, format) : new PcapngWriter(path);
  let packets = 0;
  let dropped = 0;
  try {
    for await (const frames of reader.batches()) {
      for (const frame of frames) {
        const out: Frame | undefined = anonymiser ? anonymiser.frame(frame) : frame;
        if (!out) dropped++;
        else {
          writer.write(out);
          packets++;
        }
      }
      report(packets + dropped);
    }
    writer.close();
  } catch (error) {
    writer.abort();
    throw error;
  }
  const problems: Record<string, number> = {};
  for (const { code } of reader.problems) problems[code] = (problems[code] ?? 0) + 1;
  return { extension, packets, bytes: statSync(path).size, dropped, problems };
}

async function sha256Of(path: string): Promise<string | undefined> {
  if (!existsSync(path)) return undefined;
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}

/** One line for people: how much was imported. */
export function describeImport({ manifest, kept, failures }: ImportResult): string {
  const packets = manifest.files.reduce((sum, file) => sum + file.packets, 0);
  const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
  const labels = new Set(manifest.files.map((file) => file.label)).size;
  const more = [
    kept > 0 && `${kept} from an earlier run`,
    failures.length > 0 && `${failures.length} unreadable`,
  ];
  return [
    `${manifest.files.length} captures of ${labels} labels, ${packets.toLocaleString('en')} packets, ${formatBytes(bytes)}`,
    ...more.filter(Boolean),
  ].join('; ');
}
