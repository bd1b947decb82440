import { join, resolve } from 'node:path';
import type { CaptureSource } from '../capture';
import { loadDataset, readPart, readTestbedManifest } from '../flows';
import type { DatasetInput } from './inputs';

/** What the sessions of a packed set are called: by their application, or by its service. */
export type LabelBy = 'class' | 'service';

/**
 * The sessions of a packed set (docs/testbed.md) as inputs, each a part of a file. `test` stays test; `train` is left to
 * the split by hash (train or validation).
 *
 * @param file only the sessions of this file of the set
 * @throws NetssmError as `loadDataset`.
 */
export function packedInputs(dir: string, labelBy: LabelBy = 'class', file?: string): DatasetInput[] {
  const { manifest } = file === undefined ? loadDataset(dir) : { manifest: readTestbedManifest(dir) };
  return manifest.sessions
    .map((session) => ({ session, path: join(dir, session.file) }))
    .filter(({ path }) => file === undefined || resolve(path) === resolve(file))
    .map(({ session, path }) => ({
      path,
      name: session.id,
      label: labelBy === 'service' ? session.service : session.label,
      part: { offset: session.offset, bytes: session.bytes, sha256: session.sha256 },
      ...(session.split === 'test' && { split: 'test' as const }),
    }));
}

/**
 * What `openCapture` and `readCapture` take for an input: its path, or its part of the file.
 *
 * @throws NetssmError `testbed_damaged`, `file_unreadable` for a part.
 */
export function inputSource({ path, part, name }: DatasetInput): CaptureSource {
  return part ? readPart(path, part, name ?? 'a part of it') : path;
}
