/**
 * The frame under test. Reading beyond its captured bytes gives 0 and marks the test as failed: as in BPF, a frame
 * too short for the question is rejected, whatever the rest of the expression says (`not` included).
 */
export class FrameView {
  bytes: Uint8Array = new Uint8Array(0);
  length = 0;
  wireLen = 0;
  failed = false;
  /** Where the link header's fixed part begins: 0 but for 802.11, whose header varies in length. */
  base = 0;

  set(bytes: Uint8Array, wireLen: number): void {
    this.bytes = bytes;
    this.length = bytes.length;
    this.wireLen = wireLen;
    this.failed = false;
    this.base = 0;
  }

  u8(at: number): number {
    const i = this.base + at;
    if (i < this.length) return this.bytes[i];
    return this.fail();
  }

  u16(at: number): number {
    const i = this.base + at;
    if (i + 1 < this.length) return (this.bytes[i] << 8) | this.bytes[i + 1];
    return this.fail();
  }

  u32(at: number): number {
    const i = this.base + at;
    const { bytes } = this;
    if (i + 3 < this.length)
      return ((bytes[i] << 24) | (bytes[i + 1] << 16) | (bytes[i + 2] << 8) | bytes[i + 3]) >>> 0;
    return this.fail();
  }

  fail(): 0 {
    this.failed = true;
    return 0;
  }
}
