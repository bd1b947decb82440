import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { NetssmError } from './errors';

/** The project's root folder: where package.json, data/ and notebooks/ are. */
export const projectRoot: string = join(__dirname, '..', '..');

/**
 * Writes a file so that a reader, or a crash at any moment, sees the old content or the new, never a part:
 * temporary file beside it, fsync, rename.
 */
export function writeFileAtomic(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  const bytes = typeof content === 'string' ? Buffer.from(content, 'utf8') : content;
  const fd = openSync(temporary, 'w');
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at, bytes.length - at);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, path);
}

/** `JSON.stringify` with two spaces and a final newline, written atomically. */
export function writeJson(path: string, value: unknown): void {
  writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`);
}

/** @throws NetssmError `file_unreadable` / `json_invalid`, naming the file. */
export function readJson<T>(path: string): T {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new NetssmError('file_unreadable', `cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    throw new NetssmError('json_invalid', `${path} is not valid JSON: ${(cause as Error).message}`, {
      cause,
    });
  }
}
