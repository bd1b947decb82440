import { join } from 'node:path';
import { NetssmError, projectRoot, readJson } from '../util';

/** A file of a public data set that a program can fetch. */
export interface PublicFile {
  url: string;
  /** Name to store it under; default: the end of the URL. */
  name?: string;
  bytes?: number;
  sha256?: string;
}

/** A data set somebody else has published: an entry of data/public.json. */
export interface PublicSet {
  name: string;
  title: string;
  usedInPaper?: string;
  labels?: string[] | null;
  classes?: number | null;
  captures?: number | null;
  bytes?: number | null;
  /** As its publishers say it. */
  size?: string | null;
  /** The page, folder or repository where it is. */
  source: string;
  sourceNote?: string;
  /** Absent: nothing that a program can fetch; {@link fetchByHand} says how. */
  files?: PublicFile[];
  sha256?: string | null;
  licence?: string | null;
  licenceNote?: string;
  citation?: string;
}

/** data/public.json, or a list of one's own of that form. @throws NetssmError `sets_invalid`, `file_unreadable`, `json_invalid`. */
export function readPublicSets(path: string = join(projectRoot, 'data', 'public.json')): PublicSet[] {
  const list = readJson<{ datasets?: Partial<PublicSet>[] }>(path)?.datasets;
  const bad = (what: string): NetssmError =>
    new NetssmError('sets_invalid', `${path}: ${what}`, {
      exitCode: 2,
      hint: 'A list is {"datasets": [{"name", "title", "source", "files": [{"url", "bytes", "sha256"}]}]}; see data/public.json.',
    });
  if (!Array.isArray(list)) throw bad('there is no list "datasets"');
  list.forEach((set, i) => {
    for (const field of ['name', 'title', 'source'] as const)
      if (typeof set[field] !== 'string') throw bad(`entry ${i} has no ${field}`);
    for (const file of set.files ?? [])
      if (!URL.canParse(file.url)) throw bad(`${set.name}: "${String(file.url)}" is no URL`);
  });
  return list as PublicSet[];
}

/** @throws NetssmError `set_unknown`. */
export function findPublicSet(sets: readonly PublicSet[], name: string): PublicSet {
  const found = sets.find((set) => set.name === name);
  if (found) return found;
  throw new NetssmError('set_unknown', `no data set "${name}" is known`, {
    exitCode: 2,
    hint: `There are ${sets.map((set) => set.name).join(', ')}: netssm data list.`,
  });
}

/** Name to store a file under: without folders, whatever the URL says. */
export function publicFileName({ url, name }: PublicFile): string {
  const last = name ?? decodeURIComponent(new URL(url).pathname.split('/').pop() ?? '');
  return last.replace(/[^\w.+-]+/g, '_').replace(/^\.+/, '_') || 'download';
}

/** How a person gets a set that no program can fetch; lines to show. */
export function fetchByHand(set: PublicSet, out: string): string[] {
  const { hostname, pathname } = new URL(set.source);
  const last = `netssm tokenize ${out} --out out/tokens`;
  if (hostname === 'drive.google.com') {
    const id = /\/d\/([\w-]+)/.exec(pathname)?.[1];
    return [
      'Google Drive asks a person to confirm files of this size, so no program of ours can fetch it.',
      `1. Open ${set.source} in a browser and download it${id ? ` (or with the Python tool gdown: gdown ${id})` : ''}.`,
      `2. Unpack it so that the captures lie in ${out}/LABEL/, one folder for each application.`,
      `3. ${last}`,
    ];
  }
  if (hostname === 'github.com') {
    return [
      'It is a repository, not a file.',
      `1. git clone --depth 1 ${set.source} ${out}`,
      `2. ${last}${set.labels?.length === 1 ? ` --label ${set.labels[0]}` : ' (labels are the folders; see --label and --labels)'}`,
    ];
  }
  return [
    'Its source is a page, not a file.',
    `1. Open ${set.source} in a browser and follow what it says.`,
    `2. Put the captures into ${out}/LABEL/, one folder for each application.`,
    `3. ${last}`,
  ];
}
