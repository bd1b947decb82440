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
  // Inside a tunnel the innermost IP packet counts; without its transport header there is no tuple.
  if (transport.offset < ip.offset) return undefined;
  const { source: a, destination: b } = ip.fields;
  const { sourcePort, destinationPort } = transport.fields;
  const source = { address: a, port: sourcePort };
  const destination = { address: b, port: destinationPort };
  return { ...flowKey(transport.protocol, source, destination), source, destination };
}

/** The key of two ends, and whether the first given is the first named in it. */
export function flowKey(
  protocol: 'tcp' | 'udp',
  a: Endpoint,
  b: Endpoint,
): Pick<FiveTuple, 'key' | 'protocol' | 'direction'> {
  const forward = a.address < b.address || (a.address === b.address && a.port <= b.port);
  const [x, y] = forward ? [a, b] : [b, a];
  return {
    key: `${protocol} ${x.address} ${x.port} ${y.address} ${y.port}`,
    protocol,
    direction: forward ? 'forward' : 'backward',
  };
}
