import type { Frame } from '../../capture';
import { PrefixPreserving } from './cryptoPan';
import { AnonymisationKey } from './key';
import { rewriteLink } from './link';
import { MacMap, type MacMode } from './macs';
import { LabelMap } from './names';
import { PortMap, type PortMode } from './permute';
import { Rewriter, type Mappings } from './rewriter';

/** What is done with the bytes behind the headers: left out (the length on the wire stays), or set to 0. */
export type PayloadMode = 'cut' | 'zero';

export interface AnonymiseOptions {
  /** A passphrase or a key file's content: the same secret maps everything the same way. Random by default. */
  secret?: string | Uint8Array;
  /** `all` by default. */
  macs?: MacMode;
  /** `keep` by default: ports tell the service, and ephemeral ones hardly the host. */
  ports?: PortMode;
  /** `cut` by default. */
  payload?: PayloadMode;
  /** Keep DNS, mDNS and LLMNR messages over UDP, with their names and addresses replaced; else they are payload. */
  keepDns?: boolean;
  /** Move all times by the same secret number of seconds, 1 to 730 days back. */
  shiftTime?: boolean;
}

/** What an {@link Anonymiser} has done so far. */
export interface AnonymiseCounts {
  frames: number;
  /** Frames of link types whose addresses are not known: they are not given back. */
  dropped: number;
  /** Captured bytes that went in, and bytes that came out with their meaning. */
  bytesIn: number;
  bytesKept: number;
}

/**
 * Replaces what names people and machines in packets, consistently: IP addresses by Crypto-PAn (prefixes stay
 * together), hardware addresses, names and (when asked) ports by keyed permutations, in headers, ARP, neighbour
 * discovery, multicast reports, DNS, quoted and tunnelled packets. Of whatever is not understood, nothing leaves.
 * docs/import.md says what stays visible.
 */
export class Anonymiser {
  readonly counts: AnonymiseCounts = { frames: 0, dropped: 0, bytesIn: 0, bytesKept: 0 };
  /** To recognise the key by; tells nothing about it. */
  readonly keyFingerprint: string;
  private readonly maps: Mappings;
  private readonly shiftMicros: number;

  /** @throws NetssmError `anonymise_key_short`. */
  constructor(private readonly options: AnonymiseOptions = {}) {
    const key = new AnonymisationKey(options.secret);
    this.keyFingerprint = key.fingerprint;
    this.maps = {
      ipv4: new PrefixPreserving(key, 4),
      ipv6: new PrefixPreserving(key, 16),
      macs: new MacMap(key, options.macs ?? 'all'),
      ports: new PortMap(key, options.ports ?? 'keep'),
      labels: new LabelMap(key),
    };
    const seconds = 86400 + (key.derive('time').readUInt32BE(0) % (729 * 86400));
    this.shiftMicros = options.shiftTime ? -seconds * 1e6 : 0;
  }

  /**
   * The frame without its identities: a copy, shorter where payload is cut, with the same length on the wire.
   * Undefined for link types whose addresses cannot be found.
   */
  frame(frame: Frame): Frame | undefined {
    const { counts } = this;
    counts.frames++;
    counts.bytesIn += frame.data.length;
    const r = new Rewriter(frame.data, this.maps, this.options.keepDns ?? false);
    if (!rewriteLink(r, frame.linkType)) {
      counts.dropped++;
      return undefined;
    }
    counts.bytesKept += r.keepEnd;
    const zero = this.options.payload === 'zero';
    if (zero) r.clear(r.keepEnd, r.end);
    r.fixChecksums(zero ? r.end : r.keepEnd);
    const data = zero ? r.out : r.out.subarray(0, r.keepEnd);
    const tsMicros = Math.max(0, frame.tsMicros + this.shiftMicros);
    return { ...frame, data, tsMicros };
  }

  /** The image of an IPv4 (4 bytes) or IPv6 (16 bytes) address. */
  address(address: Uint8Array): Uint8Array {
    return (address.length === 4 ? this.maps.ipv4 : this.maps.ipv6).image(address);
  }

  /** The image of a hardware address. */
  mac(address: Uint8Array): Uint8Array {
    const out = new Uint8Array(address);
    this.maps.macs.map(address, 0, out);
    return out;
  }

  /** The image of a port. */
  port(port: number): number {
    return this.maps.ports.map(port);
  }
}
