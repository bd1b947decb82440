import type { Layer } from './packet';

/** What a decoder sees: the packet, where its header starts, and what the layers outside it said. */
export interface DecodeContext {
  /** The whole packet. */
  readonly bytes: Uint8Array;
  /** First byte of this header. */
  readonly offset: number;
  /** One past the last byte that belongs to this layer and was captured. */
  readonly end: number;
  /** One past the last byte that belongs to this layer, captured or not, as the layers outside say; Infinity: unknown. */
  readonly wireEnd: number;
  /** Are all of this layer's bytes here? Only then can checksums over the payload be judged. */
  readonly complete: boolean;
  /** The layers decoded so far, outermost first. */
  readonly outer: readonly Layer[];
  /** Names an oddity, at a byte offset in the packet. */
  problem(code: string, offset: number, message: string): void;
}

/** What a decoder made of a header. */
export interface Decoded<Fields> {
  readonly fields: Fields;
  /** Header bytes read, options included. */
  readonly length: number;
  /** What comes next, as a key of this protocol's entry in the table; undefined: payload. */
  readonly next?: number;
  /** A second key, tried where nothing is known under `next`: the source port after the destination port. */
  readonly otherwise?: number;
  /** Whose keys `next` is among, when not this protocol's own (a VLAN tag names EtherTypes). */
  readonly nextOf?: string;
  /** One past the last byte that this header says belongs to it; undefined: as outside. */
  readonly wireEnd?: number;
  /** False: the rest is not whole for another reason (a fragment), so checksums inside cannot be judged. */
  readonly whole?: boolean;
}

/** What an encoder knows of its surroundings. */
export interface EncodeContext {
  /** The layer outside this one, still to be encoded. */
  readonly outer?: EncodeLayer;
  /** The nearest IP layer outside this one, extension headers passed over: for pseudo-headers. */
  readonly ip?: EncodeLayer;
  /** The layer inside this one, for the field that names it. */
  readonly inner?: EncodeLayer;
}

/** A layer to encode: fields left out are computed (lengths, checksums, next protocol) or take their usual value. */
export interface EncodeLayer {
  readonly protocol: string;
  readonly fields: unknown;
}

/** One protocol: everything the packet code knows of it is in its own file. */
export interface Protocol<Name extends string = string, Fields = unknown> {
  readonly name: Name;
  /** Where it is found: under which key of which protocol's table. */
  readonly under: readonly (readonly [parent: string, key: number])[];
  /**
   * Parents whose payload is offered to {@link accepts} when no number announced it. A layer found so is marked
   * {@link Layer.recognised}.
   */
  readonly recognisedIn?: readonly string[];
  /**
   * Does the payload in `bytes[offset, end)` look like this protocol? Without it, being announced is enough. False
   * leaves the bytes as payload: no layer, no problem. Called for every packet of the parent, so it must be cheap.
   */
  accepts?(bytes: Uint8Array, offset: number, end: number, outer: readonly Layer[]): boolean;
  /** Undefined: the header cannot be read at all; the reason has been named as a problem. Never throws. */
  decode(context: DecodeContext): Decoded<Fields> | undefined;
  /** The header followed by the payload. @throws NetssmError for field values that cannot be (an address). */
  encode(fields: Partial<Fields>, payload: Uint8Array, context: EncodeContext): Uint8Array;
  /** One line for people. */
  describe(fields: Fields): string;
}
