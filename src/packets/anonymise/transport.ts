import { rewriteDns } from './dns';
import { rewriteIp, type IpPayload } from './ip';
import { rewriteEthernet, rewriteEtherType } from './link';
import type { Rewriter } from './rewriter';

/** TCP options whose content says nothing of an address: end, padding, MSS, window scale, SACK, timestamps. */
const PLAIN_TCP_OPTIONS = new Set([0, 1, 2, 3, 4, 5, 8]);
const DNS_PORTS = new Set([53, 5353, 5355]);
const VXLAN_PORT = 4789;
const GENEVE_PORT = 6081;
const GTPU_PORT = 2152;

/** RFC 9293, as far as it was captured. Options that may hold addresses or cookies lose their data. */
export function rewriteTcp(r: Rewriter, { at, end, addresses }: IpPayload): void {
  r.port(at);
  r.port(at + 2);
  const words = at + 13 <= r.end ? r.src[at + 12] >> 4 : 5;
  const headerEnd = Math.min(end, at + Math.max(20, words * 4));
  let option = at + 20;
  while (option < Math.min(headerEnd, r.end)) {
    const kind = r.src[option];
    if (kind === 0) break;
    if (kind === 1) {
      option++;
      continue;
    }
    const length = option + 1 < r.end ? r.src[option + 1] : 0;
    if (length < 2 || option + length > headerEnd) break;
    if (!PLAIN_TCP_OPTIONS.has(kind)) r.clear(option + 2, option + length);
    option += length;
  }
  r.clear(option, headerEnd);
  r.understood(headerEnd);
  r.checksum(at + 16, [[at, end], addresses]);
}

/** RFC 768; DNS where it is kept, and tunnels, lead on. */
export function rewriteUdp(r: Rewriter, { at, end, addresses, depth }: IpPayload): void {
  r.port(at);
  r.port(at + 2);
  r.understood(Math.min(end, at + 8));
  if (r.end < at + 8) return;
  const length = r.u16(at + 4);
  const dataEnd = length >= 8 ? Math.min(end, at + length) : end;
  r.checksum(at + 6, [[at, dataEnd], addresses], true);
  const [from, to] = [r.u16(at), r.u16(at + 2)];
  const there = Math.min(dataEnd, r.end) - at - 8;
  if (r.keepDns && (DNS_PORTS.has(from) || DNS_PORTS.has(to))) rewriteDns(r, at + 8, at + 8 + there);
  else if (there < 8) return;
  else if (to === VXLAN_PORT) {
    // RFC 7348: eight bytes with the network's number.
    r.understood(at + 16);
    rewriteEthernet(r, at + 16);
  } else if (to === GENEVE_PORT) rewriteGeneve(r, at + 8);
  else if (from === GTPU_PORT || to === GTPU_PORT) rewriteGtpu(r, at + 8, depth);
}

/** RFC 8926: the options' data is cleared. */
function rewriteGeneve(r: Rewriter, at: number): void {
  if (r.src[at] >> 6 !== 0) return;
  const headerEnd = at + 8 + 4 * (r.src[at] & 0x3f);
  r.clear(at + 8, headerEnd);
  r.understood(headerEnd);
  if (r.u16(at + 2) === 0x6558) rewriteEthernet(r, headerEnd);
  else rewriteEtherType(r, r.u16(at + 2), headerEnd);
}

/** 3GPP TS 29.281, section 5.1: packets of users (message 255) behind optional fields and extension headers. */
function rewriteGtpu(r: Rewriter, at: number, depth: number): void {
  const flags = r.src[at];
  if (flags >> 4 !== 3 || r.src[at + 1] !== 255) return;
  let i = at + 8;
  if (flags & 7) {
    i += 4;
    let next = flags & 4 ? r.src[i - 1] : 0;
    for (let n = 0; next !== 0 && n < 8 && i < r.end && r.src[i] > 0; n++) {
      i += 4 * r.src[i];
      next = i <= r.end ? r.src[i - 1] : 0;
    }
  }
  r.understood(i);
  rewriteIp(r, i, depth + 1);
}
