import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { NetssmError } from '../util';

/**
 * Names under which tcpdump, Wireshark and their kin leave captures: with a number in the pieces of `tcpdump -C`
 * (`x.pcap1`), and packed.
 */
const CAPTURE_NAME = /\.(pcap|pcapng|cap|dmp|ntar)\d*(\.(gz|zst))?$/i;

/**
 * The capture files under a folder (`.pcap`, `.pcapng`, `.cap`, `.dmp`, `.ntar`, the numbered pieces of
 * `tcpdump -C`, each also with `.gz` or `.zst`), sorted by path; hidden folders are passed over. A file is given
 * back as it is, whatever its name, and so is `-`, standard input.
 *
 * @throws NetssmError `file_unreadable` when the path is not there, `no_captures` when a folder holds none.
 */
export function listCaptures(path: string): string[] {
  if (path === '-') return [path];
  let isFolder: boolean;
  try {
    isFolder = statSync(path).isDirectory();
  } catch (cause) {
    throw new NetssmError('file_unreadable', `cannot read ${path}: ${(cause as Error).message}`, {
      cause,
      exitCode: 2,
      context: { file: path },
      hint: 'Check the path; it may be a capture file or a folder of captures.',
    });
  }
  if (!isFolder) return [path];
  const found: string[] = [];
  collect(path, found);
  if (found.length === 0) {
    throw new NetssmError(
      'no_captures',
      `${path} holds no captures (.pcap, .pcapng, .cap, .dmp, also .gz and .zst)`,
      {
        exitCode: 2,
        context: { folder: path },
        hint: 'Give a folder with captures in it or in folders below it.',
      },
    );
  }
  return found.sort();
}

function collect(folder: string, found: string[]): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name.startsWith('.')) continue;
    const path = join(folder, entry.name);
    const kind = entry.isSymbolicLink() ? statSync(path, { throwIfNoEntry: false }) : entry;
    // Links to folders are not followed: they may lead back here.
    if (kind?.isDirectory() && !entry.isSymbolicLink()) collect(path, found);
    else if (kind?.isFile() && CAPTURE_NAME.test(entry.name)) found.push(path);
  }
}
