import type { Packet } from './packet';
import { toHex } from './bytes';
import { describeIpv4Options, type Ipv4Option } from './ipv4Options';
import { describeIpv6Options, type Ipv6Option } from './ipv6Options';
import { formatTcpFlags } from './tcp';
import { describeTcpOptions, type TcpOption } from './tcpOptions';

/** All fields of all layers as a tree of text, then the payload's size and the problems with their places. */
export function show(packet: Packet): string {
  const lines: string[] = [];
  for (const layer of packet.layers) {
    const how = layer.recognised ? ', recognised by its look' : '';
    lines.push(`${layer.protocol}  (bytes ${layer.offset} to ${layer.offset + layer.length - 1}${how})`);
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
  if (name === 'options' && (protocol === 'ipv6_hop_by_hop' || protocol === 'ipv6_destination')) {
    return `[${describeIpv6Options(value as Ipv6Option[])}]`;
  }
  return plain(value);
}

/** Bytes shown of a field that is as it is. */
const SHOWN_BYTES = 32;

function plain(value: unknown): string {
  if (value instanceof Uint8Array) {
    if (value.length === 0) return 'none';
    const more = value.length > SHOWN_BYTES ? `... (${value.length} bytes)` : '';
    return `${toHex(value, 0, Math.min(value.length, SHOWN_BYTES))}${more}`;
  }
  if (Array.isArray(value)) return `[${value.map(plain).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  const entries = Object.entries(value).map(([name, inner]) => `${name} ${plain(inner)}`);
  return `{${entries.join(', ')}}`;
}
