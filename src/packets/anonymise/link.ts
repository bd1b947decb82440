import { rewriteIp } from './ip';
import type { Rewriter } from './rewriter';

const ETHERNET_BYTES = 14;

/**
 * Rewrites a packet from its link header on. False: the link type's addresses are not known, so nothing of the packet
 * may leave.
 */
export function rewriteLink(r: Rewriter, linkType: number): boolean {
  switch (linkType) {
    case 1:
      rewriteEthernet(r, 0);
      return true;
    case 113:
      rewriteCooked(r, 16, { family: 2, length: 4, address: 6, type: 14 });
      return true;
    case 276:
      rewriteCooked(r, 20, { family: 8, length: 11, address: 12, type: 0 });
      return true;
    case 0:
    case 108:
      r.understood(4);
      if (r.end > 4) rewriteIp(r, 4);
      return true;
    case 12:
    case 14:
    case 101:
    case 228:
    case 229:
      rewriteIp(r, 0);
      return true;
    default:
      return false;
  }
}

/** IEEE 802.3; also inside tunnels. */
export function rewriteEthernet(r: Rewriter, at: number): void {
  r.mac(at);
  r.mac(at + 6);
  r.understood(at + ETHERNET_BYTES);
  if (r.end < at + ETHERNET_BYTES) return;
  rewriteEtherType(r, r.u16(at + 12), at + ETHERNET_BYTES);
  groupFromIp(r, at);
}

function rewriteCooked(
  r: Rewriter,
  headerBytes: number,
  place: { family: number; length: number; address: number; type: number },
): void {
  if (r.end < headerBytes) {
    r.clear(place.address, headerBytes);
    r.understood(Math.min(r.end, place.address));
    return;
  }
  const addressLength = place.length === 4 ? r.u16(4) : r.src[11];
  if (addressLength === 6) {
    r.mac(place.address);
    r.clear(place.address + 6, place.address + 8);
  } else r.clear(place.address, place.address + 8);
  r.understood(headerBytes);
  rewriteEtherType(r, r.u16(place.type), headerBytes);
}

/** What follows an EtherType. Anything not named here is payload. */
export function rewriteEtherType(r: Rewriter, type: number, at: number): void {
  switch (type) {
    case 0x0800:
    case 0x86dd:
      rewriteIp(r, at);
      return;
    case 0x0806:
    case 0x8035:
      rewriteArp(r, at);
      return;
    case 0x8100:
    case 0x88a8:
    case 0x9100:
      r.understood(at + 4);
      if (r.end >= at + 4) rewriteEtherType(r, r.u16(at + 2), at + 4);
      return;
    case 0x8847:
    case 0x8848:
      rewriteMpls(r, at);
      return;
    case 0x8864:
      // PPPoE session (RFC 2516), then the PPP protocol of IPv4 or IPv6.
      r.understood(at + 8);
      if (r.end >= at + 8 && (r.u16(at + 6) === 0x0021 || r.u16(at + 6) === 0x0057)) rewriteIp(r, at + 8);
      return;
    default:
      if (type <= 1500) rewriteLlc(r, at);
  }
}

/** IEEE 802.2: only SNAP with EtherTypes leads on. */
function rewriteLlc(r: Rewriter, at: number): void {
  if (r.end < at + 3) {
    r.understood(r.end);
    return;
  }
  const snap = r.src[at] === 0xaa && r.src[at + 1] === 0xaa && r.src[at + 2] === 3;
  r.understood(at + (snap ? 8 : 3));
  if (!snap || r.end < at + 8) return;
  const organization = (r.src[at + 3] << 16) | r.u16(at + 4);
  if (organization === 0 && r.u16(at + 6) > 1500) rewriteEtherType(r, r.u16(at + 6), at + 8);
}

/** Labels (RFC 3032) to the bottom of the stack, then IP by its version. */
function rewriteMpls(r: Rewriter, at: number): void {
  let i = at;
  for (let depth = 0; depth < 16 && i + 4 <= r.end; depth++) {
    r.understood(i + 4);
    i += 4;
    if ((r.src[i - 2] & 1) === 0) continue;
    const version = i < r.end ? r.src[i] >> 4 : 0;
    if (version === 4 || version === 6) rewriteIp(r, i);
    return;
  }
}

/** RFC 826, with Ethernet and IPv4 addresses; of other kinds only the first eight bytes stay. */
function rewriteArp(r: Rewriter, at: number): void {
  r.understood(at + 8);
  if (r.end < at + 8) return;
  if (r.u16(at) !== 1 || r.u16(at + 2) !== 0x0800 || r.src[at + 4] !== 6 || r.src[at + 5] !== 4) return;
  r.mac(at + 8);
  r.ipv4(at + 14);
  r.mac(at + 18);
  r.ipv4(at + 24);
  r.understood(at + 28);
}

/** A group address made of an IP address (RFC 1112, RFC 2464) is made of the new one. */
function groupFromIp(r: Rewriter, at: number): void {
  const { out, src } = r;
  let ip = at + ETHERNET_BYTES;
  let type = r.u16(at + 12);
  while ((type === 0x8100 || type === 0x88a8) && r.end >= ip + 4) {
    type = r.u16(ip + 2);
    ip += 4;
  }
  if (
    type === 0x0800 &&
    r.end >= ip + 20 &&
    out[ip + 16] >> 4 === 14 &&
    src[at] === 1 &&
    src[at + 2] === 0x5e
  ) {
    out[at + 3] = out[ip + 17] & 0x7f;
    out[at + 4] = out[ip + 18];
    out[at + 5] = out[ip + 19];
  } else if (type === 0x86dd && r.end >= ip + 40 && out[ip + 24] === 0xff && src[at] === 0x33) {
    out.set(out.subarray(ip + 36, ip + 40), at + 2);
  }
}
