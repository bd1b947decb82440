import type { ArpFields } from './arp';
import type { MplsFields } from './mpls';
import type { PppoeFields } from './pppoe';
import type { PppFields } from './ppp';
import type { CiscoHdlcFields } from './ciscoHdlc';
import type { RadiotapFields } from './radiotap';
import type { Ieee80211Fields } from './ieee80211';
import type { IcmpFields } from './icmp';
import type { Icmpv6Fields } from './icmpv6';
import type { IgmpFields } from './igmp';
import type { SctpFields } from './sctp';
import type { GreFields } from './gre';
import type { VxlanFields } from './vxlan';
import type { FddiFields } from './fddi';
import type { NflogFields } from './nflog';
import type { GeneveFields } from './geneve';
import type { GtpuFields } from './gtpu';
import type { DnsFields } from './dns';
import type { DhcpFields } from './dhcp';
import type { QuicFields } from './quic';
import type { RtpFields } from './rtp';
import type { RtcpFields } from './rtcp';
import type { StunFields } from './stun';
import type { AhFields, EspFields } from './ipsec';
import type { DtlsFields, TlsFields, TlsHandshakeFields } from './tls';
import type { EthernetFields } from './ethernet';
import type { Ipv4Fields } from './ipv4';
import type { Ipv6Fields } from './ipv6';
import type { Ipv6FragmentFields, Ipv6OptionsFields, Ipv6RoutingFields } from './ipv6Extensions';
import type { LinuxSll2Fields, LinuxSllFields } from './linuxCooked';
import type { LlcFields } from './llc';
import type { LoopbackFields } from './loopback';
import type { Layer, Packet } from './packet';
import type { TcpFields } from './tcp';
import type { UdpFields } from './udp';
import type { VlanFields } from './vlan';

/** The fields of each built-in protocol, by name. Layers registered from outside are found in {@link Packet.layers}. */
export interface LayerFields {
  ethernet: EthernetFields;
  vlan: VlanFields;
  llc: LlcFields;
  linux_sll: LinuxSllFields;
  linux_sll2: LinuxSll2Fields;
  loopback: LoopbackFields;
  ipv4: Ipv4Fields;
  ipv6: Ipv6Fields;
  ipv6_hop_by_hop: Ipv6OptionsFields;
  ipv6_destination: Ipv6OptionsFields;
  ipv6_routing: Ipv6RoutingFields;
  ipv6_fragment: Ipv6FragmentFields;
  arp: ArpFields;
  mpls: MplsFields;
  pppoe: PppoeFields;
  ppp: PppFields;
  cisco_hdlc: CiscoHdlcFields;
  fddi: FddiFields;
  nflog: NflogFields;
  radiotap: RadiotapFields;
  ieee80211: Ieee80211Fields;
  icmp: IcmpFields;
  icmpv6: Icmpv6Fields;
  igmp: IgmpFields;
  sctp: SctpFields;
  gre: GreFields;
  vxlan: VxlanFields;
  geneve: GeneveFields;
  gtpu: GtpuFields;
  dns: DnsFields;
  dhcp: DhcpFields;
  quic: QuicFields;
  rtp: RtpFields;
  rtcp: RtcpFields;
  stun: StunFields;
  ah: AhFields;
  esp: EspFields;
  tls: TlsFields;
  tls_handshake: TlsHandshakeFields;
  dtls: DtlsFields;
  tcp: TcpFields;
  udp: UdpFields;
}

export type ProtocolName = keyof LayerFields;

/** The innermost layer of a protocol, with its fields' type: `findLayer(packet, 'tcp')?.fields.window`. */
export function findLayer<Name extends ProtocolName>(
  packet: Packet,
  protocol: Name,
): Layer<Name, LayerFields[Name]> | undefined {
  for (let i = packet.layers.length - 1; i >= 0; i--) {
    if (packet.layers[i].protocol === protocol) return packet.layers[i] as Layer<Name, LayerFields[Name]>;
  }
  return undefined;
}

/** The innermost IP layer: inside a tunnel, the one that carries the transport header. */
export function findIp(packet: Packet): Layer<'ipv4', Ipv4Fields> | Layer<'ipv6', Ipv6Fields> | undefined {
  for (let i = packet.layers.length - 1; i >= 0; i--) {
    const layer = packet.layers[i];
    if (layer.protocol === 'ipv4') return layer as Layer<'ipv4', Ipv4Fields>;
    if (layer.protocol === 'ipv6') return layer as Layer<'ipv6', Ipv6Fields>;
  }
  return undefined;
}

/**
 * The TCP or UDP layer of the innermost IP packet. A tunnel's own UDP header is none when the packet inside has its
 * own IP header: then only what that header carries counts.
 */
export function findTransport(packet: Packet): Layer<'tcp', TcpFields> | Layer<'udp', UdpFields> | undefined {
  for (let i = packet.layers.length - 1; i >= 0; i--) {
    const layer = packet.layers[i];
    if (layer.protocol === 'tcp') return layer as Layer<'tcp', TcpFields>;
    if (layer.protocol === 'udp') return layer as Layer<'udp', UdpFields>;
    if (layer.protocol === 'ipv4' || layer.protocol === 'ipv6') return undefined;
  }
  return undefined;
}

/**
 * Where the innermost IP packet ends on the wire, as an offset that may lie beyond the captured bytes; undefined
 * without a usable IP length.
 */
export function ipEnd(packet: Packet): number | undefined {
  const ip = findIp(packet);
  if (!ip) return undefined;
  if (ip.protocol === 'ipv6') {
    return ip.fields.payloadLength > 0 ? ip.offset + ip.length + ip.fields.payloadLength : undefined;
  }
  const total = ip.fields.totalLength;
  return total >= ip.length ? ip.offset + total : undefined;
}

/** Where the transport payload begins on the wire; behind the last header where there is no transport header. */
function payloadStart(packet: Packet): number {
  const transport = findTransport(packet);
  if (!transport) return packet.payloadOffset;
  // A header cut short by the capture still takes its full length on the wire.
  const length =
    transport.protocol === 'tcp' ? Math.max(20, transport.fields.dataOffset * 4) : transport.length;
  return transport.offset + length;
}

/**
 * Bytes of transport payload on the wire, captured or not: the IP length less the headers. Where the IP length is
 * unusable, the captured bytes count. What is recognised inside (DNS, TLS ...) is part of it.
 */
export function payloadLength(packet: Packet): number {
  return Math.max(0, (ipEnd(packet) ?? packet.bytes.length) - payloadStart(packet));
}

/** The captured bytes of the transport payload, without link-layer padding. */
export function payloadBytes(packet: Packet): Uint8Array {
  const end = Math.min(ipEnd(packet) ?? packet.bytes.length, packet.bytes.length);
  const start = Math.min(payloadStart(packet), packet.bytes.length);
  return packet.bytes.subarray(start, Math.max(start, end));
}
