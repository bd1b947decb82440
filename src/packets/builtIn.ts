import { ethernetProtocol } from './ethernet';
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
import type { Protocol } from './protocol';
import { tcpProtocol } from './tcp';
import { udpProtocol } from './udp';
import { vlanProtocol } from './vlan';

/**
 * The protocols that are known from the start. Those recognised by their look alone are asked in this order: the
 * surest first.
 */
export const BUILT_IN: readonly Protocol[] = [
  ethernetProtocol,
  vlanProtocol,
  llcProtocol,
  linuxSllProtocol,
  linuxSll2Protocol,
  loopbackProtocol,
  ipv4Protocol,
  ipv6Protocol,
  ipv6HopByHopProtocol,
  ipv6DestinationProtocol,
  ipv6RoutingProtocol,
  ipv6FragmentProtocol,
  tcpProtocol,
  udpProtocol,
];
