import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { listCaptures, readCapture, type Frame } from '../capture';
import { isTestbedSet, loadDataset, testbedFolder, TESTBED_SET, type SessionTruth } from '../flows';
import { assignSplits, VALIDATION_SHARE } from '../tokens';
import { NetssmError, projectRoot, readJson, Rng } from '../util';

/** One session: a capture, or a part of one. */
export interface ExperimentSession {
  id: string;
  /** The class; `application` in the paper's words. */
  label: string;
  /** The group of classes; null where the data names none. */
  service: string | null;
  split: 'train' | 'test';
  /** How many packets it has, where that is known without reading them. */
  packets?: number;
  /** What really happened, where it is known. */
  truth?: SessionTruth;
  /** Its packets, read at each call. */
  frames(): Promise<Frame[]>;
}

/** Labelled sessions, parted into those for training and those that nothing is fitted on. */
export interface ExperimentData {
  /** As it was given: `testbed`, `bundled`, a folder. */
  name: string;
  path: string;
  /** `packed`: a set with ground truth. `folder`: captures in labelled subfolders. */
  kind: 'packed' | 'folder';
  classes: string[];
  sessions: ExperimentSession[];
  /** Sentences about what limits the data. */
  notes: string[];
}

/** What is taken of the data; null takes all. */
export interface DataSelection {
  classes: string[] | null;
  /** Sessions of each class and split at most, drawn with the seed. */
  trainSessions: number | null;
  testSessions: number | null;
}

/** Share of a label's captures that are for testing, where no manifest says. */
const TEST_SHARE = 1 / 3;

/** The captures that come with the project, under the name `bundled`. */
export const BUNDLED_CAPTURES: string = join(projectRoot, 'data', 'captures');

/** `testbed` where the set is there, else `bundled`. */
export function defaultData(): string {
  return isTestbedSet(TESTBED_SET) ? 'testbed' : 'bundled';
}

/** Behind the name of data: settings are chosen on what training held back, not on what results are given for. */
const VALIDATION = ':validation';

/** The folder of data: of `testbed` and `bundled` the project's own. */
export function dataFolder(name: string): string {
  const source = name.endsWith(VALIDATION) ? name.slice(0, -VALIDATION.length) : name;
  return source === 'bundled' ? BUNDLED_CAPTURES : testbedFolder(source);
}

/**
 * Opens a packed set (`testbed` is the project's own), the `bundled` captures, or a folder of captures: in subfolders named after their labels, or listed with label, split and
 * service in a manifest.json. Without a manifest a third of each label's captures, at least one, is for testing; a
 * label's only capture is cut in the middle. With `:validation` behind the name the test sessions stay out, and those take
 * their place that `netssm tokenize` holds back for validation by default.
 *
 * @throws NetssmError `class_unknown`, `sessions_missing`, and those of reading captures.
 */
export function openExperimentData(
  name: string,
  selection: DataSelection,
  seed: number | string,
): ExperimentData {
  const folder = dataFolder(name);
  const opened = isTestbedSet(folder) ? packedData(name, folder) : { ...folderData(folder, seed), name };
  const all = name.endsWith(VALIDATION) ? { ...opened, sessions: heldBack(opened) } : opened;
  const unknown = selection.classes?.filter((label) => !all.classes.includes(label)) ?? [];
  if (unknown.length > 0) {
    throw new NetssmError('class_unknown', `${name} has no class ${unknown.join(', ')}`, {
      hint: `It has ${all.classes.join(', ')}.`,
      exitCode: 2,
    });
  }
  const classes = all.classes.filter((label) => selection.classes?.includes(label) ?? true);
  const sessions = classes.flatMap((label) =>
    (['train', 'test'] as const).flatMap((split) => {
      const most = split === 'train' ? selection.trainSessions : selection.testSessions;
      const of = all.sessions.filter((s) => s.label === label && s.split === split);
      return drawSome(of, most, new Rng(seed).split(`sessions/${label}/${split}`));
    }),
  );
  const bare = classes.filter((label) =>
    (['train', 'test'] as const).some(
      (split) => !sessions.some((s) => s.label === label && s.split === split),
    ),
  );
  if (sessions.length === 0 || bare.length === classes.length)
    throw new NetssmError('sessions_missing', `no class of ${name} has sessions for training and testing`, {
      hint: 'Each class needs two captures, or one of a few hundred packets.',
      exitCode: 2,
    });
  const single = all.single.filter((label) => classes.includes(label));
  const notes =
    single.length > 0
      ? [
          `One capture only, cut in the middle: ${single.join(', ')}. The same connections are on both sides, so its floors are too low.`,
        ]
      : [];
  if (bare.length > 0) notes.push(`Left out, because a split has no session: ${bare.join(', ')}.`);
  const { name: given, path, kind } = all;
  return {
    name: given,
    path,
    kind,
    classes: classes.filter((label) => !bare.includes(label)),
    sessions: sessions.filter(({ label }) => !bare.includes(label)),
    notes,
  };
}

