import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { NetssmError } from '../util';

const BUFFER_BYTES = 1 << 16;

/**
 * A file written piece by piece that appears under its name only when closed: readers and crashes see the old
 * file or the whole new one.
 */
export class AtomicWriter {
  private readonly temporary: string;
  private readonly fd: number;
  private readonly buffer = Buffer.alloc(BUFFER_BYTES);
  private used = 0;
  private open = true;

  /** @throws NetssmError `file_unwritable`. */
  constructor(readonly path: string) {
    this.temporary = `${path}.${process.pid}.tmp`;
    try {
      mkdirSync(dirname(path), { recursive: true });
      this.fd = openSync(this.temporary, 'w');
    } catch (cause) {
      throw new NetssmError('file_unwritable', `cannot write ${path}: ${(cause as Error).message}`, {
        cause,
        context: { file: path },
        hint: 'Choose a folder that exists and that you may write to.',
      });
    }
  }

  write(bytes: Uint8Array): void {
    if (!this.open) throw new NetssmError('file_closed', `${this.path} is already closed`);
    if (this.used + bytes.length > BUFFER_BYTES) this.flush();
    if (bytes.length > BUFFER_BYTES) writeAll(this.fd, bytes);
    else {
      this.buffer.set(bytes, this.used);
      this.used += bytes.length;
    }
  }

  /** Ends the file and puts it in its place. */
  close(): void {
    if (!this.open) return;
    this.flush();
    this.open = false;
    fsyncSync(this.fd);
    closeSync(this.fd);
    renameSync(this.temporary, this.path);
  }

  /** Gives the file up; what stood under the name before stays. */
  abort(): void {
    if (!this.open) return;
    this.open = false;
    closeSync(this.fd);
    rmSync(this.temporary, { force: true });
  }

  private flush(): void {
    writeAll(this.fd, this.buffer.subarray(0, this.used));
    this.used = 0;
  }
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at, bytes.length - at);
}
