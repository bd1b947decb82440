/** Reads a packed set. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import type { SessionTruth } from '../session';
import { TRUTH_FILE, type Manifest, type ManifestSession } from './pack';

/** The manifest in a folder; an error says what to do where there is none. */
export function readManifest(folder: string): Manifest {
  const path = join(folder, 'manifest.json');
  if (!existsSync(path))
    throw new Error(`${path} is not there. Give the folder of a packed set (make.mjs --out).`);
  const { files, ...rest } = JSON.parse(readFileSync(path, 'utf8')) as PackedManifest;
  const service = new Map(rest.classes.map((c) => [c.label, c.service]));
  return {
    ...rest,
    files: files.map(({ label: _, split: __, sessions, ...file }) => ({ ...file, sessions: sessions.length })),
    sessions: files.flatMap(({ path: file, label, split, sessions }) =>
      sessions.map((s) => ({ ...s, label, split, service: service.get(label)!, file })),
    ),
  };
}

/** The manifest as it is written: sessions in their files. */
interface PackedManifest extends Omit<Manifest, 'files' | 'sessions'> {
  files: (Omit<Manifest['files'][number], 'sessions'> & {
    label: string;
    split: 'train' | 'test';
    sessions: Omit<ManifestSession, 'file' | 'label' | 'service' | 'split'>[];
  })[];
}

/** The ground truth of every session, by its id. */
export function readTruths(folder: string): Map<string, SessionTruth> {
  const text = brotliDecompressSync(readFileSync(join(folder, TRUTH_FILE))).toString();
  const truths = text.split('\n').filter(Boolean).map((line) => JSON.parse(line) as SessionTruth); // prettier-ignore
  return new Map(truths.map((truth) => [truth.id, truth]));
}
