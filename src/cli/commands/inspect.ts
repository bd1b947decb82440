import type { Command } from 'commander';
import { formatBytes, formatDuration, NetssmError } from '../../util';
import type { InspectedCapture, ListedPacket, SelectOptions } from '../../flows';
import { newCommand, runAction, withPacketSelection, type Register } from '../command';
import type { Io } from '../io';
import { positiveWhole } from '../options';

interface InspectCommandOptions {
  filter?: string;
  from?: string;
  to?: string;
  skip?: number;
  count?: number;
  jobs?: number;
  problems?: number | true | string;
  packets?: number | true | string;
  show?: number;
  json?: boolean;
}

/** A packet as --packets --json lists it. */
interface PacketRow {
  packet: number;
  tsMicros: number;
  wireLen: number;
  capturedLen: number;
  summary: string;
  problems: string[];
}

/** `netssm inspect`. */
export const registerInspect: Register = (program, finish) => {
  withPacketSelection(
    newCommand(program, 'inspect', 'packets, flows, protocols and problems of captures', [
      'netssm inspect trace.pcap',
      'netssm inspect --json data/captures | jq .files[0]',
      "netssm inspect trace.pcap --filter 'tcp port 443' --from 10 --to 20 --packets",
      'netssm inspect trace.pcap --show 17',
      'netssm inspect --problems captures/',
      'tcpdump -w - -c 1000 | netssm inspect -',
    ]).argument('[captures...]', 'capture files or folders of them; - for standard input'),
  )
    .option('--jobs <n>', 'files read at once (default: one a core)', positiveWhole)
    .option(
      '--problems [n]',
      'first places of each kind of problem: packet, byte, what is wrong (default: 3)',
      numberOrPath,
    )
    .option(
      '--packets [n]',
      'one line a packet, like tcpdump, for the first n packets (default: all)',
      numberOrPath,
    )
    .option('--show <n>', 'all fields and the bytes of packet n of the file', positiveWhole)
    .action((captures: string[], options: InspectCommandOptions, command: Command) => {
      // `--packets x.pcap` means the capture, not its number of lines.
      for (const name of ['problems', 'packets'] as const) {
        const value = options[name];
        if (typeof value !== 'string') continue;
        captures.unshift(value);
        options[name] = true;
      }
      if (captures.length === 0) command.error("error: missing required argument 'captures'");
      return runAction(options, finish, (io) => inspect(captures, options, io));
    });
};

/** The value of an option whose number may be left out before a path. */
function numberOrPath(text: string): number | string {
  return /^-?[\d.]+$/.test(text) ? positiveWhole(text) : text;
}

async function inspect(captures: string[], options: InspectCommandOptions, io: Io): Promise<number> {
  const { filter, from, to, skip, count } = options;
  const selection: SelectOptions = { filter, from, to, skip, count };
  const { selectFrames } = await import('../../flows/index.js');
  // Unusable words end the run before any file is read.
  selectFrames(selection);
  if (options.show !== undefined) return showPacket(captures, options.show, io);
  if (options.packets !== undefined) {
    const limit = options.packets === true ? Infinity : Number(options.packets);
    return printPackets(captures, limit, selection, io);
  }
  return inspectAll(captures, options, selection, io);
}

async function inspectAll(
  captures: string[],
  options: InspectCommandOptions,
  selection: SelectOptions,
  io: Io,
): Promise<number> {
  const { inspectCaptures, emptyInspection } = await import('../../flows/index.js');
  const errors: NetssmError[] = [];
  const note = (error: NetssmError): void => {
    errors.push(error);
    io.note(`${error.message}${error.hint ? `\nHint: ${error.hint}` : ''}`);
  };
  const { files, unusable } = await listAll(captures, note);
  const progress = io.progress('inspect');
  const examples =
    options.problems === undefined ? undefined : Number(options.problems === true ? 3 : options.problems);
  const inspected = await inspectCaptures(files, {
    ...selection,
    examples,
    jobs: options.jobs,
    onProgress: progress.report,
    onError: (_file, error) => note(error),
  });
  progress.finish();
  const rows = [
    ...unusable.map(({ file, error }) => ({
      ...emptyInspection(file),
      error: { code: error.code, message: error.message },
    })),
    ...inspected,
  ];
  const read = rows.filter((row) => !row.error);
  if (read.length === 1) printDetails(read[0], io);
  else if (read.length > 1) await printTable(read, io);
  if (examples !== undefined) for (const row of read) printExamples(row, io);
  io.result({ files: rows });
  if (rows.some((row) => row.packets > 0)) return 0;
  return errors.length === rows.length && errors.every((error) => error.exitCode === 2) ? 2 : 1;
}

