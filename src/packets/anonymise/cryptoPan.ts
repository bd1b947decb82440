import { parseIpv4, parseIpv6 } from '../addresses';
import type { AnonymisationKey, BlockFunction } from './key';

// Crypto-PAn: J. Xu, J. Fan, M. H. Ammar, S. B. Moon, "Prefix-Preserving IP Address Anonymization:
// Measurement-Based Security Evaluation and a New Cryptography-Based Scheme", ICNP 2002, section 3. Bit i of an
// address is flipped or not by a keyed function of the i bits before it, so that two addresses share exactly as many
// leading bits after the mapping as before, and no two become one.
//
// One addition keeps special addresses special without giving that up: along the path to a special prefix no bit
// is flipped, so that the prefix maps to itself.

/** A prefix that maps to itself; `fixed`: every address in it stays as it is. */
interface Special {
  readonly prefix: Uint8Array;
  readonly bits: number;
  readonly fixed: boolean;
}

const v4 = (text: string, bits: number, fixed = false): Special => ({ prefix: parseIpv4(text), bits, fixed });
const v6 = (text: string, bits: number, fixed = false): Special => ({ prefix: parseIpv6(text), bits, fixed });

/** https://www.iana.org/assignments/iana-ipv4-special-registry and the multicast registry. */
const SPECIAL_IPV4: readonly Special[] = [
  v4('0.0.0.0', 32, true),
  v4('127.0.0.0', 8, true),
  v4('169.254.0.0', 16),
  v4('224.0.0.0', 4),
  // Link-local control groups (routers, mDNS, IGMP) and SSDP: the protocol, not the site.
  v4('224.0.0.0', 24, true),
  v4('239.255.255.250', 32, true),
  v4('240.0.0.0', 4),
  v4('255.255.255.255', 32, true),
];

const SPECIAL_IPV6: readonly Special[] = [
  v6('::', 128, true),
  v6('::1', 128, true),
  v6('2000::', 3),
  v6('fc00::', 7),
  v6('fe80::', 64),
  v6('ff00::', 8),
  // All nodes, routers, mDNS, MLDv2, DHCP of every scope that occurs; solicited-node groups keep their prefix only.
  ...['ff01::', 'ff02::', 'ff05::', 'ff08::', 'ff0e::'].map((group) => v6(group, 96, true)),
  v6('ff02::1:ff00:0', 104),
];

const CACHE_ENTRIES = 1 << 18;

/** Maps addresses of one length (4 or 16 bytes) one to one, keeping common prefixes. */
export class PrefixPreserving {
  private readonly encrypt: BlockFunction;
  private readonly pad: Uint8Array;
  private readonly blocks: Uint8Array;
  private readonly cache = new Map<string, Uint8Array>();
  private readonly special: readonly Special[];

  constructor(
    key: AnonymisationKey,
    private readonly bytes: 4 | 16,
  ) {
    this.encrypt = key.blockFunction(`ipv${bytes === 4 ? 4 : 6} addresses`);
    this.pad = this.encrypt(new Uint8Array(key.derive('address padding').subarray(0, 16)));
    this.blocks = new Uint8Array(bytes * 8 * 16);
    this.special = bytes === 4 ? SPECIAL_IPV4 : SPECIAL_IPV6;
  }

  /** Writes the image of the address at `from` of `source` to the same place of `target`. */
  map(source: Uint8Array, from: number, target: Uint8Array): void {
    const name = Buffer.from(source.buffer, source.byteOffset + from, this.bytes).toString('latin1');
    let image = this.cache.get(name);
    if (!image) {
      image = this.compute(source.subarray(from, from + this.bytes));
      if (this.cache.size >= CACHE_ENTRIES) this.cache.clear();
      this.cache.set(name, image);
    }
    target.set(image, from);
  }

  /** The image of an address. */
  image(address: Uint8Array): Uint8Array {
    const out = new Uint8Array(this.bytes);
    this.map(address, 0, out);
    return out;
  }

  private compute(address: Uint8Array): Uint8Array {
    const total = this.bytes * 8;
    const { blocks, pad } = this;
    // Block i: the first i bits of the address, then the padding's.
    for (let i = 0; i < total; i++) {
      const at = 16 * i;
      const whole = i >> 3;
      for (let b = 0; b < 16; b++) blocks[at + b] = b < whole ? address[b] : pad[b];
      const high = 0xff & ~(0xff >> (i & 7));
      blocks[at + whole] = (address[whole] & high) | (pad[whole] & ~high);
    }
    const answers = this.encrypt(blocks);
    const common = this.special.map(({ prefix, bits }) => commonBits(address, prefix, bits));
    const image = new Uint8Array(address);
    for (let i = 0; i < total; i++) {
      const kept = this.special.some(
        ({ bits, fixed }, s) => (i < bits && common[s] >= i) || (fixed && common[s] === bits),
      );
      if (!kept && answers[16 * i] & 0x80) image[i >> 3] ^= 0x80 >> (i & 7);
    }
    return image;
  }
}

/** Leading bits that two addresses share, at most `limit`. */
export function commonBits(a: Uint8Array, b: Uint8Array, limit = 8 * a.length): number {
  let bits = 0;
  while (bits < limit && ((a[bits >> 3] ^ b[bits >> 3]) & (0x80 >> (bits & 7))) === 0) bits++;
  return bits;
}
