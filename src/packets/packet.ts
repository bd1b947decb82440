import type { Problem } from '../util';

/**
 * One decoded protocol header. `fields` holds the header's fields under their RFC names in camelCase; the interface
 * of each protocol's fields is exported by its file (`TcpFields` in tcp.ts ...).
 */
export interface Layer<Name extends string = string, Fields = unknown> {
  readonly protocol: Name;
  /** Offset of the header's first byte in the packet. */
  readonly offset: number;
  /** Header length in bytes, options included. */
  readonly length: number;
  readonly fields: Fields;
  /**
   * True where nothing announced the protocol and it was recognised by what the bytes look like (RTP, STUN, TLS on
   * any port ...): a good guess, by the rule in docs/protocols.md.
   */
  readonly recognised?: true;
}

/** What {@link decodePacket} returns, for any bytes whatsoever. */
export interface Packet {
  readonly bytes: Uint8Array;
  readonly linkType: number;
  /** Outermost first. Decoding stops at the first layer that cannot be read; what was read stays. */
  readonly layers: readonly Layer[];
  readonly problems: readonly Problem[];
  /** Offset of the first byte after the last decoded header. */
  readonly payloadOffset: number;
}
