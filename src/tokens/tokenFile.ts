import { createHash } from 'node:crypto';
import { closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { endianness } from 'node:os';

/** tokens.bin under way: written beside its place, hashed as it grows, renamed when complete. */
export class TokenFile {
  tokens = 0;
  hash = '';
  private readonly temporary: string;
  private readonly fd: number;
  private readonly sha = createHash('sha256');

  constructor(private readonly path: string) {
    this.temporary = `${path}.${process.pid}.tmp`;
    this.fd = openSync(this.temporary, 'w');
  }

  write(tokens: Uint16Array): void {
    let bytes = new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength);
    if (endianness() === 'BE') bytes = Buffer.from(bytes).swap16();
    this.sha.update(bytes);
    for (let at = 0; at < bytes.length;) at += writeSync(this.fd, bytes, at, bytes.length - at);
    this.tokens += tokens.length;
  }

  finish(): void {
    closeSync(this.fd);
    renameSync(this.temporary, this.path);
    this.hash = `sha256:${this.sha.digest('hex')}`;
  }

  discard(): void {
    closeSync(this.fd);
    rmSync(this.temporary, { force: true });
  }
}
