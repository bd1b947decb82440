import { MAX_VLAN_TAGS } from '../packets/locate';
import type { HeaderRanges } from '../packets/locate';
import { LinkType } from '../capture/frame';
import type { Problem } from '../util';
import { computeChecksums, zeroChecksums } from './checksums';
import { checkLinkType, HELD_LINK_TYPES, locateKept, otherLinkType } from './linkTypes';
import type { DecodeResult, EncodeResult, Layout } from './layout';

/*
 * The layouts that write a packet's header bytes as they are. What they keep is the same: link header with tags, IP
 * header with options, TCP header with options; or UDP header and the first bytes of its payload (NetSSM section 4.1.1
 * and the released parser). `compact` writes just these bytes; the others pad them with zeros, or cut them, to
 *
 *   paper-94      14 (Ethernet) + 20 (IPv4) + 60 (TCP): the paper's single-flow TCP traffic
 *   paper-106     12 bytes of UDP payload more: its other traffic, and the released checkpoint
 *   release-128   the released parser
 */

/** Payload bytes of UDP that are kept: enough for a DNS or RTP header. */
export const UDP_PAYLOAD_KEPT = 12;

/** 14 (Ethernet) + 20 (IPv4) + 60 (TCP with all options): the width in NetSSM section 4.1.1. */
export const PAPER_WIDTH = 94;

/** 14 + 40 (IPv6) + 60 + 12, rounded up: the width of the released parser. */
export const RELEASE_WIDTH = 128;

/** Where the kept bytes of a packet end, by its own headers; it may lie beyond what was captured. */
export function keptEnd(at: HeaderRanges): number {
  if (at.transport === 'tcp') return at.headerEnd;
  return at.headerEnd + Math.min(UDP_PAYLOAD_KEPT, Math.max(0, at.udpLength - 8));
}

/** A layout of header bytes. `width` undefined: as many as there are. */
interface HeaderLayout {
  name: string;
  width: number | undefined;
  maxBytes: number;
  endOfText: boolean;
  description: string;
}

const padded = (name: string, width: number): HeaderLayout => ({
  name,
  width,
  maxBytes: width,
  endOfText: false,
  description: `Header bytes padded with zeros or cut to ${width}, packets joined by <|pkt|>, as in NetSSM.`,
});

const LAYOUTS: readonly HeaderLayout[] = [
  {
    name: 'compact',
    width: undefined,
    // Ethernet with all tags, IPv4 and TCP with all options.
    maxBytes: 14 + 4 * MAX_VLAN_TAGS + 60 + 60,
    endOfText: true,
    description: 'Header bytes as they are, without padding; every packet closed by <|pkt|>.',
  },
  padded('paper-94', PAPER_WIDTH),
  padded('paper-106', PAPER_WIDTH + UDP_PAYLOAD_KEPT),
  padded('release-128', RELEASE_WIDTH),
];

/**
 * The layouts that write header bytes, by name; undefined for other names.
 * @param checksums `keep` or `zero`.
 */
export function headerLayout(name: string, checksums: 'keep' | 'zero'): Layout | undefined {
  const found = LAYOUTS.find((l) => l.name === name);
  if (!found) return undefined;
  const { width, maxBytes, endOfText, description } = found;
  const linkTypes = width === undefined ? HELD_LINK_TYPES : [LinkType.ETHERNET];
  return {
    name,
    description,
    endOfText,
    maxBytes,
    stateful: false,
    forbiddenFirstBytes: [],
    linkTypes,
    checksums,
    encoder: ({ linkType = LinkType.ETHERNET } = {}) => ({
      encode: (frame) =>
        frame.linkType === linkType && linkTypes.includes(linkType)
          ? encode(frame, name, width, checksums)
          : { ok: false, refusal: otherLinkType(name, frame.linkType, linkType) },
    }),
    decoder: ({ linkType = LinkType.ETHERNET } = {}) => {
      checkLinkType(name, linkTypes, linkType);
      return { decode: (bytes) => decode(bytes, name, width, checksums, linkType) };
    },
  };
}

function encode(
  frame: { data: Uint8Array; linkType: number },
  layer: string,
  width: number | undefined,
  checksums: 'keep' | 'zero',
): EncodeResult {
  const at = locateKept(frame.data, frame.linkType);
  if (!at.ok) return { ok: false, refusal: { code: at.code, layer, offset: at.offset, message: at.message } };
  const kept = Math.min(keptEnd(at), at.captured, width ?? Infinity);
  const bytes = new Uint8Array(width ?? kept);
  bytes.set(frame.data.subarray(0, kept));
  if (checksums === 'zero') zeroChecksums(bytes, { ...at, captured: bytes.length });
  return { ok: true, bytes };
}

function decode(
  run: Uint8Array,
  layer: string,
  width: number | undefined,
  checksums: 'keep' | 'zero',
  linkType: number,
): DecodeResult {
  const bytes = width !== undefined && run.length > width ? run.subarray(0, width) : run;
  const at = locateKept(bytes, linkType);
  if (!at.ok) return { ok: false, refusal: { code: at.code, layer, offset: at.offset, message: at.message } };
  const problems: Problem[] = [];
  const note = (code: string, offset: number, message: string) =>
    problems.push({ code, layer, offset, message });

  if (width !== undefined && run.length !== width)
    note('run_length', Math.min(width, run.length), `${run.length} bytes instead of ${width}`);
  const end = keptEnd(at);
  const data = bytes.slice(0, Math.min(end, bytes.length));
  if (end > bytes.length)
    note('header_cut', bytes.length, `the headers need ${end} bytes, ${bytes.length} are there`);
  if (bytes.length > end) {
    if (width === undefined)
      note('trailing_bytes', end, `${bytes.length - end} bytes after the ${end} that the headers tell of`);
    else if (bytes.subarray(end).some((b) => b !== 0))
      note('padding_not_zero', end, 'bytes other than 0 after the headers');
  }
  noteLengths(bytes, at, note);

  if (checksums === 'zero') {
    const there = { ...at, captured: data.length };
    for (const offset of zeroChecksums(data, there))
      note('checksum_not_zero', offset, 'a checksum where the layout has 0');
    computeChecksums(data, there);
  }
  return {
    ok: true,
    packet: {
      data,
      wireLen: Math.max(data.length, at.linkEnd + at.ipTotalLength),
      linkType,
      problems,
    },
  };
}

/** Length fields that contradict each other. */
function noteLengths(
  bytes: Uint8Array,
  at: HeaderRanges,
  note: (code: string, offset: number, message: string) => void,
): void {
  const lengthField = at.linkEnd + (at.ipVersion === 4 ? 2 : 4);
  const headers = at.headerEnd - at.linkEnd;
  if (at.ipTotalLength < headers)
    note('ip_total_length', lengthField, `IP length ${at.ipTotalLength} is below its headers' ${headers}`);
  if (at.transport === 'udp') {
    const room = at.linkEnd + at.ipTotalLength - at.ipEnd;
    if (bytes.length >= at.ipEnd + 6 && at.udpLength !== room)
      note('udp_length', at.ipEnd + 4, `UDP length ${at.udpLength} in ${room} bytes of IP payload`);
  } else if (bytes.length > at.ipEnd + 12 && bytes[at.ipEnd + 12] >> 4 < 5) {
    note('tcp_data_offset', at.ipEnd + 12, `TCP data offset ${bytes[at.ipEnd + 12] >> 4} is below 5`);
  }
}
