import { createRequire } from 'node:module';
import type { Columns, ColumnSpec, ColumnType } from './columns';

/*
 * Arrow's streaming format (https://arrow.apache.org/docs/format/Columnar.html, section IPC Streaming Format): a
 * schema message, record batches, an end mark. flechette, which arquero brings along, encodes one table at a time with
 * a schema and an end mark of its own; a stream of any length is the first table's schema and the batches of all.
 */

/** The part of flechette that is used. */
interface Flechette {
  tableFromArrays(arrays: [string, unknown][], options: { types: Record<string, unknown> }): unknown;
  tableToIPC(table: unknown, options: { format: 'stream' }): Uint8Array;
  [type: string]: unknown;
}

const END_MARK_BYTES = 8;

/** Encodes a table part by part. */
export class ArrowStream {
  private readonly flechette: Flechette;
  private readonly types: Record<string, unknown>;
  private started = false;

  constructor(private readonly columns: readonly ColumnSpec[]) {
    // From where arquero is installed: it is arquero's dependency, not ours.
    this.flechette = createRequire(require.resolve('arquero'))('@uwdata/flechette') as Flechette;
    this.types = Object.fromEntries(columns.map(({ name, type }) => [name, this.typeOf(type)]));
  }

  /** The bytes of some rows; the first ones carry the schema. */
  part(rows: Columns): Uint8Array {
    const arrays = this.columns.map(({ name, type }): [string, unknown] => [
      name,
      valuesFor(type, rows[name]),
    ]);
    const table = this.flechette.tableFromArrays(arrays, { types: this.types });
    const bytes = this.flechette.tableToIPC(table, { format: 'stream' });
    const from = this.started ? messageBytes(bytes) : 0;
    this.started = true;
    return bytes.subarray(from, bytes.length - END_MARK_BYTES);
  }

  /** The bytes that end the stream. */
  end(): Uint8Array {
    return Uint8Array.of(255, 255, 255, 255, 0, 0, 0, 0);
  }

  private typeOf(type: ColumnType): unknown {
    const make = this.flechette[type === 'text' ? 'utf8' : type] as () => unknown;
    return make();
  }
}

/** Whole numbers of 64 bits are BigInts in Arrow's builders. */
function valuesFor(type: ColumnType, values: Columns[string]): unknown[] {
  return type === 'int64' ? values.map((value) => (value === null ? null : BigInt(value))) : values;
}

/** Length of the first message, the schema, which has no body: mark, length, metadata. */
function messageBytes(bytes: Uint8Array): number {
  return 8 + new DataView(bytes.buffer, bytes.byteOffset).getInt32(4, true);
}
