import { LinkType } from '../../capture/frame';
import { EtherType } from './names';
import type { FrameView } from './view';

/** A question about a frame. */
export type Test = (view: FrameView) => boolean;

/** How a link header names what follows it. */
type LinkKind =
  /** An EtherType, or below 1501 the length of an 802.3 frame with an LLC header. */
  | 'ethernet'
  /** An EtherType. */
  | 'ethertype'
  /** The protocol numbers of PPP. */
  | 'ppp'
  /** LLC and SNAP headers. */
  | 'snap'
  /** An address family. */
  | 'loopback'
  /** Nothing: the version of IP tells. */
  | 'raw'
  | 'ip4'
  | 'ip6'
  | 'none';

/**
 * Where the headers of a frame of one link type lie. The words `vlan`, `mpls` and `pppoes` move the places for the
 * rest of the expression, so one state belongs to one compilation.
 */
export interface LinkState {
  readonly linkType: number;
  kind: LinkKind;
  /** Offset of the field that names what follows. */
  typeAt: number;
  /** Offset behind the link header. */
  payloadAt: number;
  /** Length of what lies between the link header and the network header: LLC and SNAP, MPLS labels. */
  networkOffset: number;
  mplsLabels: number;
  /** Places of the MAC addresses. */
  readonly destinationAt?: number;
  readonly sourceAt?: number;
  /** Place of the packet type of Linux cooked captures, and whether it has 16 bits. */
  readonly packetTypeAt?: number;
  /** Where the link header begins, if not with the frame. */
  readonly headerAt?: (view: FrameView) => number;
  /** Sets the view's base, for link headers of varying length. False: not a frame with a payload. */
  readonly locate?: Test;
}

export function linkState(linkType: number): LinkState {
  const state = (
    kind: LinkKind,
    typeAt: number,
    payloadAt: number,
    more: Partial<LinkState> = {},
  ): LinkState => ({
    linkType,
    kind,
    typeAt,
    payloadAt,
    networkOffset: 0,
    mplsLabels: 0,
    ...more,
  });
  switch (linkType) {
    case LinkType.ETHERNET:
      return state('ethernet', 12, 14, { destinationAt: 0, sourceAt: 6 });
    case LinkType.NULL:
    case LinkType.LOOP:
    case 109: // OpenBSD's encapsulated IP
      return linkType === 109 ? state('loopback', 0, 12) : state('loopback', 0, 4);
    case LinkType.PPP:
    case 50: // PPP in HDLC-like framing
      return state('ppp', 2, 4);
    case 10: // FDDI
      return state('snap', 13, 13, { networkOffset: 8, destinationAt: 1, sourceAt: 7 });
    case 104: // Cisco HDLC
      return state('ethertype', 2, 4);
    case LinkType.LINUX_SLL:
      return state('ethertype', 14, 16, { packetTypeAt: 0 });
    case LinkType.LINUX_SLL2:
      return state('ethertype', 0, 20, { packetTypeAt: 9 });
    case LinkType.IEEE802_11:
      return state('snap', 0, 0, { networkOffset: 8, locate: (view) => locate80211(view, 0, false) });
    case LinkType.IEEE802_11_RADIOTAP:
      return state('snap', 0, 0, { networkOffset: 8, locate: locateRadiotap, headerAt: radiotapLength });
    case 12:
    case 14:
    case LinkType.RAW_101:
      return state('raw', 0, 0);
    case LinkType.IPV4:
      return state('ip4', 0, 0);
    case LinkType.IPV6:
      return state('ip6', 0, 0);
    default:
      return state('none', 0, 0);
  }
}

/** IEEE 802.11, 9.2.3: only data frames carry packets; 24 bytes, and 2 more where there is quality of service. */
function locate80211(view: FrameView, at: number, padded: boolean): boolean {
  view.base = 0;
  const control = view.u8(at);
  if (view.failed || (control & 0x0c) !== 0x08) return false;
  let length = control & 0x80 ? 26 : 24;
  if (padded) length = (length + 3) & ~3;
  view.base = at + length;
  return true;
}

/** The radiotap header says how long it is (little-endian), and whether the 802.11 header behind it is padded. */
function locateRadiotap(view: FrameView): boolean {
  const length = radiotapLength(view);
  const present = view.u8(4);
  if (view.failed) return false;
  // Fields in order: the time (8 bytes) if bit 0 is set, then the flags if bit 1 is.
  const flags = present & 2 ? view.u8(present & 1 ? 16 : 8) : 0;
  return locate80211(view, length, (flags & 0x20) !== 0);
}

