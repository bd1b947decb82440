import { findIp, findTransport, type Packet } from '../packets';

/** One end of a flow. */
export interface Endpoint {
  /** As text: `192.0.2.1`, `2001:db8::1`. */
  readonly address: string;
  readonly port: number;
}

/** Addresses, ports and protocol of a packet. */
export interface FiveTuple {
  /** The same for both directions: protocol, then both ends in a fixed order. */
  readonly key: string;
  readonly protocol: 'tcp' | 'udp';
  readonly source: Endpoint;
  readonly destination: Endpoint;
  /** `forward`: the source is the first end named in the key. */
  readonly direction: 'forward' | 'backward';
}

/**
 * The five-tuple of a TCP or UDP packet over IPv4 or IPv6; undefined for anything else, such as fragments after
 * the first and headers cut before the ports could be read.
 */
export function fiveTuple(packet: Packet): FiveTuple | undefined {
  const transport = findTransport(packet);
  const ip = findIp(packet);
  if (!transport || !ip) return undefined;
  const { source: a, destination: b } = ip.fields;
  const { sourcePort, destinationPort } = transport.fields;
  const protocol = transport.protocol;
  const forward = a < b || (a === b && sourcePort <= destinationPort);
  const key = forward
    ? `${protocol} ${a} ${sourcePort} ${b} ${destinationPort}`
    : `${protocol} ${b} ${destinationPort} ${a} ${sourcePort}`;
  return {
    key,
    protocol,
    source: { address: a, port: sourcePort },
    destination: { address: b, port: destinationPort },
    direction: forward ? 'forward' : 'backward',
  };
}

/** The tuple without direction: the two ends as `client` and `server` of a flow, seen from its first packet. */
export function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return a.port === b.port && a.address === b.address;
}
