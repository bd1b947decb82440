import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import type { Frame } from '../../capture';
import { formatBytes, formatDuration, NetssmError } from '../../util';
import {
  readTestbedManifest,
  testbedFolder,
  type TestbedManifest,
  type TestbedManifestSession,
} from './manifest';
import { damaged, readPart, unpackFrames } from './packedFrame';
import { TruthFile, type SessionTruth } from './truth';

/** One session: known from the manifest; packets and ground truth are read when they are asked for. */
export interface TestbedSession {
  /** `dash-test-001`. */
  id: string;
  /** The class. */
  label: string;
  service: string;
  split: 'train' | 'test';
  packets: number;
  /** What really happened. Read on first use. */
  truth: SessionTruth;
  /**
   * Its packets, cut to their headers; `wireLen` is what was on the wire. Read and unpacked at each call.
   *
   * @throws NetssmError `testbed_damaged`, `file_unreadable`.
   */
  frames(): Frame[];
}

/** A packed set, opened. */
export interface TestbedDataset {
  dir: string;
  /** Of the whole set, whatever was selected. */
  manifest: TestbedManifest;
  /** Those with sessions among the selected, in the manifest's order. */
  classes: string[];
  /** The selected ones, in the manifest's order: by class, training before test. */
  sessions: TestbedSession[];
}

export interface LoadDatasetOptions {
  /** Default: both. */
  split?: 'train' | 'test';
  /** Default: all. */
  classes?: readonly string[];
  /** Compare the sha256 of every file that is needed now; without it, that of a session when its packets are read. */
  verify?: boolean;
}

/**
 * Opens a packed set of captures with ground truth (docs/testbed.md): the project's own by its name, `testbed`, or a
 * folder of that format. Reads manifest.json only; sessions are read one by one, when they are asked for.
 *
 * @throws NetssmError `testbed_missing`, `testbed_invalid`, `testbed_damaged` (cut files, wrong sha256), `class_unknown`,
 *   `split_unknown`.
 */
export function loadDataset(
  name: 'testbed' | (string & {}),
  options: LoadDatasetOptions = {},
): TestbedDataset {
  const { split, classes, verify = false } = options;
  const dir = testbedFolder(name);
  const manifest = readTestbedManifest(dir);
  checkSelection(dir, manifest, options);
  const truths = new TruthFile(dir, manifest.sessions.map((s) => s.id)); // prettier-ignore
  const chosen = manifest.sessions.filter(
    (s) => (split === undefined || s.split === split) && (classes === undefined || classes.includes(s.label)),
  );
  checkFiles(dir, manifest, new Set(chosen.map((s) => s.file)), verify);
  return new OpenTestbed(dir, manifest, chosen.map((s) => new PackedSession(dir, s, truths))); // prettier-ignore
}

function checkSelection(
  dir: string,
  manifest: TestbedManifest,
  { split, classes }: LoadDatasetOptions,
): void {
  if (split !== undefined && split !== 'train' && split !== 'test') {
    throw new NetssmError(
      'split_unknown',
      `a packed set has the splits train and test, not "${String(split)}"`,
      {
        exitCode: 2,
        hint: 'Validation sessions are taken from the training part: see netssm tokenize --validation-share.',
      },
    );
  }
  const labels = manifest.classes.map((c) => c.label);
  const unknown = classes?.filter((label) => !labels.includes(label)) ?? [];
  if (unknown.length > 0 || classes?.length === 0) {
    const what = unknown.length > 0 ? `no class ${unknown.join(', ')} in ${dir}` : 'an empty list of classes';
    throw new NetssmError('class_unknown', what, { exitCode: 2, hint: `It has ${labels.join(', ')}.` });
  }
}

/** Sizes always, hashes if wanted. */
function checkFiles(
  dir: string,
  manifest: TestbedManifest,
  needed: ReadonlySet<string>,
  verify: boolean,
): void {
  for (const { path, bytes, sha256, packets } of manifest.files) {
    if (packets > 0 && !needed.has(path)) continue;
    const file = join(dir, path);
    const found = statSync(file, { throwIfNoEntry: false });
    if (!found?.isFile()) throw damaged(file, `${file} is missing, though manifest.json tells of it`);
    if (found.size !== bytes) {
      const what = found.size < bytes ? 'is cut' : 'is another file';
      throw damaged(file, `${file} ${what}: it has ${found.size} bytes, manifest.json tells of ${bytes}`);
    }
    if (!verify) continue;
    const hash = createHash('sha256').update(readFileSync(file)).digest('hex');
    if (hash !== sha256) throw damaged(file, `${file}: sha256 ${hash}, manifest.json has ${sha256}`);
  }
}

class PackedSession implements TestbedSession {
  readonly id: string;
  readonly label: string;
  readonly service: string;
  readonly split: 'train' | 'test';
  readonly packets: number;
  readonly #place: TestbedManifestSession;
  readonly #dir: string;
  readonly #truths: TruthFile;

  constructor(dir: string, place: TestbedManifestSession, truths: TruthFile) {
    this.#dir = dir;
    this.#place = place;
    this.#truths = truths;
    ({
      id: this.id,
      label: this.label,
      service: this.service,
      split: this.split,
      packets: this.packets,
    } = place);
  }

  get truth(): SessionTruth {
    return this.#truths.of(this.id);
  }

  frames(): Frame[] {
    const path = join(this.#dir, this.#place.file);
    const frames = unpackFrames(readPart(path, this.#place, this.id), path, this.id);
    if (frames.length !== this.packets)
      throw damaged(
        path,
        `${path}: ${this.id} has ${frames.length} packets, manifest.json tells of ${this.packets}`,
      );
    return frames;
  }

  toString(): string {
    const { seconds, flows } = this.#place;
    return `${this.id}: ${this.label} (${this.service}, ${this.split}), ${count(this.packets, 'packet')} in ${count(flows, 'flow')}, ${seconds.toFixed(1)} s`;
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

class OpenTestbed implements TestbedDataset {
  readonly classes: string[];

  constructor(
    readonly dir: string,
    readonly manifest: TestbedManifest,
    readonly sessions: TestbedSession[],
  ) {
    const present = new Set(sessions.map((s) => s.label));
    this.classes = manifest.classes.map((c) => c.label).filter((label) => present.has(label));
  }

  toString(): string {
    const { sessions, classes, manifest } = this;
    const test = sessions.filter((s) => s.split === 'test').length;
    const chosen = new Set(sessions.map((s) => s.id));
    const places = manifest.sessions.filter((s) => chosen.has(s.id));
    const sum = (of: (s: TestbedManifestSession) => number): number => places.reduce((n, s) => n + of(s), 0);
    return (
      `${manifest.name}: ${count(sessions.length, 'session')} (${sessions.length - test} train, ${test} test) of ` +
      `${count(classes.length, 'class', 'classes')}, ${count(
        sum((s) => s.packets),
        'packet',
      )}, ` +
      `${count(
        sum((s) => s.flows),
        'flow',
      )}, ${formatDuration(sum((s) => s.seconds))}, ${formatBytes(sum((s) => s.bytes))} packed`
    );
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

function count(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString('en')} ${n === 1 ? one : many}`;
}
