import { findIp, findTransport, ipEnd, payloadLength } from './layers';
import type { Layer, Packet } from './packet';
import { nameIpProtocol } from './pseudoHeader';
import { protocolNamed } from './registry';
import { formatTcpFlags, TcpFlag, type TcpFields } from './tcp';
import { describeTcpOptions } from './tcpOptions';
import { tlsServerName } from './tls';

/**
 * A packet in one line, in the words of `tcpdump -n -t -S`:
 * `IP 192.0.2.1.51000 > 192.0.2.2.443: Flags [S], seq 1, win 64240, options [mss 1460], length 0`.
 * What a UDP or TCP payload is recognised as follows its length, a tunnel stands in parentheses, problems in braces,
 * by code.
 */
export function summarize(packet: Packet): string {
  const codes = [...new Set(packet.problems.map((problem) => problem.code))];
  const problems = codes.length > 0 ? ` {${codes.join(', ')}}` : '';
  return `${summarizeLayers(packet)}${problems}`;
}

function summarizeLayers(packet: Packet): string {
  const { layers } = packet;
  const ip = findIp(packet);
  if (!ip) {
    const last = layers[layers.length - 1];
    if (!last) return `link type ${packet.linkType}, length ${packet.bytes.length}`;
    return `${describe(packet, last)}, length ${packet.bytes.length}`;
  }
  const { source, destination } = ip.fields;
  const name = ip.protocol === 'ipv4' ? 'IP' : 'IP6';
  const inside = layers.slice(layers.indexOf(ip) + 1);
  const transport = findTransport(packet);
  const last = inside[inside.length - 1];
  if (!transport) {
    const number = ip.protocol === 'ipv4' ? ip.fields.protocol : ip.fields.nextHeader;
    const fragment = ip.protocol === 'ipv4' && ip.fields.fragmentOffset > 0;
    const place = fragment ? ` (fragment at ${ip.fields.fragmentOffset * 8})` : '';
    const what = last ? describe(packet, last) : `${nameIpProtocol(number)}${place}`;
    const length = Math.max(0, (ipEnd(packet) ?? packet.bytes.length) - ip.offset - ip.length);
    return `${name} ${source} > ${destination}: ${what}, length ${length}${tunnel(packet, ip)}`;
  }
  const { sourcePort, destinationPort } = transport.fields;
  const head = `${name} ${source}.${sourcePort} > ${destination}.${destinationPort}:`;
  const application = last === transport ? '' : `: ${describe(packet, last)}`;
  if (transport.protocol === 'udp') {
    const size = Math.max(0, transport.fields.length - 8);
    return `${head} UDP, length ${size}${application}${tunnel(packet, ip)}`;
  }
  const text = summarizeTcp(transport.fields, payloadLength(packet));
  return `${head} ${text}${application}${tunnel(packet, ip)}`;
}

function describe(packet: Packet, layer: Layer): string {
  const text = protocolNamed(layer.protocol)?.describe(layer.fields) ?? layer.protocol;
  const server = layer.protocol === 'tls_handshake' ? tlsServerName(packet) : undefined;
  return server === undefined ? text : `${text}, server ${server}`;
}

/** What carries the innermost IP packet, when that is another one: ` (in IP 192.0.2.1 > 192.0.2.2, VXLAN vni 5)`. */
function tunnel(packet: Packet, innermost: Layer): string {
  const before = packet.layers.slice(0, packet.layers.indexOf(innermost));
  const start = before.findIndex(({ protocol }) => protocol === 'ipv4' || protocol === 'ipv6');
  if (start < 0) return '';
  const parts: string[] = [];
  for (const layer of before.slice(start)) {
    const { source, destination } = layer.fields as { source?: string; destination?: string };
    if (layer.protocol === 'ipv4') parts.push(`IP ${source} > ${destination}`);
    else if (layer.protocol === 'ipv6') parts.push(`IP6 ${source} > ${destination}`);
    else if (TUNNELS.has(layer.protocol)) parts.push(describe(packet, layer));
  }
  return ` (in ${parts.join(', ')})`;
}

const TUNNELS = new Set(['gre', 'vxlan', 'geneve', 'gtpu', 'mpls', 'ah']);

function summarizeTcp(f: TcpFields, length: number): string {
  const parts = [`Flags [${formatTcpFlags(f.flags)}]`];
  if (length > 0) parts.push(`seq ${f.sequenceNumber}:${(f.sequenceNumber + length) % 2 ** 32}`);
  else if (f.flags & (TcpFlag.SYN | TcpFlag.FIN | TcpFlag.RST)) parts.push(`seq ${f.sequenceNumber}`);
  if (f.flags & TcpFlag.ACK) parts.push(`ack ${f.acknowledgmentNumber}`);
  parts.push(`win ${f.window}`);
  if (f.flags & TcpFlag.URG) parts.push(`urg ${f.urgentPointer}`);
  if (f.options.length > 0) parts.push(`options [${describeTcpOptions(f.options)}]`);
  parts.push(`length ${length}`);
  return parts.join(', ');
}
