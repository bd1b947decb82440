import type { AnonymisationKey } from './key';
import { Permutation } from './permute';

/** How hardware addresses are replaced: wholly, or with the vendor's first three bytes kept. */
export type MacMode = 'all' | 'keep-vendor';

/** Groups of protocols, the same everywhere: spanning tree and LLDP, Cisco's, PTP, IPv4 and IPv6 control groups. */
const WELL_KNOWN: readonly (readonly number[])[] = [
  [0x01, 0x80, 0xc2],
  [0x01, 0x00, 0x0c],
  [0x01, 0x1b, 0x19],
  [0x01, 0x00, 0x5e, 0x00, 0x00],
  [0x33, 0x33, 0x00, 0x00, 0x00],
  [0x33, 0x33, 0x00, 0x01, 0x00],
];

/** Maps hardware addresses one to one. Group and local bit stay; so do broadcast, zero and the protocols' groups. */
export class MacMap {
  private readonly permutation: Permutation;
  private readonly cache = new Map<number, number>();

  constructor(
    key: AnonymisationKey,
    private readonly mode: MacMode,
  ) {
    this.permutation = new Permutation(key, `hardware addresses ${mode}`, mode === 'all' ? 23 : 12);
  }

  /** Writes the image of the six bytes at `at` of `source` to the same place of `target`. */
  map(source: Uint8Array, at: number, target: Uint8Array): void {
    const value = Buffer.from(source.buffer, source.byteOffset + at, 6).readUIntBE(0, 6);
    if (value === 0 || value === 0xffffffffffff) return;
    if (WELL_KNOWN.some((group) => group.every((byte, i) => source[at + i] === byte))) return;
    let image = this.cache.get(value);
    if (image === undefined) this.cache.set(value, (image = this.compute(value)));
    Buffer.from(target.buffer, target.byteOffset + at, 6).writeUIntBE(image, 0, 6);
  }

  private compute(value: number): number {
    const { permutation } = this;
    const first = Math.floor(value / 2 ** 40);
    const vendor = Math.floor(value / 2 ** 24);
    // Groups made of IP addresses keep the prefix that says so; where the IP header is there, it decides the rest.
    if (Math.floor(value / 2 ** 32) === 0x3333) {
      return 0x3333 * 2 ** 32 + (permutation.map(value % 2 ** 24) % 2 ** 24);
    }
    if (vendor === 0x01005e) return vendor * 2 ** 24 + (permutation.map(value % 2 ** 23) % 2 ** 23);
    if (this.mode === 'keep-vendor') return vendor * 2 ** 24 + permutation.map(value % 2 ** 24, vendor);
    // The two lowest bits of the first byte stay, the 46 others are permuted.
    const image = permutation.map((first >> 2) * 2 ** 40 + (value % 2 ** 40), first & 3);
    return (Math.floor(image / 2 ** 40) * 4 + (first & 3)) * 2 ** 40 + (image % 2 ** 40);
  }
}
