import { LinkType } from '../../capture/frame';
import { ipChecksum } from './checksumFields';
import type { Context } from './context';
import { ID_NEAR, ID_VERBATIM, LINK, RARE, TTL_TOS_FRAG, X } from './field';
import type { Field } from './field';
import { findLink, MAX_LINK_BYTES } from '../linkTypes';
import type { LinkHeader } from '../linkTypes';
import { madeUpLink, swapAddresses } from './link';
import { NO_BYTES, sameBytes, TCP } from './packetFields';
import { IdMode } from './state';

/** What the packet's id would be in one of the modes; -1 where nothing is known. */
function idBy(mode: IdMode, { own, source }: Context): number {
  if (mode === IdMode.Host) return source.known ? (source.id + 1) & 0xffff : -1;
  if (!own.known) return -1;
  return mode === IdMode.Same ? own.id : (own.id + own.idStep) & 0xffff;
}

/** Payload of a full segment without and with timestamps (1500 bytes of IP packet). */
const SEGMENT = 1460;
const SEGMENT_WITH_TIMESTAMPS = 1448;

const id: Field = {
  name: 'IP id',
  predict: (c) => {
    if (c.p.version !== 4) return;
    c.idMode = c.first ? c.source.idMode : c.own.idMode;
    c.expectedId = Math.max(0, idBy(c.idMode, c));
  },
  code: (c) => {
    const { p } = c;
    if (p.version !== 4 || p.id === c.expectedId) return 0;
    const step = ((p.id - c.expectedId) << 16) >> 16;
    return (step >= -128 && step <= 127 ? ID_NEAR : ID_VERBATIM) << X;
  },
  present: (c) => (c.xmask & (ID_NEAR | ID_VERBATIM)) !== 0,
  write: (c, out) => {
    if (c.xmask & ID_NEAR) out.u8((c.p.id - c.expectedId) & 255);
    else out.u16(c.p.id);
  },
  read: (c, from) => {
    if (c.xmask & ID_NEAR) c.p.id = (c.expectedId + ((from.u8() << 24) >> 24)) & 0xffff;
    else c.p.id = from.u16();
  },
  assume: (c) => {
    c.p.id = c.p.version === 4 ? c.expectedId : 0;
  },
  update: (c) => {
    const { p, own, source } = c;
    if (p.version !== 4) return;
    const mode = modeFollowed(c);
    own.idMode = source.idMode = mode;
    own.id = source.id = p.id;
    // A segment that the network card was to cut takes as many ids as pieces.
    const segment = p.protocol === TCP && p.template.hasTimestamps ? SEGMENT_WITH_TIMESTAMPS : SEGMENT;
    own.idStep = p.protocol === TCP && p.length > SEGMENT ? Math.ceil(p.length / segment) : 1;
  },
};

/** A mode stays while it is right; otherwise the first takes over that would have been. */
function modeFollowed(c: Context): IdMode {
  const { p, own } = c;
  const beginsAtZero = !own.known && p.id === 0;
  if (idBy(c.idMode, c) === p.id || (c.idMode === IdMode.Same && beginsAtZero)) return c.idMode;
  if (idBy(IdMode.Same, c) === p.id) return IdMode.Same;
  if (idBy(IdMode.Direction, c) === p.id) return IdMode.Direction;
  if (idBy(IdMode.Host, c) === p.id) return IdMode.Host;
  return beginsAtZero ? IdMode.Same : c.idMode;
}

const ttlTosFrag: Field = {
  name: 'TTL, TOS, fragmentation',
  predict: (c) => {
    const { p, own, source } = c;
    const from = own.known ? own : source.known ? source : undefined;
    const v4 = p.version === 4;
    c.expectedTtl = from ? from.ttl : 64;
    c.expectedTos = from ? from.tos : v4 ? 0 : 0x60000000;
    c.expectedFrag = from ? from.frag : v4 ? 0x4000 : 0;
  },
  code: (c) => {
    const { p } = c;
    const same = p.ttl === c.expectedTtl && p.tos === c.expectedTos && p.frag === c.expectedFrag;
    return same ? 0 : TTL_TOS_FRAG << X;
  },
  present: (c) => (c.xmask & TTL_TOS_FRAG) !== 0,
  write: ({ p }, out) => {
    out.u8(p.ttl);
    if (p.version === 6) {
      out.u32(p.tos);
    } else {
      out.u8(p.tos);
      out.u16(p.frag);
    }
  },
  read: ({ p }, from) => {
    p.ttl = from.u8();
    const at = from.at;
    if (p.version === 6) {
      p.tos = from.u32();
      p.frag = 0;
      if (p.tos >>> 28 !== 6) from.refuse('ip_version', `IP version ${p.tos >>> 28} in an IPv6 flow`, at);
    } else {
      p.tos = from.u8();
      p.frag = from.u16();
      if (p.frag & 0x1fff) from.refuse('ip_fragment', 'a later fragment has no transport header', at + 1);
    }
  },
  assume: (c) => {
    c.p.ttl = c.expectedTtl;
    c.p.tos = c.expectedTos;
    c.p.frag = c.expectedFrag;
  },
  update: ({ p, own, source }) => {
    own.ttl = source.ttl = p.ttl;
    own.tos = source.tos = p.tos;
    own.frag = source.frag = p.frag;
  },
};

