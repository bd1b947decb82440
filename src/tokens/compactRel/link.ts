import { LinkType } from '../../capture/frame';
import { MAX_VLAN_TAGS } from '../../packets/locate';
import { putU16, putU32, u16 } from './numbers';
import type { PacketFields } from './packetFields';

/*
 * Link headers: where they end, and what they look like where nothing is known yet.
 *   Ethernet       destination, source, any 802.1Q / 802.1ad tags, EtherType
 *   cooked v1      16 bytes: packet type, ARPHRD type, address length, 8 bytes of address, EtherType
 *   cooked v2      20 bytes: EtherType, 0, interface, ARPHRD type, packet type, address length, 8 bytes of address
 *   null, loop     4 bytes: address family, in either byte order
 *   raw IP         none
 */

const IPV4 = 0x0800;
const IPV6 = 0x86dd;
/** Ethernet with four tags. */
export const MAX_LINK_BYTES = 14 + 4 * MAX_VLAN_TAGS;

const RAW_LINK_TYPES = [12, 14, LinkType.RAW_101, LinkType.IPV4, LinkType.IPV6] as const;

/** Whether packets of this LINKTYPE_ number begin with their IP header. */
export function isRawIp(linkType: number): boolean {
  return (RAW_LINK_TYPES as readonly number[]).includes(linkType);
}

/** The LINKTYPE_ numbers whose packets `compact-rel` holds. */
export const RELATIVE_LINK_TYPES: readonly number[] = [
  LinkType.ETHERNET,
  LinkType.LINUX_SLL,
  LinkType.LINUX_SLL2,
  LinkType.NULL,
  LinkType.LOOP,
  ...RAW_LINK_TYPES,
];

/** Where a link header ends, or why there is no IP behind it. */
export interface LinkHeader {
  /** Empty: the IP header begins at `end`. */
  code: string;
  message: string;
  /** Of the byte that decided. */
  offset: number;
  end: number;
  /** By the link header; 0 where it does not say (raw IP). */
  version: number;
}

/** Fills in `found` for the first bytes of a packet; returns whether there is IP. */
export function findLink(bytes: Uint8Array, linkType: number, found: LinkHeader): boolean {
  found.code = '';
  found.version = 0;
  if (bytes.length === 0) return refuse(found, 'empty', 0, 'no bytes');
  switch (linkType) {
    case LinkType.ETHERNET: {
      let end = 14;
      for (let tags = 0; ; end += 4) {
        if (bytes.length < end)
          return refuse(
            found,
            'ethernet_cut',
            bytes.length,
            `${bytes.length} bytes end inside the Ethernet header`,
          );
        const etherType = u16(bytes, end - 2);
        if (etherType !== 0x8100 && etherType !== 0x88a8 && etherType !== 0x9100)
          return byEtherType(found, etherType, end - 2, end);
        if (++tags > MAX_VLAN_TAGS)
          return refuse(found, 'vlan_tags', end - 2, `more than ${MAX_VLAN_TAGS} VLAN tags`);
      }
    }
    case LinkType.LINUX_SLL:
    case LinkType.LINUX_SLL2: {
      const [length, at] = linkType === LinkType.LINUX_SLL ? [16, 14] : [20, 0];
      if (bytes.length < length)
        return refuse(
          found,
          'link_cut',
          bytes.length,
          `${bytes.length} bytes end inside the Linux cooked header`,
        );
      return byEtherType(found, u16(bytes, at), at, length);
    }
    case LinkType.NULL:
    case LinkType.LOOP: {
      if (bytes.length < 4)
        return refuse(found, 'link_cut', bytes.length, `${bytes.length} bytes end inside the address family`);
      const family =
        u16(bytes, 0) === 0 ? u16(bytes, 2) : u16(bytes, 2) === 0 ? bytes[0] | (bytes[1] << 8) : 0;
      found.end = 4;
      // AF_INET; AF_INET6 of Linux, NetBSD and OpenBSD, FreeBSD, macOS.
      if (family === 2) found.version = 4;
      else if (family === 10 || family === 24 || family === 28 || family === 30) found.version = 6;
      else return refuse(found, 'not_ip', 0, `address family ${family} is not IP`);
      return true;
    }
    default:
      if (isRawIp(linkType)) {
        found.end = 0;
        return true;
      }
      return refuse(found, 'link_type', 0, `the layout does not hold link type ${linkType}`);
  }
}

function byEtherType(found: LinkHeader, etherType: number, at: number, end: number): boolean {
  found.end = end;
  found.version = etherType === IPV4 ? 4 : 6;
  if (etherType === IPV4 || etherType === IPV6) return true;
  const hex = etherType.toString(16).padStart(4, '0');
  return refuse(found, 'not_ip', at, `EtherType 0x${hex} is not IP`);
}

function refuse(found: LinkHeader, code: string, offset: number, message: string): false {
  found.code = code;
  found.offset = offset;
  found.message = message;
  return false;
}

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
  const etherType = p.version === 4 ? IPV4 : IPV6;
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
