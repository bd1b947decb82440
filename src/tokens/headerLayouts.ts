import { locateHeaders, MAX_VLAN_TAGS } from '../packets/locate';
import type { HeaderRanges } from '../packets/locate';
import { LinkType } from '../capture/frame';
import { NetssmError } from '../util';
import type { Problem } from '../util';
import { computeChecksums, zeroChecksums } from './checksums';
import type { DecodeResult, EncodeResult, Layout } from './layout';
import type { ChecksumOption } from './meta';

/*
 * The two layouts that write a packet's header bytes as they are. What they keep is the same: link header with tags,
 * IP header with options, TCP header with options; or UDP header and the first bytes of its payload (NetSSM section
 * 4.1.1 and the released parser). `compact` writes just these bytes; `paper-94` makes them exactly 94.
 */

/** Payload bytes of UDP that are kept: enough for a DNS or RTP header. */
export const UDP_PAYLOAD_KEPT = 12;

/** 14 (Ethernet) + 20 (IPv4) + 60 (TCP with all options): the width in NetSSM section 4.1.1. */
export const PAPER_WIDTH = 94;

/** Where the kept bytes of a packet end, by its own headers; it may lie beyond what was captured. */
export function keptEnd(at: HeaderRanges): number {
  if (at.transport === 'tcp') return at.headerEnd;
  return at.headerEnd + Math.min(UDP_PAYLOAD_KEPT, Math.max(0, at.udpLength - 8));
}

export interface LayoutOptions {
  /** Default `keep`. */
  checksums?: ChecksumOption;
}

/** Names that {@link getLayout} knows. */
export const LAYOUT_NAMES = ['compact', 'paper-94'] as const;
export type LayoutName = (typeof LAYOUT_NAMES)[number];

/**
 * A layout by name.
 *
 * - `compact`: kept bytes as they are, as many as were captured.
 * - `paper-94`: the same bytes, padded with zeros or cut to 94.
 *
 * With `checksums: 'zero'` the IPv4 header checksum and the TCP/UDP checksum are 0 in the tokens, and computed on
 * decoding where the bytes allow it (see {@link computeChecksums}).
 *
 * @throws NetssmError `layout_unknown`, `checksums_unknown`.
 */
export function getLayout(name: string, options: LayoutOptions = {}): Layout {
  const checksums = options.checksums ?? 'keep';
  if (checksums !== 'keep' && checksums !== 'zero') {
    throw new NetssmError('checksums_unknown', `checksums "${String(checksums)}" is neither keep nor zero`, {
      exitCode: 2,
    });
  }
  if (name === 'compact') {
    return {
      name,
      description: 'Header bytes as they are, without padding; every packet closed by <|pkt|>.',
      endOfText: true,
      // Ethernet with all tags, IPv4 and TCP with all options.
      maxBytes: 14 + 4 * MAX_VLAN_TAGS + 60 + 60,
      ...codecs(undefined, checksums),
    };
  }
  if (name === 'paper-94') {
    return {
      name,
      description: 'The same bytes padded with zeros or cut to 94, packets joined by <|pkt|>, as in NetSSM.',
      endOfText: false,
      maxBytes: PAPER_WIDTH,
      ...codecs(PAPER_WIDTH, checksums),
    };
  }
  throw new NetssmError('layout_unknown', `unknown layout "${name}"`, {
    hint: `Layouts: ${LAYOUT_NAMES.join(', ')}.`,
    exitCode: 2,
  });
}

function codecs(width: number | undefined, checksums: ChecksumOption): Pick<Layout, 'encoder' | 'decoder'> {
  const name = width === undefined ? 'compact' : `paper-${width}`;
  // Neither layout remembers anything from packet to packet, so one codec serves all.
  const encoder = {
    encode: (frame: { data: Uint8Array; linkType: number }) => encode(frame, name, width, checksums),
  };
  const decoder = { decode: (bytes: Uint8Array) => decode(bytes, name, width, checksums) };
  return { encoder: () => encoder, decoder: () => decoder };
}

function encode(
  frame: { data: Uint8Array; linkType: number },
  layer: string,
  width: number | undefined,
  checksums: ChecksumOption,
): EncodeResult {
  const at = locateHeaders(frame.data, frame.linkType);
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
  checksums: ChecksumOption,
): DecodeResult {
  const bytes = width !== undefined && run.length > width ? run.subarray(0, width) : run;
  const at = locateHeaders(bytes, LinkType.ETHERNET);
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
    packet: { data, wireLen: Math.max(data.length, at.linkEnd + at.ipTotalLength), problems },
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
