import type { ColumnTable } from 'arquero';
import {
  appendFlow,
  appendPackets,
  emptyColumns,
  FLOW_COLUMNS,
  PACKET_COLUMNS,
  type Columns,
} from './columns';
import { flowRecord } from './flowRecord';
import { scanCapture, type CaptureScan, type ScanOptions } from './scan';

/** Which packets, and bounds of the flow table. */
export type TableOptions = Omit<ScanOptions, 'onFlow'>;

/** Rows in the order of the file, some thousands at a time. */
export async function* packetColumns(
  source: string | Uint8Array,
  options: TableOptions = {},
): AsyncGenerator<Columns> {
  const scan = await scanCapture(source, options);
  for await (const batch of scan.batches()) {
    const columns = emptyColumns(PACKET_COLUMNS);
    appendPackets(columns, batch, scan.numbers);
    yield columns;
  }
}

/** Flows in the order in which they end, some at a time. */
export async function* flowColumns(
  source: string | Uint8Array,
  options: TableOptions = {},
): AsyncGenerator<Columns> {
  let columns = emptyColumns(FLOW_COLUMNS);
  const scan: CaptureScan = await scanCapture(source, {
    ...options,
    onFlow: (slot) => appendFlow(columns, flowRecord(scan.flows, slot)),
  });
  for await (const batch of scan.batches()) {
    void batch;
    if (columns.flow.length < FLUSH_ROWS) continue;
    yield columns;
    columns = emptyColumns(FLOW_COLUMNS);
  }
  if (columns.flow.length > 0) yield columns;
}

const FLUSH_ROWS = 4096;

/**
 * The packets of a capture as an arquero table, one row each, in the order of the file. The columns are those of
 * docs/export.md. For captures of some millions of packets; larger ones are exported and read in parts.
 *
 * @example
 * const packets = await packetTable('trace.pcap', { filter: 'tcp' });
 * packets.groupby('flow').rollup({ bytes: (d) => op.sum(d.wireLen) })
 *
 * @throws NetssmError as `openCapture`, and for options that cannot be read.
 */
export async function packetTable(
  source: string | Uint8Array,
  options: TableOptions = {},
): Promise<ColumnTable> {
  return toTable(packetColumns(source, options), emptyColumns(PACKET_COLUMNS));
}

/** The flows of a capture as an arquero table, one row each, in the order of opening. Else as {@link packetTable}. */
export async function flowTable(
  source: string | Uint8Array,
  options: TableOptions = {},
): Promise<ColumnTable> {
  return (await toTable(flowColumns(source, options), emptyColumns(FLOW_COLUMNS))).orderby('flow').reify();
}

async function toTable(parts: AsyncGenerator<Columns>, all: Columns): Promise<ColumnTable> {
  for await (const part of parts) {
    for (const [name, values] of Object.entries(part)) {
      const target = all[name];
      for (const value of values) target.push(value);
    }
  }
  // arquero takes a while to load, and only tables need it.
  const { table } = await import('arquero');
  return table(all);
}
