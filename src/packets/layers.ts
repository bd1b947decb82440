import type { EthernetFields } from './ethernet';
import type { Ipv4Fields } from './ipv4';
import type { Ipv6Fields } from './ipv6';
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

/** The innermost TCP or UDP layer. */
export function findTransport(packet: Packet): Layer<'tcp', TcpFields> | Layer<'udp', UdpFields> | undefined {
  const last = packet.layers[packet.layers.length - 1];
  if (last?.protocol === 'tcp') return last as Layer<'tcp', TcpFields>;
  if (last?.protocol === 'udp') return last as Layer<'udp', UdpFields>;
  return findLayer(packet, 'tcp') ?? findLayer(packet, 'udp');
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

/**
 * Bytes of transport payload on the wire, captured or not: the IP length less the headers. Where the IP length is
 * unusable, the captured bytes count.
 */
export function payloadLength(packet: Packet): number {
  const end = ipEnd(packet) ?? packet.bytes.length;
  const transport = findTransport(packet);
  // A header cut short by the capture still takes its full length on the wire.
  const claimed = transport?.protocol === 'tcp' ? Math.max(20, transport.fields.dataOffset * 4) : undefined;
  const start = transport && claimed ? transport.offset + claimed : packet.payloadOffset;
  return Math.max(0, end - start);
}

/** The captured bytes after the last header, without link-layer padding. */
export function payloadBytes(packet: Packet): Uint8Array {
  const end = Math.min(ipEnd(packet) ?? packet.bytes.length, packet.bytes.length);
  return packet.bytes.subarray(packet.payloadOffset, Math.max(packet.payloadOffset, end));
}
