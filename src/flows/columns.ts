import { Fragment, type HeaderBatch } from '../packets';
import { addressText, type FlowRecord } from './flowRecord';

/** Arrow's name of a column's type; `text` is UTF-8. */
export type ColumnType = 'uint8' | 'uint16' | 'uint32' | 'int32' | 'int64' | 'float64' | 'bool' | 'text';

/** A column of an exported table. docs/export.md is the same list for people. */
export interface ColumnSpec {
  readonly name: string;
  readonly type: ColumnType;
  /** Empty where the packet has no such field. */
  readonly nullable: boolean;
}

/** Values of some rows, by column name; empty cells are null. */
export type Columns = Record<string, (number | string | boolean | null)[]>;

const column = (name: string, type: ColumnType, nullable = false): ColumnSpec => ({ name, type, nullable });

/** One row a packet. */
export const PACKET_COLUMNS: readonly ColumnSpec[] = [
  column('packet', 'uint32'),
  column('tsMicros', 'int64'),
  column('wireLen', 'uint32'),
  column('capturedLen', 'uint32'),
  column('ipVersion', 'uint8', true),
  column('protocol', 'uint8', true),
  column('source', 'text', true),
  column('sourcePort', 'uint16', true),
  column('destination', 'text', true),
  column('destinationPort', 'uint16', true),
  column('ttl', 'uint8', true),
  column('identification', 'uint32', true),
  column('laterFragment', 'bool'),
  column('tcpFlags', 'uint8', true),
  column('sequenceNumber', 'uint32', true),
  column('acknowledgmentNumber', 'uint32', true),
  column('window', 'uint16', true),
  column('payloadLength', 'uint32', true),
  column('flow', 'int32', true),
  column('fromClient', 'bool', true),
];

/** One row a flow. */
export const FLOW_COLUMNS: readonly ColumnSpec[] = [
  column('flow', 'uint32'),
  column('key', 'text'),
  column('protocol', 'text'),
  column('client', 'text'),
  column('clientPort', 'uint16'),
  column('server', 'text'),
  column('serverPort', 'uint16'),
  column('startMicros', 'int64'),
  column('durationSeconds', 'float64'),
  column('packetsToServer', 'uint32'),
  column('packetsToClient', 'uint32'),
  column('bytesToServer', 'float64'),
  column('bytesToClient', 'float64'),
  column('payloadBytesToServer', 'float64'),
  column('payloadBytesToClient', 'float64'),
  column('flagsToServer', 'uint8', true),
  column('flagsToClient', 'uint8', true),
  column('handshake', 'bool', true),
  column('closed', 'text', true),
  column('retransmissions', 'uint32', true),
];

/** No rows of a table. */
export function emptyColumns(specs: readonly ColumnSpec[]): Columns {
  return Object.fromEntries(specs.map(({ name }) => [name, []]));
}

/**
 * Appends a batch's rows.
 *
 * @param numbers of the packets in the file, by row.
 */
export function appendPackets(to: Columns, batch: HeaderBatch, numbers: ArrayLike<number>): void {
  const names = new AddressNames();
  for (let row = 0; row < batch.length; row++) {
    const version = batch.ipVersion[row];
    const ip = version !== 0;
    const ports = batch.hasPorts[row] === 1;
    const tcp = ports && batch.protocol[row] === 6;
    const flow = batch.flow[row];
    to.packet.push(numbers[row]);
    to.tsMicros.push(batch.tsMicros[row]);
    to.wireLen.push(batch.wireLen[row]);
    to.capturedLen.push(batch.capLen[row]);
    to.ipVersion.push(ip ? version : null);
    to.protocol.push(ip ? batch.protocol[row] : null);
    to.source.push(ip ? names.text(batch.source, row, version) : null);
    to.sourcePort.push(ports ? batch.sourcePort[row] : null);
    to.destination.push(ip ? names.text(batch.destination, row, version) : null);
    to.destinationPort.push(ports ? batch.destinationPort[row] : null);
    to.ttl.push(ip ? batch.ttl[row] : null);
    to.identification.push(ip ? batch.identification[row] : null);
    to.laterFragment.push(batch.fragment[row] === Fragment.LATER);
    to.tcpFlags.push(tcp ? batch.tcpFlags[row] : null);
    to.sequenceNumber.push(tcp ? batch.sequenceNumber[row] : null);
    to.acknowledgmentNumber.push(tcp ? batch.acknowledgmentNumber[row] : null);
    to.window.push(tcp ? batch.window[row] : null);
    to.payloadLength.push(ip ? batch.payloadLength[row] : null);
    to.flow.push(flow >= 0 ? flow : null);
    to.fromClient.push(flow >= 0 ? batch.fromClient[row] === 1 : null);
  }
}

/** Appends a flow. What only TCP has is empty for UDP. */
export function appendFlow(to: Columns, record: FlowRecord): void {
  const tcp = record.protocol === 'tcp';
  to.flow.push(record.id);
  to.client.push(record.client.address);
  to.clientPort.push(record.client.port);
  to.server.push(record.server.address);
  to.serverPort.push(record.server.port);
  for (const name of COPIED) to[name].push(record[name]);
  for (const name of TCP_ONLY) to[name].push(tcp ? record[name] : null);
}

const COPIED = [
  'key',
  'protocol',
  'startMicros',
  'durationSeconds',
  'packetsToServer',
  'packetsToClient',
  'bytesToServer',
  'bytesToClient',
  'payloadBytesToServer',
  'payloadBytesToClient',
] as const;
const TCP_ONLY = ['flagsToServer', 'flagsToClient', 'handshake', 'closed', 'retransmissions'] as const;

/** Texts of IPv4 addresses, made once a batch. */
class AddressNames {
  private readonly known = new Map<number, string>();

  text(words: Uint32Array, row: number, version: number): string {
    if (version !== 4) return addressText(words, row, version);
    const word = words[4 * row];
    let text = this.known.get(word);
    if (text === undefined) this.known.set(word, (text = addressText(words, row, version)));
    return text;
  }
}
