/** Finished sessions, one folder each, until they are packed: what is there is not made again. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { start } from '../lib/process';
import type { SessionId, SessionTruth } from '../session';

export const sha256 = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex');

const FRAME = 'packets.pcapng.zst';
const TRUTH = 'session.json';

export interface Spooled {
  truth: SessionTruth;
  /** One Zstandard frame that holds one PCAPNG section. */
  frame: Buffer;
  /** Length of the section. */
  sectionBytes: number;
}

interface SpoolFile extends SessionTruth {
  frameSha256: string;
  sectionBytes: number;
}

/** Compresses a section and keeps it with its truth; a session is there whole or not at all. */
export async function keepSession(work: string, section: Buffer, truth: SessionTruth): Promise<number> {
  const folder = join(work, truth.id);
  const part = `${folder}.part`;
  rmSync(part, { recursive: true, force: true });
  mkdirSync(part, { recursive: true });
  writeFileSync(join(part, 'packets.pcapng'), section);
  const zstd = ['zstd', '-q', '--ultra', '-22', '--rm', join(part, 'packets.pcapng'), '-o', join(part, FRAME)];
  const { code, stderr } = await start(zstd, { input: '' }).done;
  if (code !== 0) throw new Error(`zstd: ${stderr}`);
  const frame = readFileSync(join(part, FRAME));
  const file: SpoolFile = { ...truth, frameSha256: sha256(frame), sectionBytes: section.length };
  writeFileSync(join(part, TRUTH), JSON.stringify(file));
  rmSync(folder, { recursive: true, force: true });
  renameSync(part, folder);
  return frame.length;
}

/** A finished session, if it is there, whole, and made from the same seed and script. */
export function findSession(work: string, { id, seed }: SessionId, script?: unknown): Spooled | null {
  const path = join(work, id, TRUTH);
  if (!existsSync(path)) return null;
  try {
    const { frameSha256, sectionBytes, ...truth } = JSON.parse(readFileSync(path, 'utf8')) as SpoolFile;
    const frame = readFileSync(join(work, id, FRAME));
    const same = script === undefined || JSON.stringify(script) === JSON.stringify(truth.script);
    return truth.seed === seed && same && sha256(frame) === frameSha256 ? { truth, frame, sectionBytes } : null;
  } catch {
    return null; // damaged: it is made again
  }
}
