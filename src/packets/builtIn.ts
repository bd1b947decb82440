import { arpProtocol } from './arp';
import { ciscoHdlcProtocol } from './ciscoHdlc';
import { dhcpProtocol } from './dhcp';
import { dnsProtocol } from './dns';
import { ethernetProtocol } from './ethernet';
import { fddiProtocol } from './fddi';
import { geneveProtocol } from './geneve';
import { greProtocol } from './gre';
import { gtpuProtocol } from './gtpu';
import { icmpProtocol } from './icmp';
import { icmpv6Protocol } from './icmpv6';
import { ieee80211Protocol } from './ieee80211';
import { igmpProtocol } from './igmp';
import { ahProtocol, espProtocol } from './ipsec';
import { ipv4Protocol } from './ipv4';
import { ipv6Protocol } from './ipv6';
import {
  ipv6DestinationProtocol,
  ipv6FragmentProtocol,
  ipv6HopByHopProtocol,
  ipv6RoutingProtocol,
} from './ipv6Extensions';
import { linuxSll2Protocol, linuxSllProtocol } from './linuxCooked';
import { llcProtocol } from './llc';
import { loopbackProtocol } from './loopback';
import { mplsProtocol } from './mpls';
import { nflogProtocol } from './nflog';
import { pppProtocol } from './ppp';
import { pppoeProtocol } from './pppoe';
import type { Protocol } from './protocol';
import { quicProtocol } from './quic';
import { radiotapProtocol } from './radiotap';
import { rtcpProtocol } from './rtcp';
import { rtpProtocol } from './rtp';
import { sctpProtocol } from './sctp';
import { stunProtocol } from './stun';
import { tcpProtocol } from './tcp';
import { dtlsProtocol, tlsHandshakeProtocol, tlsProtocol } from './tls';
import { udpProtocol } from './udp';
import { vlanProtocol } from './vlan';
import { vxlanProtocol } from './vxlan';

/**
 * The protocols that are known from the start. Those recognised by their look alone are asked in this order: the
 * surest first.
 */
export const BUILT_IN: readonly Protocol[] = [
  // Links.
  ethernetProtocol,
  vlanProtocol,
  llcProtocol,
  linuxSllProtocol,
  linuxSll2Protocol,
  loopbackProtocol,
  ieee80211Protocol,
  radiotapProtocol,
  pppProtocol,
  pppoeProtocol,
  ciscoHdlcProtocol,
  fddiProtocol,
  nflogProtocol,
  mplsProtocol,
  // Network.
  arpProtocol,
  ipv4Protocol,
  ipv6Protocol,
  ipv6HopByHopProtocol,
  ipv6DestinationProtocol,
  ipv6RoutingProtocol,
  ipv6FragmentProtocol,
  ahProtocol,
  espProtocol,
  icmpProtocol,
  icmpv6Protocol,
  igmpProtocol,
  greProtocol,
  // Transport.
  tcpProtocol,
  udpProtocol,
  sctpProtocol,
  // By port.
  vxlanProtocol,
  geneveProtocol,
  gtpuProtocol,
  dnsProtocol,
  dhcpProtocol,
  // By look.
  tlsProtocol,
  tlsHandshakeProtocol,
  stunProtocol,
  dtlsProtocol,
  quicProtocol,
  rtcpProtocol,
  rtpProtocol,
];
