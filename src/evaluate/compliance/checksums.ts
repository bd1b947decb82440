import {
  findIp,
  findTransport,
  IpProtocol,
  ipEnd,
  nearestIpLayer,
  pseudoHeaderSum,
  sumWords,
  type Packet,
} from '../../packets';

/** What became of a transport checksum. */
export interface ChecksumCounts {
  right: number;
  wrong: number;
  /** Wrong in the way in which hosts leave it to their network card. */
  offloaded: number;
  /** UDP: the sender made none. */
  absent: number;
  /** Bytes that it covers were not captured (header-only captures), or lie in other fragments. */
  notCheckable: number;
}

export function noChecksums(): ChecksumCounts {
  return { right: 0, wrong: 0, offloaded: 0, absent: 0, notCheckable: 0 };
}

export type ChecksumVerdict = keyof ChecksumCounts;

/**
 * Judges the checksum of the innermost TCP or UDP header; undefined: there is none.
 */
export function transportChecksum(packet: Packet): ChecksumVerdict | undefined {
  const transport = findTransport(packet);
  const ip = findIp(packet);
  if (!transport || !ip) return undefined;
  const { checksum } = transport.fields;
  if (transport.protocol === 'udp' && checksum === 0) return 'absent';
  const wrong = packet.problems.some(
    ({ code, offset }) =>
      (code === 'tcp_checksum_wrong' || code === 'udp_checksum_wrong') && offset > transport.offset - 1,
  );
  if (wrong)
    return isOffloaded(packet, transport.offset, transport.protocol, checksum) ? 'offloaded' : 'wrong';
  const end = ipEnd(packet);
  const fragment =
    ip.protocol === 'ipv4'
      ? ip.fields.fragmentOffset > 0 || (ip.fields.flags & 1) !== 0
      : packet.layers.some(({ protocol }) => protocol === 'ipv6_fragment');
  const there = end !== undefined && end <= packet.bytes.length && !fragment;
  return there ? 'right' : 'notCheckable';
}

/**
 * Are the IPv4 header's checksum and the transport's wrong by the same amount? Then what both cover, the addresses, was
 * changed without them, as careless anonymisation does.
 */
export function isReaddressed(packet: Packet): boolean {
  const ip = findIp(packet);
  const transport = findTransport(packet);
  const end = ipEnd(packet);
  if (ip?.protocol !== 'ipv4' || !transport || end === undefined || end > packet.bytes.length) return false;
  const { bytes } = packet;
  const ofHeader = sumWords(bytes, ip.offset, ip.offset + ip.length) % 0xffff;
  const number = transport.protocol === 'tcp' ? IpProtocol.TCP : IpProtocol.UDP;
  const start = pseudoHeaderSum(bytes, ip, number, end - transport.offset)!;
  return ofHeader !== 0 && ofHeader === sumWords(bytes, transport.offset, end, start) % 0xffff;
}

/** The field is 0, or holds the sum over the pseudo-header alone, with or without the length (segmentation offload). */
function isOffloaded(packet: Packet, offset: number, protocol: 'tcp' | 'udp', checksum: number): boolean {
  if (checksum === 0) return true;
  const number = protocol === 'tcp' ? IpProtocol.TCP : IpProtocol.UDP;
  const ip = nearestIpLayer(packet.layers.filter((layer) => layer.offset < offset));
  const length = (ipEnd(packet) ?? packet.bytes.length) - offset;
  for (const covered of [length, 0]) {
    const sum = pseudoHeaderSum(packet.bytes, ip, number, covered);
    if (sum !== undefined && folded(sum) === checksum) return true;
  }
  return false;
}

function folded(sum: number): number {
  let s = sum;
  while (s > 0xffff) s = (s % 0x10000) + Math.floor(s / 0x10000);
  return s;
}
