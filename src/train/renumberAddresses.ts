import type { Rng } from '../util';

/*
 * Fresh addresses for those of a piece of traffic. What kind an address is stays, and which ones share a network:
 *
 *   IPv4  private (RFC 1918), shared (RFC 6598), documentation (RFC 5737) and benchmark (RFC 2544) addresses stay in
 *         their block, others in their /16; below that bytes are drawn, the same for all addresses that agree up to
 *         there. The last byte becomes any of 1-254; 0 and 255 stay.
 *         0/8, 127/8, 169.254/16, multicast and above stay as they are: they mean something.
 *   IPv6  the first four bytes stay, the next four and the interface identifier are drawn; of an identifier whose first
 *         six bytes are 0 only the last two. Multicast, unspecified and loopback addresses stay; of link-local ones only
 *         the identifier is drawn.
 *   MAC   the vendor's three bytes stay, the others are drawn; group addresses and 0 stay.
 */

/** Blocks of IPv4: first address, prefix length, whether it stays as it is. */
const BLOCKS: readonly [address: number, bits: number, stays: boolean][] = [
  [0x00000000, 8, true],
  [0x7f000000, 8, true],
  [0xa9fe0000, 16, true],
  [0xe0000000, 3, true], // multicast, reserved, broadcast
  [0x0a000000, 8, false],
  [0xac100000, 12, false],
  [0xc0a80000, 16, false],
  [0x64400000, 10, false],
  [0xc0000200, 24, false],
  [0xc6336400, 24, false],
  [0xcb007100, 24, false],
  [0xc6120000, 15, false],
];

/** Maps addresses one to one. */
export class FreshAddresses {
  private readonly known = new Map<string, Uint8Array>();
  private readonly taken = new Set<string>();

  constructor(private readonly rng: Rng) {}

  /** Replaces the 4, 16 (IP) or 6 (MAC) address bytes at `at` in place. */
  change(bytes: Uint8Array, at: number, length: 4 | 6 | 16): void {
    const before = bytes.subarray(at, at + length);
    const key = before.join('.');
    let fresh = this.known.get(key);
    if (!fresh) {
      fresh = this.unused(before, key);
      this.known.set(key, fresh);
    }
    bytes.set(fresh, at);
  }

  private unused(before: Uint8Array, key: string): Uint8Array {
    let fresh = before;
    for (let attempt = 0; attempt < 64; attempt++) {
      const rng = this.rng.split(`${key}/${attempt}`);
      fresh = before.slice();
      if (before.length === 4) this.drawIpv4(fresh, rng);
      else if (before.length === 16) this.drawIpv6(fresh, rng);
      else drawMac(fresh, rng);
      if (!this.taken.has(fresh.join('.'))) break;
    }
    this.taken.add(fresh.join('.'));
    return fresh;
  }

  private drawIpv4(a: Uint8Array, rng: Rng): void {
    const value = ((a[0] << 24) | (a[1] << 16) | (a[2] << 8) | a[3]) >>> 0;
    const block = BLOCKS.find(([from, bits]) => value >>> (32 - bits) === from >>> (32 - bits));
    if (block?.[2]) return;
    const prefix = block?.[1] ?? 16;
    const before = a.slice();
    for (let i = 1; i < 3; i++) {
      const free = Math.min(8, Math.max(0, 8 * (i + 1) - prefix));
      if (free > 0) a[i] ^= this.keyFor(before.subarray(0, i), 1)[0] & (0xff >> (8 - free));
    }
    if (a[3] !== 0 && a[3] !== 255) a[3] = 1 + rng.int(254);
  }

  private drawIpv6(a: Uint8Array, rng: Rng): void {
    if (a[0] === 0xff || (a.subarray(0, 15).every((b) => b === 0) && a[15] <= 1)) return;
    const linkLocal = a[0] === 0xfe && (a[1] & 0xc0) === 0x80;
    if (!linkLocal) {
      const key = this.keyFor(a.slice(0, 4), 4);
      for (let i = 0; i < 4; i++) a[4 + i] ^= key[i];
    }
    const manual = a.subarray(8, 14).every((b) => b === 0);
    for (let i = manual ? 14 : 8; i < 16; i++) a[i] = rng.int(256);
    if (manual && a[14] === 0 && a[15] === 0) a[15] = 1;
  }

  /** Random bytes that depend on a prefix only. */
  private keyFor(prefix: Uint8Array, n: number): number[] {
    const rng = this.rng.split(`prefix ${prefix.length} ${prefix.join('.')}`);
    return Array.from({ length: n }, () => rng.int(256));
  }
}

function drawMac(a: Uint8Array, rng: Rng): void {
  if ((a[0] & 1) === 1 || a.every((b) => b === 0)) return;
  for (let i = 3; i < 6; i++) a[i] = rng.int(256);
}