/** A hash of what the data is: of a packed set its manifest, of a folder the captures' names and sizes. */
export function dataFingerprint(name: string): string {
  const folder = dataFolder(name);
  const hash = createHash('sha256');
  const manifest = join(folder, 'manifest.json');
  if (existsSync(manifest)) hash.update(readFileSync(manifest));
  if (!isTestbedSet(folder))
    for (const file of listCaptures(folder))
      hash.update(`${portable(folder, file)} ${statSync(file).size}\n`);
  return hash.digest('hex').slice(0, 16);
}

/** All that there is, before something is taken; `single`: classes of one capture, which was cut in two. */
type AllData = Omit<ExperimentData, 'notes'> & { single: string[] };

function packedData(name: string, path: string): AllData {
  const { classes, sessions } = loadDataset(path);
  return {
    name,
    path,
    kind: 'packed',
    classes,
    sessions: sessions.map((session) => ({
      id: session.id,
      label: session.label,
      service: session.service,
      split: session.split,
      packets: session.packets,
      get truth(): SessionTruth {
        return session.truth;
      },
      frames: () => Promise.resolve(session.frames()),
    })),
    single: [],
  };
}

/** The training sessions; those of them are for testing that a data set made of them has for validation. */
function heldBack({ kind, sessions }: AllData): ExperimentSession[] {
  const inputs = sessions.map(({ id, label, split }) => ({
    path: id,
    label,
    ...(kind === 'packed' && { name: id }),
    ...(split === 'test' && { split }),
  }));
  const splits = assignSplits(inputs, { validationShare: VALIDATION_SHARE, testShare: 0, seed: 0 });
  sessions.forEach((session, i) => {
    session.split = splits[i] === 'train' ? 'train' : 'test';
  });
  return sessions.filter((_, i) => splits[i] !== 'test');
}

interface Listed {
  label?: string;
  service?: string;
  split?: string;
}

function folderData(path: string, seed: number | string): AllData {
  const listed = readListed(path);
  const files = listCaptures(path).map((file) => ({
    file,
    id: portable(path, file),
    label: labelOf(path, file),
    ...definedOnly(listed.get(resolve(file))),
  }));
  const classes = [...new Set(files.map(({ label }) => label))].sort();
  const sessions: ExperimentSession[] = [];
  const single: string[] = [];
  for (const label of classes) {
    const group = files.filter((entry) => entry.label === label);
    const named = group.some(({ split }) => split === 'test') && group.some(({ split }) => split !== 'test');
    const service = group.find((entry) => entry.service !== undefined)?.service ?? null;
    const add = (id: string, split: 'train' | 'test', frames: () => Promise<Frame[]>): void => {
      sessions.push({ id, label, service, split, frames });
    };
    if (group.length === 1) {
      const [{ id, file }] = group;
      const half = async (second: boolean): Promise<Frame[]> => {
        const frames = await framesOf(file);
        const middle = frames.length >> 1;
        return second ? frames.slice(middle) : frames.slice(0, middle);
      };
      add(`${id}#1`, 'train', () => half(false));
      add(`${id}#2`, 'test', () => half(true));
      single.push(label);
      continue;
    }
    const order = new Rng(seed).split(`split/${label}`).shuffle(group.map((_, i) => i));
    const testing = new Set(order.slice(0, Math.max(1, Math.round(group.length * TEST_SHARE))));
    group.forEach(({ id, file, split }, i) => {
      const test = named ? split === 'test' : testing.has(i);
      add(id, test ? 'test' : 'train', () => framesOf(file));
    });
  }
  return { name: path, path, kind: 'folder', classes, sessions, single };
}

async function framesOf(file: string): Promise<Frame[]> {
  return (await readCapture(file)).frames;
}

function readListed(root: string): Map<string, Listed> {
  const path = join(root, 'manifest.json');
  if (!existsSync(path)) return new Map();
  const { files } = readJson<{ files?: (Listed & { path?: string })[] }>(path);
  return new Map(
    (files ?? []).flatMap(({ path: file, label, service, split }) =>
      typeof file === 'string' ? [[resolve(root, file), { label, service, split }]] : [],
    ),
  );
}

function definedOnly(listed: Listed | undefined): Partial<{ label: string; service: string; split: string }> {
  return Object.fromEntries(Object.entries(listed ?? {}).filter(([, value]) => typeof value === 'string'));
}

/** The folder that holds the capture; of captures that lie in the root itself, the name before a final `-NNN`. */
function labelOf(root: string, file: string): string {
  const folder = dirname(resolve(file));
  if (folder !== resolve(root)) return basename(folder);
  const name = basename(file).replace(/\.(pcap|pcapng|cap|dmp|ntar)\d*(\.(gz|zst))?$/i, '');
  return /^(.+)-\d+$/.exec(name)?.[1] ?? name;
}

function portable(root: string, file: string): string {
  return (relative(root, file) || basename(file)).split(sep).join('/');
}

/** At most so many, drawn without replacement, in their old order. */
function drawSome<T>(items: readonly T[], most: number | null, rng: Rng): T[] {
  if (most === null || items.length <= most) return [...items];
  const chosen = new Set(rng.shuffle(items.map((_, i) => i)).slice(0, most));
  return items.filter((_, i) => chosen.has(i));
}
