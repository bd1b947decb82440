/*
 * Bytes out and bytes in. Numbers are big-endian; V is a self-delimiting number of 1, 2, 3 or 6 bytes, Z the same for
 * numbers of either sign. 32-bit quantities (sequence numbers, addresses, timestamps) are held as signed integers,
 * `x | 0`, so that `(a - b) | 0` is their difference and wrapping around needs no special case.
 *
 *   n <         224   [n]
 *   n <       4,320   [224 + (m >> 8), m & 255]                        m = n - 224
 *   n <     528,608   [240 + (m >> 16), (m >> 8) & 255, m & 255]       m = n - 4,320
 *   n <        2^40   [248] and five bytes
 *
 * As first byte of a number 249 to 255 are free; three places use them as escapes.
 */

const TWO_BYTES = 224;
const THREE_BYTES = TWO_BYTES + 4096;
const SIX_BYTES = THREE_BYTES + (1 << 19);

/** A signed number of up to 33 bits as an unsigned one: 0, -1, 1, -2 ... become 0, 1, 2, 3 ... */
export function zigzag(d: number): number {
  return d >= 0 ? 2 * d : -2 * d - 1;
}

/** Reverses {@link zigzag}; exact up to 2^40. */
export function unzigzag(n: number): number {
  const half = Math.floor(n / 2);
  return n % 2 === 0 ? half : -half - 1;
}

/** Tokens of one packet on their way out. */
export class ByteWriter {
  /** Longer than any packet; see MAX_PACKET_TOKENS. */
  private readonly buffer = new Uint8Array(512);
  length = 0;

  u8(n: number): void {
    this.buffer[this.length++] = n;
  }

  u16(n: number): void {
    this.buffer[this.length++] = n >> 8;
    this.buffer[this.length++] = n;
  }

  u32(n: number): void {
    this.buffer[this.length++] = n >>> 24;
    this.buffer[this.length++] = n >>> 16;
    this.buffer[this.length++] = n >>> 8;
    this.buffer[this.length++] = n;
  }

  /** V(n), 0 <= n < 2^40. */
  v(n: number): void {
    if (n < TWO_BYTES) {
      this.u8(n);
    } else if (n < THREE_BYTES) {
      this.u16((TWO_BYTES << 8) + n - TWO_BYTES);
    } else if (n < SIX_BYTES) {
      const m = n - THREE_BYTES;
      this.u8(240 + (m >> 16));
      this.u16(m & 0xffff);
    } else {
      this.u8(248);
      this.u8(Math.floor(n / 0x1_0000_0000));
      this.u32(n | 0);
    }
  }

  /** Z(d), -2^39 <= d < 2^39. */
  z(d: number): void {
    this.v(zigzag(d));
  }

  bytes(from: Uint8Array, start: number, end: number): void {
    for (let i = start; i < end; i++) this.buffer[this.length++] = from[i];
  }

  /** A copy of what was written. */
  take(): Uint8Array {
    return this.buffer.slice(0, this.length);
  }
}

/**
 * Tokens of one packet on their way in. The first thing that is wrong is remembered and everything read after it is
 * 0, so whoever reads need not look after each byte, and nothing is thrown.
 */
export class ByteReader {
  private tokens: Uint8Array = new Uint8Array(0);
  at = 0;
  failed = false;
  code = '';
  message = '';
  /** Token that decided. */
  offset = 0;

  open(tokens: Uint8Array): void {
    this.tokens = tokens;
    this.at = 0;
    this.failed = false;
  }

  get left(): number {
    return this.tokens.length - this.at;
  }

  /** Marks the packet as refused; `offset` is that of the byte read last unless given. */
  refuse(code: string, message: string, offset = Math.max(0, this.at - 1)): void {
    if (this.failed) return;
    this.failed = true;
    this.code = code;
    this.message = message;
    this.offset = offset;
  }

  u8(): number {
    if (this.failed) return 0;
    if (this.at < this.tokens.length) return this.tokens[this.at++];
    this.refuse('packet_cut', `the packet ends after ${this.tokens.length} bytes`, this.tokens.length);
    return 0;
  }

  u16(): number {
    const high = this.u8();
    return (high << 8) | this.u8();
  }

  /** As a signed integer. */
  u32(): number {
    const high = this.u16();
    return (high << 16) | this.u16();
  }

  /** The next byte, which stays to be read; -1 at the end. */
  peek(): number {
    return this.at < this.tokens.length && !this.failed ? this.tokens[this.at] : -1;
  }

  v(): number {
    const first = this.u8();
    if (first < TWO_BYTES) return first;
    if (first < 240) return TWO_BYTES + ((first - TWO_BYTES) << 8) + this.u8();
    if (first < 248) return THREE_BYTES + ((first - 240) << 16) + this.u16();
    if (first === 248) return this.u8() * 0x1_0000_0000 + (this.u32() >>> 0);
    this.refuse('number_invalid', `no number begins with ${first}`);
    return 0;
  }

  z(): number {
    return unzigzag(this.v());
  }

  /** A copy of the next `n` bytes. */
  bytes(n: number): Uint8Array {
    const from = this.at;
    if (this.left < n) {
      this.at = this.tokens.length;
      this.u8();
      return new Uint8Array(0);
    }
    this.at += n;
    return this.tokens.slice(from, this.at);
  }
}

/** The 32 bits at `at`, signed. */
export function u32(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
}

export function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 8) | bytes[at + 1];
}

export function putU32(bytes: Uint8Array, at: number, n: number): void {
  bytes[at] = n >>> 24;
  bytes[at + 1] = n >>> 16;
  bytes[at + 2] = n >>> 8;
  bytes[at + 3] = n;
}

export function putU16(bytes: Uint8Array, at: number, n: number): void {
  bytes[at] = n >> 8;
  bytes[at + 1] = n;
}
