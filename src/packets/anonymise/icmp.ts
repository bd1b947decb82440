import { rewriteIp, type IpPayload } from './ip';
import type { Rewriter } from './rewriter';

const QUOTING_ICMP = new Set([3, 4, 5, 11, 12]);
const REDIRECT = 5;

/** RFC 792: errors quote the packet that they are about; a redirect names a gateway. */
export function rewriteIcmp(r: Rewriter, { at, end, depth }: IpPayload): void {
  r.understood(Math.min(end, at + 8));
  r.checksum(at + 2, [[at, end]]);
  const type = r.src[at];
  // RFC 1256: router advertisements list addresses, each with a preference.
  if (type === 9) {
    for (let i = at + 8; i + 8 <= Math.min(end, r.end); i += 8) {
      r.ipv4(i);
      r.understood(i + 8);
    }
  }
  if (type === REDIRECT) r.ipv4(at + 4);
  if (QUOTING_ICMP.has(type)) rewriteIp(r, at + 8, depth + 1, end);
}

/** RFC 2236, RFC 3376: group addresses, and in version 3 the sources wanted of each. */
export function rewriteIgmp(r: Rewriter, { at, end }: IpPayload): void {
  r.understood(Math.min(end, at + 8));
  r.checksum(at + 2, [[at, end]]);
  const stop = Math.min(end, r.end);
  if (r.src[at] !== 0x22) {
    r.ipv4(at + 4);
    if (r.src[at] !== 0x11 || stop < at + 12) return;
    const sources = r.u16(at + 10);
    for (let i = 0; i < sources && at + 16 + 4 * i <= stop; i++) r.ipv4(at + 12 + 4 * i);
    r.understood(Math.min(stop, at + 12 + 4 * sources));
    return;
  }
  if (stop < at + 8) return;
  let i = at + 8;
  for (let record = 0; record < r.u16(at + 6) && i + 8 <= stop; record++) {
    const sources = r.u16(i + 2);
    for (let j = 0; j <= sources && i + 8 + 4 * j <= stop; j++) r.ipv4(i + 4 + 4 * j);
    i += 8 + 4 * sources;
    r.clear(i, i + 4 * r.src[i - 8 - 4 * sources + 1]);
    i += 4 * r.src[i - 8 - 4 * sources + 1];
    r.understood(Math.min(stop, i));
  }
}

/** RFC 4443, RFC 4861 (neighbour discovery), RFC 2710 and RFC 3810 (multicast listeners). */
export function rewriteIcmpv6(r: Rewriter, { at, end, addresses, depth }: IpPayload): void {
  r.understood(Math.min(end, at + 8));
  r.checksum(at + 2, [[at, end], addresses]);
  if (r.end < at + 8) return;
  const type = r.src[at];
  const stop = Math.min(end, r.end);
  if (type >= 1 && type <= 4) return rewriteIp(r, at + 8, depth + 1, end);
  switch (type) {
    case 130:
    case 131:
    case 132:
      return rewriteListenerQuery(r, at, stop);
    case 133:
      return rewriteOptions(r, at + 8, stop, depth);
    case 134:
      r.understood(Math.min(stop, at + 16));
      return rewriteOptions(r, at + 16, stop, depth);
    case 135:
    case 136:
      r.ipv6(at + 8);
      r.understood(Math.min(stop, at + 24));
      return rewriteOptions(r, at + 24, stop, depth);
    case 137:
      r.ipv6(at + 8);
      r.ipv6(at + 24);
      r.understood(Math.min(stop, at + 40));
      return rewriteOptions(r, at + 40, stop, depth);
    case 143:
      return rewriteListenerReport(r, at, stop);
    default:
  }
}

function rewriteListenerQuery(r: Rewriter, at: number, stop: number): void {
  r.ipv6(at + 8);
  r.understood(Math.min(stop, at + 24));
  if (stop < at + 28 || r.src[at] !== 130) return;
  const sources = r.u16(at + 26);
  for (let i = 0; i < sources && at + 28 + 16 * i < stop; i++) r.ipv6(at + 28 + 16 * i);
  r.understood(Math.min(stop, at + 28 + 16 * sources));
}

function rewriteListenerReport(r: Rewriter, at: number, stop: number): void {
  let i = at + 8;
  for (let record = 0; record < r.u16(at + 6) && i + 4 <= stop; record++) {
    const sources = r.u16(i + 2);
    const auxiliary = 4 * r.src[i + 1];
    for (let j = 0; j <= sources && i + 4 + 16 * j < stop; j++) r.ipv6(i + 4 + 16 * j);
    i += 4 + 16 * (1 + sources);
    r.clear(i, i + auxiliary);
    i += auxiliary;
    r.understood(Math.min(stop, i));
  }
}

/** Options of neighbour discovery (RFC 4861, section 4.6): a kind, a length in eight bytes, data. */
function rewriteOptions(r: Rewriter, from: number, stop: number, depth: number): void {
  let at = from;
  while (at + 2 <= stop) {
    const kind = r.src[at];
    const size = 8 * r.src[at + 1];
    if (size === 0) return;
    if (kind === 1 || kind === 2) {
      r.mac(at + 2);
      r.clear(at + 8, at + size);
    } else if (kind === 3) r.ipv6(at + 16);
    else if (kind === 4) {
      r.understood(Math.min(stop, at + 8));
      rewriteIp(r, at + 8, depth + 1, stop);
      return;
    } else if (kind === 25) {
      for (let i = at + 8; i + 16 <= Math.min(at + size, stop); i += 16) r.ipv6(i);
    } else if (kind !== 5) r.clear(at + 2, at + size);
    at += size;
    r.understood(Math.min(stop, at));
  }
}
