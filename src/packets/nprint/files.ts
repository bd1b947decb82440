import { AtomicWriter } from '../../capture/atomicWriter';
import { createCaptureWriter, openCapture, type CaptureSource, type Frame } from '../../capture';
import { NetssmError, ProblemCounter, type OnProgress } from '../../util';
import { formatIpv4, formatIpv6 } from '../addresses';
import { nprintColumns, NPRINT_HEADER_BITS } from './columns';
import type { NprintHeaders, NprintRefusalCode } from './locate';
import { openNprint } from './reader';
import { nprintBytesToFrame, nprintRowToBytes, writeNprintRow } from './row';

/** What the first column of a file holds; `flow` is source_destination_port_port_protocol. */
export const NPRINT_INDEXES = ['src_ip', 'dst_ip', 'src_prt', 'dst_prt', 'flow'] as const;
export type NprintIndex = (typeof NPRINT_INDEXES)[number];

export interface CaptureToNprintOptions {
  /** First column; default `src_ip`. */
  index?: NprintIndex;
  /** Payload bytes after the headers; default 0. */
  payloadBytes?: number;
  /** A column `rts`: microseconds since the packet before. */
  relativeTime?: boolean;
  /** Columns `tv_sec` and `tv_usec`. */
  absoluteTime?: boolean;
  /** Rows at most. */
  count?: number;
  onProgress?: OnProgress;
  signal?: AbortSignal;
}

export interface CaptureToNprintReport {
  /** Packets read. */
  packets: number;
  rows: number;
  /** Packets without an nPrint, by reason. */
  leftOut: Partial<Record<NprintRefusalCode, number>>;
}

/**
 * Writes a capture as an nPrint file that the nprint tool and what builds on it can read, in bounded memory. Header bits
 * beyond what was captured are -1.
 *
 * @throws NetssmError as `openCapture`, `file_unwritable`, `option_invalid`, `aborted`.
 */
export async function captureToNprint(
  source: CaptureSource,
  out: string,
  options: CaptureToNprintOptions = {},
): Promise<CaptureToNprintReport> {
  const { index = 'src_ip', payloadBytes = 0, relativeTime, absoluteTime, count = Infinity } = options;
  if (!NPRINT_INDEXES.includes(index))
    throw new NetssmError('option_invalid', `no nPrint index "${String(index)}"`, {
      hint: `One of ${NPRINT_INDEXES.join(', ')}.`,
      exitCode: 2,
    });
  if (!(Number.isInteger(payloadBytes) && payloadBytes >= 0 && payloadBytes <= 65535))
    throw new NetssmError(
      'option_invalid',
      `payloadBytes is ${payloadBytes}; a whole number from 0 to 65535`,
      {
        exitCode: 2,
      },
    );
  const reader = await openCapture(source);
  const file = new AtomicWriter(out);
  const report: CaptureToNprintReport = { packets: 0, rows: 0, leftOut: {} };
  const row = new Int8Array(NPRINT_HEADER_BITS + 8 * payloadBytes);
  const text = Buffer.alloc(3 * row.length);
  let last: number | undefined;
  try {
    const names = [index, ...(relativeTime ? ['rts'] : []), ...(absoluteTime ? ['tv_sec', 'tv_usec'] : [])];
    file.write(Buffer.from(`${[...names, ...nprintColumns(payloadBytes)].join(',')}\n`));
    for await (const frame of reader) {
      if (report.rows >= count) break;
      if (options.signal?.aborted) throw new NetssmError('aborted', 'stopped before the end of the capture');
      report.packets++;
      const at = writeNprintRow(frame.data, frame.linkType, row);
      if (!at.ok) {
        report.leftOut[at.code] = (report.leftOut[at.code] ?? 0) + 1;
        continue;
      }
      let prefix = `${indexOf(frame.data, at, index)},`;
      if (relativeTime) prefix += `${frame.tsMicros - (last ?? frame.tsMicros)},`;
      if (absoluteTime)
        prefix += `${Math.floor(frame.tsMicros / 1e6)},${((frame.tsMicros % 1e6) + 1e6) % 1e6},`;
      last = frame.tsMicros;
      file.write(Buffer.from(prefix));
      file.write(text.subarray(0, csvOf(row, text)));
      report.rows++;
      if (report.packets % 1000 === 0) options.onProgress?.({ done: report.packets, unit: 'packets' });
    }
    options.onProgress?.({ done: report.packets, unit: 'packets' });
    file.close();
  } catch (error) {
    file.abort();
    throw error;
  }
  return report;
}

