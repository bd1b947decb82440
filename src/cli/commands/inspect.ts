import { formatBytes, formatDuration, NetssmError, ProblemCounter } from '../../util';
import { newCommand, runAction, type Register } from '../command';
import type { Io } from '../io';

/** One capture's row; the first six keys are what --json promises. */
interface InspectedFile {
  file: string;
  packets: number;
  /** On the wire: the records' original lengths added up. */
  bytes: number;
  linkTypes: number[];
  /** Bidirectional five-tuples. */
  flows: number;
  problems: Record<string, number>;
  /** Bytes that the file really holds of these packets. */
  capturedBytes: number;
  seconds: number;
  format: string;
  /** Packets by the name of their innermost decoded protocol. */
  protocols: Record<string, number>;
  error?: { code: string; message: string };
}

/** `netssm inspect`. */
export const registerInspect: Register = (program, finish) => {
  newCommand(program, 'inspect', 'packets, flows, protocols and problems of captures', [
    'netssm inspect trace.pcap',
    'netssm inspect --json data/captures | jq .files[0]',
  ])
    .argument('<captures...>', 'capture files or folders of them')
    .action((captures: string[], options: { json?: boolean }) =>
      runAction(options, finish, (io) => inspectAll(captures, io)),
    );
};

async function inspectAll(captures: string[], io: Io): Promise<number> {
  const { listCaptures } = await import('../../capture/index.js');
  const rows: InspectedFile[] = [];
  const errors: NetssmError[] = [];
  const failed = (file: string, error: unknown): void => {
    if (!(error instanceof NetssmError)) throw error;
    errors.push(error);
    io.note(`${error.message}${error.hint ? `\nHint: ${error.hint}` : ''}`);
    rows.push({ ...emptyRow(file), error: { code: error.code, message: error.message } });
  };
  for (const argument of captures) {
    let files: string[] = [];
    try {
      files = listCaptures(argument);
    } catch (error) {
      failed(argument, error);
    }
    for (const file of files) {
      try {
        const row = await inspectFile(file, io);
        rows.push(row);
        printRow(row, io);
      } catch (error) {
        failed(file, error);
      }
    }
  }
  if (rows.length > 1) printTotals(rows, io);
  io.result({ files: rows });
  if (rows.some((row) => row.packets > 0)) return 0;
  return errors.length === rows.length && errors.every((error) => error.exitCode === 2) ? 2 : 1;
}

function emptyRow(file: string): InspectedFile {
  return {
    file,
    packets: 0,
    bytes: 0,
    linkTypes: [],
    flows: 0,
    problems: {},
    capturedBytes: 0,
    seconds: 0,
    format: 'unknown',
    protocols: {},
  };
}

async function inspectFile(file: string, io: Io): Promise<InspectedFile> {
  const { openCapture } = await import('../../capture/index.js');
  const { decodePacket } = await import('../../packets/index.js');
  const { fiveTuple } = await import('../../flows/index.js');
  const progress = io.progress(`inspect ${file}`);
  const reader = await openCapture(file);
  const row = emptyRow(file);
  const problems = new ProblemCounter(0);
  const flows = new Set<string>();
  let first = Infinity;
  let last = -Infinity;
  for await (const frame of reader) {
    row.packets++;
    row.bytes += frame.wireLen;
    row.capturedBytes += frame.data.length;
    first = Math.min(first, frame.tsMicros);
    last = Math.max(last, frame.tsMicros);
    const packet = decodePacket(frame.data, frame.linkType);
    problems.addAll(packet.problems);
    const innermost = packet.layers[packet.layers.length - 1]?.protocol ?? 'unknown';
    row.protocols[innermost] = (row.protocols[innermost] ?? 0) + 1;
    const tuple = fiveTuple(packet);
    if (tuple) flows.add(tuple.key);
    if (row.packets % 2048 === 0) progress.report({ done: row.packets, unit: 'packets' });
  }
  if (row.packets >= 2048) progress.finish();
  problems.addAll(reader.problems);
  row.linkTypes = [...reader.info.linkTypes];
  row.format = reader.info.format;
  row.flows = flows.size;
  row.seconds = row.packets > 0 ? (last - first) / 1e6 : 0;
  row.problems = problems.toJSON();
  return row;
}

function printRow(row: InspectedFile, io: Io): void {
  const names = Object.entries(row.protocols).sort((a, b) => b[1] - a[1]);
  io.print(row.file);
  io.print(
    `  ${row.packets.toLocaleString('en')} packets, ${formatBytes(row.bytes)} on the wire ` +
      `(${formatBytes(row.capturedBytes)} captured), ${row.flows.toLocaleString('en')} flows, ` +
      `${formatDuration(row.seconds)}, ${row.format}, link type ${row.linkTypes.join(', ') || 'none'}`,
  );
  if (names.length > 0) io.print(`  protocols: ${names.map(([name, n]) => `${name} ${n}`).join(', ')}`);
  const problems = Object.entries(row.problems);
  if (problems.length > 0) io.print(`  problems:  ${problems.map(([code, n]) => `${code} ${n}`).join(', ')}`);
}

function printTotals(rows: InspectedFile[], io: Io): void {
  const sum = (pick: (row: InspectedFile) => number): number =>
    rows.reduce((total, row) => total + pick(row), 0);
  io.print(
    `${rows.length} files: ${sum((r) => r.packets).toLocaleString('en')} packets, ` +
      `${formatBytes(sum((r) => r.bytes))} on the wire, ${sum((r) => r.flows).toLocaleString('en')} flows`,
  );
}
