import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, extname, join, resolve, sep } from 'node:path';
import { isTestbedSet, testbedSetOf, type FilePart } from '../flows';
import { NetssmError, readJson } from '../util';
import type { Split } from './meta';
import { packedInputs, type LabelBy } from './packedInputs';

/** A capture to be tokenised. */
export interface DatasetInput {
  path: string;
  label: string;
  /** Overrides the split by hash. */
  split?: Split;
  /** Where a file holds several captures (a packed set): this one's part of it, packed as it may be. */
  part?: FilePart;
  /** Tells the captures of a file apart; decides the split in place of the file's name. */
  name?: string;
}

export interface CollectOptions {
  /** One label for everything. */
  label?: string;
  /** CSV with a header line naming `path` (or `file`) and `label`, optionally `split`; paths relative to the CSV. */
  labelsCsv?: string;
  /** Labels of sessions in packed sets; default `class`. */
  labelBy?: LabelBy;
  /** Only these labels; of packed sets, only these classes. */
  classes?: readonly string[];
}

const CAPTURE_EXTENSIONS = new Set(['.pcap', '.pcapng', '.cap']);

/**
 * Captures below files and folders, with their labels: `label` where given, else the line of `labelsCsv`, else the
 * folder's manifest.json (`{files: [{path, label, split}]}`), else the name of the folder that holds the capture.
 *
 * A manifest's `test` stays test; its `train` is left to the split by hash (train or validation). A packed set
 * (docs/testbed.md), its folder or one above, gives its sessions; one of its files gives those in it.
 * @throws NetssmError `input_missing`, `input_empty`, `labels_csv`, `label_missing`, `class_unknown`; as `loadDataset`
 *   for packed sets.
 */
export function collectInputs(
  paths: string | readonly string[],
  options: CollectOptions = {},
): DatasetInput[] {
  const csv = options.labelsCsv === undefined ? undefined : readLabels(options.labelsCsv);
  const roots = typeof paths === 'string' ? [paths] : paths;
  const wanted = options.classes && new Set(options.classes);
  const inputs = new Map<string, DatasetInput>();
  const met = new Set<string>();
  const add = (key: string, input: DatasetInput, className = input.label): void => {
    met.add(className);
    if (!inputs.has(key) && (!wanted || wanted.has(className))) inputs.set(key, input);
  };
  const addPacked = (dir: string, file?: string): void => {
    if (csv) throw labelsOfPacked(dir);
    const byClass = packedInputs(dir, 'class', file);
    const byName = options.labelBy === 'service' ? packedInputs(dir, 'service', file) : byClass;
    byName.forEach((input, i) => {
      const key = `${resolve(input.path)}#${input.name}`;
      add(key, { ...input, label: options.label ?? input.label }, byClass[i].label);
    });
  };
  for (const root of roots) {
    const stat = statSync(root, { throwIfNoEntry: false });
    if (!stat) throw new NetssmError('input_missing', `${root} does not exist`, { exitCode: 2 });
    const isFolder = stat.isDirectory();
    const packed = isFolder ? undefined : testbedSetOf(root);
    if (packed !== undefined) {
      addPacked(packed, root);
      continue;
    }
    const sets: string[] = [];
    const files = isFolder ? walk(root, sets) : [root];
    for (const dir of sets) addPacked(dir);
    const manifest = isFolder ? readManifest(root) : undefined;
    for (const path of files) {
      const key = resolve(path);
      const listed = csv?.get(key) ?? manifest?.get(key);
      if (csv && !csv.has(key)) continue;
      const label = options.label ?? listed?.label ?? folderLabel(root, path, isFolder);
      add(key, { path, label, ...(listed?.split && { split: listed.split }) });
    }
  }
  const unknown = options.classes?.filter((name) => met.size > 0 && !met.has(name)) ?? [];
  if (unknown.length > 0) {
    throw new NetssmError('class_unknown', `no captures of ${unknown.join(', ')} in ${roots.join(', ')}`, {
      hint: `There are ${[...met].join(', ')}.`,
      exitCode: 2,
    });
  }
  if (inputs.size === 0) {
    throw new NetssmError('input_empty', `no captures in ${roots.join(', ')}`, {
      hint: `Captures end with ${[...CAPTURE_EXTENSIONS].join(', ')}.`,
      exitCode: 2,
    });
  }
  return [...inputs.values()];
}

