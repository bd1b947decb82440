import { locateHeaders } from '../packets/locate';
import { logBin } from '../stats';
import type { TracePacket } from './traces';

/** The header fields whose distributions are compared, in the order of the tables. */
export const FIELDS = [
  { name: 'wire.len', title: 'packet length on the wire', unit: 'bytes, logarithmic bins' },
  { name: 'direction', title: 'direction (client to server, server to client)', unit: 'value' },
  { name: 'ip.proto', title: 'IP protocol', unit: 'value' },
  { name: 'ip.len', title: 'IP length', unit: 'bytes, logarithmic bins' },
  { name: 'ip.ttl', title: 'TTL or hop limit', unit: 'value' },
  { name: 'ip.id', title: 'IPv4 identification', unit: '16 bins of 4,096' },
  { name: 'port.service', title: "the server's port", unit: 'value' },
  { name: 'port.client', title: "the client's port", unit: '64 bins of 1,024' },
  { name: 'tcp.flags', title: 'TCP flags', unit: 'value' },
  { name: 'tcp.window', title: 'TCP window', unit: 'logarithmic bins' },
  { name: 'tcp.options', title: 'TCP options (kinds in order)', unit: 'value' },
  { name: 'udp.len', title: 'UDP length', unit: 'bytes, logarithmic bins' },
] as const;

export type FieldName = (typeof FIELDS)[number]['name'];

/** Field values of one packet; a field that the packet has not is left out. */
export type FieldValues = Partial<Record<FieldName, string | number>>;

/** @returns the fields, or undefined where no TCP or UDP header is to be found */
export function fieldValues(packet: TracePacket): FieldValues | undefined {
  const bytes = packet.data;
  const at = locateHeaders(bytes, packet.linkType);
  if (!at.ok) return undefined;
  const v4 = at.ipVersion === 4;
  const values: FieldValues = {
    'wire.len': logBin(packet.wireLen),
    'ip.proto': at.transport,
    'ip.len': logBin(at.ipTotalLength),
    'ip.ttl': bytes[at.linkEnd + (v4 ? 8 : 7)],
  };
  if (v4) values['ip.id'] = bytes[at.linkEnd + 4] >> 4;
  if (packet.role) {
    values.direction = packet.role.up ? 'up' : 'down';
    values['port.service'] = packet.role.serverPort;
    values['port.client'] = packet.role.clientPort >> 10;
  }
  const transport = at.ipEnd;
  if (at.transport === 'tcp') {
    if (bytes.length >= transport + 16) {
      values['tcp.flags'] = flagNames(bytes[transport + 13]);
      values['tcp.window'] = logBin((bytes[transport + 14] << 8) | bytes[transport + 15]);
    }
    if (bytes.length >= at.headerEnd)
      values['tcp.options'] = optionKinds(bytes, transport + 20, at.headerEnd);
  } else if (bytes.length >= transport + 6) values['udp.len'] = logBin(at.udpLength);
  return values;
}

const FLAG_NAMES = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG', 'ECE', 'CWR'];

/** `SYN+ACK`; `none` without any. */
export function flagNames(flags: number): string {
  return FLAG_NAMES.filter((_, bit) => (flags >> bit) & 1).join('+') || 'none';
}

/** `MSS SACK-OK TS NOP WS`; `malformed` from the first option whose length cannot be. */
export function optionKinds(bytes: Uint8Array, from: number, to: number): string {
  const names: Record<number, string> = { 1: 'NOP', 2: 'MSS', 3: 'WS', 4: 'SACK-OK', 5: 'SACK', 8: 'TS' };
  const kinds: string[] = [];
  for (let i = from; i < to;) {
    const kind = bytes[i];
    if (kind === 0) break;
    kinds.push(names[kind] ?? `kind ${kind}`);
    if (kind === 1) {
      i++;
      continue;
    }
    const length = i + 1 < to ? bytes[i + 1] : 0;
    if (length < 2 || i + length > to) {
      kinds[kinds.length - 1] = 'malformed';
      break;
    }
    i += length;
  }
  return kinds.join(' ') || 'none';
}
