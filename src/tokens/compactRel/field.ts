import type { Context } from './context';
import type { ByteReader, ByteWriter } from './numbers';

/**
 * One line of the layout's table: a part of a packet, and how it becomes bytes.
 *
 * The encoder calls `predict` and `code` for every field, writes mask and xmask, and then `write` for those that are
 * present. The decoder reads mask and xmask, and calls `read` for fields that are present and `assume` for the others.
 * Both call `update` for every field once the packet is complete.
 *
 * Whether a field is present, and how long it is, is told by tokens of this very packet (mask, xmask, flags, escapes):
 * what is remembered only supplies values. A model that mistakes a value thus never loses its place.
 */
export interface Field {
  readonly name: string;
  /** What the state says before the packet. Flags, addresses and ports are known. */
  predict?(c: Context): void;
  /** Bits of mask (0-7) and xmask (8-15) that describe the packet's value (encoding). */
  code(c: Context): number;
  present(c: Context): boolean;
  write(c: Context, out: ByteWriter): void;
  /** Reads the value into the packet's fields, or refuses. */
  read(c: Context, from: ByteReader): void;
  /** Takes the predicted value, or refuses where there is none. */
  assume(c: Context, from: ByteReader): void;
  /** Remembers the value. */
  update?(c: Context): void;
}

/** Mask, TCP. */
export const LENGTH_CODE = 3;
export const SEQ = 4;
export const ACK_CODE_SHIFT = 3;
export const WINDOW = 32;
export const TIMESTAMPS_ONLY = 64;
export const XMASK_FOLLOWS = 128;

/** Mask, UDP. */
export const UDP_LENGTH = 1;
export const PAYLOAD_CHANGES = 2;
export const PAYLOAD_VERBATIM = 4;
/** Both bits: the packet has payload, and none of its bytes were captured. */
export const PAYLOAD_ABSENT = PAYLOAD_CHANGES | PAYLOAD_VERBATIM;
export const UDP_UNUSED = 0x78;

/** Xmask. */
export const ID_NEAR = 1;
export const TTL_TOS_FRAG = 2;
export const LINK = 4;
export const IP_CLASS = 8;
export const RARE = 16;
export const TEMPLATE = 32;
export const TRANSPORT_CLASS = 64;
export const ID_VERBATIM = 128;
/** A xmask bit as `code` gives it. */
export const X = 8;
