import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { loadDataset, type TestbedSession } from '../flows';
import { readJson } from '../util';
import type { TrueObject } from './semantics';

/** Does manifest.json in the folder tell of a packed set of sessions (docs/testbed.md)? */
export function isPackedSet(path: string): boolean {
  const manifest = join(path, 'manifest.json');
  if (!existsSync(manifest)) return false;
  const { sessions, classes } = readJson<{ sessions?: unknown; classes?: unknown }>(manifest);
  return Array.isArray(sessions) && Array.isArray(classes);
}

/** The sessions of a packed set. @throws NetssmError as `loadDataset`. */
export function packedSessions(path: string): TestbedSession[] {
  return loadDataset(path).sessions;
}

/** What a session really served, as segments are matched with it. */
export function trueObjects(session: TestbedSession): TrueObject[] {
  return session.truth.objects.map(({ at, bytes, clientPort }) => ({ start: at, bytes, flow: clientPort }));
}
