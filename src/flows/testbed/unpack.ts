import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { PcapWriter } from '../../capture';
import { NetssmError, readJson, writeJson, type OnProgress } from '../../util';
import { loadDataset, type LoadDatasetOptions, type TestbedSession } from './dataset';

export interface UnpackOptions extends LoadDatasetOptions {
  /** Folder to write: `<label>/<id>.pcap`, and `manifest.json`. */
  out: string;
  onProgress?: OnProgress;
  /** Stops after the session under way. */
  signal?: AbortSignal;
}

/** One capture of an unpacked set, as manifest.json lists it. */
export interface UnpackedFile {
  /** Relative to the manifest. */
  path: string;
  label: string;
  service: string;
  split: 'train' | 'test';
  packets: number;
  /** Size of the file. */
  bytes: number;
  sha256: string;
  seconds: number;
  flows: number;
}

/** manifest.json of an unpacked set: what `netssm tokenize` and `netssm evaluate` take labels and splits from. */
export interface UnpackedManifest {
  version: 1;
  unpacked: { name: string; licence: string; complete: boolean };
  files: UnpackedFile[];
}

/**
 * Writes the sessions of a packed set as captures, one file each, for programs that read files. Sessions that an earlier
 * run has unpacked into the same folder are kept; with other options more are added.
 *
 * @throws NetssmError as `loadDataset`; `unpack_other` where the folder holds something else; `file_unwritable`.
 */
export async function unpackDataset(
  name: 'testbed' | (string & {}),
  options: UnpackOptions,
): Promise<UnpackedManifest> {
  const { out, onProgress, signal } = options;
  const dataset = loadDataset(name, options);
  const earlier = readUnpacked(out, dataset.manifest.name);
  const { name: title, licence } = dataset.manifest;
  const files = new Map(earlier.map((file) => [file.path, file]));
  const save = (complete: boolean): UnpackedManifest => {
    const order = new Map(dataset.manifest.sessions.map((s, i) => [`${s.label}/${s.id}.pcap`, i]));
    const listed = [...files.values()].sort((a, b) => (order.get(a.path) ?? 0) - (order.get(b.path) ?? 0));
    const manifest: UnpackedManifest = {
      version: 1,
      unpacked: { name: title, licence, complete },
      files: listed,
    };
    writeJson(join(out, 'manifest.json'), manifest);
    return manifest;
  };
  const places = new Map(dataset.manifest.sessions.map((s) => [s.id, s]));
  let done = 0;
  // The manifest first: a folder without one is not taken for ours when the run is continued.
  if (files.size === 0) save(false);
  for (const session of dataset.sessions) {
    // A turn of the event loop, in which Ctrl-C is heard.
    await setImmediate();
    if (signal?.aborted) return save(false);
    const path = `${session.label}/${session.id}.pcap`;
    if (!isWhole(out, files.get(path), session)) {
      const { seconds, flows } = places.get(session.id)!;
      files.set(path, { ...writeSession(out, path, session), seconds, flows });
    }
    done += session.packets;
    onProgress?.({ done, total: total(dataset.sessions), unit: 'packets', detail: session.id });
    if (files.size % 100 === 0) save(false);
  }
  return save(true);
}

const total = (sessions: readonly TestbedSession[]): number =>
  sessions.reduce((sum, s) => sum + s.packets, 0);

function writeSession(
  out: string,
  path: string,
  session: TestbedSession,
): Omit<UnpackedFile, 'seconds' | 'flows'> {
  const { label, service, split, packets } = session;
  const frames = session.frames();
  const writer = new PcapWriter(join(out, path));
  try {
    for (const frame of frames) writer.write(frame);
    writer.close();
  } catch (error) {
    writer.abort();
    throw error;
  }
  return { path, label, service, split, packets, ...describe(join(out, path)) };
}

function describe(file: string): { bytes: number; sha256: string } {
  const content = readFileSync(file);
  return { bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') };
}

function isWhole(out: string, known: UnpackedFile | undefined, session: TestbedSession): boolean {
  if (!known || known.packets !== session.packets || known.split !== session.split) return false;
  const file = join(out, known.path);
  return existsSync(file) && describe(file).sha256 === known.sha256;
}

/** What an earlier run has left in the folder. */
function readUnpacked(out: string, name: string): UnpackedFile[] {
  if (!existsSync(out) || readdirSync(out).length === 0) return [];
  const path = join(out, 'manifest.json');
  const found = existsSync(path) ? readJson<Partial<UnpackedManifest>>(path) : undefined;
  if (found?.unpacked?.name === name && Array.isArray(found.files)) return found.files;
  throw new NetssmError('unpack_other', `${out} is not empty and holds no unpacked ${name}`, {
    exitCode: 2,
    hint: 'Choose another folder with --out.',
  });
}
