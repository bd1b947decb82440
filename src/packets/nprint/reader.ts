import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { NetssmError } from '../../util';
import { nprintColumns, NPRINT_HEADER_BITS } from './columns';

/** One line of an nPrint file. */
export interface NprintCsvRow {
  /** 1 for the first packet. */
  number: number;
  /** The columns that are no bits, by name: `{src_ip: '192.0.2.1'}`. */
  index: Record<string, string>;
  /** 1,408 values of {-1, 0, 1} and the payload's; columns that the file lacks are -1. */
  bits: Int8Array;
}

/** What the header line says. */
export interface NprintHeader {
  /** Columns that are no bits, in order: `src_ip`, `rts`; `''` where the first has no name. */
  index: string[];
  payloadBytes: number;
  /** Bit columns of the layout that the file lacks, e.g. addresses that were taken out. */
  missing: string[];
  /** Bit columns of headers below IP (`eth_`, `wlan_`, `radiotap_`), which are not read. */
  ignored: string[];
}

/** Columns of the nprint tool that are no bits. */
const INDEX_COLUMNS = [
  '',
  'src_ip',
  'dst_ip',
  'src_prt',
  'dst_prt',
  'src_port',
  'dst_port',
  'flow',
  'rts',
  'tv_sec',
  'tv_usec',
];
const BELOW_IP = /^(eth|wlan|radiotap)_/;
const IGNORED = -2;
const INDEX = -1;

/**
 * Opens an nPrint file (CSV, gzip if its name ends in .gz) and reads its header line; iterate it for the rows, one at a time
 * in bounded memory. Columns are found by name, in any order.
 *
 * @throws NetssmError `file_unreadable`; `nprint_header` for columns that are no nPrint; while iterating `nprint_line`,
 *   `nprint_value`, with the line and the column.
 */
export async function openNprint(path: string): Promise<NprintReader> {
  const lines = linesOf(path);
  const first = await lines.next();
  if (first.done) throw new NetssmError('nprint_header', `${path} is empty`, { context: { file: path } });
  return new NprintReader(path, lines, first.value.split(','));
}

/** Use {@link openNprint}. Can be iterated once. */
export class NprintReader implements AsyncIterable<NprintCsvRow> {
  readonly header: NprintHeader;
  /** For each cell of a line: the bit column, INDEX or IGNORED. */
  private readonly targets: Int32Array;
  private readonly names: string[];

  constructor(
    readonly path: string,
    private readonly lines: AsyncGenerator<string>,
    names: string[],
  ) {
    this.names = names.map((name) => name.trim().replace(/^"(.*)"$/, '$1'));
    const payloadBits = this.names.filter((name) => name.startsWith('payload_bit_')).length;
    const columns = nprintColumns(Math.ceil(payloadBits / 8));
    const places = new Map(columns.map((name, i) => [name, i]));
    const header: NprintHeader = {
      index: [],
      payloadBytes: Math.ceil(payloadBits / 8),
      missing: [],
      ignored: [],
    };
    this.targets = Int32Array.from(this.names, (name, i) => {
      const place = places.get(name);
      if (place !== undefined) {
        places.delete(name);
        return place;
      }
      if (INDEX_COLUMNS.includes(name)) {
        header.index.push(name);
        return INDEX;
      }
      if (BELOW_IP.test(name)) {
        header.ignored.push(name);
        return IGNORED;
      }
      throw new NetssmError(
        'nprint_header',
        `${path}: column ${i + 1}, "${name.slice(0, 40)}", is none of nPrint`,
        {
          hint: 'The first line of an nPrint file names its columns: src_ip,ipv4_ver_0,ipv4_ver_1 ...',
          context: { file: path, column: i + 1 },
        },
      );
    });
    header.missing = [...places.keys()];
    if (header.missing.length === columns.length)
      throw new NetssmError('nprint_header', `${path}: no column of nPrint in its first line`, {
        context: { file: path },
      });
    this.header = header;
  }

  async *[Symbol.asyncIterator](): AsyncIterator<NprintCsvRow> {
    let number = 0;
    for await (const line of this.lines) {
      if (line === '') continue;
      yield this.parse(line, ++number);
    }
  }

  private parse(line: string, number: number): NprintCsvRow {
    const { targets, names } = this;
    const bits = new Int8Array(NPRINT_HEADER_BITS + 8 * this.header.payloadBytes).fill(-1);
    const index: Record<string, string> = {};
    let at = 0;
    let cell = 0;
    for (; cell < targets.length && at <= line.length; cell++) {
      let end = line.indexOf(',', at);
      if (end < 0) end = line.length;
      const target = targets[cell];
      if (target >= 0) {
        const c = line.charCodeAt(at);
        // 0, 1 and -1 are nearly all there is.
        if (end - at === 1 && (c === 48 || c === 49)) bits[target] = c - 48;
        else if (!(end - at === 2 && c === 45 && line.charCodeAt(at + 1) === 49)) {
          bits[target] = this.value(line.slice(at, end), number, cell);
        }
      } else if (target === INDEX) index[names[cell]] = line.slice(at, end);
      at = end + 1;
    }
    if (cell < targets.length || at <= line.length) {
      const found = line.split(',').length;
      throw new NetssmError(
        'nprint_line',
        `${this.path}, line ${number + 1}: ${found} cells under ${targets.length} columns`,
        {
          hint: 'The file may have been cut while it was written.',
          context: { file: this.path, line: number + 1 },
        },
      );
    }
    return { number, index, bits };
  }

  /** Other spellings (1.0). */
  private value(text: string, number: number, cell: number): number {
    const value = text.trim() === '' ? NaN : Number(text);
    if (value === 0 || value === 1 || value === -1) return value;
    throw new NetssmError(
      'nprint_value',
      `${this.path}, line ${number + 1}, column ${this.names[cell]}: "${text.slice(0, 40)}" is none of -1, 0, 1`,
      { context: { file: this.path, line: number + 1, column: this.names[cell] } },
    );
  }
}

async function* linesOf(path: string): AsyncGenerator<string> {
  const file = createReadStream(path, { highWaterMark: 1 << 18 });
  const stream = /\.gz$/i.test(path)
    ? file.on('error', (error) => unpacked?.destroy(error)).pipe(createGunzip())
    : file;
  const unpacked = stream === file ? undefined : stream;
  let rest = '';
  try {
    for await (const chunk of stream) {
      // nPrint is ASCII.
      const text = rest + (chunk as Buffer).toString('latin1');
      let from = 0;
      for (let to = text.indexOf('\n'); to >= 0; to = text.indexOf('\n', from)) {
        yield text.slice(from, text[to - 1] === '\r' ? to - 1 : to);
        from = to + 1;
      }
      rest = text.slice(from);
    }
  } catch (cause) {
    if (cause instanceof NetssmError) throw cause;
    throw new NetssmError('file_unreadable', `cannot read ${path}: ${(cause as Error).message}`, {
      cause,
      context: { file: path },
    });
  } finally {
    file.destroy();
  }
  if (rest !== '') yield rest;
}
