/**
 * Bytes that arrive in chunks, read in records. A chunk that holds whole records is never copied; a record that
 * straddles chunks is joined once. Linear in the bytes that really arrived, whatever lengths the file claims.
 */
export class ByteQueue {
  /** The contiguous bytes at hand, from {@link at} on. */
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = new DataView(this.bytes.buffer);
  /** Position in `bytes` of the next unread byte. */
  at = 0;
  /** Offset in the file of `bytes[0]`. */
  private base = 0;
  private waiting: Uint8Array[] = [];
  private waitingBytes = 0;
  private need = 0;

  /** Takes the chunk over; it must not be changed afterwards. */
  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.waiting.push(chunk);
    this.waitingBytes += chunk.length;
    if (this.bytes.length - this.at + this.waitingBytes >= this.need) this.join();
  }

  /** Are `n` bytes at hand? If not, further chunks are only collected until they are. */
  has(n: number): boolean {
    if (this.bytes.length - this.at >= n) return true;
    this.need = n;
    if (this.waitingBytes > 0 && this.available >= n) {
      this.join();
      return true;
    }
    return false;
  }

  /** Makes everything that has arrived contiguous: after the last chunk. */
  finish(): void {
    if (this.waitingBytes > 0) this.join();
  }

  /** Unread bytes that have arrived. */
  get available(): number {
    return this.bytes.length - this.at + this.waitingBytes;
  }

  /** Offset in the file of the next unread byte. */
  get offset(): number {
    return this.base + this.at;
  }

  private join(): void {
    const rest = this.bytes.length - this.at;
    this.base += this.at;
    if (rest === 0 && this.waiting.length === 1) this.bytes = this.waiting[0];
    else {
      const joined = new Uint8Array(rest + this.waitingBytes);
      joined.set(this.bytes.subarray(this.at));
      let to = rest;
      for (const chunk of this.waiting) {
        joined.set(chunk, to);
        to += chunk.length;
      }
      this.bytes = joined;
    }
    this.waiting = [];
    this.waitingBytes = 0;
    this.at = 0;
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
  }
}