function labelsOfPacked(dir: string): NetssmError {
  return new NetssmError(
    'labels_csv',
    `the sessions of the packed set ${dir} are no files that a CSV could name`,
    {
      hint: 'Their labels are in the set (--label-by class or service); to name them one by one: netssm data unpack.',
      exitCode: 2,
    },
  );
}

function folderLabel(root: string, path: string, rootIsFolder: boolean): string {
  const parent = dirname(resolve(path));
  if (
    rootIsFolder &&
    parent === resolve(root) &&
    readdirSync(root, { withFileTypes: true }).some((e) => e.isDirectory())
  )
    throw new NetssmError('label_missing', `${path} lies in no labelled subfolder of ${root}`, {
      hint: 'Move it into a subfolder named after its label, or give --label or --labels.',
      exitCode: 2,
    });
  return basename(parent);
}

/** Captures below a folder; packed sets that are met on the way are added to `sets`, and not looked into. */
function walk(dir: string, sets: string[]): string[] {
  if (isTestbedSet(dir)) {
    sets.push(dir);
    return [];
  }
  const out: string[] = [];
  const entries = readdirSync(dir, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) out.push(...walk(path, sets));
    else if (CAPTURE_EXTENSIONS.has(extname(entry.name).toLowerCase())) out.push(path);
  }
  return out;
}

interface Listed {
  label: string;
  split?: Split;
}

function readManifest(root: string): Map<string, Listed> | undefined {
  const path = join(root, 'manifest.json');
  if (!existsSync(path)) return undefined;
  const files = readJson<{ files?: { path?: unknown; label?: unknown; split?: unknown }[] }>(path).files;
  if (!Array.isArray(files)) return undefined;
  const map = new Map<string, Listed>();
  for (const file of files) {
    if (typeof file.path !== 'string' || typeof file.label !== 'string') continue;
    const split = file.split === 'test' || file.split === 'validation' ? file.split : undefined;
    map.set(resolve(root, file.path.split('/').join(sep)), { label: file.label, split });
  }
  return map;
}

function readLabels(path: string): Map<string, Listed> {
  if (!existsSync(path)) throw new NetssmError('labels_csv', `${path} does not exist`, { exitCode: 2 });
  const lines = readFileSync(path, 'utf8').split(/\r?\n/);
  const header = lines[0].split(',').map((cell) => unquote(cell).toLowerCase());
  const pathAt = Math.max(header.indexOf('path'), header.indexOf('file'));
  const labelAt = header.indexOf('label');
  const splitAt = header.indexOf('split');
  if (pathAt < 0 || labelAt < 0) {
    throw new NetssmError('labels_csv', `${path} line 1: "${lines[0]}" names no path and label columns`, {
      hint: 'The first line must be a header such as: path,label',
      exitCode: 2,
    });
  }
  const map = new Map<string, Listed>();
  lines.slice(1).forEach((line, i) => {
    if (line.trim() === '') return;
    const cells = line.split(',').map(unquote);
    const place = `${path} line ${i + 2}`;
    if (!cells[pathAt] || !cells[labelAt])
      throw new NetssmError('labels_csv', `${place}: "${line}" lacks a path or a label`, { exitCode: 2 });
    const split = splitAt < 0 ? '' : (cells[splitAt] ?? '');
    if (!['', 'train', 'validation', 'test'].includes(split))
      throw new NetssmError('labels_csv', `${place}: split "${split}"`, {
        hint: 'A split is train, validation or test.',
        exitCode: 2,
      });
    const file = resolve(dirname(path), cells[pathAt]);
    if (!existsSync(file))
      throw new NetssmError('labels_csv', `${place}: ${file} does not exist`, { exitCode: 2 });
    map.set(file, { label: cells[labelAt], ...(split && { split: split as Split }) });
  });
  return map;
}

function unquote(cell: string): string {
  return cell.trim().replace(/^"(.*)"$/, '$1');
}
