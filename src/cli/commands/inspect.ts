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
  /** Conversations: bidirectional five-tuples, a TCP connection that is opened anew counting anew. */
  flows: number;
  problems: Record<string, number>;
  /** Bytes that the file really holds of these packets. */
  capturedBytes: number;
  seconds: number;
  format: string;
  /** Packets by the name of their innermost decoded protocol. */
  protocols: Record<string, number>;
  /** Of the TCP flows: all, those whose handshake is there, those that were closed by FIN or RST. */
  tcp: { flows: number; handshakes: number; closed: number };
  /** Flows counted before their end because too many were open; such a flow may be counted twice. */
  evictedFlows: number;
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
  const files: string[] = [];
  for (const argument of captures) {
    try {
      files.push(...listCaptures(argument));
    } catch (error) {
      failed(argument, error);
    }
  }
  const progress = io.progress('inspect');
  let packets = 0;
  for (const [i, file] of files.entries()) {
    const report = (row: InspectedFile): void =>
      progress.report({
        done: packets + row.packets,
        unit: 'packets',
        detail: `file ${i + 1} of ${files.length}`,
      });
    try {
      const row = await inspectFile(file, report);
      packets += row.packets;
      rows.push(row);
    } catch (error) {
      failed(file, error);
    }
  }
  progress.finish();
  const read = rows.filter((row) => !row.error);
  if (read.length === 1) printDetails(read[0], io);
  else if (read.length > 1) await printTable(read, io);
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
    tcp: { flows: 0, handshakes: 0, closed: 0 },
    evictedFlows: 0,
  };
}

async function inspectFile(file: string, report: (row: InspectedFile) => void): Promise<InspectedFile> {
  const { openCapture } = await import('../../capture/index.js');
  const { decodePacket } = await import('../../packets/index.js');
  const { FlowTable } = await import('../../flows/index.js');
  const reader = await openCapture(file);
  const row = emptyRow(file);
  const problems = new ProblemCounter(0);
  const flows = new FlowTable({
    maxFlows: 100_000,
    onFlow: (flow) => {
      row.flows++;
      if (!flow.tcp) return;
      row.tcp.flows++;
      if (flow.tcp.handshake) row.tcp.handshakes++;
      if (flow.tcp.closed !== 'none') row.tcp.closed++;
    },
  });
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
    flows.add(frame, row.packets - 1, packet);
    if (row.packets % 2048 === 0) report(row);
  }
  report(row);
  problems.addAll(reader.problems);
  row.linkTypes = [...reader.info.linkTypes];
  row.format = reader.info.format;
  flows.finish();
  row.evictedFlows = flows.evicted;
  row.seconds = row.packets > 0 ? (last - first) / 1e6 : 0;
  row.problems = problems.toJSON();
  return row;
}

function printDetails(row: InspectedFile, io: Io): void {
  const names = Object.entries(row.protocols).sort((a, b) => b[1] - a[1]);
  io.print(row.file);
  io.print(
    `  ${row.packets.toLocaleString('en')} packets, ${formatBytes(row.bytes)} on the wire ` +
      `(${formatBytes(row.capturedBytes)} captured), ${row.flows.toLocaleString('en')} flows, ` +
      `${formatDuration(row.seconds)}, ${row.format}, link type ${row.linkTypes.join(', ') || 'none'}`,
  );
  if (names.length > 0) io.print(`  protocols: ${names.map(([name, n]) => `${name} ${n}`).join(', ')}`);
  if (row.tcp.flows > 0) {
    const { flows, handshakes, closed } = row.tcp;
    io.print(`  tcp:       ${flows} flows, ${handshakes} with a handshake, ${closed} closed`);
  }
  const problems = Object.entries(row.problems);
  if (problems.length > 0) io.print(`  problems:  ${problems.map(([code, n]) => `${code} ${n}`).join(', ')}`);
}

async function printTable(rows: InspectedFile[], io: Io): Promise<void> {
  const { textTable } = await import('../../notebook/index.js');
  const sum = (pick: (row: InspectedFile) => number): number =>
    rows.reduce((total, row) => total + pick(row), 0);
  const line = (
    name: string,
    pick: (get: (row: InspectedFile) => number) => number,
    rest: string[],
  ): string[] => [
    name,
    pick((row) => row.packets).toLocaleString('en'),
    formatBytes(pick((row) => row.bytes)),
    formatBytes(pick((row) => row.capturedBytes)),
    pick((row) => row.flows).toLocaleString('en'),
    `${pick((row) => row.tcp.handshakes)}/${pick((row) => row.tcp.flows)}`,
    ...rest,
  ];
  const problems = new Map<string, number>();
  for (const row of rows)
    for (const [code, n] of Object.entries(row.problems)) problems.set(code, (problems.get(code) ?? 0) + n);
  const count = (counts: Iterable<[string, number]>): string =>
    [...counts].map(([code, n]) => `${code} ${n}`).join(', ') || '-';
  io.print(
    textTable(
      ['file', 'packets', 'on the wire', 'captured', 'flows', 'handshakes', 'seconds', 'link', 'problems'],
      [
        ...rows.map((row) =>
          line(row.file, (get) => get(row), [
            row.seconds.toFixed(1),
            row.linkTypes.join(','),
            count(Object.entries(row.problems)),
          ]),
        ),
        line(`${rows.length} files`, sum, ['', '', count(problems)]),
      ],
      ['left', 'right', 'right', 'right', 'right', 'right', 'right', 'left', 'left'],
    ),
  );
}
