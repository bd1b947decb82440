import { findIp, findLayer, findTransport, payloadLength } from './layers';
import type { Packet } from './packet';
import { nameIpProtocol } from './pseudoHeader';
import { protocolNamed } from './registry';
import { formatTcpFlags, TcpFlag, type TcpFields } from './tcp';
import { describeTcpOptions } from './tcpOptions';

/**
 * A packet in one line, in the words of `tcpdump -n -t -S`:
 * `IP 192.0.2.1.51000 > 192.0.2.2.443: Flags [S], seq 1, win 64240, options [mss 1460], length 0`.
 * Problems follow in braces, by code.
 */
export function summarize(packet: Packet): string {
  const codes = [...new Set(packet.problems.map((problem) => problem.code))];
  const problems = codes.length > 0 ? ` {${codes.join(', ')}}` : '';
  return `${summarizeLayers(packet)}${problems}`;
}

function summarizeLayers(packet: Packet): string {
  const ip = findIp(packet);
  if (!ip) {
    const last = packet.layers[packet.layers.length - 1];
    if (!last) return `link type ${packet.linkType}, length ${packet.bytes.length}`;
    const text = protocolNamed(last.protocol)?.describe(last.fields) ?? last.protocol;
    return `${text}, length ${packet.bytes.length}`;
  }
  const { source, destination } = ip.fields;
  const name = ip.protocol === 'ipv4' ? 'IP' : 'IP6';
  const transport = findTransport(packet);
  const length = payloadLength(packet);
  if (!transport || transport.offset < ip.offset) {
    const number = ip.protocol === 'ipv4' ? ip.fields.protocol : ip.fields.nextHeader;
    const fragment = ip.protocol === 'ipv4' && ip.fields.fragmentOffset > 0;
    const place = fragment ? ` (fragment at ${ip.fields.fragmentOffset * 8})` : '';
    return `${name} ${source} > ${destination}: ${nameIpProtocol(number)}${place}, length ${length}`;
  }
  const { sourcePort, destinationPort } = transport.fields;
  const head = `${name} ${source}.${sourcePort} > ${destination}.${destinationPort}:`;
  if (transport.protocol === 'udp') {
    const size = Math.max(0, (findLayer(packet, 'udp')?.fields.length ?? 0) - 8);
    return `${head} UDP, length ${size}`;
  }
  return `${head} ${summarizeTcp(transport.fields, length)}`;
}

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