export interface NprintToCaptureOptions {
  /** Time of the first packet where the file has none; default 0. */
  startMicros?: number;
  /** Between packets where the file has no times; default 1,000. */
  intervalMicros?: number;
  onProgress?: OnProgress;
  signal?: AbortSignal;
}

export interface NprintToCaptureReport {
  rows: number;
  packets: number;
  /** Rows of -1, as pictures are padded with: no packet. */
  emptyRows: number;
  /** `nprint_ragged`: rows whose bits fill no whole bytes. */
  problems: Record<string, number>;
}

/**
 * Writes the packets of an nPrint file as a capture of link type RAW: byte for byte the headers that the rows hold,
 * unrepaired. Times come from `tv_sec` and `tv_usec`, else from `rts`, else at equal intervals.
 *
 * @throws NetssmError as {@link openNprint} and `createCaptureWriter`; `aborted`.
 */
export async function nprintToCapture(
  path: string,
  out: string,
  options: NprintToCaptureOptions = {},
): Promise<NprintToCaptureReport> {
  const reader = await openNprint(path);
  const writer = createCaptureWriter(out, { linkType: 101 });
  const problems = new ProblemCounter();
  const report: NprintToCaptureReport = { rows: 0, packets: 0, emptyRows: 0, problems: {} };
  try {
    for await (const { frame, ...each } of framesOf(reader, options)) {
      if (options.signal?.aborted) throw new NetssmError('aborted', 'stopped before the end of the file');
      report.rows++;
      problems.addAll(each.problems);
      if (!frame) report.emptyRows++;
      else writer.write(frame);
      if (report.rows % 1000 === 0) options.onProgress?.({ done: report.rows, unit: 'rows' });
    }
    options.onProgress?.({ done: report.rows, unit: 'rows' });
    writer.close();
  } catch (error) {
    writer.abort();
    throw error;
  }
  report.packets = writer.frames;
  report.problems = problems.toJSON();
  return report;
}

async function* framesOf(
  reader: Awaited<ReturnType<typeof openNprint>>,
  { startMicros = 0, intervalMicros = 1000 }: NprintToCaptureOptions,
): AsyncGenerator<{ frame?: Frame; problems: ReturnType<typeof nprintRowToBytes>['problems'] }> {
  let ts = startMicros;
  let first = true;
  for await (const { index, bits } of reader) {
    const { bytes, problems } = nprintRowToBytes(bits);
    const absolute = 1e6 * Number(index.tv_sec) + Number(index.tv_usec);
    const relative = Number(index.rts);
    if (Number.isFinite(absolute)) ts = absolute;
    else if (!first) ts += Number.isFinite(relative) ? relative : intervalMicros;
    first = false;
    yield { frame: bytes.length > 0 ? nprintBytesToFrame(bytes, ts) : undefined, problems };
  }
}

/** A row as `0,1,-1 ...` and a line feed; returns the length. */
function csvOf(row: Int8Array, text: Uint8Array): number {
  let at = 0;
  for (let i = 0; i < row.length; i++) {
    if (row[i] < 0) text[at++] = 45;
    text[at++] = row[i] === 0 ? 48 : 49;
    text[at++] = 44;
  }
  text[at - 1] = 10;
  return at;
}

/** NULL where a port was not captured or the protocol has none, as the tool writes it. */
function indexOf(bytes: Uint8Array, at: NprintHeaders, index: NprintIndex): string {
  const address = (source: boolean): string => {
    const [from, length] = at.ipVersion === 4 ? [source ? 12 : 16, 4] : [source ? 8 : 24, 16];
    if (bytes.length < at.ipAt + from + length) return 'NULL';
    return (at.ipVersion === 4 ? formatIpv4 : formatIpv6)(bytes, at.ipAt + from);
  };
  const port = (source: boolean): string => {
    const from = at.ipEnd + (source ? 0 : 2);
    if ((at.transport !== 'tcp' && at.transport !== 'udp') || bytes.length < from + 2) return 'NULL';
    return String((bytes[from] << 8) | bytes[from + 1]);
  };
  switch (index) {
    case 'src_ip':
      return address(true);
    case 'dst_ip':
      return address(false);
    case 'src_prt':
      return port(true);
    case 'dst_prt':
      return port(false);
    case 'flow': {
      const protocol = at.transport === 'tcp' || at.transport === 'udp' ? at.transport.toUpperCase() : 'NULL';
      return [address(true), address(false), port(true), port(false), protocol].join('_');
    }
  }
}
