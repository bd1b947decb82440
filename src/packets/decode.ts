import type { Frame } from '../capture';
import type { Problem } from '../util';
import { ethernetProtocol } from './ethernet';
import { ipv4Protocol } from './ipv4';
import { ipv6Protocol } from './ipv6';
import { linuxSll2Protocol, linuxSllProtocol } from './linuxCooked';
import { llcProtocol } from './llc';
import { loopbackProtocol } from './loopback';
import type { Layer, Packet } from './packet';
import type { DecodeContext, Protocol } from './protocol';
import { nextProtocol, registerLayer } from './registry';
import { tcpProtocol } from './tcp';
import { udpProtocol } from './udp';
import { vlanProtocol } from './vlan';

const BUILT_IN: readonly Protocol[] = [
  ethernetProtocol,
  vlanProtocol,
  llcProtocol,
  linuxSllProtocol,
  linuxSll2Protocol,
  loopbackProtocol,
  ipv4Protocol,
  ipv6Protocol,
  tcpProtocol,
  udpProtocol,
];
for (const protocol of BUILT_IN) registerLayer(protocol);

/** Link types that begin with an IP header of either version: LINKTYPE_RAW and its two older numbers. */
const RAW_IP = new Set([101, 12, 14]);

/** Tunnels may nest; beyond this depth a packet is not a packet. */
const MAX_LAYERS = 16;

/** What is known of a packet beside its bytes. */
export interface DecodeOptions {
  /**
   * Length on the wire ({@link Frame}.wireLen). With it, a header that claims more than was sent is a problem;
   * without it, bytes that are missing may have been left out by the capture.
   */
  wireLen?: number;
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
  let offset = 0;
  let wireEnd = options.wireLen === undefined ? Infinity : Math.max(options.wireLen, bytes.length);
  let whole = true;
  let protocol = firstProtocol(bytes, linkType, problems);
  while (protocol) {
    if (layers.length === MAX_LAYERS) {
      problems.push(newProblem('too_many_layers', protocol.name, offset, `more than ${MAX_LAYERS} headers`));
      break;
    }
    const current: string = protocol.name;
    const context: DecodeContext = {
      bytes,
      offset,
      end: Math.min(bytes.length, wireEnd),
      wireEnd,
      complete: whole && wireEnd <= bytes.length,
      outer: layers,
      problem: (code, at, message) => problems.push(newProblem(code, current, at, message)),
    };
    const decoded = protocol.decode(context);
    if (!decoded) break;
    layers.push({ protocol: current, offset, length: decoded.length, fields: decoded.fields });
    offset += decoded.length;
    if (decoded.wireEnd !== undefined) wireEnd = Math.min(wireEnd, decoded.wireEnd);
    if (decoded.whole === false) whole = false;
    protocol = decoded.next === undefined ? undefined : nextProtocol(decoded.nextOf ?? current, decoded.next);
  }
  return { bytes, linkType, layers, problems, payloadOffset: Math.min(offset, bytes.length) };
}

/** {@link decodePacket} for a frame of a capture, with what the capture knows of its length. */
export function decodeFrame(frame: Frame): Packet {
  return decodePacket(frame.data, frame.linkType, { wireLen: frame.wireLen });
}

function firstProtocol(bytes: Uint8Array, linkType: number, problems: Problem[]): Protocol | undefined {
  if (RAW_IP.has(linkType)) {
    const version = bytes.length > 0 ? bytes[0] >> 4 : -1;
    const protocol = nextProtocol('ip', version);
    if (!protocol) {
      const what = version < 0 ? 'an empty packet' : `IP version ${version}`;
      problems.push(newProblem('ip_version', 'ip', 0, what));
    }
    return protocol;
  }
  const protocol = nextProtocol('link', linkType);
  if (!protocol) {
    problems.push(newProblem('link_type_unsupported', 'link', 0, `link type ${linkType} is not decoded`));
  }
  return protocol;
}

function newProblem(code: string, layer: string, offset: number, message: string): Problem {
  return { code, layer, offset, message };
}
