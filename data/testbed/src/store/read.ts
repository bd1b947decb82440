/** Reads a packed set. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { SessionTruth } from '../session';
import type { Manifest } from './pack';

/** The manifest in a folder; an error says what to do where there is none. */
export function readManifest(folder: string): Manifest {
  const path = join(folder, 'manifest.json');
  if (!existsSync(path))
    throw new Error(`${path} is not there. Give the folder of a packed set (make.mjs --out).`);
  return JSON.parse(readFileSync(path, 'utf8')) as Manifest;
}

/** The ground truth of every session, by its id. */
export function readTruths(folder: string): Map<string, SessionTruth> {
  const text = gunzipSync(readFileSync(join(folder, 'sessions.jsonl.gz'))).toString();
  const truths = text.split('\n').filter(Boolean).map((line) => JSON.parse(line) as SessionTruth); // prettier-ignore
  return new Map(truths.map((truth) => [truth.id, truth]));
}