interface Unusable {
  file: string;
  error: NetssmError;
}

/** The captures below all arguments, and the arguments that cannot be used. */
async function listAll(
  captures: readonly string[],
  note: (error: NetssmError) => void,
): Promise<{ files: string[]; unusable: Unusable[] }> {
  const { listCaptures } = await import('../../capture/index.js');
  const files: string[] = [];
  const unusable: Unusable[] = [];
  for (const argument of captures) {
    try {
      files.push(...listCaptures(argument));
    } catch (error) {
      if (!(error instanceof NetssmError)) throw error;
      unusable.push({ file: argument, error });
      note(error);
    }
  }
  return { files, unusable };
}

/** --packets: one line each while they are read; with --json as rows. */
async function printPackets(
  captures: string[],
  limit: number,
  selection: SelectOptions,
  io: Io,
): Promise<number> {
  const { listPackets, packetLine } = await import('../../flows/index.js');
  const { summarize } = await import('../../packets/index.js');
  const fail = (error: NetssmError): never => {
    throw error;
  };
  const { files } = await listAll(captures, fail);
  const listed: { file: string; packets: PacketRow[] }[] = [];
  let total = 0;
  for (const file of files) {
    if (files.length > 1) io.print(`${file}:`);
    const rows: PacketRow[] = [];
    let n = 0;
    for await (const item of listPackets(file, selection)) {
      if (n >= limit) break;
      n++;
      if (io.json) rows.push(rowOf(item, summarize(item.packet)));
      else io.print(packetLine(item));
    }
    total += n;
    listed.push({ file, packets: rows });
  }
  io.result({ files: listed });
  return total > 0 ? 0 : 1;
}

function rowOf({ number, frame, packet }: ListedPacket, summary: string): PacketRow {
  return {
    packet: number,
    tsMicros: frame.tsMicros,
    wireLen: frame.wireLen,
    capturedLen: frame.data.length,
    summary,
    problems: packet.problems.map((problem) => problem.code),
  };
}

/** --show: the tree of one packet's fields, and its bytes. */
async function showPacket(captures: string[], wanted: number, io: Io): Promise<number> {
  const { listPackets, packetLine } = await import('../../flows/index.js');
  const { hexdump, show } = await import('../../packets/index.js');
  const fail = (error: NetssmError): never => {
    throw error;
  };
  const { files } = await listAll(captures, fail);
  if (files.length !== 1) {
    throw new NetssmError('show_one_file', `--show looks into one file; these are ${files.length}`, {
      exitCode: 2,
      hint: 'Name the capture that holds the packet.',
    });
  }
  let last = 0;
  for await (const item of listPackets(files[0], { skip: wanted - 1, count: 1 })) {
    last = item.number;
    const { frame, packet } = item;
    io.print(`${packetLine(item)}\n`);
    io.print(show(packet));
    io.print(`\n${hexdump(frame.data)}`);
    const { layers, problems, payloadOffset, linkType } = packet;
    const bytes = Buffer.from(frame.data).toString('hex');
    io.result(
      plain({ ...rowOf(item, packetLine(item).trim()), linkType, layers, problems, payloadOffset, bytes }),
    );
  }
  if (last > 0) return 0;
  throw new NetssmError('packet_missing', `${files[0]} has no packet ${wanted}`, {
    exitCode: 2,
    hint: 'netssm inspect FILE says how many there are; packets are counted from 1.',
  });
}

/** Fields as JSON can hold them: bytes in hexadecimal, large numbers as text. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]));
}

function printDetails(row: InspectedCapture, io: Io): void {
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
  if (row.evictedFlows > 0)
    io.print(`  flows:     ${row.evictedFlows} were counted before their end: too many were open at once`);
}

/** The first places of each problem. */
function printExamples(row: InspectedCapture, io: Io): void {
  for (const [code, examples] of Object.entries(row.problemExamples ?? {})) {
    io.print(`${row.file}: ${code}, ${row.problems[code]} times`);
    for (const { packet, offset, message } of examples) {
      io.print(`  ${packet === undefined ? 'file' : `packet ${packet}`}, byte ${offset}: ${message}`);
    }
  }
}

async function printTable(rows: InspectedCapture[], io: Io): Promise<void> {
  const { textTable } = await import('../../notebook/index.js');
  const sum = (pick: (row: InspectedCapture) => number): number =>
    rows.reduce((total, row) => total + pick(row), 0);
  const line = (
    name: string,
    pick: (get: (row: InspectedCapture) => number) => number,
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
