import { rewriteDns } from './dns';
import { rewriteEthernet } from './link';
import type { IpPayload } from './ip';
import type { Rewriter } from './rewriter';

/** TCP options whose content says nothing of an address: end, padding, MSS, window scale, SACK, timestamps. */
const PLAIN_TCP_OPTIONS = new Set([0, 1, 2, 3, 4, 5, 8]);
const DNS_PORTS = new Set([53, 5353, 5355]);
const VXLAN_PORT = 4789;

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

/** RFC 768; DNS where it is kept, and VXLAN (RFC 7348), lead on. */
export function rewriteUdp(r: Rewriter, { at, end, addresses }: IpPayload): void {
  r.port(at);
  r.port(at + 2);
  r.understood(Math.min(end, at + 8));
  if (r.end < at + 8) return;
  const length = r.u16(at + 4);
  const dataEnd = length >= 8 ? Math.min(end, at + length) : end;
  r.checksum(at + 6, [[at, dataEnd], addresses], true);
  const ports = [r.u16(at), r.u16(at + 2)];
  if (r.keepDns && ports.some((port) => DNS_PORTS.has(port))) {
    rewriteDns(r, at + 8, Math.min(dataEnd, r.end));
  } else if (ports[1] === VXLAN_PORT && r.end >= at + 16) {
    r.understood(at + 16);
    rewriteEthernet(r, at + 16);
  }
}
