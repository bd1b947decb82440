import type { PrefixPreserving } from './cryptoPan';
import type { MacMap } from './macs';
import type { LabelMap } from './names';
import type { PortMap } from './permute';

/** The mappings of one anonymisation. */
export interface Mappings {
  readonly ipv4: PrefixPreserving;
  readonly ipv6: PrefixPreserving;
  readonly macs: MacMap;
  readonly ports: PortMap;
  readonly labels: LabelMap;
}

/** A checksum, and the bytes that it covers. */
interface Covered {
  readonly at: number;
  /** Ranges [start, end) of whole words from their start; the checksum itself lies in the first. */
  readonly ranges: readonly (readonly [number, number])[];
  /** 0 says that there is none (UDP). */
  readonly optional: boolean;
}

/**
 * One packet being rewritten: reads from the original, writes to a copy. Every writer says how far it understood
 * the packet; what lies beyond never leaves.
 */
export class Rewriter {
  readonly out: Uint8Array;
  /** One past the last byte that is understood and rewritten. */
  keepEnd = 0;
  private readonly covered: Covered[] = [];

  constructor(
    /** The original bytes. */
    readonly src: Uint8Array,
    readonly maps: Mappings,
    /** Are DNS messages rewritten and kept, or payload like any other? */
    readonly keepDns: boolean,
  ) {
    // Not slice(): for a Buffer that is a view.
    this.out = new Uint8Array(src);
  }

  /** Bytes captured. */
  get end(): number {
    return this.src.length;
  }

  u16(at: number): number {
    return (this.src[at] << 8) | this.src[at + 1];
  }

  /** The header reaches to here (or to the end of the capture). */
  understood(to: number): void {
    this.keepEnd = Math.max(this.keepEnd, Math.min(to, this.end));
  }

  /** An address that the capture cut is cleared as far as it is there. */
  ipv4(at: number): void {
    if (at + 4 <= this.end) this.maps.ipv4.map(this.src, at, this.out);
    else this.clear(at, at + 4);
  }

  ipv6(at: number): void {
    if (at + 16 <= this.end) this.maps.ipv6.map(this.src, at, this.out);
    else this.clear(at, at + 16);
  }

  mac(at: number): void {
    if (at + 6 <= this.end) this.maps.macs.map(this.src, at, this.out);
    else this.clear(at, at + 6);
  }

  port(at: number): void {
    if (!this.maps.ports.active) return;
    if (at + 2 > this.end) {
      this.clear(at, at + 2);
      return;
    }
    const port = this.maps.ports.map(this.u16(at));
    this.out[at] = port >> 8;
    this.out[at + 1] = port & 255;
  }

  clear(from: number, to: number): void {
    this.out.fill(0, from, Math.max(from, Math.min(to, this.end)));
  }

  /** A checksum to be corrected for everything that changes in the ranges. Outer ones are announced first. */
  checksum(at: number, ranges: readonly (readonly [number, number])[], optional = false): void {
    if (at + 2 <= this.end) this.covered.push({ at, ranges, optional });
  }

  /**
   * Corrects the announced checksums, inner ones first, by what changed (RFC 1624, equation 3): right stays right
   * and wrong stays wrong, also where not all that a checksum covers was captured.
   *
   * @param until nothing changed from here on.
   */
  fixChecksums(until = this.end): void {
    for (const { at, ranges, optional } of this.covered.reverse()) {
      const old = this.u16(at);
      if (optional && old === 0) continue;
      let sum = ~old & 0xffff;
      for (const [from, to] of ranges) {
        for (let i = from; i < Math.min(to, until); i += 2) {
          if (i === at) continue;
          sum += this.change(i, to);
        }
      }
      while (sum > 0xffff) sum = (sum % 0x10000) + Math.floor(sum / 0x10000);
      let checksum = ~sum & 0xffff;
      if (optional && checksum === 0) checksum = 0xffff;
      this.out[at] = checksum >> 8;
      this.out[at + 1] = checksum & 255;
    }
  }

  /** The complement of the old word and the new word, 0 where nothing changed. */
  private change(at: number, to: number): number {
    const { src, out } = this;
    const single = at + 1 >= Math.min(to, this.end);
    const before = (src[at] << 8) | (single ? 0 : src[at + 1]);
    const after = (out[at] << 8) | (single ? 0 : out[at + 1]);
    return before === after ? 0 : (~before & 0xffff) + after;
  }
}
