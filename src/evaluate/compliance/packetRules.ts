import type { Frame } from '../../capture';
import {
  type EthernetFields,
  type Icmpv6Fields,
  type IcmpFields,
  type Ipv4Fields,
  type Ipv6Fields,
  type Layer,
  type Packet,
  type UdpFields,
} from '../../packets';
import type { Hit } from './hits';

/*
 * Checks of a packet by itself. What the decoder has named as a problem is given its rule; the rest is read from the
 * layers. Where the capture cut the packet, headers that end early are its fault and no problem here.
 */

/** Decoder problems and their rules. Transport checksums and options are judged elsewhere. */
const RULE_OF_PROBLEM: Record<string, string> = {
  ipv4_version: 'ipv4-version',
  ipv4_header_length: 'ipv4-header-length',
  ipv4_total_length: 'ipv4-total-length',
  ipv4_beyond_packet: 'ipv4-total-length',
  ipv4_total_length_zero: 'ipv4-length-zero',
  ipv4_options_malformed: 'ipv4-options',
  ipv6_version: 'ipv6-version',
  ipv6_beyond_packet: 'ipv6-payload-length',
  tcp_data_offset: 'tcp-header-length',
  tcp_beyond_packet: 'tcp-header-length',
  udp_length: 'udp-length',
  udp_beyond_packet: 'udp-length',
  icmp_checksum_wrong: 'icmp-checksum',
  icmpv6_checksum_wrong: 'icmp-checksum',
  dns_question_malformed: 'dns-question',
};
/** The same for headers that end early, where the packet itself does. */
const RULE_OF_SHORT: Record<string, string> = {
  ipv4_header_truncated: 'ipv4-header-length',
  tcp_truncated: 'tcp-header-length',
  udp_truncated: 'udp-length',
};

/** Longest frame that Ethernet pads to: 60 bytes, and 4 of check sequence or VLAN tag. */
const PADDED = 64;
/** A captured frame check sequence. */
const CHECK_SEQUENCE = 4;

/** All checks of one packet that need no other packet. */
export function checkPacketAlone(frame: Frame, packet: Packet, hit: Hit): void {
  if (packet.problems.length > 0) checkProblems(frame, packet, hit);
  let first: Layer | undefined;
  for (const layer of packet.layers) {
    switch (layer.protocol) {
      case 'ipv4':
        first ??= layer;
        checkIpv4(layer as Layer<'ipv4', Ipv4Fields>, packet.bytes, hit);
        break;
      case 'ipv6':
        first ??= layer;
        checkIpv6(layer as Layer<'ipv6', Ipv6Fields>, packet.bytes, hit);
        break;
      case 'udp':
        checkUdp(layer as Layer<'udp', UdpFields>, packet, hit);
        break;
      case 'tcp':
        checkTcpAddress(packet, layer.offset, hit);
        break;
      case 'icmp':
        checkIcmp(layer as Layer<'icmp', IcmpFields>, packet, hit);
        break;
      case 'icmpv6':
        checkIcmpv6(layer as Layer<'icmpv6', Icmpv6Fields>, packet, hit);
        break;
    }
  }
  if (first) checkTrailer(frame, packet, first, hit);
}

function checkProblems(frame: Frame, packet: Packet, hit: Hit): void {
  // The first fragment may end within the transport header, whose rest is in the next.
  const fragment = packet.layers.some(({ protocol, fields }) =>
    protocol === 'ipv4' ? ((fields as Ipv4Fields).flags & 1) !== 0 : protocol === 'ipv6_fragment',
  );
  const cut = fragment || frame.data.length < frame.wireLen;
  for (const { code, message, offset } of packet.problems) {
    const say = (): string => message;
    if (fragment && code === 'tcp_beyond_packet') continue;
    if (code in RULE_OF_PROBLEM) hit(RULE_OF_PROBLEM[code], say);
    else if (code === 'ipv4_checksum_wrong') {
      const zero = packet.bytes[offset] === 0 && packet.bytes[offset + 1] === 0;
      hit(zero ? 'ipv4-checksum-offload' : 'ipv4-checksum', say);
    } else if (/^ipv6_.*(_beyond_packet|_options_malformed)$/.test(code)) hit('ipv6-extension', say);
    else if (/_truncated$/.test(code) && !cut && code !== 'tcp_options_truncated') {
      hit(RULE_OF_SHORT[code] ?? 'header-unreadable', say);
    }
  }
}

function checkTrailer(frame: Frame, packet: Packet, ip: Layer, hit: Hit): void {
  const fields = ip.fields as Partial<Ipv4Fields & Ipv6Fields>;
  const own = fields.totalLength ?? (fields.payloadLength ? 40 + fields.payloadLength : 0);
  // Link layers that number bytes behind the packet, or count otherwise, are left alone.
  if (own < ip.length || !PLAIN_LINKS.has(packet.layers[0].protocol)) return;
  const over = frame.wireLen - ip.offset - own;
  const padded = frame.wireLen <= PADDED && packet.layers[0].protocol !== 'ipv4';
  if (over > 0 && over !== CHECK_SEQUENCE && !padded) {
    hit('link-trailer', () => `${over} bytes behind the IP packet`);
  }
}

const PLAIN_LINKS = new Set(['ethernet', 'linux_sll', 'linux_sll2', 'loopback', 'ipv4', 'ipv6']);

