import { AtomicWriter } from '../capture/atomicWriter';
import { ArrowStream } from './arrow';
import { emptyColumns, FLOW_COLUMNS, PACKET_COLUMNS, type Columns, type ColumnSpec } from './columns';
import { flowColumns, packetColumns, type TableOptions } from './tables';

export type ExportFormat = 'csv' | 'arrow' | 'jsonl';

export interface ExportOptions extends TableOptions {
  /** A capture's path, `-` for standard input, or bytes in memory. */
  source: string | Uint8Array;
  /** File to write; it appears when it is whole. */
  out: string;
  format: ExportFormat;
  what: 'packets' | 'flows';
  onRows?: (rows: number) => void;
}

/**
 * Writes a capture's packets or flows as a table, in bounded memory. `arrow` is the streaming IPC format.
 *
 * @returns the rows written.
 * @throws NetssmError as `openCapture`, for options that cannot be read, `file_unwritable`.
 */
export async function exportTable(options: ExportOptions): Promise<number> {
  const { source, out, format, what, onRows, ...selection } = options;
  const specs = what === 'packets' ? PACKET_COLUMNS : FLOW_COLUMNS;
  const parts = what === 'packets' ? packetColumns(source, selection) : flowColumns(source, selection);
  // The capture is opened, and options are judged, before a file is begun.
  const first = await parts.next();
  const encoder = encoderFor(format, specs);
  const file = new AtomicWriter(out);
  let rows = 0;
  const write = (part: Columns): void => {
    file.write(encoder.part(part));
    rows += part[specs[0].name].length;
    onRows?.(rows);
  };
  try {
    write(first.done ? emptyColumns(specs) : first.value);
    for await (const part of parts) write(part);
    file.write(encoder.end());
    file.close();
  } catch (error) {
    file.abort();
    throw error;
  }
  return rows;
}

interface Encoder {
  part(rows: Columns): Uint8Array;
  end(): Uint8Array;
}

function encoderFor(format: ExportFormat, specs: readonly ColumnSpec[]): Encoder {
  if (format === 'arrow') return new ArrowStream(specs);
  return format === 'csv' ? new CsvText(specs) : new JsonLines(specs);
}

/** RFC 4180 with a header line; empty cells are null; true and false in words. */
class CsvText implements Encoder {
  private started = false;

  constructor(private readonly specs: readonly ColumnSpec[]) {}

  part(rows: Columns): Uint8Array {
    const columns = this.specs.map(({ name }) => rows[name]);
    const lines = this.started ? [] : [this.specs.map(({ name }) => name).join(',')];
    this.started = true;
    // No value holds a comma or a quote: numbers, addresses, words, keys of both.
    for (let i = 0; i < columns[0].length; i++)
      lines.push(columns.map((values) => values[i] ?? '').join(','));
    return Buffer.from(lines.length > 0 ? `${lines.join('\n')}\n` : '');
  }

  end(): Uint8Array {
    return new Uint8Array(0);
  }
}

/** One JSON object a line, empty cells as null. */
class JsonLines implements Encoder {
  constructor(private readonly specs: readonly ColumnSpec[]) {}

  part(rows: Columns): Uint8Array {
    const names = this.specs.map(({ name }) => name);
    const count = rows[names[0]].length;
    const lines = Array.from({ length: count }, (_, i) =>
      JSON.stringify(Object.fromEntries(names.map((name) => [name, rows[name][i]]))),
    );
    return Buffer.from(count > 0 ? `${lines.join('\n')}\n` : '');
  }

  end(): Uint8Array {
    return new Uint8Array(0);
  }
}
