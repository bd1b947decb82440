import type { Frame } from '../capture';
import type { Problem } from '../util';
import type { ChecksumOption } from './meta';

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
  /** LINKTYPE_ number of `data`, as the decoder was told (1 = Ethernet). */
  readonly linkType: number;
  /** Oddities that do not stop the packet from being written (length fields that contradict each other ...). */
  readonly problems: readonly Problem[];
}

export type DecodeResult = { ok: true; packet: DecodedPacket } | { ok: false; refusal: Refusal };

/** Which packets a sequence is made of. */
export interface CodecOptions {
  /** LINKTYPE_ number; default 1, Ethernet. Frames of another one are refused (`link_type`). */
  linkType?: number;
}

export interface EncoderOptions extends CodecOptions {
  /**
   * `compact-rel`: write every TCP packet as if it had no options (declared loss; the payload's length stays). For
   * captures whose snaplen cuts options: what is left of them cannot be predicted. Other layouts do nothing of it.
   */
  withoutTcpOptions?: boolean;
}

/** Packets of one sequence to bytes, in order. */
export interface PacketEncoder {
  /** A frame that is refused changes nothing. */
  encode(frame: Pick<Frame, 'data' | 'wireLen' | 'linkType'>): EncodeResult;
}

/** Bytes of one sequence to packets, in order. */
export interface PacketDecoder {
  /**
   * Takes the byte tokens between two `<|pkt|>` marks. Never throws; bytes that are refused change nothing, so another
   * try may follow.
   */
  decode(bytes: Uint8Array): DecodeResult;
}

/**
 * How packets become byte tokens and back. A layout may keep state from packet to packet (`compact-rel` does), so a
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
  /**
   * Whether a packet's bytes depend on the packets before it: sequences are then encoded and decoded from their
   * beginning, and cannot be cut as tokens.
   */
  readonly stateful: boolean;
  /** Bytes that a sampled packet should not begin with: reserved ones, and the escape for irregular packets. */
  readonly forbiddenFirstBytes: readonly number[];
  /** LINKTYPE_ numbers of the packets that it holds. */
  readonly linkTypes: readonly number[];
  /** How it writes checksums. */
  readonly checksums: ChecksumOption;
  encoder(options?: EncoderOptions): PacketEncoder;
  /** @throws NetssmError `link_type_unknown` for a link type that is not among {@link linkTypes}. */
  decoder(options?: CodecOptions): PacketDecoder;
}
