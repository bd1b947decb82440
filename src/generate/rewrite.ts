import type { Frame } from '../capture/frame';
import { formatIpv4, formatIpv6, locateHeaders, parseIpv4, parseIpv6 } from '../packets';
import { adjustChecksums } from '../train';
import { NetssmError } from '../util';

/** What {@link rewriteAddresses} did. */
export interface RewrittenFrames {
  frames: Frame[];
  /** New address of each that was replaced. */
  addresses: Map<string, string>;
}

/** A network as `192.168.7.0/24` writes it. */
export interface Subnet {
  text: string;
  /** 4 or 6. */
  version: 4 | 6;
  /** First address. */
  base: bigint;
  /** Host bits. */
  hostBits: number;
}

/**
 * Maps the IP addresses of a trace's TCP and UDP packets one to one into subnets: networks (/24, IPv6 /64), in the order
 * in which they appear, take the subnets of their IP version in turn; the addresses of one subnet keep their numerical
 * order, from its first host on. Broadcast addresses become the subnet's. Multicast, loopback, link-local and
 * unspecified addresses stay, and so do those of an IP version that no subnet has. MAC addresses are not touched.
 * Checksums that were right are right again.
 *
 * @throws NetssmError `subnet_invalid`, `subnet_too_small`.
 */
export function rewriteAddresses(frames: readonly Frame[], subnets: readonly string[]): RewrittenFrames {
  const parsed = subnets.map(parseSubnet);
  const mapping = assign(collect(frames), parsed);
  const out = frames.map((frame): Frame => {
    const at = locateHeaders(frame.data, frame.linkType);
    const places = addressPlaces(frame);
    if (!at.ok || !places) return frame;
    const data = frame.data.slice();
    for (const place of places.offsets) {
      const fresh = mapping.get(key(data, place, places.width));
      if (fresh) data.set(toBytes(fresh.value, places.width), place);
    }
    adjustChecksums(frame.data, data, at);
    return { ...frame, data };
  });
  const text = (value: bigint, width: number) =>
    (width === 4 ? formatIpv4 : formatIpv6)(toBytes(value, width), 0);
  const addresses = new Map<string, string>();
  for (const [, { before, value, width }] of mapping) addresses.set(text(before, width), text(value, width));
  return { frames: out, addresses };
}

/** @throws NetssmError `subnet_invalid`. */
export function parseSubnet(text: string): Subnet {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(text.trim());
  const version = text.includes(':') ? 6 : 4;
  const width = version === 4 ? 32 : 128;
  const bits = match ? Number(match[2]) : NaN;
  // At least two hosts: .1 and .2.
  if (!match || !(bits <= width - 2)) throw invalid(text);
  let bytes: Uint8Array;
  try {
    bytes = (version === 4 ? parseIpv4 : parseIpv6)(match[1]);
  } catch {
    throw invalid(text);
  }
  const hostBits = width - bits;
  const base = (toNumber(bytes, 0, bytes.length) >> BigInt(hostBits)) << BigInt(hostBits);
  return { text, version, base, hostBits };
}

function invalid(text: string): NetssmError {
  return new NetssmError('subnet_invalid', `"${text}" is no subnet`, {
    hint: 'Write it like 192.168.7.0/24 or 2001:db8:7::/64.',
    exitCode: 2,
  });
}

interface Found {
  value: bigint;
  width: number;
  network: string;
}

interface Replacement {
  before: bigint;
  value: bigint;
  width: number;
}

function addressPlaces({ data, linkType }: Frame): { offsets: [number, number]; width: number } | undefined {
  const at = locateHeaders(data, linkType);
  if (!at.ok || at.captured < at.ipEnd) return undefined;
  const width = at.ipVersion === 4 ? 4 : 16;
  const from = at.linkEnd + (width === 4 ? 12 : 8);
  return { offsets: [from, from + width], width };
}

/** The addresses to be replaced, in the order of their first packets. */
function collect(frames: readonly Frame[]): Map<string, Found> {
  const found = new Map<string, Found>();
  for (const frame of frames) {
    const places = addressPlaces(frame);
    if (!places) continue;
    for (const offset of places.offsets) {
      const name = key(frame.data, offset, places.width);
      if (found.has(name) || stays(frame.data, offset, places.width)) continue;
      const network = key(frame.data, offset, places.width === 4 ? 3 : 8);
      found.set(name, {
        value: toNumber(frame.data, offset, places.width),
        width: places.width,
        network: `${places.width} ${network}`,
      });
    }
  }
  return found;
}

function stays(data: Uint8Array, at: number, width: number): boolean {
  const [a, b] = [data[at], data[at + 1]];
  if (width === 4) return a === 0 || a === 127 || a >= 224 || (a === 169 && b === 254);
  const zero = data.subarray(at, at + 15).every((byte) => byte === 0);
  return a === 0xff || (a === 0xfe && (b & 0xc0) === 0x80) || (zero && data[at + 15] <= 1);
}

function assign(found: ReadonlyMap<string, Found>, subnets: readonly Subnet[]): Map<string, Replacement> {
  const out = new Map<string, Replacement>();
  for (const version of [4, 6] as const) {
    const usable = subnets.filter((s) => s.version === version);
    if (usable.length === 0) continue;
    const width = version === 4 ? 4 : 16;
    const mine = [...found].filter(([, f]) => f.width === width);
    const networks = [...new Set(mine.map(([, f]) => f.network))];
    usable.forEach((subnet, i) => {
      const here = mine.filter(([, f]) => networks.indexOf(f.network) % usable.length === i);
      const isBroadcast = (f: Found) => version === 4 && (f.value & 255n) === 255n;
      const hosts = here.filter(([, f]) => !isBroadcast(f));
      hosts.sort(([, a], [, b]) => (a.value < b.value ? -1 : 1));
      const room = (1n << BigInt(subnet.hostBits)) - 2n;
      if (BigInt(hosts.length) > room) {
        throw new NetssmError(
          'subnet_too_small',
          `${subnet.text} has room for ${room} hosts; the trace has ${hosts.length}`,
          { hint: 'Give a larger subnet, or several.', exitCode: 2 },
        );
      }
      hosts.forEach(([name, f], k) =>
        out.set(name, { before: f.value, value: subnet.base + BigInt(k + 1), width }),
      );
      const last = subnet.base + (1n << BigInt(subnet.hostBits)) - 1n;
      for (const [name, f] of here)
        if (isBroadcast(f)) out.set(name, { before: f.value, value: last, width });
    });
  }
  return out;
}

function key(data: Uint8Array, at: number, width: number): string {
  return `${width}/${data.subarray(at, at + width).join('.')}`;
}

function toNumber(data: Uint8Array, at: number, width: number): bigint {
  let value = 0n;
  for (let i = at; i < at + width; i++) value = (value << 8n) | BigInt(data[i]);
  return value;
}

function toBytes(value: bigint, width: number): Uint8Array {
  const bytes = new Uint8Array(width);
  for (let i = width - 1, rest = value; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 255n);
  return bytes;
}
