import { rewriteIcmp, rewriteIcmpv6, rewriteIgmp } from './icmp';
import { rewriteEthernet, rewriteEtherType } from './link';
import type { Rewriter } from './rewriter';
import { rewriteTcp, rewriteUdp } from './transport';

/** Packets in packets are followed so deep. */
const MAX_DEPTH = 8;

/** What an IP header says of its payload: for pseudo-headers and for fragments. */
export interface IpPayload {
  /** First byte of the payload, one past its last byte on the wire. */
  readonly at: number;
  readonly end: number;
  /** Where the two addresses stand, one behind the other. */
  readonly addresses: readonly [from: number, to: number];
  /** Not the first fragment: what follows is the middle of something. */
  readonly laterFragment: boolean;
  readonly depth: number;
}

/**
 * IPv4 or IPv6, by the version.
 *
 * @param limit one past the last byte that can belong to it: a quoted packet claims more than is quoted.
 */
export function rewriteIp(r: Rewriter, at: number, depth = 0, limit = Infinity): void {
  if (at >= Math.min(r.end, limit) || depth > MAX_DEPTH) return;
  const version = r.src[at] >> 4;
  if (version === 4) rewriteIpv4(r, at, depth, limit);
  else if (version === 6) rewriteIpv6(r, at, depth, limit);
}

function rewriteIpv4(r: Rewriter, at: number, depth: number, limit: number): void {
  r.ipv4(at + 12);
  r.ipv4(at + 16);
  r.understood(Math.min(limit, at + 20));
  if (Math.min(r.end, limit) < at + 20) return;
  const headerEnd = at + Math.max(20, (r.src[at] & 15) * 4);
  rewriteIpv4Options(r, at + 20, headerEnd);
  r.understood(Math.min(limit, headerEnd));
  r.checksum(at + 10, [[at, headerEnd]]);
  const total = r.u16(at + 2);
  rewriteIpPayload(r, r.src[at + 9], {
    at: headerEnd,
    end: Math.min(limit, total === 0 ? Infinity : at + total),
    addresses: [at + 12, at + 20],
    laterFragment: (r.u16(at + 6) & 0x1fff) !== 0,
    depth,
  });
}

/** RFC 791: recorded and source routes hold addresses; of options not known here, the data is cleared. */
function rewriteIpv4Options(r: Rewriter, from: number, to: number): void {
  let at = from;
  while (at < Math.min(to, r.end)) {
    const kind = r.src[at];
    if (kind === 0) break;
    if (kind === 1) {
      at++;
      continue;
    }
    const length = at + 1 < r.end ? r.src[at + 1] : 0;
    if (length < 2 || at + length > to) break;
    if (kind === 7 || kind === 131 || kind === 137) {
      for (let i = at + 3; i + 4 <= at + length; i += 4) r.ipv4(i);
    } else if (kind !== 148) r.clear(at + 2, at + length);
    at += length;
  }
  // Padding, or what no option can be.
  r.clear(at, to);
}

function rewriteIpv6(r: Rewriter, at: number, depth: number, limit: number): void {
  r.ipv6(at + 8);
  r.ipv6(at + 24);
  r.understood(Math.min(limit, at + 40));
  if (Math.min(r.end, limit) < at + 40) return;
  const length = r.u16(at + 4);
  const end = Math.min(limit, length === 0 ? Infinity : at + 40 + length);
  let next = r.src[at + 6];
  let i = at + 40;
  let laterFragment = false;
  // RFC 8200, section 4.
  while ([0, 43, 44, 60, 135].includes(next) && i + 8 <= Math.min(end, r.end) && !laterFragment) {
    const size = next === 44 ? 8 : (r.src[i + 1] + 1) * 8;
    if (next === 44) laterFragment = (r.u16(i + 2) & 0xfff8) !== 0;
    else if (next === 43) rewriteRouting(r, i, i + size);
    else if (next === 135) r.clear(i + 6, i + size);
    else rewriteIpv6Options(r, i + 2, i + size);
    r.understood(Math.min(end, i + size));
    next = r.src[i];
    i += size;
  }
  rewriteIpPayload(r, next, { at: i, end, addresses: [at + 8, at + 40], laterFragment, depth });
}

/** Type 0 (RFC 5095), 2 (RFC 6275) and 4 (RFC 8754) list addresses behind eight bytes. */
function rewriteRouting(r: Rewriter, at: number, end: number): void {
  const type = r.src[at + 2];
  if (type !== 0 && type !== 2 && type !== 4) return r.clear(at + 4, end);
  const listed = type === 4 ? at + 8 + (r.src[at + 4] + 1) * 16 : end;
  let i = at + 8;
  for (; i + 16 <= Math.min(end, listed); i += 16) r.ipv6(i);
  r.clear(i, end);
}

/** Padding, router alert and jumbo length stay, a home address is mapped; other options lose their data. */
function rewriteIpv6Options(r: Rewriter, from: number, to: number): void {
  let at = from;
  while (at < Math.min(to, r.end)) {
    const kind = r.src[at];
    if (kind === 0) {
      at++;
      continue;
    }
    if (at + 2 > r.end) break;
    const length = 2 + r.src[at + 1];
    if (at + length > to) break;
    if (kind === 201 && length === 18) r.ipv6(at + 2);
    else if (kind !== 5 && kind !== 194) r.clear(at + 2, at + length);
    at += length;
  }
  r.clear(at, to);
}

function rewriteIpPayload(r: Rewriter, protocol: number, ip: IpPayload): void {
  if (ip.laterFragment || ip.at >= Math.min(ip.end, r.end)) return;
  switch (protocol) {
    case 1:
      return rewriteIcmp(r, ip);
    case 2:
      return rewriteIgmp(r, ip);
    case 4:
    case 41:
      return rewriteIp(r, ip.at, ip.depth + 1, ip.end);
    case 6:
      return rewriteTcp(r, ip);
    case 17:
      return rewriteUdp(r, ip);
    case 47:
      return rewriteGre(r, ip);
    case 58:
      return rewriteIcmpv6(r, ip);
    default:
  }
}

/** RFC 2784 and RFC 2890; of other versions only the first four bytes stay. */
function rewriteGre(r: Rewriter, { at, depth }: IpPayload): void {
  r.understood(at + 4);
  if (r.end < at + 4 || depth > MAX_DEPTH || (r.u16(at) & 0x4007) !== 0) return;
  const flags = r.src[at];
  const size = 4 + (flags & 0x80 ? 4 : 0) + (flags & 0x20 ? 4 : 0) + (flags & 0x10 ? 4 : 0);
  r.understood(at + size);
  // Its checksum, where there is one, covers what may be cut away: it is corrected like all others.
  if (flags & 0x80) r.checksum(at + 4, [[at, Infinity]]);
  if (r.end < at + size) return;
  if (r.u16(at + 2) === 0x6558) rewriteEthernet(r, at + size);
  else rewriteEtherType(r, r.u16(at + 2), at + size);
}