/** The link header that the packet is expected to have. */
function expectedLink(c: Context): Uint8Array {
  const { own, peer, source, destination, linkType } = c;
  if (own.known) return own.link;
  if (linkType !== LinkType.ETHERNET) {
    if (c.hasNoLink) return NO_BYTES;
    return source.sent ?? destination?.received ?? madeUpLink(c.p, linkType);
  }
  if (peer.known) return swapAddresses(peer.link);
  const link = madeUpLink(c.p, linkType);
  // The MAC address used towards that host last, else where this host sends to: the gateway.
  if (destination?.macLink) copyMac(destination.macLink, destination.macAt, link, 0);
  else if (source.sent) copyMac(source.sent, 0, link, 0);
  if (source.macLink) copyMac(source.macLink, source.macAt, link, 6);
  return link;
}

function copyMac(from: Uint8Array, at: number, to: Uint8Array, toAt: number): void {
  for (let i = 0; i < 6; i++) to[toAt + i] = from[at + i];
}

const found: LinkHeader = { code: '', message: '', offset: 0, end: 0, version: 0 };

const link: Field = {
  name: 'link header',
  code: (c) => {
    const { p } = c;
    const expected = expectedLink(c);
    p.link = expected;
    let same = expected.length === p.linkEnd;
    for (let i = 0; same && i < p.linkEnd; i++) same = expected[i] === p.bytes[i];
    if (same) return 0;
    p.link = p.bytes.slice(0, p.linkEnd);
    return LINK << X;
  },
  present: (c) => (c.xmask & LINK) !== 0,
  write: ({ p }, out) => {
    out.u8(p.linkEnd);
    out.bytes(p.link, 0, p.linkEnd);
  },
  read: ({ p, linkType }, from) => {
    const length = from.u8();
    if (length > MAX_LINK_BYTES) from.refuse('link_header', `a link header of ${length} bytes`);
    const at = from.at;
    p.link = from.bytes(length);
    if (from.failed) return;
    const ok = length === 0 ? false : findLink(p.link, linkType, found);
    if (!ok || found.end !== length || found.version !== p.version)
      from.refuse('link_header', `no link header of ${length} bytes before IPv${p.version}`, at);
  },
  assume: (c) => {
    c.p.link = expectedLink(c);
  },
  update: ({ p, own, source, destination }) => {
    own.link = source.sent = source.macLink = p.link;
    source.macAt = 6;
    destination!.received = destination!.macLink = p.link;
    destination!.macAt = 0;
  },
};

const rare: Field = {
  name: 'IP options, reserved bits, urgent pointer',
  code: ({ p, own }) => {
    const expected = own.known ? own.ipOptions : NO_BYTES;
    const same = sameBytes(p.ipOptions, expected);
    return same && (p.protocol !== TCP || (p.reserved === 0 && p.urgent === 0)) ? 0 : RARE << X;
  },
  present: (c) => (c.xmask & RARE) !== 0,
  write: ({ p }, out) => {
    out.u8(p.ipOptions.length);
    out.bytes(p.ipOptions, 0, p.ipOptions.length);
    if (p.protocol !== TCP) return;
    out.u8(p.reserved);
    out.u16(p.urgent);
  },
  read: ({ p }, from) => {
    const length = from.u8();
    if (length > 40 || length % 4 !== 0 || (length > 0 && p.version === 6)) {
      from.refuse('ip_options_length', `${length} bytes of options in an IPv${p.version} header`);
      return;
    }
    p.ipOptions = length === 0 ? NO_BYTES : from.bytes(length);
    if (p.protocol !== TCP) return;
    p.reserved = from.u8();
    if (p.reserved > 15) from.refuse('reserved_bits', `${p.reserved} in the four reserved bits`);
    p.urgent = from.u16();
  },
  assume: ({ p, own }) => {
    p.ipOptions = own.known ? own.ipOptions : NO_BYTES;
    p.reserved = p.urgent = 0;
  },
  update: ({ p, own }) => {
    own.ipOptions = p.ipOptions;
  },
};

/** Fields of all packets, after those of the transport. */
export const IP_FIELDS: readonly Field[] = [id, ttlTosFrag, link, ipChecksum, rare];
