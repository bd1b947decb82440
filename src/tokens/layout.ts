import type { Frame } from '../capture';
import type { Problem } from '../util';

/** Why a packet or a token run could not be used, by code: `not_tcp_or_udp`, `link_type`, `empty` ... */
export type Refusal = Problem;

/** A packet that a layout has written or read. */
export type EncodeResult = { ok: true; bytes: Uint8Array } | { ok: false; refusal: Refusal };

/** What a layout makes of one packet's bytes; timestamps are not its business. */
export interface DecodedPacket {
  /** The frame's first bytes: all that the layout keeps. */
  readonly data: Uint8Array;
  /** Original length on the wire in bytes, from the IP length field. */
  readonly wireLen: number;
  /** Oddities that do not stop the packet from being written (length fields that contradict each other ...). */
  readonly problems: readonly Problem[];
}

export type DecodeResult = { ok: true; packet: DecodedPacket } | { ok: false; refusal: Refusal };

/**
 * How packets become byte tokens and back. A layout may keep state from packet to packet (`compact-rel` will), so a
 * sequence is encoded and decoded by a fresh codec each: `layout.encoder()`, `layout.decoder()`.
 */
export interface Layout {
  readonly name: string;
  /** One sentence for tables and docs. */
  readonly description: string;
  /** True where a sequence ends with `<|endoftext|>` (ours), false where it just stops (the paper's). */
  readonly endOfText: boolean;
  /** Most bytes a packet can take. */
  readonly maxBytes: number;
  encoder(): { encode(frame: Pick<Frame, 'data' | 'wireLen' | 'linkType'>): EncodeResult };
  /** `decode` takes the byte tokens between two `<|pkt|>` marks. It never throws. */
  decoder(): { decode(bytes: Uint8Array): DecodeResult };
}
