import { inspect } from 'node:util';
import type { Frame } from '../capture';
import type { Problem } from '../util';
import { BUILT_IN } from './builtIn';
import { nameLinkType } from './linkTypes';
import type { Layer, Packet } from './packet';
import type { DecodeContext, Decoded, Protocol } from './protocol';
import { nextProtocol, protocolsRecognisedIn, registerLayer } from './registry';
import { summarize } from './summarize';

for (const protocol of BUILT_IN) registerLayer(protocol);

/** Link types that begin with an IP header of either version: LINKTYPE_RAW and its two older numbers. */
const RAW_IP = new Set([101, 12, 14]);

/** Headers of one packet. Tunnels may nest; beyond this depth a packet is not a packet. */
export const MAX_LAYERS = 24;

/** What is known of a packet beside its bytes. */
export interface DecodeOptions {
  /**
   * Length on the wire ({@link Frame}.wireLen). With it, a header that claims more than was sent is a problem;
   * without it, bytes that are missing may have been left out by the capture.
   */
  wireLen?: number;
}

/** {@link DecodeContext} while it moves from header to header. */
interface Cursor extends DecodeContext {
  offset: number;
  end: number;
  wireEnd: number;
  complete: boolean;
}

/**
 * Decodes any bytes as a packet of a link type (LINKTYPE_ number). Never throws: what cannot be read is named in
 * `problems`, and the layers read up to there stay. Protocols not known here are payload, and no problem.
 *
 * Checksums are judged only where every byte that they cover is there.
 */
export function decodePacket(bytes: Uint8Array, linkType: number, options: DecodeOptions = {}): Packet {
  const layers: Layer[] = [];
  const problems: Problem[] = [];
  let protocol = firstProtocol(bytes, linkType, problems);
  if (!protocol) return new DecodedPacket(bytes, linkType, layers, problems, 0);
  let name = protocol.name;
  let whole = true;
  const wireEnd = options.wireLen === undefined ? Infinity : Math.max(options.wireLen, bytes.length);
  const at: Cursor = {
    bytes,
    offset: 0,
    end: bytes.length,
    wireEnd,
    complete: wireEnd <= bytes.length,
    outer: layers,
    problem: (code, offset, message) => problems.push({ code, layer: name, offset, message }),
  };
  let recognised = false;
  while (protocol) {
    name = protocol.name;
    if (layers.length === MAX_LAYERS) {
      at.problem('nesting', at.offset, `more than ${MAX_LAYERS} headers inside each other`);
      break;
    }
    const decoded: Decoded<unknown> | undefined = protocol.decode(at);
    if (!decoded) break;
    const { length, fields } = decoded;
    layers.push(
      recognised
        ? { protocol: name, offset: at.offset, length, fields, recognised }
        : { protocol: name, offset: at.offset, length, fields },
    );
    at.offset += length;
    if (decoded.wireEnd !== undefined && decoded.wireEnd < at.wireEnd) {
      at.wireEnd = decoded.wireEnd;
      at.end = Math.min(bytes.length, at.wireEnd);
    }
    if (decoded.whole === false) whole = false;
    at.complete = whole && at.wireEnd <= bytes.length;
    protocol = decoded.next === undefined ? undefined : announced(decoded, name, at);
    recognised = false;
    if (!protocol && decoded.next !== undefined) {
      protocol = recognise(name, at);
      recognised = protocol !== undefined;
    }
  }
  return new DecodedPacket(bytes, linkType, layers, problems, Math.min(at.offset, bytes.length));
}

/** A packet with a line for consoles. A class, since a property for each packet would make decoding a third slower. */
class DecodedPacket implements Packet {
  constructor(
    readonly bytes: Uint8Array,
    readonly linkType: number,
    readonly layers: readonly Layer[],
    readonly problems: readonly Problem[],
    readonly payloadOffset: number,
  ) {}

  [inspect.custom](): string {
    return `Packet ${summarize(this)}`;
  }
}

/** {@link decodePacket} for a frame of a capture, with what the capture knows of its length. */
export function decodeFrame(frame: Frame): Packet {
  return decodePacket(frame.data, frame.linkType, { wireLen: frame.wireLen });
}

/** The protocol that a header announces by number, unless the payload cannot be it. */
function announced(decoded: Decoded<unknown>, name: string, at: Cursor): Protocol | undefined {
  const { next, otherwise, nextOf = name } = decoded;
  const first = nextProtocol(nextOf, next!);
  if (first && accepts(first, at)) return first;
  const second = otherwise === undefined ? undefined : nextProtocol(nextOf, otherwise);
  return second && accepts(second, at) ? second : undefined;
}

/** The first protocol that takes the payload for its own. */
function recognise(parent: string, at: Cursor): Protocol | undefined {
  const candidates = protocolsRecognisedIn(parent);
  if (!candidates || at.offset >= at.end) return undefined;
  for (const candidate of candidates) if (accepts(candidate, at)) return candidate;
  return undefined;
}

function accepts(protocol: Protocol, { bytes, offset, end, outer }: Cursor): boolean {
  return protocol.accepts === undefined || (offset < end && protocol.accepts(bytes, offset, end, outer));
}

function firstProtocol(bytes: Uint8Array, linkType: number, problems: Problem[]): Protocol | undefined {
  const nothing = (code: string, layer: string, message: string): undefined => {
    problems.push({ code, layer, offset: 0, message });
  };
  if (RAW_IP.has(linkType)) {
    const version = bytes.length > 0 ? bytes[0] >> 4 : -1;
    const what = version < 0 ? 'an empty packet' : `IP version ${version}`;
    return nextProtocol('ip', version) ?? nothing('ip_version', 'ip', what);
  }
  const found = nextProtocol('link', linkType);
  return (
    found ?? nothing('link_type_unsupported', 'link', `link type ${nameLinkType(linkType)} is not decoded`)
  );
}
