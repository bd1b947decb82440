import { LinkType } from '../../capture/frame';
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../linkTypes';
import { putU16, putU32, u16 } from './numbers';
import type { PacketFields } from './packetFields';

/**
 * The packet with the unused bytes of a Linux cooked header zero (they are whatever lay in the kernel's memory, and
 * change from packet to packet); the very same bytes for other link types and where they are zero already.
 */
export function withoutStrayBytes(bytes: Uint8Array, linkType: number): Uint8Array {
  const at = linkType === LinkType.LINUX_SLL ? 6 : linkType === LinkType.LINUX_SLL2 ? 12 : -1;
  if (at < 0 || bytes.length < at + 8) return bytes;
  const used = linkType === LinkType.LINUX_SLL ? u16(bytes, 4) : bytes[11];
  for (let i = at + Math.min(8, used); i < at + 8; i++) {
    if (bytes[i] === 0) continue;
    const copy = bytes.slice();
    copy.fill(0, at + used, at + 8);
    return copy;
  }
  return bytes;
}

/** The Ethernet header of the other direction: addresses swapped, tags and EtherType as they are. */
export function swapAddresses(link: Uint8Array): Uint8Array {
  const swapped = link.slice();
  swapped.set(link.subarray(6, 12), 0);
  swapped.set(link.subarray(0, 6), 6);
  return swapped;
}

/** A locally administered MAC address made from the last four bytes of an IP address. */
function putMadeUpMac(out: Uint8Array, at: number, word: number): void {
  out[at] = 2;
  putU32(out, at + 2, word);
}

/** A link header for a packet of which nothing is known but its IP addresses. */
export function madeUpLink(p: PacketFields, linkType: number): Uint8Array {
  const etherType = p.version === 4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6;
  const [from, to] = p.version === 4 ? [p.s0, p.d0] : [p.s3, p.d3];
  switch (linkType) {
    case LinkType.ETHERNET: {
      const link = new Uint8Array(14);
      putMadeUpMac(link, 0, to);
      putMadeUpMac(link, 6, from);
      putU16(link, 12, etherType);
      return link;
    }
    case LinkType.LINUX_SLL: {
      const link = new Uint8Array(16);
      link[3] = 1; // ARPHRD_ETHER
      link[5] = 6;
      putMadeUpMac(link, 6, from);
      putU16(link, 14, etherType);
      return link;
    }
    case LinkType.LINUX_SLL2: {
      const link = new Uint8Array(20);
      putU16(link, 0, etherType);
      link[7] = 1; // the first interface
      link[9] = 1;
      link[11] = 6;
      putMadeUpMac(link, 12, from);
      return link;
    }
    case LinkType.NULL:
      return Uint8Array.of(p.version === 4 ? 2 : 30, 0, 0, 0);
    case LinkType.LOOP:
      return Uint8Array.of(0, 0, 0, p.version === 4 ? 2 : 24);
    default:
      return new Uint8Array(0);
  }
}
