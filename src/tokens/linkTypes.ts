import { LinkType } from '../capture/frame';
import { locateHeaders, MAX_VLAN_TAGS } from '../packets/locate';
import type { HeaderRanges, LocateRefusal } from '../packets/locate';
import { NetssmError } from '../util';
import { putU16, u16 } from './compactRel/numbers';
import type { Refusal } from './layout';

/*
 * Link headers: where they end, and whether IP follows.
 *   Ethernet       destination, source, any 802.1Q / 802.1ad tags, EtherType
 *   cooked v1      16 bytes: packet type, ARPHRD type, address length, 8 bytes of address, EtherType
 *   cooked v2      20 bytes: EtherType, 0, interface, ARPHRD type, packet type, address length, 8 bytes of address
 *   null, loop     4 bytes: address family, in either byte order
 *   raw IP         none
 */

export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_IPV6 = 0x86dd;
/** Ethernet with four tags. */
export const MAX_LINK_BYTES = 14 + 4 * MAX_VLAN_TAGS;

const RAW_LINK_TYPES = [12, 14, LinkType.RAW_101, LinkType.IPV4, LinkType.IPV6] as const;

/** Whether packets of this LINKTYPE_ number begin with their IP header. */
export function isRawIp(linkType: number): boolean {
  return (RAW_LINK_TYPES as readonly number[]).includes(linkType);
}

/** The LINKTYPE_ numbers whose packets our layouts hold. */
export const HELD_LINK_TYPES: readonly number[] = [
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
      return refuse(found, 'link_type', 0, `packets of link type ${linkType} are not held`);
  }
}

function byEtherType(found: LinkHeader, etherType: number, at: number, end: number): boolean {
  found.end = end;
  found.version = etherType === ETHERTYPE_IPV4 ? 4 : 6;
  if (etherType === ETHERTYPE_IPV4 || etherType === ETHERTYPE_IPV6) return true;
  const hex = etherType.toString(16).padStart(4, '0');
  return refuse(found, 'not_ip', at, `EtherType 0x${hex} is not IP`);
}

function refuse(found: LinkHeader, code: string, offset: number, message: string): false {
  found.code = code;
  found.offset = offset;
  found.message = message;
  return false;
}

/** {@link locateHeaders} for every link type that our layouts hold. */
export function locateKept(
  bytes: Uint8Array,
  linkType: number,
): HeaderRanges | (Omit<LocateRefusal, 'code'> & { code: string }) {
  if (linkType === LinkType.ETHERNET) return locateHeaders(bytes, linkType);
  const found: LinkHeader = { code: '', message: '', offset: 0, end: 0, version: 0 };
  if (!findLink(bytes, linkType, found))
    return { ok: false, code: found.code, offset: found.offset, message: found.message };
  const { end } = found;
  const version =
    found.version || (linkType === LinkType.IPV6 ? 6 : linkType === LinkType.IPV4 ? 4 : bytes[0] >> 4);
  // The same headers behind an Ethernet header; nothing behind them is looked at.
  const framed = new Uint8Array(ETHERNET_BYTES + Math.min(bytes.length - end, MAX_IP_AND_TRANSPORT));
  putU16(framed, 12, version === 6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4);
  framed.set(bytes.subarray(end, end + MAX_IP_AND_TRANSPORT), ETHERNET_BYTES);
  const at = locateHeaders(framed, LinkType.ETHERNET);
  const moved = end - ETHERNET_BYTES;
  if (!at.ok) return { ...at, offset: at.offset + moved };
  return {
    ...at,
    linkEnd: end,
    ipEnd: at.ipEnd + moved,
    headerEnd: at.headerEnd + moved,
    captured: bytes.length,
  };
}

const ETHERNET_BYTES = 14;
/** IPv4 and TCP with all options, and the kept payload of UDP. */
const MAX_IP_AND_TRANSPORT = 132;

/** Why a frame is not in a sequence of another link type, or of one that the layout does not hold. */
export function otherLinkType(layer: string, linkType: number, sequence: number): Refusal {
  const message =
    linkType === sequence
      ? `${layer} does not hold link type ${linkType}`
      : `link type ${linkType} in a sequence of link type ${sequence}`;
  return { code: 'link_type', layer, offset: 0, message };
}

/** @throws NetssmError `link_type_unknown` where the layout does not hold a link type. */
export function checkLinkType(layer: string, held: readonly number[], linkType: number): void {
  if (held.includes(linkType)) return;
  throw new NetssmError('link_type_unknown', `layout ${layer} holds no packets of link type ${linkType}`, {
    hint: `Link types of the layout: ${held.join(', ')}.`,
    exitCode: 2,
  });
}
