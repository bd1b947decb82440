import type { Packet } from './packet';
import { describeIpv4Options, type Ipv4Option } from './ipv4Options';
import { formatTcpFlags } from './tcp';
import { describeTcpOptions, type TcpOption } from './tcpOptions';

/** All fields of all layers as a tree of text, then the payload's size and the problems with their places. */
export function show(packet: Packet): string {
  const lines: string[] = [];
  for (const layer of packet.layers) {
    lines.push(`${layer.protocol}  (bytes ${layer.offset} to ${layer.offset + layer.length - 1})`);
    const entries = Object.entries(layer.fields as Record<string, unknown>);
    const width = Math.max(...entries.map(([name]) => name.length));
    for (const [name, value] of entries) {
      lines.push(`  ${name.padEnd(width)} = ${showValue(layer.protocol, name, value)}`);
    }
  }
  lines.push(`payload  (${packet.bytes.length - packet.payloadOffset} bytes captured)`);
  for (const { code, offset, message } of packet.problems) {
    lines.push(`problem at byte ${offset}: ${code}: ${message}`);
  }
  return lines.join('\n');
}

function showValue(protocol: string, name: string, value: unknown): string {
  if (protocol === 'tcp' && name === 'options') return `[${describeTcpOptions(value as TcpOption[])}]`;
  if (protocol === 'ipv4' && name === 'options') return `[${describeIpv4Options(value as Ipv4Option[])}]`;
  if (protocol === 'tcp' && name === 'flags') return `${value} [${formatTcpFlags(value as number)}]`;
  if (typeof value === 'number' && /checksum$/i.test(name)) return `0x${value.toString(16).padStart(4, '0')}`;
  if (typeof value === 'number' && /(etherType|protocolType)$/.test(name)) {
    return `0x${value.toString(16).padStart(4, '0')}`;
  }
  return String(value);
}