function radiotapLength(view: FrameView): number {
  view.base = 0;
  return view.u8(2) | (view.u8(3) << 8);
}

const PPP_NUMBERS = new Map<number, number>([
  [EtherType.IP, 0x0021],
  [EtherType.IP6, 0x0057],
  [EtherType.MPLS, 0x0281],
]);

const AF_INET = 2;
/** BSD, FreeBSD, Darwin, Linux: each its own. */
const AF_INET6 = [24, 28, 30, 10];

const NEVER: Test = () => false;
const ALWAYS: Test = () => true;

/** Does the link header name this EtherType (or LLC service access point, up to 1500)? */
export function typeTest(link: LinkState, type: number): Test {
  if (link.mplsLabels > 0) return mplsTypeTest(link, type);
  const at = link.typeAt;
  switch (link.kind) {
    case 'ethernet':
      if (type > 1500) return (view) => view.u16(at) === type;
      return (view) => view.u16(at) <= 1500 && view.u8(at + 2) === type;
    case 'ethertype':
      return (view) => view.u16(at) === type;
    case 'ppp': {
      const number = PPP_NUMBERS.get(type) ?? type;
      return (view) => view.u16(at) === number;
    }
    case 'snap': {
      const { locate } = link;
      const test: Test =
        type > 1500
          ? (view) => view.u32(at) === 0xaaaa0300 && view.u32(at + 4) === type
          : (view) => view.u8(at) === type;
      return locate ? (view) => locate(view) && test(view) : test;
    }
    case 'loopback': {
      const families = type === EtherType.IP ? [AF_INET] : type === EtherType.IP6 ? AF_INET6 : [];
      // In the byte order of the machine that captured.
      const words = new Set(families.flatMap((family) => [family, family * 2 ** 24]));
      return words.size > 0 ? (view) => words.has(view.u32(at)) : NEVER;
    }
    case 'raw': {
      const version = type === EtherType.IP ? 4 : type === EtherType.IP6 ? 6 : undefined;
      return version === undefined ? NEVER : (view) => view.u8(0) >> 4 === version;
    }
    case 'ip4':
      return type === EtherType.IP ? ALWAYS : NEVER;
    case 'ip6':
      return type === EtherType.IP6 ? ALWAYS : NEVER;
    case 'none':
      return NEVER;
  }
}

/** Behind MPLS labels nothing names the protocol: after the last label (bottom of stack) the version of IP tells. */
function mplsTypeTest(link: LinkState, type: number): Test {
  const version = type === EtherType.IP ? 4 : type === EtherType.IP6 ? 6 : undefined;
  if (version === undefined) return NEVER;
  const at = link.payloadAt + link.networkOffset;
  return (view) => (view.u8(at - 2) & 1) === 1 && view.u8(at) >> 4 === version;
}

/** `vlan [id]`: the test, and everything after it looks behind the tag. */
export function vlanTest(link: LinkState, id: number | undefined): Test {
  if (link.kind !== 'ethernet' && link.linkType !== LinkType.IEEE802_11 && !link.headerAt) return NEVER;
  const { payloadAt } = link;
  const types = [EtherType.VLAN, EtherType.QINQ, EtherType.QINQ_OLD].map((type) => typeTest(link, type));
  const isTag: Test = (view) => types.some((test) => test(view));
  link.typeAt += 4;
  link.payloadAt += 4;
  if (id === undefined) return isTag;
  return (view) => isTag(view) && (view.u16(payloadAt) & 0xfff) === id;
}

/** `mpls [label]`. */
export function mplsTest(link: LinkState, label: number | undefined): Test {
  if (!['ethernet', 'ethertype', 'ppp'].includes(link.kind)) return NEVER;
  const at = link.payloadAt + link.networkOffset;
  // A further label follows where the one before is not marked as the last.
  const isLabel: Test =
    link.mplsLabels > 0 ? (view) => (view.u8(at - 2) & 1) === 0 : typeTest(link, EtherType.MPLS);
  link.mplsLabels++;
  link.networkOffset += 4;
  if (label === undefined) return isLabel;
  return (view) => isLabel(view) && view.u32(at) >>> 12 === label;
}

/** `pppoes [session]`: behind the PPPoE header stands a PPP one. */
export function pppoeTest(link: LinkState, session: number | undefined): Test {
  if (link.kind !== 'ethernet') return NEVER;
  const isSession = typeTest(link, EtherType.PPPOE_SESSION);
  const at = link.payloadAt;
  link.kind = 'ppp';
  link.typeAt = at + 6;
  link.payloadAt = at + 8;
  if (session === undefined) return isSession;
  return (view) => isSession(view) && view.u16(at + 2) === session;
}