function checkIpv4({ fields, offset, length }: Layer<'ipv4', Ipv4Fields>, bytes: Uint8Array, hit: Hit): void {
  const { flags, fragmentOffset, totalLength, timeToLive } = fields;
  if (flags & 4) hit('ipv4-reserved-flag', () => `flags ${flags.toString(2).padStart(3, '0')}`);
  const more = (flags & 1) !== 0;
  if (more || fragmentOffset > 0) {
    const payload = totalLength - length;
    if ((more && payload % 8 !== 0) || fragmentOffset * 8 + payload > 65_535) {
      hit('ipv4-fragment-length', () => `${payload} bytes at ${fragmentOffset * 8}`);
    }
    if (flags & 2) hit('ipv4-fragment-df', () => `a fragment at ${fragmentOffset * 8} with DF`);
  }
  if (timeToLive === 0) hit('ipv4-ttl', () => 'time to live 0');
  if (isManyIpv4(bytes, offset + 12)) hit('ipv4-source', () => `from ${fields.source}`);
}

function checkIpv6({ fields, offset }: Layer<'ipv6', Ipv6Fields>, bytes: Uint8Array, hit: Hit): void {
  if (fields.hopLimit === 0) hit('ipv6-hop-limit', () => 'hop limit 0');
  if (bytes[offset + 8] === 0xff) hit('ipv6-source', () => `from ${fields.source}`);
}

/** Multicast, or the limited broadcast. */
function isManyIpv4(bytes: Uint8Array, at: number): boolean {
  if (bytes[at] >= 224 && bytes[at] < 240) return true;
  return bytes[at] === 255 && bytes[at + 1] === 255 && bytes[at + 2] === 255 && bytes[at + 3] === 255;
}

function carrierOf(packet: Packet, offset: number): Layer | undefined {
  let ip: Layer | undefined;
  for (const layer of packet.layers) {
    if (layer.offset >= offset) break;
    if (layer.protocol === 'ipv4' || layer.protocol === 'ipv6') ip = layer;
  }
  return ip;
}

function checkTcpAddress(packet: Packet, offset: number, hit: Hit): void {
  const ip = carrierOf(packet, offset);
  if (!ip) return;
  const { bytes } = packet;
  const many = ip.protocol === 'ipv4' ? isManyIpv4(bytes, ip.offset + 16) : bytes[ip.offset + 24] === 0xff;
  const ethernet =
    packet.layers[0].protocol === 'ethernet' ? (packet.layers[0].fields as EthernetFields) : undefined;
  if (many) hit('tcp-address', () => `to ${(ip.fields as Ipv4Fields).destination}`);
  else if (ethernet?.destination === 'ff:ff:ff:ff:ff:ff')
    hit('tcp-address', () => 'to the Ethernet broadcast');
}

function checkUdp({ fields, offset }: Layer<'udp', UdpFields>, packet: Packet, hit: Hit): void {
  const { length, checksum, destinationPort } = fields;
  const ip = carrierOf(packet, offset);
  if (destinationPort === 0) hit('udp-port-zero', () => `from port ${fields.sourcePort} to port 0`);
  if (!ip) return;
  if (length === 0 && ip.protocol === 'ipv4') hit('udp-length', () => 'a length of 0');
  if (checksum === 0 && ip.protocol === 'ipv6') hit('udp-checksum-zero', () => 'no checksum over IPv6');
  const own = ip.fields as Partial<Ipv4Fields & Ipv6Fields>;
  // The total length covers the header; the payload length begins behind it.
  const end = own.totalLength ? ip.offset + own.totalLength : ip.offset + 40 + (own.payloadLength ?? 0);
  const fragment =
    ((own.flags ?? 0) & 1) !== 0 || packet.layers.some(({ protocol }) => protocol === 'ipv6_fragment');
  const over = end - offset - length;
  if (length >= 8 && over > 0 && !fragment)
    hit('udp-length-short', () => `${over} bytes behind the datagram`);
}

/** Highest code by ICMP type; types that are not here are not in use. */
const ICMP_CODES: Record<number, number> = {
  0: 0,
  3: 15,
  4: 0,
  5: 3,
  8: 0,
  9: 16,
  10: 0,
  11: 1,
  12: 2,
  13: 0,
  14: 0,
  17: 0,
  18: 0,
  40: 5,
  42: 0,
  43: 4,
};
const ICMP_ERRORS = new Set([3, 4, 5, 11, 12]);

function checkIcmp({ fields, offset }: Layer<'icmp', IcmpFields>, packet: Packet, hit: Hit): void {
  const { type, code } = fields;
  if (!(type in ICMP_CODES) || code > ICMP_CODES[type]) hit('icmp-type', () => `type ${type}, code ${code}`);
  if (!ICMP_ERRORS.has(type)) return;
  const { bytes } = packet;
  const quoted = offset + 8;
  if (bytes.length < quoted + 20 || bytes[quoted] >> 4 !== 4) return;
  if (isManyIpv4(bytes, quoted + 16)) {
    hit('icmp-to-many', () => 'an error about a datagram to many hosts');
    return;
  }
  const inner = quoted + (bytes[quoted] & 15) * 4;
  if (bytes[quoted + 9] === 1 && inner < bytes.length && ICMP_ERRORS.has(bytes[inner])) {
    hit('icmp-to-many', () => 'an error about an ICMP error');
  }
}

function checkIcmpv6({ fields, offset }: Layer<'icmpv6', Icmpv6Fields>, packet: Packet, hit: Hit): void {
  const { type, code } = fields;
  const known = (type >= 1 && type <= 4) || (type >= 128 && type <= 161);
  if (!known || (type >= 128 && code > (type === 139 || type === 140 ? 2 : 0) && type < 138)) {
    hit('icmp-type', () => `type ${type}, code ${code}`);
  }
  if (type < 133 || type > 137) return;
  const ip = carrierOf(packet, offset);
  const { hopLimit } = (ip?.fields ?? {}) as Partial<Ipv6Fields>;
  if (hopLimit !== undefined && hopLimit !== 255)
    hit('icmpv6-hop-limit', () => `type ${type}, hop limit ${hopLimit}`);
}
